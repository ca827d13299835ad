package faults_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

var sqlEngines = []string{"postgres", "postgres-sql", "mariadb", "mysql"}

// Touches, updates and sign-ins of short sessions run against sweeps of the same rows. Deadlocks
// are the store's own matter: no caller sees one, and no sweep takes a session whose life was just
// extended.
func TestSweepStorm(t *testing.T) {
	for _, name := range sqlEngines {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			stores := m.stores(t)
			r := row{scenario: "touch against sweep", engine: name}
			before := deadlocks(t, m)
			ctx, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer stop()
			var all sync.WaitGroup
			var acts, acked, gone, swept atomic.Int64
			answer := func(op string, err error) {
				acts.Add(1)
				switch {
				case err == nil:
					acked.Add(1)
				case errors.Is(err, store.ErrNotFound):
					gone.Add(1)
				default:
					t.Errorf("%s: %v", op, err)
				}
			}
			for i := range 12 {
				s := stores[i%len(stores)]
				all.Go(func() { churn(ctx, s, answer) })
			}
			for _, s := range stores {
				all.Go(func() {
					for ctx.Err() == nil {
						n, err := s.Sweep(context.WithoutCancel(ctx), 50)
						answer("sweep", err)
						swept.Add(int64(n))
					}
				})
			}
			all.Wait()
			r.acts, r.acked = int(acts.Load()), int(acked.Load())
			r.note = fmt.Sprintf("%d swept, %d deadlocks in the engine", swept.Load(), deadlocks(t, m)-before)
			report(r)
			t.Log(r.note)
			if swept.Load() < 20 || r.acked < 100 {
				t.Errorf("%d swept, %d acked: the run proves nothing", swept.Load(), r.acked)
			}
		})
	}
}

// churn makes sessions of a few milliseconds and keeps some of them alive.
func churn(ctx context.Context, s store.Store, answer func(string, error)) {
	user := newUser()
	for ctx.Err() == nil {
		rec, always := newRecord(user), context.WithoutCancel(ctx)
		rec.Idle = 60 * time.Millisecond
		_, err := s.Create(always, rec, store.Admission{})
		answer("create", err)
		for range 4 {
			got, _, err := s.Get(always, rec.Key)
			if answer("get", err); err != nil {
				break
			}
			answer("touch", s.Touch(always, got, 0))
			answer("update", s.Update(always, again(got), got.Version))
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// deadlocks is how many the server has seen.
func deadlocks(t *testing.T, m *machine) (n int) {
	t.Helper()
	if isPostgres(m) {
		must(t, admin(t, m).QueryRow(t.Context(), "SELECT coalesce(sum(deadlocks), 0)::int FROM pg_stat_database").Scan(&n))
		return n
	}
	var name string
	query := "SELECT name, count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
	if err := mysqlAdmin(t, m).QueryRowContext(t.Context(), query).Scan(&name, &n); err != nil {
		t.Log("deadlocks cannot be counted:", err)
	}
	return n
}

func isPostgres(m *machine) bool { return m.name == "postgres" || m.name == "postgres-sql" }

// admin is a connection of its own to PostgreSQL.
func admin(t *testing.T, m *machine) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), m.nodes[0].URL)
	must(t, err)
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// mysqlAdmin is a pool of its own to MySQL or MariaDB.
func mysqlAdmin(t *testing.T, m *machine) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", "root@tcp("+m.nodes[0].Addr+")/sojourn")
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// Nobody gives the store a connection: the write was surely not applied, and the store works again
// when there is one.
func TestExhaustedPool(t *testing.T) {
	m := start(t, "postgres")
	m.open(t, network(t)) // migrates
	c, err := pgxpool.ParseConfig(m.nodes[0].URL)
	must(t, err)
	c.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	must(t, err)
	t.Cleanup(pool.Close)
	pg, err := pgxstore.New(pool, nil)
	must(t, err)
	t.Run("postgres", func(t *testing.T) {
		held, err := pool.Acquire(t.Context())
		must(t, err)
		starved(t, "pool exhausted", "postgres", pg, func() { held.Release() })
	})
	for _, name := range []string{"mariadb", "mysql"} {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			m.open(t, network(t))
			db := mysqlAdmin(t, m)
			db.SetMaxOpenConns(1)
			s, err := mysqlstore.New(db, nil)
			must(t, err)
			held, err := db.Conn(t.Context())
			must(t, err)
			starved(t, "pool exhausted", name, s, func() { held.Close() })
		})
	}
}

