package sqlitestore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func BenchmarkStore(b *testing.B) { storetest.Bench(b, open) }

// bare is a table with the key and one column of bytes, written and read through database/sql with
// prepared statements and the same connections: the least that SQLite can do.
type bare struct{ get, set *sql.Stmt }

func newBare(b *testing.B) *bare {
	path := "file:" + filepath.Join(b.TempDir(), "bare.db")
	pool := func(params string, n int) *sql.DB {
		db, err := sql.Open("sqlite", path+params)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		return db
	}
	w := pool("?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=journal_mode(WAL)", 1)
	if _, err := w.Exec("CREATE TABLE t (tag BLOB, id BLOB, row BLOB, PRIMARY KEY (tag, id)) WITHOUT ROWID"); err != nil {
		b.Fatal(err)
	}
	r := pool("?_pragma=busy_timeout(5000)&_pragma=query_only(1)", 4)
	prepare := func(db *sql.DB, text string) *sql.Stmt {
		st, err := db.Prepare(text)
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	put := prepare(w, "INSERT INTO t VALUES (?, ?, ?)")
	for i := range benchRows {
		k := benchKey(i)
		if _, err := put.Exec(k.Tag[:], k.ID[:], make([]byte, benchBytes)); err != nil {
			b.Fatal(err)
		}
	}
	return &bare{prepare(r, "SELECT row FROM t WHERE tag = ? AND id = ?"), prepare(w, "UPDATE t SET row = ? WHERE tag = ? AND id = ?")}
}

const (
	benchRows  = 1000
	benchMeta  = 48
	benchData  = 256
	benchBytes = 8 + 72 + benchMeta + benchData // as many as a row of the store has beside its key
)

func benchKey(i int) store.Key {
	k := store.Key{Tag: store.TagOf(benchUser(i))}
	k.ID[0], k.ID[1] = byte(i), byte(i>>8)
	return k
}

func benchUser(i int) string {
	return "user" + string([]byte{'0' + byte(i/1000%10), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)})
}

func benchRecord(i int) store.Record {
	rec := store.Record{Key: benchKey(i), User: benchUser(i), Idle: time.Hour, Lifetime: 24 * time.Hour,
		Meta: make([]byte, benchMeta), Data: make([]byte, benchData)}
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	rand.Read(rec.Data)
	return rec
}

func benchStore(b *testing.B) *sqlitestore.Store {
	s := openAt(b, filepath.Join(b.TempDir(), "sessions.db"), nil)
	for i := range benchRows {
		if _, err := s.Create(b.Context(), benchRecord(i), store.Admission{}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkRead compares Get with one SELECT by primary key of the same bytes.
func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	eng, st := newBare(b), benchStore(b)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			k := benchKey(i % benchRows)
			var row []byte
			if err := eng.get.QueryRowContext(ctx, k.Tag[:], k.ID[:]).Scan(&row); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, _, err := st.Get(ctx, benchKey(i%benchRows)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadPair reads in turns, so that what else the machine does hurts both, and reports how
// much of the bare engine's rate the store has.
func BenchmarkReadPair(b *testing.B) {
	ctx := context.Background()
	eng, st := newBare(b), benchStore(b)
	var took [2]time.Duration
	for b.Loop() {
		for i, read := range [2]func(store.Key) error{
			func(k store.Key) error {
				var row []byte
				return eng.get.QueryRowContext(ctx, k.Tag[:], k.ID[:]).Scan(&row)
			},
			func(k store.Key) error { _, _, err := st.Get(ctx, k); return err },
		} {
			start := time.Now()
			for n := range 100 {
				if err := read(benchKey(n * 7 % benchRows)); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-bare")
}

// BenchmarkWrite compares Update with one durable UPDATE of the same bytes.
func BenchmarkWrite(b *testing.B) {
	ctx := context.Background()
	eng, st := newBare(b), benchStore(b)
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("bare/%d", n), func(b *testing.B) {
			writers(b, n, func(i int) error {
				k, row := benchKey(i), make([]byte, benchBytes)
				rand.Read(row)
				_, err := eng.set.ExecContext(ctx, row, k.Tag[:], k.ID[:])
				return err
			})
		})
		b.Run(fmt.Sprintf("store/%d", n), func(b *testing.B) {
			var versions [32]uint64
			recs := make([]store.Record, n)
			for i := range recs {
				rec, _, err := st.Get(ctx, benchKey(i))
				if err != nil {
					b.Fatal(err)
				}
				recs[i], versions[i] = rec, rec.Version
			}
			writers(b, n, func(i int) error {
				rec := recs[i]
				rec.Data = make([]byte, benchData)
				rand.Read(rec.Data)
				rand.Read(rec.Writer[:])
				err := st.Update(ctx, rec, versions[i])
				versions[i]++
				return err
			})
		})
	}
}

// writers lets n goroutines write, each to a row of its own.
func writers(b *testing.B, n int, write func(i int) error) {
	var wg sync.WaitGroup
	b.ReportAllocs()
	for i := range n {
		wg.Go(func() {
			for range (b.N + n - 1) / n {
				if err := write(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
