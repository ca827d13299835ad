module github.com/sojourn-go/sojourn/compat/possessions

go 1.26

require (
	github.com/redis/go-redis/v9 v9.23.0
	github.com/sojourn-go/sojourn v0.0.0
	github.com/sojourn-go/sojourn/redisstore v0.0.0
	github.com/sojourn-go/sojourn/redisstore/goredis v0.0.0
)

replace (
	github.com/sojourn-go/sojourn => ../../
	github.com/sojourn-go/sojourn/redisstore => ../../redisstore
	github.com/sojourn-go/sojourn/redisstore/goredis => ../../redisstore/goredis
)
