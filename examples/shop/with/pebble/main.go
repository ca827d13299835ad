// Pebble is the shop with the driver of Pebble.
package main

import (
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
	"github.com/sojourn-go/sojourn/pebblestore"
)

func main() { shop.Main(shop.Drivers{"pebble": shop.By(pebblestore.Open, nil)}) }
