package mysqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

const (
	benchRows    = 4096
	benchWorkers = 64
	benchMeta    = 48
	benchData    = 256
	benchBytes   = 80 + benchMeta + benchData // as many as a row of the store has beside its key
)

func benchKey(i int) store.Key {
	k := store.Key{Tag: store.TagOf(fmt.Sprint("user", i))}
	k.ID[0], k.ID[1] = byte(i), byte(i>>8)
	return k
}

func benchRecord(i int) store.Record {
	rec := store.Record{Key: benchKey(i), User: fmt.Sprint("user", i), Idle: time.Hour, Lifetime: 24 * time.Hour,
		Meta: make([]byte, benchMeta), Data: make([]byte, benchData)}
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	rand.Read(rec.Data)
	return rec
}

// bench is a store and, in the same database and with as many connections, a table with the key and
// one column of bytes, used through the driver alone: naively, where database/sql prepares for each
// call, and with statements prepared once.
type bench struct {
	store    *mysqlstore.Store
	db       *sql.DB
	naiveGet string
	naiveSet string
	get, set *sql.Stmt
	recs     []store.Record
}

func eachBench(b *testing.B, run func(*testing.B, *bench)) {
	for _, s := range servers {
		b.Run(s.name, func(b *testing.B) {
			address := os.Getenv(s.env)
			if address == "" {
				b.Skipf("%s is not set: NOT MEASURED on %s", s.env, s.name)
			}
			run(b, newBench(b, address))
		})
	}
}

func newBench(b *testing.B, address string) *bench {
	e := &bench{store: openAt(b, address, nil), db: bareDB(b, address)}
	e.db.SetMaxOpenConns(32)
	e.db.SetMaxIdleConns(32)
	table := tableName()
	must := func(_ any, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(e.db.Exec("CREATE TABLE " + table + " (tag BINARY(16), id BINARY(32), bytes BLOB, PRIMARY KEY (tag, id))"))
	b.Cleanup(func() { e.db.Exec("DROP TABLE " + table) })
	e.naiveGet = "SELECT bytes FROM " + table + " WHERE tag = ? AND id = ?"
	e.naiveSet = "UPDATE " + table + " SET bytes = ? WHERE tag = ? AND id = ?"
	var err error
	e.get, err = e.db.Prepare(e.naiveGet)
	must(nil, err)
	e.set, err = e.db.Prepare(e.naiveSet)
	must(nil, err)
	put, err := e.db.Prepare("INSERT INTO " + table + " VALUES (?, ?, ?)")
	must(nil, err)
	e.recs = make([]store.Record, benchRows)
	var wg sync.WaitGroup
	for w := range benchWorkers {
		wg.Go(func() {
			for i := w; i < benchRows; i += benchWorkers {
				rec := benchRecord(i)
				rec.Version = 1
				if _, err := put.Exec(rec.Key.Tag[:], rec.Key.ID[:], make([]byte, benchBytes)); err != nil {
					b.Error(err)
				}
				if _, err := e.store.Create(context.Background(), rec, store.Admission{}); err != nil {
					b.Error(err)
				}
				e.recs[i] = rec
			}
		})
	}
	wg.Wait()
	return e
}

// A work does one call for row i, which no other goroutine uses.
type work func(ctx context.Context, i int) error

// compare lets 64 goroutines do each work in turns of a quarter of a second, so that what else the
// machine does hurts all, and reports how many times as often the first was done as each other.
func compare(b *testing.B, first work, others map[string]work) {
	names := []string{""}
	works := []work{first}
	for name, w := range others {
		names, works = append(names, name), append(works, w)
	}
	done := make([]atomic.Int64, len(works))
	turn := func(w work, done *atomic.Int64, d time.Duration) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		end := time.Now().Add(d)
		var wg sync.WaitGroup
		for g := range benchWorkers {
			wg.Go(func() {
				for i := g; time.Now().Before(end); i += benchWorkers {
					if err := w(ctx, i%benchRows); err != nil {
						b.Error(err)
						return
					}
					done.Add(1)
				}
			})
		}
		wg.Wait()
	}
	for i, w := range works {
		turn(w, &done[i], 100*time.Millisecond) // statements are prepared
		done[i].Store(0)
	}
	for b.Loop() {
		for i, w := range works {
			turn(w, &done[i], 250*time.Millisecond)
		}
	}
	for i, name := range names[1:] {
		b.ReportMetric(float64(done[0].Load())/float64(done[i+1].Load()), name)
	}
	b.ReportMetric(float64(done[0].Load())/(0.25*float64(b.N)), "calls/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRead compares Get with one SELECT by primary key of the same bytes.
func BenchmarkRead(b *testing.B) {
	eachBench(b, func(b *testing.B, e *bench) {
		compare(b, func(ctx context.Context, i int) error {
			_, _, err := e.store.Get(ctx, e.recs[i].Key)
			return err
		}, map[string]work{"of-bare": e.naiveRead, "of-bare-prepared": e.preparedRead})
	})
}

func (e *bench) naiveRead(ctx context.Context, i int) error {
	var row []byte
	k := &e.recs[i].Key
	return e.db.QueryRowContext(ctx, e.naiveGet, k.Tag[:], k.ID[:]).Scan(&row)
}

func (e *bench) preparedRead(ctx context.Context, i int) error {
	var row []byte
	k := &e.recs[i].Key
	return e.get.QueryRowContext(ctx, k.Tag[:], k.ID[:]).Scan(&row)
}

// BenchmarkReadWrite compares Get and Update with one SELECT and one UPDATE of the same bytes.
func BenchmarkReadWrite(b *testing.B) {
	eachBench(b, func(b *testing.B, e *bench) {
		compare(b, func(ctx context.Context, i int) error {
			rec, _, err := e.store.Get(ctx, e.recs[i].Key)
			if err != nil {
				return err
			}
			rand.Read(rec.Writer[:])
			rand.Read(rec.Data)
			return e.store.Update(ctx, rec, rec.Version)
		}, map[string]work{
			"of-bare": func(ctx context.Context, i int) error {
				if err := e.naiveRead(ctx, i); err != nil {
					return err
				}
				k, row := &e.recs[i].Key, make([]byte, benchBytes)
				rand.Read(row)
				_, err := e.db.ExecContext(ctx, e.naiveSet, row, k.Tag[:], k.ID[:])
				return err
			},
			"of-bare-prepared": func(ctx context.Context, i int) error {
				if err := e.preparedRead(ctx, i); err != nil {
					return err
				}
				k, row := &e.recs[i].Key, make([]byte, benchBytes)
				rand.Read(row)
				_, err := e.set.ExecContext(ctx, row, k.Tag[:], k.ID[:])
				return err
			},
		})
	})
}

// BenchmarkStore is the kit's, on MariaDB.
func BenchmarkStore(b *testing.B) {
	address := os.Getenv("SOJOURN_MARIADB")
	if address == "" {
		b.Skip("SOJOURN_MARIADB is not set: NOT MEASURED")
	}
	storetest.Bench(b, func(t testing.TB) store.Store { return openAt(t, address, nil) })
}
