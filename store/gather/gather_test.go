package gather_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/gather"
)

const trip = 10 * time.Millisecond

// engine answers with the double, after a while, and remembers its batches.
type engine struct {
	mu      sync.Mutex
	batches [][]int
	now     atomic.Int32
	most    int32
}

func (e *engine) send(ctx context.Context, calls []*gather.Call[int, int]) {
	var asked []int
	for _, c := range calls {
		asked = append(asked, c.Ask)
	}
	e.mu.Lock()
	e.batches = append(e.batches, asked)
	e.most = max(e.most, e.now.Add(1))
	e.mu.Unlock()
	defer e.now.Add(-1)
	select {
	case <-time.After(trip):
	case <-ctx.Done():
		gather.Fail(calls, ctx.Err())
		return
	}
	for _, c := range calls {
		c.Answer = 2 * c.Ask
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		l := gather.New(&gather.Options[int]{Lanes: 1}, e.send)
		for i := range 5 {
			start := time.Now()
			a, err := l.Do(t.Context(), i)
			if a != 2*i || err != nil || time.Since(start) != trip {
				t.Fatalf("%d: %d, %v after %v", i, a, err, time.Since(start))
			}
		}
		if len(e.batches) != 5 {
			t.Errorf("%d sends for five calls that were alone", len(e.batches))
		}
	}) // which fails if a goroutine is left
}

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		l := gather.New(&gather.Options[int]{Lanes: 2, Most: 10}, e.send)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				if a, err := l.Do(t.Context(), i); a != 2*i || err != nil {
					t.Errorf("%d gave %d, %v", i, a, err)
				}
			})
		}
		wg.Wait()
		// 2 alone, then twice two lanes with 10, 10, 10 and nothing.
		if n := len(e.batches); n != 5 || e.most != 2 || time.Since(start) != 3*trip {
			t.Errorf("%d sends, %d at once, %v: %v", n, e.most, time.Since(start), e.batches)
		}
	})
}

// TestDefaults has two lanes, of 64 calls each, where nothing else is asked for.
func TestDefaults(t *testing.T) {
	for _, o := range []*gather.Options[int]{nil, {}, {Most: -1}} {
		synctest.Test(t, func(t *testing.T) {
			e := &engine{}
			l := gather.New(o, e.send)
			var wg sync.WaitGroup
			for i := range 2 + 64 + 5 {
				wg.Go(func() { l.Do(t.Context(), i) })
			}
			wg.Wait()
			var sizes []int
			for _, b := range e.batches {
				sizes = append(sizes, len(b))
			}
			slices.Sort(sizes)
			if fmt.Sprint(sizes) != "[1 1 5 64]" || e.most != 2 {
				t.Errorf("sends of %v, %d at once", sizes, e.most)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		l := gather.New(&gather.Options[int]{Lanes: 1, Key: func(q int) uint64 { return uint64(q / 10) }}, e.send)
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				if a, err := l.Do(t.Context(), i); a != 2*i || err != nil {
					t.Errorf("%d gave %d, %v", i, a, err)
				}
			})
		}
		wg.Wait()
		for _, b := range e.batches {
			seen := map[int]bool{}
			for _, q := range b {
				if seen[q/10] {
					t.Errorf("one key twice in %v", b)
				}
				seen[q/10] = true
			}
		}
		if n := len(e.batches); n > 12 {
			t.Errorf("%d sends: keys that differ do not share", n)
		}
	})
}

