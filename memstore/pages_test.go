package memstore

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/sojourn-go/sojourn/store"
)

// oneShard makes a store whose records share one lock, so that few fill many pages.
func oneShard(o *Options) (*Store, *shard) {
	s := New(o)
	s.mem.shards, s.mem.shift = s.mem.shards[:1], 64
	return s, &s.mem.shards[0]
}

// TestShards wants four locks a processor, but 64 at least and 256 at most.
func TestShards(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for procs, want := range map[int]int{1: 64, 16: 64, 17: 128, 32: 128, 64: 256, 300: 256} {
		runtime.GOMAXPROCS(procs)
		if s := New(nil); len(s.mem.shards) != want || 64-s.mem.shift != uint(bits.Len(uint(want-1))) {
			t.Errorf("%d processors: %d locks, shift %d; want %d", procs, len(s.mem.shards), s.mem.shift, want)
		}
	}
}

// TestGrow wants as many buckets as records, no page that is not needed, and no look at full pages.
func TestGrow(t *testing.T) {
	s, sh := oneShard(nil)
	const n = 1000
	filled(t, s, n)
	if got := len(sh.keys.heads); got != n {
		t.Errorf("%d buckets for %d records", got, n)
	}
	if want := n/pageLen + 1; len(sh.pages) != want || sh.lowest != want-1 {
		t.Errorf("%d pages, the first with room is %d; want %d", len(sh.pages), sh.lowest, want)
	}
	for i := range n - 100 {
		if s.Delete(bg, key(i)); i == n/2 {
			s.mem.check(t) // with empty pages before full ones
		}
	}
	if got := len(sh.keys.heads); got != 200 {
		t.Errorf("%d buckets are left for 100 records", got)
	}
	s.mem.check(t)
}

// TestShrink wants the memory of many records back when most are gone, and the rest unhurt.
func TestShrink(t *testing.T) {
	const n = 5000
	ways := map[string]func(t *testing.T, s *Store, gone []store.Key){
		"sweep": func(t *testing.T, s *Store, gone []store.Key) {
			time.Sleep(time.Minute)
			if swept, err := s.Sweep(bg, n); swept != len(gone) || err != nil {
				t.Fatal(swept, err)
			}
		},
		"delete": func(t *testing.T, s *Store, gone []store.Key) {
			for _, k := range gone {
				s.Delete(bg, k)
			}
		},
		"revoke": func(t *testing.T, s *Store, gone []store.Key) {
			if r, err := s.Revoke(bg, "a", store.Selection{}); r.N != len(gone) || err != nil {
				t.Fatal(r.N, err)
			}
		},
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testShrink(t, n, end) })
		})
	}
}

func testShrink(t *testing.T, n int, end func(*testing.T, *Store, []store.Key)) {
	s, sh := oneShard(&Options{EvictAnonymous: true})
	var stay []store.Record
	var gone []store.Key
	for i := range n {
		rec := userRecord("a", i)
		if i%50 != 0 {
			rec.Idle = time.Minute
			gone = append(gone, rec.Key)
		} else {
			if rec = session(i); i < n*3/4 { // so that the oldest anonymous one is moved, too
				rec = userRecord(fmt.Sprint(i), i)
			}
			stay = append(stay, rec)
		}
		if err := create(t, s, rec); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	for _, rec := range stay {
		s.Touch(bg, rec, 0)
	}
	touched := time.Now()
	end(t, s, gone)
	s.mem.check(t)
	if len(sh.used)*pageLen > 4*sh.count || cap(sh.pages) > 16*len(sh.pages) || cap(sh.keys.heads) > 16*sh.count {
		t.Errorf("%d records in %d pages (cap %d), %d heads (cap %d)",
			sh.count, len(sh.used), cap(sh.pages), len(sh.keys.heads), cap(sh.keys.heads))
	}
	for _, rec := range stay {
		if got, _, err := s.Get(bg, rec.Key); err != nil || got.User != rec.User || !got.Seen.Equal(touched) {
			t.Fatalf("of %q, seen %v: %v, %q, %v", rec.User, touched, err, got.User, got.Seen)
		}
	}
	create(t, s, session(n)) // behind what was moved
	s.mem.check(t)
}

// TestWalkHolds deletes most records during a walk. Slots stay where they are, and what is live all
// along is seen once; what is gone is seen no more, but for those that were copied before. A walk
// that was left early is no walk any more.
func TestWalkHolds(t *testing.T) {
	s, sh := oneShard(nil)
	const n = 3000
	filled(t, s, n)
	for range s.All(bg) {
		break
	}
	seen, total := map[store.Key]int{}, 0
	for rec, err := range s.All(bg) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[rec.Key]++; total == 500 {
			for i := range n {
				if i%10 != 0 {
					s.Delete(bg, key(i))
				}
			}
		}
		total++
	}
	for i := 0; i < n; i += 10 {
		if seen[key(i)] != 1 {
			t.Fatalf("record %d was seen %d times", i, seen[key(i)])
		}
	}
	if most := 500 + slice + n/10; total > most {
		t.Errorf("%d records were seen, of which most were gone; want %d at most", total, most)
	}
	s.mem.check(t)

	// Nor does the first write move all that has to be moved.
	before := places(sh)
	s.Delete(bg, key(0))
	delete(before, key(0))
	moved := 0
	for k, i := range places(sh) {
		if before[k] != i {
			moved++
		}
	}
	if moved != 2+1 {
		t.Errorf("deleting a record moved %d", moved)
	}
	s.Sweep(bg, 1)
	for i := 10; i < n/2; i += 10 {
		s.Delete(bg, key(i))
	}
	s.mem.check(t)
	if len(sh.used)*pageLen > 4*sh.count {
		t.Errorf("%d records in %d pages", sh.count, len(sh.used))
	}
}

