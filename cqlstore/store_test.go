package cqlstore_test

import (
	"context"
	"crypto/rand"
	"flag"
	"log"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// clusters are the variables that hold the addresses of the test servers, with the number of copies
// of a keyspace there.
var clusters = []struct {
	variable string
	copies   int
}{{"SOJOURN_CASSANDRA", 1}, {"SOJOURN_CASSANDRA_CLUSTER", 3}}

// onEach runs a test on one node and on three.
func onEach(t *testing.T, test func(t *testing.T, db *database)) {
	for _, c := range clusters {
		t.Run(strings.ToLower(strings.TrimPrefix(c.variable, "SOJOURN_")), func(t *testing.T) {
			test(t, open(t, c.variable, c.copies))
		})
	}
}

// database is a keyspace of this run on a cluster.
type database struct {
	session  *gocql.Session
	keyspace string
	copies   int
}

var opened struct {
	sync.Mutex
	m map[string]*database
}

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16") // the kit's clauses mostly sleep
	code := m.Run()
	for _, db := range opened.m {
		db.session.Query("DROP KEYSPACE IF EXISTS " + db.keyspace).Exec()
		if err := cqlstore.Close(db.session); err != nil {
			log.Print(err) // it is the driver's, and the tests are over
		}
	}
	os.Exit(code)
}

// open returns the run's keyspace on a cluster: making one takes seconds.
func open(t testing.TB, variable string, copies int) *database {
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("%s is not set: NOT TESTED on this cluster of Cassandra", variable)
	}
	opened.Lock()
	defer opened.Unlock()
	if db := opened.m[variable]; db != nil {
		return db
	}
	db := &database{session: connect(t, address), keyspace: "test_" + strings.ToLower(rand.Text()), copies: copies}
	if opened.m == nil {
		opened.m = map[string]*database{}
	}
	opened.m[variable] = db
	db.store(t, nil) // has the keyspace made
	return db
}

func connect(t testing.TB, address string) *gocql.Session {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := gocql.NewCluster(strings.Split(u.Host, ",")...)
	c.Timeout, c.ConnectTimeout = 20*time.Second, 20*time.Second // the machine may be busy
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	session, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// store returns a store in the run's table, or where the options say.
func (db *database) store(t testing.TB, opts *cqlstore.Options) *cqlstore.Store {
	t.Helper()
	o := cqlstore.Options{ClockSkew: 200 * time.Millisecond} // the nodes share a machine
	if opts != nil {
		o = *opts
	}
	o.Keyspace, o.ReplicationFactor = db.keyspace, db.copies
	if db.copies > 1 {
		o.Consistency = cqlstore.Quorum
	}
	st, err := cqlstore.New(db.session, &o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := st.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return st
}

// older moves time for what is kept of a user's revocation: its instant, and its time to live.
func (db *database) older(ctx context.Context, user string, by time.Duration) error {
	tag, table := store.TagOf(user), db.keyspace+".sessions"
	var at int64
	var ttl int
	err := db.session.Query("SELECT revoked, TTL(revoked) FROM "+table+" WHERE tag=? LIMIT 1", tag[:]).
		Consistency(gocql.Serial).ScanContext(ctx, &at, &ttl)
	if err != nil {
		return err
	}
	ttl -= int(by / time.Second)
	return db.session.Query("UPDATE "+table+" USING TTL ? SET revoked=? WHERE tag=? IF revoked=?",
		ttl, at-by.Milliseconds(), tag[:], at).ExecContext(ctx)
}

// kit runs the conformance kit on a store. Three nodes on one machine need more time, and are given
// fewer clauses at once. On a busy machine the kit takes longer units by itself.
func (db *database) kit(t *testing.T, st store.Store) {
	unit, slots := 2*time.Second, make(chan struct{}, 16)
	if db.copies > 1 {
		unit, slots = 4*time.Second, make(chan struct{}, 8)
	}
	storetest.Run(t, func(t testing.TB) store.Store {
		slots <- struct{}{}
		t.Cleanup(func() { <-slots })
		return st
	}, &storetest.Options{Networked: true, Tick: time.Millisecond, Unit: unit, Older: db.older})
}

// TestKit runs the kit on three nodes and three stores that know nothing of each other.
func TestKit(t *testing.T) {
	db := open(t, clusters[1].variable, clusters[1].copies)
	db.kit(t, spread{db.store(t, nil), db.store(t, nil), db.store(t, nil)})
}

// TestKitBoundClock runs the kit on one store and one node, with the statements for engines without
// arithmetic in CQL, and at the other serial level. One store and one node with the usual
// statements have the kit in gocqlv1.
func TestKitBoundClock(t *testing.T) {
	db := open(t, clusters[0].variable, clusters[0].copies)
	db.kit(t, db.store(t, &cqlstore.Options{BoundClock: true, SerialConsistency: cqlstore.LocalSerial, ClockSkew: 200 * time.Millisecond}))
}
