package sqlitestore_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/sqlite"
	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// crowd returns a store with n live records of 256 bytes, made without waiting for the disk.
func crowd(t testing.TB, n int) *sqlite.Store {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "crowd.db")+"?_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	st, err := sqlite.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				rec := shareRecord(fmt.Sprint("live", i))
				rec.Idle, rec.Data = 10*time.Minute, make([]byte, 256)
				if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return st
}

// expire adds n records and lets them expire.
func expire(t testing.TB, st store.Store, n int) {
	for i := range n {
		rec := shareRecord(fmt.Sprint("expired", i))
		rec.Lifetime = 20 * time.Millisecond
		if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond)
}

// TestSweepCost asks SQLite how it carries out the statements up to a sweep: by an index or a key
// each time, and so at a cost that does not grow with what is stored.
func TestSweepCost(t *testing.T) {
	base, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	spy := &brittle{driver: base.Driver(), name: "file:" + filepath.Join(t.TempDir(), "sessions.db")} // of which no call fails
	db := sql.OpenDB(spy)
	defer db.Close()
	st, err := sqlite.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	expire(t, st, 100)
	if n, err := st.Sweep(t.Context(), 1000); err != nil || n != 100 {
		t.Fatalf("sweep: %d, %v", n, err)
	}
	found := 0
	for _, query := range spy.asked {
		verb, _, _ := strings.Cut(strings.TrimSpace(query), " ")
		if !slices.Contains([]string{"SELECT", "DELETE", "UPDATE", "INSERT", "WITH"}, strings.ToUpper(verb)) {
			continue // BEGIN and the like
		}
		for _, step := range plan(t, db, query) {
			found++
			if strings.HasPrefix(step, "SCAN sojourn") && step != "SCAN sojourn_clock" { // which has one row
				t.Errorf("%s\nis carried out by: %s", query, step)
			}
		}
	}
	if found == 0 {
		t.Errorf("no statement was explained: %q", spy.asked)
	}
}

// plan returns the steps in which SQLite carries a statement out.
func plan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// BenchmarkSweep deletes 100 expired records among many live ones. SOJOURN_CROWD=1000000 adds a
// size.
func BenchmarkSweep(b *testing.B) {
	sizes := []int{10_000, 100_000}
	if n, err := strconv.Atoi(os.Getenv("SOJOURN_CROWD")); err == nil {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("live=%d", n), func(b *testing.B) {
			st := crowd(b, n)
			for b.Loop() {
				b.StopTimer()
				expire(b, st, 100)
				b.StartTimer()
				if n, err := st.Sweep(b.Context(), 1000); err != nil || n != 100 {
					b.Fatalf("sweep: %d, %v", n, err)
				}
			}
		})
	}
}

// TestClockSetBack opens a file whose instants lie in the future, as after the machine's clock was
// set back: time in a bubble begins in the year 2000.
func TestClockSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	st, err := sqlitestore.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	over, live := shareRecord("a"), shareRecord("b")
	over.Lifetime = time.Millisecond
	for _, rec := range []store.Record{over, live} {
		if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Millisecond)
	if err := st.Touch(t.Context(), live, 0); err != nil { // which keeps the present instant
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		st := openAt(t, path, nil)
		if _, _, err := st.Get(t.Context(), over.Key); err == nil {
			t.Error("a record that had expired came back to life")
		}
		rec, now, err := st.Get(t.Context(), live.Key)
		if err != nil || now.Before(rec.Seen) || now.Sub(rec.Seen) > time.Second {
			t.Fatalf("the clock does not go on where it was: now %v, seen %v, %v", now, rec.Seen, err)
		}
		time.Sleep(time.Hour)
		if _, _, err := st.Get(t.Context(), live.Key); err == nil {
			t.Error("a record outlived its end")
		}
	})
}
