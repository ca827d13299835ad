module github.com/sojourn-go/sojourn/faults

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/apache/cassandra-gocql-driver/v2 v2.1.2
	github.com/go-sql-driver/mysql v1.10.1
	github.com/jackc/pgx/v5 v5.12.0
	github.com/redis/rueidis v1.0.79
	github.com/sojourn-go/sojourn v0.0.0
	github.com/sojourn-go/sojourn/cqlstore v0.0.0
	github.com/sojourn-go/sojourn/mysqlstore v0.0.0
	github.com/sojourn-go/sojourn/pgxstore v0.0.0
	github.com/sojourn-go/sojourn/redisstore v0.0.0
	github.com/sojourn-go/sojourn/servers v0.0.0
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	gopkg.in/inf.v0 v0.9.1 // indirect
)

replace (
	github.com/sojourn-go/sojourn => ../
	github.com/sojourn-go/sojourn/cqlstore => ../cqlstore
	github.com/sojourn-go/sojourn/mysqlstore => ../mysqlstore
	github.com/sojourn-go/sojourn/pgxstore => ../pgxstore
	github.com/sojourn-go/sojourn/redisstore => ../redisstore
	github.com/sojourn-go/sojourn/servers => ../servers
)
