package redisstore

import "github.com/redis/rueidis"

// NewDriver is the driver that New uses, for tests that stand between it and a store.
func NewDriver(c rueidis.Client) Cacher { return rueidisDriver{c} }
