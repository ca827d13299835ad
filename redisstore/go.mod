module github.com/sojourn-go/sojourn/redisstore

go 1.26

require (
	github.com/redis/rueidis v1.0.79
	github.com/sojourn-go/sojourn v0.0.0
)

require golang.org/x/sys v0.47.0 // indirect

replace github.com/sojourn-go/sojourn => ../
