package sojourn_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// million is how many sessions BenchmarkMillion keeps.
const million = 1e6

// BenchmarkMillion tells the heap that each of a million sessions takes, and the longest time that
// a reader waits while the half of them that has expired is deleted. The floor deletes shard by
// shard. "quiet" is the floor's reader with nothing deleted: what the machine and the collector do
// by themselves.
func BenchmarkMillion(b *testing.B) {
	b.Run("floor", func(b *testing.B) { benchMillion(b, newFloorMillion) })
	b.Run("sojourn", func(b *testing.B) { benchMillion(b, newStoreMillion) })
	b.Run("quiet", func(b *testing.B) {
		benchMillion(b, func() millions {
			f := newFloorMillion()
			f.sweep = func() int { <-time.After(100 * time.Millisecond); runtime.GC(); return million / 2 }
			return f
		})
	})
}

// millions is a store with a million sessions, of which those with even numbers have expired.
type millions struct {
	read   func(i int) bool
	expire func() // waits until they have
	sweep  func() int
}

func benchMillion(b *testing.B, fill func() millions) {
	var bytes, stalls, sweeps []float64
	for b.Loop() {
		before := heapInUse()
		m := fill()
		bytes = append(bytes, float64(heapInUse()-before)/million)
		m.expire()
		stall, took := longestRead(b, m)
		stalls, sweeps = append(stalls, float64(stall.Microseconds())), append(sweeps, float64(took.Milliseconds()))
		runtime.KeepAlive(m.read)
	}
	b.ReportMetric(median(bytes), "B/session")
	b.ReportMetric(median(stalls), "stall-µs")
	b.ReportMetric(median(sweeps), "sweep-ms")
	b.ReportMetric(0, "ns/op")
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// longestRead reads live sessions all the time that a sweep takes.
func longestRead(b *testing.B, m millions) (worst, took time.Duration) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; !stop.Load(); i = (i + 2*7919) % million {
			begun := time.Now()
			ok := m.read(i)
			worst = max(worst, time.Since(begun))
			if !ok {
				b.Error(errAnswer)
				return
			}
		}
	})
	begun := time.Now()
	n := m.sweep()
	took = time.Since(begun)
	stop.Store(true)
	wg.Wait()
	if n != million/2 {
		b.Error(n, "swept")
	}
	return worst, took
}

// benchID is like a token's hash.
func benchID(i int) [32]byte { return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(i))) }

func newFloorMillion() millions {
	f := newFloor()
	for i := range int(million) {
		record := packed(fieldsOf(i)...)
		if i%2 == 0 {
			record = expiredMark + record[1:]
		}
		id := benchID(i)
		f.shard(&id).m[id] = record
	}
	return millions{
		read: func(i int) bool {
			id := benchID(i)
			sh := f.shard(&id)
			sh.mu.RLock()
			record := sh.m[id]
			sh.mu.RUnlock()
			return len(record) > 4*fieldSize
		},
		expire: func() {},
		sweep: func() (n int) {
			for i := range f.shards {
				sh := &f.shards[i]
				sh.mu.Lock()
				for id, record := range sh.m {
					if record[:1] == expiredMark {
						delete(sh.m, id)
						n++
					}
				}
				sh.mu.Unlock()
			}
			return n
		},
	}
}

// fillTime is how long making a million sessions may take.
const fillTime = 8 * time.Second

// expiredMark stands where a record of the floor has a field's length.
const expiredMark = "\xff"

// newStoreMillion fills a memstore with records as a manager makes them, with their keys changed.
func newStoreMillion() millions {
	st := memstore.New(nil)
	key := func(i int) store.Key {
		return store.Key{Tag: store.TagOf(benchUser(i)), ID: benchID(i)}
	}
	template := benchRecord()
	over := time.Now().Add(fillTime)
	for i := range int(million) {
		rec := template
		rec.User, rec.Key = benchUser(i), key(i)
		if i%2 == 0 {
			rec.Idle = time.Until(over)
		}
		orDie(st.Create(context.Background(), rec, store.Admission{}))
	}
	return millions{
		read: func(i int) bool {
			rec, _, err := st.Get(context.Background(), key(i))
			return err == nil && len(rec.Data) > 4*fieldSize
		},
		expire: func() {
			if records, _ := st.Usage(); records != million {
				panic("filling took longer than fillTime, and swept") // Create sweeps a little
			}
			<-time.After(time.Until(over) + time.Millisecond) // real time: a bubble would hold no readers up
		},
		sweep: func() int {
			for orDie(st.Sweep(context.Background(), 1000)) > 0 {
			}
			records, _ := st.Usage()
			return million - records
		},
	}
}

func benchUser(i int) string { return fmt.Sprintf("user%06d", i) }

// benchRecord is what a manager stores for a session of the benchmarks.
func benchRecord() store.Record {
	st := memstore.New(nil)
	m := orDie(sojourn.New(st, nil))
	sessionRig(m)
	for short, err := range st.All(context.Background()) {
		if err != nil {
			panic(err)
		}
		rec, _, err := st.Get(context.Background(), short.Key)
		if err != nil {
			panic(err)
		}
		rec.Created, rec.Seen = time.Time{}, time.Time{}
		return rec
	}
	panic("no session")
}
