// Shop is a small web shop that shows what sojourn does: run it and open the address that it
// prints. It needs no driver, and keeps sessions in memory, in cookies or in plain files. The
// programs in the folder with have the other stores.
//
//	go run . [--addr localhost:8080] [--store disk:shop-data/sessions] [--data shop-data] [--fresh 2m]
package main

import "github.com/sojourn-go/sojourn/examples/shop/internal/shop"

func main() { shop.Main(nil) }