// TestLeave has calls whose contexts end before and after they are sent.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		l := gather.New(&gather.Options[int]{Lanes: 1}, e.send)
		var wg sync.WaitGroup
		call := func(q int, limit time.Duration, left, sent bool) {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				a, err := l.Do(ctx, q)
				switch {
				case !left && (err != nil || a != 2*q):
					t.Errorf("%d: %d, %v", q, a, err)
				case left && (!errors.Is(err, context.DeadlineExceeded) || sent == errors.Is(err, store.ErrUnavailable) || time.Since(start) != limit):
					t.Errorf("%d, sent %v: %v after %v", q, sent, err, time.Since(start))
				}
			})
			synctest.Wait() // keeps the order
		}
		call(1, time.Minute, false, true)
		call(2, trip/2, true, false)
		call(3, trip+trip/2, true, true)
		call(4, time.Minute, false, true)
		call(5, trip/2, true, false)
		wg.Wait()
		if got := fmt.Sprint(e.batches); got != "[[1] [3 4]]" {
			t.Errorf("sent were %v", got)
		}

		// When all have left, nothing goes on.
		call(6, trip+1, false, true)
		call(7, trip+trip/4, true, true)
		call(8, trip+trip/2, true, true)
		start := time.Now()
		wg.Wait()
		synctest.Wait()
		if d := time.Since(start); d != trip+trip/2 || e.now.Load() != 0 {
			t.Errorf("%v later, %d sends go on", d, e.now.Load())
		}
		call(9, time.Minute, false, true) // and the lane is free
		wg.Wait()

		dead, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Do(dead, 10); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a dead context gives %v", err)
		}
	})
}

// TestFailures has sends that fail, panic and end their goroutine.
func TestFailures(t *testing.T) {
	boom := errors.New("boom")
	type call = gather.Call[int, int]
	for name, fail := range map[string]func([]*call){
		"error": func(calls []*call) { gather.Fail(calls, boom) },
		"panic": func([]*call) { panic(boom) },
		"exit":  func([]*call) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &engine{}
				l := gather.New(&gather.Options[int]{Lanes: 1}, func(ctx context.Context, calls []*call) {
					e.send(ctx, calls)
					if calls[0].Ask == 1 {
						fail(calls)
					}
				})
				var reached atomic.Int32
				var wg sync.WaitGroup
				for i := range 5 {
					wg.Go(func() {
						defer func() {
							if recover() != nil {
								reached.Add(1)
							}
						}()
						if _, err := l.Do(t.Context(), i); errors.Is(err, boom) {
							reached.Add(1)
						}
					})
					synctest.Wait()
				}
				wg.Wait()
				if n := reached.Load(); n != 4 { // 0 went alone
					t.Errorf("it reached %d of four", n)
				}
				if a, err := l.Do(t.Context(), 21); a != 42 || err != nil {
					t.Errorf("afterwards: %d, %v", a, err)
				}
			})
		})
	}
}

// TestUnbound has a line without a bound on its lanes, where each call goes alone.
func TestUnbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		l := gather.New(&gather.Options[int]{Lanes: -1}, e.send)
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 50 {
			wg.Go(func() {
				if a, err := l.Do(t.Context(), i); a != 2*i || err != nil {
					t.Errorf("%d gave %d, %v", i, a, err)
				}
			})
		}
		wg.Wait()
		if len(e.batches) != 50 || time.Since(start) != trip {
			t.Errorf("%d sends in %v", len(e.batches), time.Since(start))
		}
	})
}

// TestStorm mixes all of it on real time.
func TestStorm(t *testing.T) {
	var sent, answered atomic.Int64
	l := gather.New(&gather.Options[int]{Lanes: 3, Most: 8, Key: func(q int) uint64 { return uint64(q % 50) }},
		func(_ context.Context, calls []*gather.Call[int, int]) {
			runtime.Gosched()
			sent.Add(int64(len(calls)))
			for _, c := range calls {
				c.Answer = 2 * c.Ask
			}
		})
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				if (g+i)%5 == 0 {
					go cancel()
				}
				q := g*1000 + i
				a, err := l.Do(ctx, q)
				switch {
				case err == nil && a == 2*q:
					answered.Add(1)
				case err == nil || ctx.Err() == nil:
					t.Errorf("%d gave %d, %v", q, a, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s, a := sent.Load(), answered.Load(); s < a || s > 64*200 {
		t.Errorf("%d sent, %d answered", s, a)
	}
}

func BenchmarkAlone(b *testing.B) {
	l := gather.New(nil, func(context.Context, []*gather.Call[int, int]) {})
	b.ReportAllocs()
	for b.Loop() {
		l.Do(b.Context(), 1)
	}
}

func BenchmarkShared(b *testing.B) {
	l := gather.New(&gather.Options[int]{Lanes: 1}, func(context.Context, []*gather.Call[int, int]) {})
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Do(b.Context(), 1)
		}
	})
}