// starved wants every write of a store without connections to be surely not applied, and applied
// once there are some.
func starved(t *testing.T, scenario, engine string, s store.Store, feed func()) {
	t.Helper()
	rec, r := newRecord(newUser()), row{scenario: scenario, engine: engine}
	for _, a := range acts(rec, newRecord(rec.User)) {
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := a.do(ctx, s)
		stop()
		r.count(t, err)
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", a.name, err)
		}
	}
	feed()
	report(r)
	healthy(t, s)
	pair(t, s)
}

// The server takes no more connections.
func TestTooManyConnections(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		m := start(t, "postgres")
		m.open(t, network(t))
		c := admin(t, m)
		name := "few" + newUser()[5:12]
		for _, q := range []string{`CREATE ROLE "%s" LOGIN CONNECTION LIMIT 0`, `GRANT ALL ON ALL TABLES IN SCHEMA public TO "%s"`} {
			_, err := c.Exec(t.Context(), fmt.Sprintf(q, name))
			must(t, err)
		}
		cfg := pgxConfig(t, m, network(t))
		cfg.ConnConfig.User = name
		starved(t, "too many connections", "postgres", pgxStore(t, cfg), func() {
			_, err := c.Exec(t.Context(), fmt.Sprintf(`ALTER ROLE "%s" CONNECTION LIMIT -1`, name))
			must(t, err)
		})
	})
	for _, name := range []string{"mariadb", "mysql"} {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			m.open(t, network(t))
			db := mysqlAdmin(t, m)
			first, err := db.Conn(t.Context())
			must(t, err)
			_, err = first.ExecContext(t.Context(), "SET GLOBAL max_connections = 10")
			must(t, err)
			defer first.ExecContext(context.Background(), "SET GLOBAL max_connections = 400")
			for range 20 { // as many as there are, and the one more that root may have
				if _, err := db.Conn(t.Context()); err != nil {
					break
				}
			}
			s, err := mysqlstore.Open(m.nodes[0].URL, nil)
			must(t, err)
			defer s.Close()
			starved(t, "too many connections", name, s, func() {
				_, err := first.ExecContext(t.Context(), "SET GLOBAL max_connections = 400")
				must(t, err)
			})
		})
	}
}

// An administrator ends all connections, again and again, and then restarts the server in good
// order.
func TestAdministrator(t *testing.T) {
	for _, name := range []string{"postgres", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			stores := m.stores(t)
			out := storm{scenario: "connections ended, restart", m: m, strike: func() {
				for range 5 {
					endAll(t, m)
					time.Sleep(100 * time.Millisecond)
				}
				must(t, m.nodes[0].Restart(t.Context()))
			}}.run(t, stores...)
			out.exact(t)
			out.hurt(t)
		})
	}
}

func endAll(t *testing.T, m *machine) {
	if isPostgres(m) {
		c := admin(t, m)
		_, err := c.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'sojourn'")
		must(t, err)
		c.Close(t.Context())
		return
	}
	db := mysqlAdmin(t, m)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = 'sojourn'")
	must(t, err)
	var ids []int
	for rows.Next() {
		var id int
		must(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	must(t, rows.Err())
	for _, id := range ids {
		db.ExecContext(t.Context(), fmt.Sprint("KILL ", id)) // it may have gone
	}
}
