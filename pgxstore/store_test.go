package pgxstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/postgresstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// TestMain lets clauses, which mostly sleep, run side by side on few processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "32")
	os.Exit(m.Run())
}

// server returns the address in an environment variable.
func server(t testing.TB, name string) string {
	url := os.Getenv(name)
	if url == "" {
		t.Skipf("%s is not set: NOT TESTED on a real server", name)
	}
	return url
}

// config has as many connections as a program might have; bare and store are compared with them
// too.
func config(t testing.TB, url string) *pgxpool.Config {
	t.Helper()
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	c.MaxConns = 10
	return c
}

func pool(t testing.TB, c *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// table returns a name of its own and drops the tables in the end.
func table(t testing.TB) string {
	var b [6]byte
	rand.Read(b[:])
	name := "t_" + hex.EncodeToString(b[:])
	url := server(t, "SOJOURN_POSTGRES")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, "DROP TABLE IF EXISTS "+name+", "+name+"_guards"); err != nil {
			t.Error(err)
		}
	})
	return name
}

const kitConns = 32

type migrator interface {
	store.Store
	Migrate(context.Context) error
}

func migrated[S migrator](t testing.TB, s S, err error) S {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, p *pgxpool.Pool, opts *pgxstore.Options) *pgxstore.Store {
	t.Helper()
	s, err := pgxstore.New(p, opts)
	return migrated(t, s, err)
}

// kit runs the whole kit, all clauses on one store, with a connection for each that runs at once. A
// long unit is for machines that do much else.
func kit(t *testing.T, table string, s store.Store) {
	db := database(t, server(t, "SOJOURN_POSTGRES"), pgx.QueryExecModeExec)
	storetest.Run(t, func(testing.TB) store.Store { return s }, &storetest.Options{
		Networked: true, Tick: time.Microsecond, Unit: 3 * time.Second,
		Older: func(ctx context.Context, user string, by time.Duration) error {
			tag := store.TagOf(user)
			_, err := db.ExecContext(ctx, "UPDATE "+table+"_guards SET revoked = revoked - $1::bigint, look = 0 WHERE tag = $2::bytea",
				by.Microseconds(), tag[:])
			return err
		},
	})
}

func TestStore(t *testing.T) {
	c := config(t, server(t, "SOJOURN_POSTGRES"))
	c.MaxConns = kitConns
	name := table(t)
	kit(t, name, open(t, pool(t, c), &pgxstore.Options{Table: name}))
}

func TestStorePgBouncer(t *testing.T) {
	c := config(t, server(t, "SOJOURN_PGBOUNCER"))
	c.MaxConns = kitConns
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	name := table(t)
	kit(t, name, open(t, pool(t, c), &pgxstore.Options{Table: name}))
}

func database(t testing.TB, url string, mode pgx.QueryExecMode) *sql.DB {
	c := config(t, url).ConnConfig
	c.DefaultQueryExecMode = mode
	db := stdlib.OpenDB(*c)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(kitConns)
	db.SetMaxIdleConns(kitConns)
	return db
}

func TestSQLStore(t *testing.T) {
	db := database(t, server(t, "SOJOURN_POSTGRES"), pgx.QueryExecModeCacheStatement)
	name := table(t)
	s, err := postgresstore.New(db, &postgresstore.Options{Table: name})
	kit(t, name, migrated(t, s, err))
}

func TestSQLStorePgBouncer(t *testing.T) {
	db := database(t, server(t, "SOJOURN_PGBOUNCER"), pgx.QueryExecModeCacheDescribe)
	name := table(t)
	s, err := postgresstore.New(db, &postgresstore.Options{Table: name})
	kit(t, name, migrated(t, s, err))
}
