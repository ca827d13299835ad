package cqlstore_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

const (
	benchRows  = 1024
	benchHands = 64 // goroutines, each with rows of its own
	benchData  = 256
	benchRow   = benchData + 48 + 150 // what a row of the store has beside its key, about
)

func BenchmarkStore(b *testing.B) {
	db := open(b, clusters[0].variable, clusters[0].copies)
	st := db.store(b, nil)
	storetest.Bench(b, func(testing.TB) store.Store { return st })
}

// bare is a table with the same key and one column of bytes, and the driver alone.
type bare struct {
	session *gocql.Session
	table   string
	vers    [benchRows]int64
	keys    [benchRows]store.Key
}

func (db *database) bare(b *testing.B) *bare {
	eng := &bare{session: db.session, table: db.keyspace + ".bare"}
	if err := db.session.Query("CREATE TABLE IF NOT EXISTS " + eng.table + " (tag blob,id blob,ver bigint,row blob,PRIMARY KEY((tag),id))").Exec(); err != nil {
		b.Fatal(err)
	}
	for i := range eng.keys {
		rand.Read(eng.keys[i].Tag[:])
		if err := eng.insert(i); err != nil {
			b.Fatal(err)
		}
	}
	return eng
}

func (e *bare) key(i int) (tag, id []byte) { return e.keys[i].Tag[:], e.keys[i].ID[:] }

func (e *bare) insert(i int) error {
	tag, id := e.key(i)
	e.vers[i] = 1
	return e.session.Query("UPDATE "+e.table+" SET ver=1,row=? WHERE tag=? AND id=? IF ver=null", make([]byte, benchRow), tag, id).Exec()
}

func (e *bare) read(i int) error {
	var row []byte
	tag, id := e.key(i)
	return e.session.Query("SELECT row FROM "+e.table+" WHERE tag=? AND id=?", tag, id).Consistency(gocql.LocalQuorum).Scan(&row)
}

func (e *bare) swap(i int) error {
	if err := e.read(i); err != nil {
		return err
	}
	tag, id := e.key(i)
	var now int64
	applied, err := e.session.Query("UPDATE "+e.table+" SET ver=?,row=? WHERE tag=? AND id=? IF ver=?", e.vers[i]+1, make([]byte, benchRow), tag, id, e.vers[i]).
		Consistency(gocql.LocalQuorum).ScanCAS(&now)
	if err == nil && !applied {
		return fmt.Errorf("not applied: version %d, want %d", now, e.vers[i])
	}
	e.vers[i]++
	return err
}

func (e *bare) write(i int) error {
	if err := e.read(i); err != nil {
		return err
	}
	tag, id := e.key(i)
	return e.session.Query("UPDATE "+e.table+" SET row=? WHERE tag=? AND id=?", make([]byte, benchRow), tag, id).Consistency(gocql.LocalQuorum).Exec()
}

// BenchmarkOfBare compares the store with the bare driver, in turns, so that what else the machine
// does hurts both: a read, and a read with a conditional write. The third line has a plain write,
// which keeps no promise, for scale.
func BenchmarkOfBare(b *testing.B) {
	db := open(b, clusters[0].variable, clusters[0].copies)
	ctx := b.Context()
	st, eng := db.store(b, nil), db.bare(b)
	recs := make([]store.Record, benchRows)
	for i := range recs {
		rec := record(fmt.Sprint("user", i))
		rec.Meta, rec.Data = make([]byte, 48), make([]byte, benchData)
		recs[i] = add(b, st, rec)
	}
	get := func(i int) (err error) {
		recs[i], _, err = st.Get(ctx, recs[i].Key)
		return err
	}
	update := func(i int) error {
		if err := get(i); err != nil {
			return err
		}
		recs[i].Writer = writer()
		return st.Update(ctx, recs[i], recs[i].Version)
	}
	for _, c := range []struct {
		name        string
		bare, store func(int) error
	}{{"read", eng.read, get}, {"read+update", eng.swap, update}, {"read+plain", eng.write, update}} {
		b.Run(c.name, func(b *testing.B) {
			var took [2]time.Duration
			for b.Loop() {
				for side, op := range [2]func(int) error{c.bare, c.store} {
					start := time.Now()
					if err := together(op); err != nil {
						b.Fatal(err)
					}
					took[side] += time.Since(start)
				}
			}
			ops := float64(b.N * benchRows)
			b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "of-bare")
			b.ReportMetric(ops/took[0].Seconds(), "bare/s")
			b.ReportMetric(ops/took[1].Seconds(), "store/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// together has benchHands goroutines do an operation on every row once.
func together(op func(int) error) error {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for h := range benchHands {
		wg.Go(func() {
			for i := h; i < benchRows; i += benchHands {
				if err := op(i); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
