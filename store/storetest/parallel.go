package storetest

import (
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// rounds returns how often a race is run: a networked store gets fewer.
func (k *kit) rounds(n int) int {
	if k.exact {
		return n
	}
	return max(n/5, 3)
}

// stagger waits for a moment or not at all. Goroutines that never wait tend to run one after the
// other; where time is fake a sleep lets all others run first.
func (k *kit) stagger() {
	switch n := mathrand.IntN(6); n {
	case 0, 1:
	case 2:
		runtime.Gosched()
	default:
		time.Sleep(time.Duration(n - 2))
	}
}

// parallel runs f in n goroutines at once and waits for all of them; the first that ended the
// clause ends it here.
func (k *kit) parallel(n int, f func(i int)) {
	gate := make(chan struct{})
	fs := make([]func(), n)
	for i := range n {
		fs[i] = func() {
			<-gate
			k.stagger()
			f(i)
		}
	}
	k.gated(append(fs, func() { close(gate) })...)
}

// gated runs functions at once, as they come, and waits for all of them.
func (k *kit) gated(fs ...func()) {
	var wg sync.WaitGroup
	ends := make([]any, len(fs))
	for i, f := range fs {
		wg.Go(func() {
			defer func() {
				ends[i] = recover()
				switch ends[i].(type) {
				case nil, failed, skipped:
				default:
					ends[i] = failed{fmt.Errorf("panic: %v\n%s", ends[i], debug.Stack())}
				}
			}()
			f()
		})
	}
	wg.Wait()
	for _, end := range ends {
		if end != nil {
			panic(end)
		}
	}
}

// together runs different functions at once.
func (k *kit) together(fs ...func()) { k.parallel(len(fs), func(i int) { fs[i]() }) }

// many is more than a careless store takes at once; pages of any usual size do not divide it.
func (k *kit) many() int {
	if k.exact {
		return 1061
	}
	return 331
}

// spread calls f n times: one call after another where time is fake, which costs least there and is
// the same in every run; else from several goroutines, for the sake of trips.
func (k *kit) spread(n int, f func(i int)) {
	if k.exact {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	k.parallel(min(n, 16), func(int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(i)
		}
	})
}

// insertAll creates records as they are.
func (k *kit) insertAll(recs []store.Record) {
	k.spread(len(recs), func(i int) { k.ok("create", k.insert(recs[i])) })
}

// schedule is a way in which two calls may meet. The zero schedule lets both loose, each when it
// comes to it.
type schedule struct {
	level   bool          // both begin at once, as near as can be
	stepped bool          // the second begins where the first waits
	swapped bool          // the second is first
	after   time.Duration // of the first one's start, at least
}

func (k *kit) schedules(loose int) []schedule {
	n := k.rounds(loose)
	if k.exact {
		n = 4 * loose
	}
	ways := make([]schedule, n)
	for i := range ways {
		ways[i].level = i%2 == 0
	}
	if !k.exact {
		return ways
	}
	for _, after := range []time.Duration{0, 1, 2, 3, 5, time.Microsecond, time.Millisecond} {
		ways = append(ways, schedule{stepped: true, after: after}, schedule{stepped: true, swapped: true, after: after})
	}
	return ways
}

// meet arranges a meeting in all ways. begin prepares one, and gives the two calls and what must
// hold in the end.
func (k *kit) meet(loose int, begin func() (first, second, then func())) {
	for _, way := range k.schedules(loose) {
		first, second, then := begin()
		if way.swapped {
			first, second = second, first
		}
		switch {
		case way.level:
			var ready atomic.Int32
			level := func(f func()) func() {
				return func() {
					for ready.Add(1); ready.Load() < 2; {
						runtime.Gosched()
					}
					f()
				}
			}
			k.gated(level(first), level(second))
		case !way.stepped:
			k.together(first, second)
		default:
			started := make(chan struct{})
			k.gated(
				func() { close(started); first() },
				func() {
					<-started
					time.Sleep(way.after)
					k.settled()
					second()
				})
		}
		then()
	}
}

// settled returns when every other goroutine of the bubble waits or has ended.
func (k *kit) settled() { synctest.Wait() }
