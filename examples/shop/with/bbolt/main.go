// Bbolt is the shop with the driver of a bbolt file.
package main

import (
	"github.com/sojourn-go/sojourn/bboltstore"
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
)

func main() { shop.Main(shop.Drivers{"bbolt": shop.By(bboltstore.Open, nil)}) }