// TestWalkEnds leaves walks in the middle of a shard and between two.
func TestWalkEnds(t *testing.T) {
	one, _ := oneShard(nil)
	for _, s := range []*Store{one, New(nil)} {
		filled(t, s, 1000)
		for _, want := range []int{1, slice - 1, slice, slice + 1} {
			n := 0
			for range s.All(bg) {
				if n++; n == want {
					break
				}
			}
			if n != want {
				t.Errorf("walked on for %d records; left at %d", n, want)
			}
		}
	}
}

// places tells the slot of each record.
func places(sh *shard) map[store.Key]uint32 {
	all := map[store.Key]uint32{}
	for _, i := range sh.between(0, uint32(pageLen*len(sh.used))) {
		all[sh.at(i).key] = i
	}
	return all
}

// TestListed wants no records but a user's own, whoever shares its bucket.
func TestListed(t *testing.T) {
	s, _ := oneShard(nil)
	const users = 300
	for i := range 2 * users {
		create(t, s, userRecord(fmt.Sprint(i%users), i))
	}
	for i := range users {
		user, n := fmt.Sprint(i), 0
		s.mem.List(bg, user, func(r *store.Record, err error) bool {
			if n++; err != nil || r.User != user {
				t.Errorf("listed one of %q for %q, %v", r.User, user, err)
			}
			return true
		})
		if n != 2 {
			t.Errorf("listed %d records of 2", n)
		}
	}
}

// TestRead reads without Data.
func TestRead(t *testing.T) {
	s := New(nil)
	rec := userRecord("a", 1)
	rec.Meta = []byte("meta")
	create(t, s, rec)
	got, err := s.mem.Read(bg, rec.Key, false)
	if err != nil || string(got.Meta) != "meta" || len(got.Data) != 0 {
		t.Errorf("read %q and %d bytes of data: %v", got.Meta, len(got.Data), err)
	}
}

// TestWalkKeepsNoRecord lists users whose names do not keep their records' data in memory.
func TestWalkKeepsNoRecord(t *testing.T) {
	s := New(nil)
	rec := userRecord("ada", 0)
	create(t, s, rec)
	got, _, err := s.Get(bg, rec.Key)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range s.All(bg) {
		if err != nil || unsafe.StringData(r.User) == unsafe.StringData(got.User) {
			t.Errorf("%q, %v: it shares the stored record's memory", r.User, err)
		}
	}
}

// TestWalkOverTheDead stops where its caller has gone, also where no record lives to be shown.
func TestWalkOverTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		filled(t, s, 1000)
		time.Sleep(13 * time.Hour)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		var last error
		for _, last = range s.All(ctx) {
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("%v, want that the caller has gone", last)
		}
	})
}

// TestNoRoomForTheGone has a full store whose records were all filed to end and live on: a write
// whose caller has gone looks through no shard for room.
func TestNoRoomForTheGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sh := oneShard(&Options{MaxRecords: 1000})
		filled(t, s, 1000)
		time.Sleep(20 * time.Minute)
		for i := range 1000 {
			if err := s.Touch(bg, session(i), 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(15 * time.Minute) // each is due where it was filed, and has been used since
		ctx, cancel := context.WithCancel(bg)
		cancel()
		before, c := sh.wheel.cur, claim{}
		if !s.mem.makeRoom(ctx, &c, false) || c.swept != 0 || sh.wheel.cur != before {
			t.Errorf("swept %d shards, to %d from %d", c.swept, sh.wheel.cur, before)
		}
	})
}
