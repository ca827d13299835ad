package goredis_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/redisstore/goredis"
	"github.com/sojourn-go/sojourn/store"
)

const (
	benchUsers   = 64 // one for each goroutine
	benchRecords = 16 // of each
	benchBytes   = 68 + 5 + 48 + 256
)

// act is one request of a goroutine.
type act func(ctx context.Context, u, i int) error

// bench is the same bytes as plain strings, which go-redis reads and writes as it is mostly used (a
// command a request, 20 connections), and as records of two stores: through rueidis and through
// go-redis.
type bench struct {
	c                redis.UniversalClient
	rueidis, goredis *goredis.Store
	keys             [benchUsers][benchRecords]store.Key
}

func newBench(b *testing.B) *bench {
	address := strings.TrimPrefix(os.Getenv("SOJOURN_REDIS"), "redis://")
	if address == "" {
		b.Skip("SOJOURN_REDIS is not set: NOT MEASURED")
	}
	e := &bench{c: redis.NewClient(&redis.Options{Addr: address, PoolSize: 20})}
	b.Cleanup(func() { e.c.Close() })
	rc, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rc.Close)
	opts := &redisstore.Options{Prefix: "bench-" + rand.Text() + ":"}
	if e.rueidis, err = redisstore.New(rc, opts); err != nil {
		b.Fatal(err)
	}
	if e.goredis, err = goredis.New(e.c, opts); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for u := range e.keys {
		for i := range e.keys[u] {
			user := fmt.Sprintf("u%04d", u)
			r := store.Record{User: user, Lifetime: time.Hour, Meta: make([]byte, 48), Data: make([]byte, 256)}
			r.Key.Tag = store.TagOf(user)
			rand.Read(r.Key.ID[:])
			rand.Read(r.Writer[:])
			e.keys[u][i] = r.Key
			if _, err := e.rueidis.Create(ctx, r, store.Admission{}); err != nil {
				b.Fatal(err)
			}
			if err := e.set(ctx, u, i); err != nil {
				b.Fatal(err)
			}
		}
	}
	return e
}

func bareKey(u, i int) string { return fmt.Sprintf("bench-of-bare:%02d:%02d", u, i) }

func (e *bench) get(ctx context.Context, u, i int) error {
	_, err := e.c.Get(ctx, bareKey(u, i)).Bytes()
	return err
}

func (e *bench) set(ctx context.Context, u, i int) error {
	return e.c.Set(ctx, bareKey(u, i), make([]byte, benchBytes), time.Hour).Err()
}

func (e *bench) getset(ctx context.Context, u, i int) error {
	if err := e.get(ctx, u, i); err != nil {
		return err
	}
	return e.set(ctx, u, i)
}

func (e *bench) read(s *goredis.Store) act {
	return func(ctx context.Context, u, i int) error {
		_, _, err := s.Get(ctx, e.keys[u][i])
		return err
	}
}

func (e *bench) write(s *goredis.Store) act {
	return func(ctx context.Context, u, i int) error {
		r, _, err := s.Get(ctx, e.keys[u][i])
		if err != nil {
			return err
		}
		rand.Read(r.Writer[:])
		return s.Update(ctx, r, r.Version)
	}
}

// compare lets 64 goroutines do each in turns, so that what else the machine does hurts all. It
// reports the rate of both stores as shares of the bare driver's.
func compare(b *testing.B, bare, rueidis, goredis act) {
	var took [3]time.Duration
	ctx := b.Context()
	for b.Loop() {
		for n, act := range [...]act{bare, rueidis, goredis} {
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
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-bare")
	b.ReportMetric(float64(took[0])/float64(took[2]), "goredis-of-bare")
}

// BenchmarkReadPair compares Get with go-redis's bare GET of the same bytes.
func BenchmarkReadPair(b *testing.B) {
	e := newBench(b)
	compare(b, e.get, e.read(e.rueidis), e.read(e.goredis))
}

// BenchmarkWritePair compares Get and Update with go-redis's bare GET and SET of the same bytes.
func BenchmarkWritePair(b *testing.B) {
	e := newBench(b)
	compare(b, e.getset, e.write(e.rueidis), e.write(e.goredis))
}
