package qscql_test

import (
	"github.com/gocql/gocql"

	"github.com/sojourn-go/sojourn/compat/qsess/qscql"
)

func Example() {
	cluster := gocql.NewCluster("10.0.0.1", "10.0.0.2", "10.0.0.3")
	cluster.Keyspace = "shop"
	gs, err := cluster.CreateSession()
	if err != nil {
		panic(err)
	}
	defer gs.Close()
	sessions, err := qscql.NewCqlStore(gs, "sessions", false, false, []byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	sessions.CookieSecure = true
}
