// Cassandra is the shop with the driver of Cassandra.
package main

import (
	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
)

func main() {
	oneNode := &cqlstore.Options{ReplicationFactor: 1} // for trying out; the URL may say more
	shop.Main(shop.Drivers{"cassandra": shop.By(cqlstore.Open, oneNode)})
}
