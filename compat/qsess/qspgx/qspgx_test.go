package qspgx_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qspgx"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
)

// newPool connects to the test server; every connection is set up by the statements.
func newPool(t testing.TB, statements ...string) *pgxpool.Pool {
	t.Helper()
	address := os.Getenv("SOJOURN_POSTGRES")
	if address == "" {
		t.Skip("SOJOURN_POSTGRES is not set: NOT TESTED on PostgreSQL")
	}
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	c.MaxConns = 10
	for _, s := range statements {
		name, value, _ := strings.Cut(s, "=")
		c.ConnConfig.RuntimeParams[name] = value
	}
	p, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// tables lists those whose names begin with prefix.
func tables(t testing.TB, pool *pgxpool.Pool, prefix string) []string {
	t.Helper()
	rows, err := pool.Query(context.Background(), "SELECT tablename::text FROM pg_tables WHERE tablename LIKE $1", prefix+"%")
	if err != nil {
		t.Error(err)
		return nil
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Error(err)
	}
	return names
}

// newTable gives a name whose tables are dropped in the end.
func newTable(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	name := "qs_" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() {
		for _, s := range tables(t, pool, name) {
			if _, err := pool.Exec(context.Background(), "DROP TABLE "+s); err != nil {
				t.Error(err)
			}
		}
	})
	return name
}

func newStore(t testing.TB, pool *pgxpool.Pool, table string, keys ...[]byte) *qsess.Store {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{qstest.Key1}
	}
	st, err := qspgx.NewPgxStore(pool, table, nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(st.PruneKill) })
	return st
}

func TestPgxStore(t *testing.T) {
	pool := newPool(t)
	prefix := newTable(t, pool)
	qstest.Run(t, qstest.BackEnd{Open: func(t testing.TB, name string, keys ...[]byte) *qsess.Store {
		return newStore(t, pool, prefix+name, keys...)
	}})
}

// TestTimeZones is D34: read through a pool in another time zone, sessions used to end hours
// earlier.
func TestTimeZones(t *testing.T) {
	west, east := newPool(t, "TimeZone=America/Los_Angeles"), newPool(t, "TimeZone=Asia/Tokyo")
	table := newTable(t, west)
	a, b := newStore(t, west, table), newStore(t, east, table)
	s := a.NewSession([]byte("ada"))
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	text, _, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, ttl, err := b.GetTokenSession(text)
		if err != nil || ttl < 86300 || ttl > 86400 {
			t.Fatalf("%d s to live, %v", ttl, err)
		}
		if err := s.Save(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPruned: each table has its own pruning, which is D33 of the other engine.
func TestPruned(t *testing.T) {
	pool := newPool(t)
	for range 2 {
		table := newTable(t, pool)
		qstest.PruneTest(t, newStore(t, pool, table), func() (n int) {
			if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		})
	}
}

// TestDatabaseGone is D23.
func TestDatabaseGone(t *testing.T) {
	keeper, pool := newPool(t), newPool(t) // the keeper drops the table
	qstest.OutageTest(t, newStore(t, pool, newTable(t, keeper)), pool.Close)
	if _, err := qspgx.NewPgxStore(pool, "x", nil, qstest.Key1); !sojourn.IsOutage(err) {
		t.Errorf("NewPgxStore without a database gave %v", err)
	}
}

func TestRefused(t *testing.T) {
	pool := newPool(t)
	old := newTable(t, pool)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE "+old+" (id SERIAL PRIMARY KEY, data BYTEA, userid BYTEA, expires TIMESTAMP NOT NULL, maxage INTEGER, minrefresh INTEGER)"); err != nil {
		t.Fatal(err)
	}
	fresh := newTable(t, pool)
	for name, refused := range map[string]func() (*qsess.Store, error){
		"no pool":           func() (*qsess.Store, error) { return qspgx.NewPgxStore(nil, "t", nil, qstest.Key1) },
		"no table":          func() (*qsess.Store, error) { return qspgx.NewPgxStore(pool, "", nil, qstest.Key1) },
		"no name":           func() (*qsess.Store, error) { return qspgx.NewPgxStore(pool, "a; b", nil, qstest.Key1) },
		"no key":            func() (*qsess.Store, error) { return qspgx.NewPgxStore(pool, fresh, nil) },
		"short key":         func() (*qsess.Store, error) { return qspgx.NewPgxStore(pool, fresh, nil, []byte("x")) },
		"the old library's": func() (*qsess.Store, error) { return qspgx.NewPgxStore(pool, old, nil, qstest.Key1) },
	} {
		if st, err := refused(); st != nil || !errors.Is(err, qsess.ErrConfig) {
			t.Errorf("%s: got %v, %v, want ErrConfig", name, st, err)
		}
	}
	if left := append(tables(t, pool, fresh), tables(t, pool, old)...); len(left) != 1 {
		t.Errorf("beside the older library's table it leaves %v", left)
	}
	if qspgx.DefaultPruneIntervalSecs != 120 {
		t.Error("sessions are not pruned every two minutes")
	}
}
