// Mysql is the shop with the driver of MySQL or MariaDB.
package main

import (
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
	"github.com/sojourn-go/sojourn/mysqlstore"
)

func main() { shop.Main(shop.Drivers{"mysql": shop.By(mysqlstore.Open, nil)}) }
