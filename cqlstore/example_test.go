package cqlstore_test

import (
	"context"
	"log"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/cqlstore"
)

func Example() {
	cluster := gocql.NewCluster("10.0.0.1", "10.0.0.2", "10.0.0.3")
	cluster.Timeout = 3 * time.Second
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	cluster.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 1} // of reads alone
	session, err := cluster.CreateSession()
	if err != nil {
		log.Fatal(err)
	}
	defer cqlstore.Close(session) // the driver's own Close may wait for ever
	st, err := cqlstore.New(session, &cqlstore.Options{ReplicationFactor: 3})
	if err != nil {
		log.Fatal(err)
	}
	if err := st.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	keys, err := sojourn.LoadKeys("session.key")
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	_ = sessions // sessions.Handler(mux) serves
}
