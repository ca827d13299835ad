package qscql_test

import (
	"github.com/gocql/gocql"

	"github.com/sojourn-go/sojourn/compat/qsess/qscql"
	"github.com/sojourn-go/sojourn/cqlstore/gocqlv1"
)

func Example() {
	cluster := gocql.NewCluster("10.0.0.1", "10.0.0.2", "10.0.0.3")
	cluster.Keyspace = "shop"
	gs, err := cluster.CreateSession()
	if err != nil {
		panic(err)
	}
	defer gocqlv1.Close(gs) // the driver's own Close may wait for ever
	sessions, err := qscql.NewCqlStore(gs, "sessions", false, false, []byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	sessions.CookieSecure = true
}
