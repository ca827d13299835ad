package redisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	c := dial(b, option(b, "SOJOURN_REDIS"))
	storetest.Bench(b, func(t testing.TB) store.Store { return open(t, c, redisstore.Options{}) })
}

const (
	benchUsers   = 64 // one for each goroutine
	benchRecords = 16 // of each
	benchBytes   = 68 + 5 + 48 + 256
)

// bench is the same bytes twice: as records of a store and as plain strings.
type bench struct {
	c    rueidis.Client
	s    store.Store
	recs [benchUsers][benchRecords]store.Record
}

func newBench(b *testing.B, opts redisstore.Options) *bench {
	c := dial(b, option(b, "SOJOURN_REDIS"))
	e := &bench{c: c, s: open(b, c, opts)}
	ctx := context.Background()
	for u := range e.recs {
		for i := range e.recs[u] {
			r := record(fmt.Sprintf("u%04d", u))
			r.Meta, r.Data = make([]byte, 48), make([]byte, 256)
			if _, err := e.s.Create(ctx, r, store.Admission{}); err != nil {
				b.Fatal(err)
			}
			e.recs[u][i], _, _ = e.s.Get(ctx, r.Key)
			if err := e.set(ctx, u, i); err != nil {
				b.Fatal(err)
			}
		}
	}
	return e
}

func benchKey(u, i int) string { return fmt.Sprintf("bench-of-bare:%02d:%02d", u, i) }

func (e *bench) get(ctx context.Context, u, i int) error {
	_, err := e.c.Do(ctx, e.c.B().Get().Key(benchKey(u, i)).Build()).AsBytes()
	return err
}

func (e *bench) set(ctx context.Context, u, i int) error {
	return e.c.Do(ctx, e.c.B().Set().Key(benchKey(u, i)).Value(string(make([]byte, benchBytes))).Ex(time.Hour).Build()).Error()
}

func (e *bench) getset(ctx context.Context, u, i int) error {
	if err := e.get(ctx, u, i); err != nil {
		return err
	}
	return e.set(ctx, u, i)
}

func (e *bench) Get(ctx context.Context, u, i int) error {
	_, _, err := e.s.Get(ctx, e.recs[u][i].Key)
	return err
}

// GetUpdate reads a record and writes it back, as a request that changes something does.
func (e *bench) GetUpdate(ctx context.Context, u, i int) error {
	r, _, err := e.s.Get(ctx, e.recs[u][i].Key)
	if err != nil {
		return err
	}
	rand.Read(r.Writer[:])
	return e.s.Update(ctx, r, r.Version)
}

// turns lets 64 goroutines do each in turns, so that what else the machine does hurts all, and
// gives their times.
func turns(b *testing.B, acts ...func(ctx context.Context, u, i int) error) []time.Duration {
	took := make([]time.Duration, len(acts))
	ctx := b.Context()
	for b.Loop() {
		for n, act := range acts {
			start := time.Now()
			var wg sync.WaitGroup
			for u := range benchUsers {
				wg.Go(func() {
					for i := range benchRecords {
						if err := act(ctx, u, i); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			took[n] += time.Since(start)
		}
	}
	return took
}

// BenchmarkReadPair compares Get with a bare GET of the same bytes through the same client; package
// goredis compares both with go-redis.
func BenchmarkReadPair(b *testing.B) {
	e := newBench(b, redisstore.Options{})
	took := turns(b, e.get, e.Get)
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-rueidis")
}

// BenchmarkWritePair compares Get and Update with a bare GET and SET of the same bytes.
func BenchmarkWritePair(b *testing.B) {
	e := newBench(b, redisstore.Options{})
	took := turns(b, e.getset, e.GetUpdate)
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-rueidis")
}

// BenchmarkCachedPair reads through the cache, with a revocation lag of 2 s.
func BenchmarkCachedPair(b *testing.B) {
	e := newBench(b, redisstore.Options{CacheFor: 2 * time.Second})
	time.Sleep(4 * time.Second) // what was just written is not read from the cache
	took := turns(b, e.get, e.Get)
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-rueidis")
}
