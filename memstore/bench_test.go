package memstore

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

	"github.com/sojourn-go/sojourn/store"
)

// floor is what no store can do without: a map in 256 shards, with locks. It knows no user, no
// expiry and no versions.
type floor struct {
	shards [256]struct {
		mu sync.RWMutex
		m  map[store.ID][]byte
	}
}

func newFloor() *floor {
	f := new(floor)
	for i := range f.shards {
		f.shards[i].m = make(map[store.ID][]byte)
	}
	return f
}

func (f *floor) get(id *store.ID) []byte {
	sh := &f.shards[id[31]]
	sh.mu.RLock()
	b := sh.m[*id]
	sh.mu.RUnlock()
	return append([]byte(nil), b...)
}

func (f *floor) set(id store.ID, b []byte) {
	sh := &f.shards[id[31]]
	sh.mu.Lock()
	sh.m[id] = append([]byte(nil), b...)
	sh.mu.Unlock()
}

// key returns the i-th key: like a real one, of random bytes.
func key(i int) (k store.Key) {
	h := sha256.Sum256(binary.AppendUvarint(nil, uint64(i)))
	k.ID = sha256.Sum256(h[:])
	copy(k.Tag[:], h[:])
	return k
}

// session is the i-th session: 200 bytes of data, anonymous, with usual lives.
func session(i int) store.Record {
	return store.Record{Key: key(i), Writer: store.Writer{1}, Idle: 30 * time.Minute, Lifetime: 12 * time.Hour, Data: payload}
}

var (
	payload = make([]byte, 200)
	bg      = context.Background()
)

func keysOf(n int) []store.Key {
	ks := make([]store.Key, n)
	for i := range ks {
		ks[i] = key(i)
	}
	return ks
}

func filled(tb testing.TB, s store.Store, n int) {
	for i := range n {
		if _, err := s.Create(bg, session(i), store.Admission{}); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkGet reads sessions in turn, from one goroutine and from many, beside the floor with the
// same copy of the data.
func BenchmarkGet(b *testing.B) {
	for _, n := range []int{64, 4096, 1 << 20} {
		ks := keysOf(n)
		f := newFloor()
		for _, k := range ks {
			f.set(k.ID, payload)
		}
		s := New(nil)
		filled(b, s, n)
		run := func(name string, get func(k *store.Key) int) {
			b.Run(fmt.Sprintf("%s/%d/serial", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if get(&ks[i%n]) != len(payload) {
						b.Fatal("wrong data")
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%d/parallel", name, n), func(b *testing.B) {
				var start atomic.Int64
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for i := int(start.Add(7919)); pb.Next(); i++ {
						if get(&ks[i%n]) != len(payload) {
							b.Error("wrong data")
							return
						}
					}
				})
			})
		}
		run("floor", func(k *store.Key) int { return len(f.get(&k.ID)) })
		length := func(s store.Store) func(k *store.Key) int {
			return func(k *store.Key) int {
				rec, _, err := s.Get(bg, *k)
				if err != nil {
					return 0
				}
				return len(rec.Data)
			}
		}
		run("store", length(s))
		p := newPlain()
		filled(b, p, n)
		run("plain", length(p))
	}
}

// BenchmarkWrite measures each write on 4096 sessions.
func BenchmarkWrite(b *testing.B) {
	const n = 4096
	ks := keysOf(n)
	b.Run("floor/set", func(b *testing.B) {
		f := newFloor()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.set(ks[i%n].ID, payload)
		}
	})
	benchWrite(b, "store/", func() store.Store { return New(nil) }, ks)
	benchWrite(b, "plain/", newPlain, ks)
}

