// Postgres is the shop with the driver of PostgreSQL.
package main

import (
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
	"github.com/sojourn-go/sojourn/pgxstore"
)

func main() { shop.Main(shop.Drivers{"postgres": shop.By(pgxstore.Open, nil)}) }
