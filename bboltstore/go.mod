module github.com/sojourn-go/sojourn/bboltstore

go 1.26

require (
	github.com/sojourn-go/sojourn v0.0.0
	go.etcd.io/bbolt v1.5.0
)

require golang.org/x/sys v0.45.0 // indirect

replace github.com/sojourn-go/sojourn => ../
