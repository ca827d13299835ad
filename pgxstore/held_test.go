package pgxstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/postgresstore"
	"github.com/sojourn-go/sojourn/store"
)

// TestHeldConnection has a sign-in wait for the only connection while a revocation happens, which
// came after the sign-in began. Its age at the call cannot show that; the answer does.
func TestHeldConnection(t *testing.T) {
	url := server(t, "SOJOURN_POSTGRES")
	name := table(t)
	other := open(t, pool(t, config(t, url)), &pgxstore.Options{Table: name})
	held := func(what string, s store.Store, hold func(t *testing.T) (free func())) {
		t.Run(what, func(t *testing.T) {
			if _, err := s.Create(t.Context(), record(somebody()), store.Admission{Began: time.Now().Add(-time.Second)}); err != nil { // a connection, a statement prepared
				t.Fatal(err)
			}
			rec := record(somebody())
			free := hold(t)
			done := make(chan error, 1)
			go func() {
				began := time.Now()
				a, err := s.Create(t.Context(), rec, store.Admission{Began: time.Now().Add(-time.Millisecond)})
				if err == nil && !a.Revoked.IsZero() && a.Now.Sub(a.Revoked) <= time.Since(began) {
					err = store.ErrRevoked // as a manager says
				}
				done <- err
			}()
			time.Sleep(100 * time.Millisecond)
			r, err := other.Revoke(t.Context(), rec.User, store.Selection{})
			if err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Millisecond)
			free()
			if err := <-done; !errors.Is(err, store.ErrRevoked) {
				t.Errorf("a sign-in that began before a revocation: %v, want ErrRevoked", err)
			}
			late := record(rec.User)
			if a, err := s.Create(t.Context(), late, store.Admission{Began: time.Now().Add(-time.Minute), Known: r.At}); err != nil || !a.Revoked.Equal(r.At) {
				t.Errorf("a sign-in that knows of the revocation: %v, revoked %v, want %v", err, a.Revoked, r.At)
			}
		})
	}
	onDB := func(what string, db *sql.DB) {
		db.SetMaxOpenConns(1)
		s, err := postgresstore.New(db, &postgresstore.Options{Table: name})
		held(what, migrated(t, s, err), func(t *testing.T) func() {
			c, err := db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return func() { c.Close() }
		})
	}
	for _, mode := range modes {
		c := config(t, url)
		c.MaxConns = 1
		c.ConnConfig.DefaultQueryExecMode = mode
		p := pool(t, c)
		held("pgx "+mode.String(), open(t, p, &pgxstore.Options{Table: name}), func(t *testing.T) func() {
			c, err := p.Acquire(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return c.Release
		})
		onDB("database/sql "+mode.String(), database(t, url, mode))
	}
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	onDB("pq", db)
}

// TestForeignKeys has rows in the table whose keys are none: a walk tells of them and ends.
func TestForeignKeys(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	name := table(t)
	s := open(t, p, &pgxstore.Options{Table: name})
	insert := func(from, to int, tag string) {
		t.Helper()
		_, err := p.Exec(t.Context(), "INSERT INTO "+name+` (tag, id, usr, handle, ver, writer, created, seen, idle, life, exp, slot, meta, data)
SELECT decode(repeat(lpad(to_hex(n / 256 + 1), 2, '0') || lpad(to_hex(n % 256), 2, '0'), `+tag+`), 'hex'), decode(repeat('11', 32), 'hex'), ''::bytea,
  decode(repeat('22', 16), 'hex'), 1, decode(repeat('33', 8), 'hex'), 0, 0, 0, 0, 9000000000000000000, 9000000000000000000, ''::bytea, ''::bytea
FROM generate_series($1::int, $2::int) n`, from, to)
		if err != nil {
			t.Fatal(err)
		}
	}
	walk := func() (n int, last error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for _, last = range s.All(ctx) {
			if last == nil {
				n++
			}
		}
		return n, last
	}
	insert(0, 254, "8")
	insert(255, 255, "7") // the last of a page
	insert(256, 299, "8")
	if n, err := walk(); n != 299 || !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("past a foreign row: %d records, %v; want 299 and ErrCorrupt", n, err)
	}
	insert(1000, 1300, "7") // more than a page
	if n, err := walk(); n != 299 || !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("up to a page of foreign rows: %d records, %v; want 299 and ErrCorrupt", n, err)
	}
}
