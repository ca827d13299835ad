module github.com/sojourn-go/sojourn/proxies

go 1.26.0

require (
	github.com/sojourn-go/sojourn v0.0.0
	github.com/sojourn-go/sojourn/servers v0.0.0
)

replace (
	github.com/sojourn-go/sojourn => ..
	github.com/sojourn-go/sojourn/servers => ../servers
)
