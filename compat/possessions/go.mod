module github.com/sojourn-go/sojourn/compat/possessions

go 1.26.0

require (
	github.com/redis/go-redis/v9 v9.23.0
	github.com/sojourn-go/sojourn v0.0.0
	github.com/sojourn-go/sojourn/redisstore/goredis v0.0.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/sojourn-go/sojourn/redisstore v0.0.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)

replace (
	github.com/sojourn-go/sojourn => ../../
	github.com/sojourn-go/sojourn/redisstore => ../../redisstore
	github.com/sojourn-go/sojourn/redisstore/goredis => ../../redisstore/goredis
)
