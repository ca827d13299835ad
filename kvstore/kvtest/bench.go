package kvtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Bare is an engine without a store: get reads a value, put writes one durably.
type Bare struct {
	Get func(key []byte) ([]byte, error)
	Put func(key, value []byte) error
}

// Bench compares a store with its bare engine, in the same database on a disk: the same number of
// keys of the same length with as many bytes, and the same durability. Both take turns in each
// round, so that the machine's moods hit both. It reports "share": the store's rate divided by the
// engine's. Sweep is measured beside few and many live sessions; long also beside a million.
func Bench(b *testing.B, long bool, open func(dir string) (store.Store, Bare, func() error, error)) {
	start := func(b *testing.B) *bench {
		s, bare, close, err := open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { close() })
		return &bench{b: b, ctx: context.Background(), s: s, bare: bare}
	}
	for _, size := range []int{200, 1000, 8000} {
		b.Run(fmt.Sprintf("read/%d", size), func(b *testing.B) { start(b).read(size) })
	}
	for _, size := range []int{200, 8000} {
		b.Run(fmt.Sprintf("create/%d", size), func(b *testing.B) { start(b).write(size, false) })
		b.Run(fmt.Sprintf("update/%d", size), func(b *testing.B) { start(b).write(size, true) })
	}
	sizes := []int{10_000, 100_000}
	if long {
		sizes = append(sizes, 1_000_000)
	}
	for _, live := range sizes {
		b.Run(fmt.Sprintf("sweep-1000/live=%d", live), func(b *testing.B) { start(b).sweep(live) })
	}
}

type bench struct {
	b    *testing.B
	ctx  context.Context
	s    store.Store
	bare Bare
}

func (b *bench) ok(err error) {
	if err != nil {
		b.b.Error(err)
	}
}

// sessions returns n records with users of their own, and keys and values for the bare engine that
// are as long as the store's: its header, user and data.
func (b *bench) sessions(n, size int) (recs []store.Record, keys [][]byte, value []byte) {
	for i := range n {
		s := session{User: fmt.Sprintf("user-%08d", i), Size: size}.moved()
		s.Size = size
		s.Key.Tag = store.TagOf(s.User)
		recs = append(recs, s.record())
		key := append([]byte("\x01s"), s.Key.Tag[:]...)
		keys = append(keys, append(key, s.Key.ID[:]...))
	}
	return recs, keys, content(store.Writer{1}, 81+len(recs[0].User)+len(recs[0].Meta)+size)
}

// parallel runs f for 0 to n-1 in 32 goroutines and tells how long it took.
func parallel(n int, f func(i int)) time.Duration {
	var wg sync.WaitGroup
	start := time.Now()
	for g := range 32 {
		wg.Go(func() {
			for i := g; i < n; i += 32 {
				f(i)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// share reports how the two did, and how long one operation of the store took.
func (b *bench) share(bare, ours time.Duration, n int) {
	b.b.ReportMetric(float64(bare)/float64(ours), "share")
	b.b.ReportMetric(float64(ours)/float64(n), "ns/op")
	b.b.ReportMetric(float64(bare)/float64(n), "bare-ns/op")
}

func (b *bench) read(size int) {
	const n = 4096
	recs, keys, value := b.sessions(n, size)
	parallel(n, func(i int) {
		_, err := b.s.Create(b.ctx, recs[i], store.Admission{})
		b.ok(err)
		b.ok(b.bare.Put(keys[i], value))
	})
	var bare, ours time.Duration
	rounds := 0
	for b.b.Loop() {
		start := time.Now()
		for _, key := range keys {
			if v, err := b.bare.Get(key); err != nil || len(v) != len(value) {
				b.b.Fatal(len(v), err)
			}
		}
		middle := time.Now()
		for i := range recs {
			if rec, _, err := b.s.Get(b.ctx, recs[i].Key); err != nil || len(rec.Data) != size {
				b.b.Fatal(len(rec.Data), err)
			}
		}
		bare, ours = bare+middle.Sub(start), ours+time.Since(middle)
		rounds++
	}
	b.share(bare, ours, rounds*n)
}

// write has 32 goroutines that wait for the disk.
func (b *bench) write(size int, update bool) {
	const n = 32 * 16
	recs, keys, value := b.sessions(n, size)
	if update {
		parallel(n, func(i int) {
			_, err := b.s.Create(b.ctx, recs[i], store.Admission{})
			b.ok(err)
		})
	}
	var bare, ours time.Duration
	rounds := 0
	engine := func() {
		bare += parallel(n, func(i int) { b.ok(b.bare.Put(keys[i], value)) })
	}
	for b.b.Loop() {
		// Whoever comes second finds the engine busy with what the first left.
		if rounds++; rounds%2 == 0 {
			engine()
		}
		ours += parallel(n, func(i int) {
			rec := recs[i]
			if rand.Read(rec.Writer[:]); update {
				b.ok(b.s.Update(b.ctx, rec, uint64(rounds)))
				return
			}
			rand.Read(rec.Key.ID[:])
			rand.Read(keys[i][2+16:])
			_, err := b.s.Create(b.ctx, rec, store.Admission{})
			b.ok(err)
		})
		if rounds%2 == 1 {
			engine()
		}
	}
	b.share(bare, ours, rounds*n)
}

// sweep measures sweeps of 1000 expired sessions.
func (b *bench) sweep(live int) {
	recs, _, _ := b.sessions(live, 100)
	parallel(live, func(i int) {
		_, err := b.s.Create(b.ctx, recs[i], store.Admission{})
		b.ok(err)
	})
	for b.b.Loop() {
		b.b.StopTimer()
		parallel(1000, func(i int) {
			rec := recs[i%live]
			rand.Read(rec.Key.ID[:])
			rec.Idle = time.Second
			_, err := b.s.Create(b.ctx, rec, store.Admission{})
			b.ok(err)
		})
		time.Sleep(time.Second + time.Millisecond)
		b.b.StartTimer()
		if n, err := b.s.Sweep(b.ctx, 2000); n != 1000 || err != nil {
			b.b.Fatal(n, err)
		}
	}
}
