package mysqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// TestMain lets many tests run at once: those of the kit mostly sleep.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "12")
	mysql.SetLogger(new(mysql.NopLogger)) // of connections that tests cut
	os.Exit(m.Run())
}

// servers are those that the environment names; see the servers module.
var servers = []struct{ name, env string }{{"MariaDB", "SOJOURN_MARIADB"}, {"MySQL", "SOJOURN_MYSQL"}}

// eachServer runs a test on each server.
func eachServer(t *testing.T, test func(t *testing.T, address string)) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			address := os.Getenv(s.env)
			if address == "" {
				t.Skipf("%s is not set: NOT TESTED on %s", s.env, s.name)
			}
			test(t, address)
		})
	}
}

func tableName() string { return "t" + strings.ToLower(rand.Text()[:12]) }

func openAt(t testing.TB, address string, opts *mysqlstore.Options) *mysqlstore.Store {
	t.Helper()
	if opts == nil {
		opts = &mysqlstore.Options{}
	}
	if opts.Table == "" {
		opts.Table = tableName()
	}
	s, err := mysqlstore.Open(address, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dropAfter(t, address, opts.Table)
	return s
}

// dropAfter drops a store's tables at the end of the test.
func dropAfter(t testing.TB, address, table string) {
	t.Cleanup(func() {
		db := bareDB(t, address)
		if _, err := db.Exec(fmt.Sprintf("DROP TABLE %s, %[1]s_guards, %[1]s_data", table)); err != nil {
			t.Errorf("drop: %v", err)
		}
	})
}

// bareDB opens an address with the driver alone.
func bareDB(t testing.TB, address string) *sql.DB {
	db, err := sql.Open("mysql", bareAddress(t, address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// unit is the kit's short life: loaded machines need seconds for what takes a moment.
const unit = 3 * time.Second

// TestStore is the whole kit, with all its capabilities.
func TestStore(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		table := tableName()
		s, db := openAt(t, address, &mysqlstore.Options{Table: table}), bareDB(t, address)
		storetest.Run(t, func(testing.TB) store.Store { return s }, &storetest.Options{
			Tick: time.Microsecond, Networked: true, Unit: unit,
			Older: func(ctx context.Context, user string, by time.Duration) error {
				tag := store.TagOf(user)
				_, err := db.ExecContext(ctx, "UPDATE "+table+"_guards SET revoked = revoked - ?, kept = kept - ? WHERE tag = ?",
					by.Microseconds(), by.Microseconds(), tag[:])
				return err
			},
		})
	})
}
