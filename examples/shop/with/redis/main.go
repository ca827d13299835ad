// Redis is the shop with the driver of Redis, Valkey, a Redis Cluster, or Redis with Sentinel.
package main

import (
	"github.com/sojourn-go/sojourn/examples/shop/internal/shop"
	"github.com/sojourn-go/sojourn/redisstore"
)

func main() { shop.Main(shop.Drivers{"redis": shop.By(redisstore.Open, nil)}) }
