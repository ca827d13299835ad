package redisstore

import (
	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore/lua"
)

// NewDriver is the driver that New uses, for tests that stand between it and a store.
func NewDriver(c rueidis.Client) lua.Cacher { return rueidisDriver{c} }