func benchWrite(b *testing.B, name string, open func() store.Store, ks []store.Key) {
	n := len(ks)
	b.Run(name+"touch", func(b *testing.B) {
		s := open()
		filled(b, s, n)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := s.Touch(bg, store.Record{Key: ks[i%n]}, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"update", func(b *testing.B) {
		s := open()
		filled(b, s, n)
		rec := session(0)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			rec.Key = ks[i%n]
			if err := s.Update(bg, rec, uint64(1+i/n)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"create+delete", func(b *testing.B) {
		s := open()
		filled(b, s, n)
		rec := session(0)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			rec.Key = ks[i%n]
			if s.Delete(bg, rec.Key) != nil {
				b.Fatal("delete")
			}
			if _, err := s.Create(bg, rec, store.Admission{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func heapInUse() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkHeap tells the heap that a session takes, of a million, and what is left of that when
// half and then nine tenths have gone.
func BenchmarkHeap(b *testing.B) {
	const n = 1e6
	report := func(b *testing.B, before float64, end func(from, to int)) {
		full := heapInUse() - before
		b.ReportMetric(full/n, "B/session")
		end(0, n/2)
		b.ReportMetric((heapInUse()-before)/full*100, "%left-of-half")
		end(n/2, n*9/10)
		b.ReportMetric((heapInUse()-before)/full*100, "%left-of-tenth")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("floor", func(b *testing.B) {
		for range b.N {
			before := heapInUse()
			f := newFloor()
			for i := range int(n) {
				f.set(key(i).ID, payload)
			}
			report(b, before, func(from, to int) {
				for ; from < to; from++ {
					id := key(from).ID
					delete(f.shards[id[31]].m, id)
				}
			})
			runtime.KeepAlive(f)
		}
	})
	for name, open := range map[string]func() store.Store{"store": func() store.Store { return New(nil) }, "plain": newPlain} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				before := heapInUse()
				s := open()
				filled(b, s, n)
				report(b, before, func(from, to int) {
					for ; from < to; from++ {
						s.Delete(bg, key(from))
					}
					s.Sweep(bg, n)
				})
				runtime.KeepAlive(s)
			}
		})
	}
}

// BenchmarkStall tells the longest read, of a reader that never rests, while half of a million
// sessions expire and are swept, and then in a forced collection; beside the floor's, which deletes
// shard by shard, and the machine's own, busy elsewhere. Run it with -benchtime 1x: there is one
// such clean-up in a store's life.
func BenchmarkStall(b *testing.B) {
	const n = 1e6
	ks := keysOf(n)
	b.Run("floor", func(b *testing.B) {
		f := newFloor()
		for i, k := range ks {
			f.set(k.ID, payload[i%2:])
		}
		stall(b, func(i int) { f.get(&ks[i%n].ID) }, func() {
			for i := range f.shards {
				sh := &f.shards[i]
				sh.mu.Lock()
				for id, v := range sh.m {
					if len(v) < len(payload) {
						delete(sh.m, id)
					}
				}
				sh.mu.Unlock()
			}
		})
	})
	for _, name := range []string{"busy", "store"} {
		b.Run(name, func(b *testing.B) {
			s := New(nil)
			rec := session(0)
			for i, k := range ks {
				rec.Key, rec.Idle = k, 30*time.Minute
				if i%2 == 0 {
					rec.Idle = 10 * time.Second
				}
				if _, err := s.Create(bg, rec, store.Admission{}); err != nil {
					b.Fatal(err)
				}
			}
			s.mem.base = s.mem.base.Add(-10 * time.Second) // that is, the clock moves on
			stall(b, func(i int) { s.Get(bg, ks[i%n]) }, func() {
				if name == "busy" { // as long, with no lock held: what the machine itself does
					for t := time.Now(); time.Since(t) < 150*time.Millisecond; {
						runtime.Gosched()
					}
				} else if swept, err := s.Sweep(bg, n); err != nil || swept != n/2 {
					b.Error("swept", swept, err)
				}
			})
		})
	}
}

func stall(b *testing.B, get func(i int), work func()) {
	runtime.GC()
	var stop atomic.Bool
	var worst, reads, slow atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !stop.Load(); i++ {
			t := time.Now()
			get(i)
			d := time.Since(t)
			if int64(d) > worst.Load() {
				worst.Store(int64(d))
			}
			if d > 300*time.Microsecond {
				slow.Add(1)
			}
			reads.Add(1)
		}
	})
	time.Sleep(10 * time.Millisecond)
	worst.Store(0)
	slow.Store(0)
	begun, before := time.Now(), reads.Load()
	work()
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "work-ms")
	b.ReportMetric(float64(reads.Load()-before), "reads")
	b.ReportMetric(float64(slow.Load()), "over-300µs")
	b.ReportMetric(float64(worst.Swap(0))/1e3, "longest-µs")
	runtime.GC()
	b.ReportMetric(float64(worst.Load())/1e3, "longest-in-gc-µs")
	b.ReportMetric(0, "ns/op")
	stop.Store(true)
	wg.Wait()
}
