// Leveldb is the shop with the driver of LevelDB.
package main

import (
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
	"github.com/sojourn-go/sojourn/leveldbstore"
)

func main() { shop.Main(shop.Drivers{"leveldb": shop.By(leveldbstore.Open, nil)}) }
