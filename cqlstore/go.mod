module github.com/sojourn-go/sojourn/cqlstore

go 1.26

require (
	github.com/apache/cassandra-gocql-driver/v2 v2.1.2
	github.com/sojourn-go/sojourn v0.0.0
)

require gopkg.in/inf.v0 v0.9.1 // indirect

replace github.com/sojourn-go/sojourn => ../
