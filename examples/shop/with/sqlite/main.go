// Sqlite is the shop with the driver of an SQLite file.
package main

import (
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
	"github.com/sojourn-go/sojourn/sqlitestore"
)

func main() { shop.Main(shop.Drivers{"sqlite": shop.By(sqlitestore.Open, nil)}) }
