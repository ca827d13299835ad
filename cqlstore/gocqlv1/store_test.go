package gocqlv1_test

import (
	"context"
	"crypto/rand"
	"flag"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/sojourn-go/sojourn/cqlstore/gocqlv1"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16") // the kit's clauses mostly sleep
	os.Exit(m.Run())
}

func connect(t *testing.T) *gocql.Session {
	const variable = "SOJOURN_CASSANDRA"
	u, err := url.Parse(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	if u.Host == "" {
		t.Skipf("%s is not set: NOT TESTED with the driver github.com/gocql/gocql", variable)
	}
	c := gocql.NewCluster(u.Host)
	c.Timeout, c.ConnectTimeout = 20*time.Second, 20*time.Second // the machine may be busy
	session, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestKit(t *testing.T) {
	session := connect(t)
	opts := gocqlv1.Options{Keyspace: "test_" + strings.ToLower(rand.Text()), ReplicationFactor: 1, ClockSkew: 200 * time.Millisecond}
	t.Cleanup(func() {
		session.Query("DROP KEYSPACE IF EXISTS " + opts.Keyspace).Exec()
		if err := gocqlv1.Close(session); err != nil {
			t.Log(err)
		}
	})
	st, err := gocqlv1.New(session, &opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := st.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(testing.TB) store.Store { return st }, &storetest.Options{Networked: true, Tick: time.Millisecond, Unit: 2 * time.Second})
}
