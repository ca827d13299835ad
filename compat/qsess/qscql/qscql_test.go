package qscql_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qscql"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/cqlstore/gocqlv1"
)

// connect opens a session of the test server.
func connect(t testing.TB, keyspace string) *gocql.Session {
	t.Helper()
	address := os.Getenv("SOJOURN_CASSANDRA")
	if address == "" {
		t.Skip("SOJOURN_CASSANDRA is not set: NOT TESTED on Cassandra")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	c := gocql.NewCluster(host)
	if c.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	c.Keyspace, c.Timeout, c.ConnectTimeout = keyspace, 2*time.Minute, time.Minute
	s, err := c.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gocqlv1.Close(s); err != nil {
			t.Log(err)
		}
	})
	return s
}

// newKeyspace makes one that is dropped in the end, and a session in it.
func newKeyspace(t testing.TB) *gocql.Session {
	t.Helper()
	admin := connect(t, "")
	name := "qs_" + strings.ToLower(rand.Text()[:12])
	if err := admin.Query("CREATE KEYSPACE " + name + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}").Exec(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Query("DROP KEYSPACE " + name).Exec(); err != nil {
			t.Error(err)
		}
	})
	return connect(t, name)
}

// TestCqlStore: the two ways in which the older library found a user's sessions are one now, and no
// zombies come of either.
func TestCqlStore(t *testing.T) {
	gs := newKeyspace(t)
	for _, flags := range []struct{ uidIndex, uidToClient bool }{{true, false}, {false, true}} {
		t.Run(fmt.Sprintf("uidIndex=%v,uidToClient=%v", flags.uidIndex, flags.uidToClient), func(t *testing.T) {
			t.Parallel() // each makes a dozen tables, which takes long
			qstest.Run(t, qstest.BackEnd{Open: func(t testing.TB, name string, keys ...[]byte) *qsess.Store {
				st, err := qscql.NewCqlStore(gs, fmt.Sprintf("%s_%v", name, flags.uidIndex), flags.uidIndex, flags.uidToClient, keys...)
				if err != nil {
					t.Fatal(err)
				}
				if st.PruneInterval != nil || st.PruneKill != nil {
					t.Error("there is a pruner, where the engine expires sessions by itself")
				}
				return st
			}})
		})
	}
}

// TestCapitals: the older library quoted its tables' names, and its own tests have capitals in
// them.
func TestCapitals(t *testing.T) {
	gs := newKeyspace(t)
	var tokens []string
	var stores []*qsess.Store
	for _, table := range []string{"UCsanity", "ucsanity"} {
		st, err := qscql.NewCqlStore(gs, table, false, true, qstest.Key1)
		if err != nil {
			t.Fatal(err)
		}
		qstest.SanityTest(t, st)
		s := st.NewSession([]byte("ada"))
		if err := s.Save(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
		token, _, err := s.Token()
		if err != nil {
			t.Fatal(err)
		}
		stores, tokens = append(stores, st), append(tokens, token)
	}
	for i, st := range stores {
		for j, token := range tokens {
			if _, _, err := st.GetTokenSession(token); (err == nil) != (i == j) {
				t.Errorf("token of table %d in table %d: %v", j, i, err)
			}
		}
	}
}

// TestDatabaseGone is D23.
func TestDatabaseGone(t *testing.T) {
	gs := newKeyspace(t)
	st, err := qscql.NewCqlStore(gs, "gone", false, false, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	qstest.OutageTest(t, st, gs.Close)
}

func TestRefused(t *testing.T) {
	gs := newKeyspace(t)
	if err := gs.Query("CREATE TABLE old (sessid uuid, userid blob, data blob, maxage int, minrefresh int, PRIMARY KEY (userid, sessid))").Exec(); err != nil {
		t.Fatal(err)
	}
	if st, err := qscql.NewCqlStore(gs, "old", true, false, qstest.Key1); st != nil || !errors.Is(err, qsess.ErrConfig) || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("the older library's table: got %v, %v", st, err)
	}
	for name, refused := range map[string]func() (*qsess.Store, error){
		"no session":  func() (*qsess.Store, error) { return qscql.NewCqlStore(nil, "t", false, false, qstest.Key1) },
		"no table":    func() (*qsess.Store, error) { return qscql.NewCqlStore(gs, "", false, false, qstest.Key1) },
		"no keyspace": func() (*qsess.Store, error) { return qscql.NewCqlStore(connect(t, ""), "t", false, false, qstest.Key1) },
		"no name":     func() (*qsess.Store, error) { return qscql.NewCqlStore(gs, "a-b", false, false, qstest.Key1) },
		"no key":      func() (*qsess.Store, error) { return qscql.NewCqlStore(gs, "none", true, true) },
		"short key":   func() (*qsess.Store, error) { return qscql.NewCqlStore(gs, "short", true, true, []byte("x")) },
	} {
		if st, err := refused(); st != nil || !errors.Is(err, qsess.ErrConfig) {
			t.Errorf("%s: got %v, %v, want ErrConfig", name, st, err)
		}
	}
	var left []string
	it := gs.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", gs.Query("").Keyspace()).Iter()
	for name := ""; it.Scan(&name); {
		left = append(left, name)
	}
	if err := it.Close(); err != nil || len(left) != 1 {
		t.Errorf("beside the older library's table it leaves %v, %v", left, err)
	}
}
