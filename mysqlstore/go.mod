module github.com/sojourn-go/sojourn/mysqlstore

go 1.26

require (
	github.com/go-sql-driver/mysql v1.10.1
	github.com/sojourn-go/sojourn v0.0.0
)

require filippo.io/edwards25519 v1.2.0 // indirect

replace github.com/sojourn-go/sojourn => ../
