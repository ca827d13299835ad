package storetest

import (
	"bytes"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var largeClauses = []clause{
	{"race-large", "no acknowledged Update is lost, however large the data", raceLarge},
	{"race-read", "every read shows a record as one write left it", raceRead},
}

// big are sizes of data that stores copy or keep apart.
var big = []int{1 << 10, 5 << 10, 17 << 10, 1<<16 + 1, 300 << 10}

// raceLarge is raceUpdate with data that a store may copy outside its lock.
func raceLarge(k *kit) {
	for _, size := range big[2:] {
		rec := k.fresh(k.name())
		rec.Data = pattern(size)
		rec = k.add(rec)
		const n = 6
		each := min(max(k.rounds(6<<18/size), 3), 50)
		if !k.exact {
			each = min(each, 12)
		}
		k.parallel(n, func(i int) {
			for j := range each {
				k.mark(rec.Key, i, j%2 == 0)
			}
		})
		got, lost := k.live(rec.Key, "after many large updates"), 0
		for i := range n {
			lost += each - int(got.Data[i]-rec.Data[i])
		}
		if lost != 0 || got.Version != uint64(n*each+1) {
			k.failf("after %d updates with %d bytes, each of which adds one, %d are there, and the version is %d", n*each, size, n*each-lost, got.Version)
		}
	}
}

// mark adds one to a byte of the record's data, by compare and swap, with a moment between or none.
// Nobody else changes that byte, so it also shows whether an update was applied whose answer was
// lost.
func (k *kit) mark(key store.Key, at int, waits bool) {
	var want byte
	for i := range 10_000 {
		got, _, err := k.get(key)
		k.ok("get", err)
		if i == 0 {
			want = got.Data[at] + 1
		} else if got.Data[at] == want {
			return
		}
		change := k.edit(got)
		change.Data = got.Data
		change.Data[at] = want
		if waits {
			k.stagger()
		}
		err = k.update(change, got.Version)
		if err == nil {
			return
		}
		if k.exact || !errors.Is(err, store.ErrIndeterminate) {
			k.is(store.ErrConflict, "update among others", err)
		}
	}
	k.failf("an update met a conflict ten thousand times")
}

// raceRead writes a record again and again so that all its parts agree, and reads it meanwhile.
func raceRead(k *kit) {
	for _, sizes := range [][2]int{{100, 101}, {40, 3 << 10}, {20 << 10, 20<<10 + 1}, {1 << 16, 10}} {
		user := k.name()
		rec := k.fresh(user)
		rec.Meta, rec.Data = pattern(sizes[1]%1000), pattern(sizes[1])
		rec.Writer = store.Writer{1, 1}
		rec.Idle = 20*k.unit + k.tick
		key := k.add(rec).Key
		torn := func(r store.Record, data bool) bool {
			n := sizes[r.Version%2]
			return r.Writer != store.Writer{byte(r.Version), byte(r.Version % 2)} || !bytes.Equal(r.Meta, pattern(n%1000)) ||
				data && !bytes.Equal(r.Data, pattern(n)) || !near(r.Idle, 20*k.unit+time.Duration(r.Version)*k.tick, k.tick)
		}
		var done atomic.Bool
		var bad atomic.Int64
		read := func() {
			for !done.Load() {
				if got, _, err := k.get(key); err != nil || torn(got, true) {
					bad.Add(1)
				}
				k.stagger()
				for _, got := range k.list(user) {
					if torn(got, false) {
						bad.Add(1)
					}
				}
				k.stagger()
			}
		}
		k.together(read, read, func() {
			defer done.Store(true)
			for v := uint64(2); v < uint64(2+k.rounds(60)); v++ {
				k.stagger()
				n := sizes[v%2]
				rec.Writer = store.Writer{byte(v), byte(v % 2)}
				rec.Meta, rec.Data, rec.Idle = pattern(n%1000), pattern(n), 20*k.unit+time.Duration(v)*k.tick
				k.ok("update beside reads", k.update(rec, v-1))
			}
		})
		if n := bad.Load(); n > 0 {
			k.failf("%d reads show parts of two versions, or none, while the record is updated", n)
		}
	}
}
