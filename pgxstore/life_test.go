package pgxstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
)

func TestNew(t *testing.T) {
	if _, err := pgxstore.New(nil, nil); err == nil {
		t.Error("no pool is accepted")
	}
	if _, err := pgxstore.New((*pgxpool.Pool)(nil), nil); err == nil {
		t.Error("a pool that is nil is accepted")
	}
	if _, err := pgxstore.New(new(pgxpool.Pool), &pgxstore.Options{Table: "x y"}); err == nil || !strings.HasPrefix(err.Error(), "postgresstore: ") {
		t.Errorf("a bad name: %v", err)
	}
}

// TestMigrate has many processes that start at once, on an empty database.
func TestMigrate(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	for range 3 {
		name := table(t)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				s, err := pgxstore.New(p, &pgxstore.Options{Table: name})
				if err == nil {
					err = s.Migrate(t.Context())
				}
				if err == nil {
					_, err = s.Create(t.Context(), record(somebody()), store.Admission{Max: 1})
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// TestSchema runs the printed schema, and Migrate of a user who may create nothing then finds all
// there.
func TestSchema(t *testing.T) {
	url := server(t, "SOJOURN_POSTGRES")
	p := pool(t, config(t, url))
	name, role := table(t), table(t)
	s, err := pgxstore.New(p, &pgxstore.Options{Table: name})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Get(t.Context(), record("ada").Key)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "Migrate") {
		t.Errorf("without tables: %v", err)
	}
	run := func(text string) {
		t.Helper()
		if _, err := p.Exec(t.Context(), text, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	run(s.Schema())
	run(s.Schema()) // and again
	run("CREATE ROLE " + role + " LOGIN")
	defer run("DROP OWNED BY " + role + "; DROP ROLE " + role)
	run("GRANT SELECT, INSERT, UPDATE, DELETE ON " + name + ", " + name + "_guards TO " + role)
	c := config(t, url)
	c.ConnConfig.User = role
	mine := pool(t, c)
	exercise(t, open(t, mine, &pgxstore.Options{Table: name}))
	mine.Close()
}

// TestTwoTables has two stores in one database, which do not see each other.
func TestTwoTables(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	a, b := open(t, p, &pgxstore.Options{Table: table(t)}), open(t, p, &pgxstore.Options{Table: table(t)})
	rec := record(somebody())
	if _, err := a.Create(t.Context(), rec, store.Admission{Max: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Get(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the other store: %v", err)
	}
	if r, err := b.Revoke(t.Context(), rec.User, store.Selection{}); r.N != 0 || err != nil {
		t.Errorf("the other store revoked %d, %v", r.N, err)
	}
	if _, _, err := a.Get(t.Context(), rec.Key); err != nil {
		t.Error(err)
	}
}

// TestHot touches rows and asks the server how: an index that has to be written each time would
// make the table grow and cost twice the log.
func TestHot(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	name := table(t)
	s := open(t, p, &pgxstore.Options{Table: name})
	var recs []store.Record
	for range 400 {
		rec := record(somebody())
		rec.Idle = 8 * time.Hour
		rec.Data = make([]byte, 600)
		rand.Read(rec.Data)
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		recs = append(recs, rec)
	}
	for range 5 {
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := g; i < len(recs); i += 16 {
					if err := s.Touch(t.Context(), recs[i], 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	var all, hot int
	for start := time.Now(); all < 5*len(recs) && time.Since(start) < time.Minute; time.Sleep(100 * time.Millisecond) { // the counters come late
		err := p.QueryRow(t.Context(), "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1", name).Scan(&all, &hot)
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d touches changed no index", hot, all)
	if all < 5*len(recs) || hot*10 < all*8 {
		t.Errorf("%d of %d touches changed no index", hot, all)
	}
}

// TestLogins has many logins of a few users at once, in two processes' stores, and revocations
// between them.
func TestLogins(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	c := config(t, server(t, "SOJOURN_PGBOUNCER"))
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	name := table(t)
	stores := []*pgxstore.Store{open(t, p, &pgxstore.Options{Table: name}), open(t, pool(t, c), &pgxstore.Options{Table: name})}
	for _, evict := range []bool{false, true} {
		users := []string{somebody(), somebody(), somebody()}
		var created, refused, evicted [3]atomic.Int32
		var wg sync.WaitGroup
		for g := range 24 {
			wg.Go(func() {
				for range 5 {
					u := g % len(users)
					a, err := stores[g/3%2].Create(t.Context(), record(users[u]), store.Admission{Max: 4, Evict: evict})
					switch {
					case err == nil:
						created[u].Add(1)
						evicted[u].Add(int32(len(a.Evicted)))
					case errors.Is(err, store.ErrLimit):
						refused[u].Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for u, user := range users {
			n := int32(0)
			for _, err := range stores[0].User(t.Context(), user) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 4 || created[u].Load()-evicted[u].Load() != n || evict == (refused[u].Load() > 0) {
				t.Errorf("evict %v: %d live, created %d, evicted %d, refused %d", evict, n, created[u].Load(), evicted[u].Load(), refused[u].Load())
			}
		}
	}
}

// TestGuards sweeps guards: those of users who have sessions or whose revocation is young stay.
func TestGuards(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	name := table(t)
	s := open(t, p, &pgxstore.Options{Table: name})
	live, young, gone := record(somebody()), record(somebody()), record(somebody())
	for _, rec := range []store.Record{live, young, gone} {
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Revoke(t.Context(), young.User, store.Selection{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), gone.Key); err != nil {
		t.Fatal(err)
	}
	guards := func() (n int) {
		if _, err := s.Sweep(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if err := p.QueryRow(t.Context(), "SELECT count(*) FROM "+name+"_guards").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	age := func(set string) {
		if _, err := p.Exec(t.Context(), "UPDATE "+name+"_guards SET "+set); err != nil {
			t.Fatal(err)
		}
	}
	if n := guards(); n != 3 {
		t.Errorf("%d guards, want 3", n)
	}
	age("look = 0")
	if n := guards(); n != 2 {
		t.Errorf("a day later %d guards, want 2", n)
	}
	if _, err := s.Create(t.Context(), record(young.User), store.Admission{Began: time.Now().Add(-time.Second)}); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("a young revocation is forgotten: %v", err)
	}
	age("look = 0, revoked = greatest(revoked, 0) - 20 * 60000000::bigint")
	if n := guards(); n != 1 {
		t.Errorf("in the end %d guards, want 1", n)
	}
}

// TestSweepTogether has many sweeps at once: each record is counted once, and all go.
func TestSweepTogether(t *testing.T) {
	p := pool(t, config(t, server(t, "SOJOURN_POSTGRES")))
	s := open(t, p, &pgxstore.Options{Table: table(t)})
	const dead = 500
	for i := range dead + 20 {
		rec := record(fmt.Sprint("user", i%7))
		rec.Lifetime = time.Hour
		if i < dead {
			rec.Lifetime = time.Millisecond
		}
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(10 * time.Millisecond)
	var sum atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for {
				n, err := s.Sweep(t.Context(), 30)
				sum.Add(int64(n))
				if err != nil {
					t.Error(err)
					return
				}
				if n < 30 {
					return
				}
			}
		})
	}
	wg.Wait()
	n, err := s.Sweep(t.Context(), 1000)
	if sum.Add(int64(n)) != dead || err != nil {
		t.Errorf("%d were swept, want %d, %v", sum.Load(), dead, err)
	}
	left := 0
	for range s.All(context.Background()) {
		left++
	}
	if left != 20 {
		t.Errorf("%d are left, want 20", left)
	}
}
