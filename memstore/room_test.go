package memstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// insert writes records as they are, and counts how often it is asked. Each time it calls before.
func insert(ctx context.Context, s *Store, before func(try int), recs ...*store.Record) (tries int, err error) {
	err = s.mem.Write(ctx, recs[0].Key.Tag, func(v embedded.View) (c embedded.Change, _ error) {
		if tries++; before != nil {
			before(tries)
		}
		for _, r := range recs {
			r.Version, r.Created, r.Seen = 1, v.Now(), v.Now()
			c.Put = append(c.Put, embedded.Put{Rec: r})
		}
		return c, nil
	})
	return tries, err
}

// TestTries wants a write tried again only after something was done for it: its bytes were copied
// with no lock held, if they are more than 16 KiB, or room was made.
func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n, want := range map[int]int{10: 1, 16 << 10: 1, 16<<10 + 1: 2} {
			rec := session(1)
			rec.Data = make([]byte, n)
			if tries, err := insert(bg, New(nil), nil, &rec); tries != want || err != nil {
				t.Errorf("%d bytes: %d tries, %v; want %d", n, tries, err, want)
			}
		}
		s := New(&Options{MaxRecords: 3, EvictAnonymous: true})
		filled(t, s, 2)
		short, rec, mine := session(2), session(3), userRecord("a", 4)
		short.Idle = time.Second
		create(t, s, short)
		try := func(rec *store.Record, want int, full bool) {
			t.Helper()
			if tries, err := insert(bg, s, nil, rec); tries != want || errors.Is(err, store.ErrFull) != full {
				t.Errorf("%d tries, %v; want %d", tries, err, want)
			}
		}
		try(&rec, 1, true)
		time.Sleep(time.Second)
		try(&rec, 2, false)
		try(&mine, 2, false)
		s.mem.check(t)
	})
}

// TestManyForOne makes room for a large record by many small ones, of one lock, and fails where
// there are too few: those that were ended for it are gone, and what they took is free.
func TestManyForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 400
		for size, fits := range map[int]bool{(n - 2) * overhead: true, n*overhead + 1: false} {
			for _, evict := range []bool{false, true} {
				s, _ := oneShard(&Options{MaxBytes: n * overhead, EvictAnonymous: evict})
				for i := range n {
					rec := session(i)
					if rec.Data = nil; !evict {
						rec.Idle = time.Second
					}
					create(t, s, rec)
				}
				if !evict {
					time.Sleep(time.Second)
				}
				rec := userRecord("a", n)
				rec.Data = make([]byte, size)
				if err := create(t, s, rec); fits != (err == nil) || err != nil && !errors.Is(err, store.ErrFull) {
					t.Errorf("%d bytes in place of %d records: %v", size, n, err)
				}
				if left, _ := s.Usage(); left > 1 {
					t.Errorf("%d records are left", left)
				}
				s.mem.check(t)
			}
		}
	})
}

// TestNobodyWaits ends the context of a write that finds the store full: nobody goes for it.
func TestNobodyWaits(t *testing.T) {
	s := New(&Options{MaxRecords: 2, EvictAnonymous: true})
	filled(t, s, 2)
	ctx, cancel := context.WithCancel(bg)
	rec := userRecord("a", 2)
	tries, err := insert(ctx, s, func(int) { cancel() }, &rec)
	if tries != 1 || !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%d tries, %v", tries, err)
	}
	if !has(s, key(0)) || !has(s, key(1)) {
		t.Error("a record has ended")
	}
	s.mem.check(t)
}

// TestOtherUser gives large records other users when their bytes have been copied, as a write may
// that finds another record than the time before.
func TestOtherUser(t *testing.T) {
	s := New(nil)
	first, second := userRecord("a", 1), userRecord("a", 2)
	first.Data, second.Data = make([]byte, large+1), make([]byte, large+2)
	tries, err := insert(bg, s, func(try int) {
		if try == 3 {
			first.User = "somebody"
		}
	}, &first, &second)
	if tries != 4 || err != nil {
		t.Errorf("%d tries, %v", tries, err)
	}
	for _, want := range []store.Record{first, second} {
		if got, _, err := s.Get(bg, want.Key); err != nil || got.User != want.User || len(got.Data) != len(want.Data) {
			t.Errorf("%v: %q, %d bytes; want %q, %d", err, got.User, len(got.Data), want.User, len(want.Data))
		}
	}
	s.mem.check(t)
}

// TestWriteAllocates wants the bytes of a record copied once, in one allocation.
func TestWriteAllocates(t *testing.T) {
	for _, size := range []int{0, 100, large, large + 1} {
		s := New(nil)
		rec := userRecord("somebody", 1)
		rec.Meta, rec.Data = []byte("meta"), make([]byte, size)
		create(t, s, rec)
		rec.Version = 2
		change := embedded.Change{Put: []embedded.Put{{Rec: &rec}}}
		decide := func(embedded.View) (embedded.Change, error) { return change, nil }
		got := testing.AllocsPerRun(20, func() { s.mem.Write(bg, rec.Key.Tag, decide) })
		if got != 1 {
			t.Errorf("a write of %d bytes allocates %v times", size, got)
		}
	}
}

// TestDeleteAllocates wants tables cut in steps that are worth their copying.
func TestDeleteAllocates(t *testing.T) {
	s, _ := oneShard(nil)
	const n = 5000
	filled(t, s, n)
	var ids []store.ID
	ks := keysOf(n)
	for _, k := range ks {
		ids = append(ids, k.ID)
	}
	next := 0
	decide := func(embedded.View) (embedded.Change, error) { return embedded.Change{Drop: ids[next : next+1]}, nil }
	if got := testing.AllocsPerRun(n-10, func() {
		s.mem.Write(bg, ks[next].Tag, decide)
		next++
	}); got != 0 {
		t.Errorf("a deletion allocates %v times", got)
	}
	s.mem.check(t)
}

// TestEvictOrder wants anonymous records ended in the order in which they were created or rotated,
// whatever else was done to them.
func TestEvictOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 40
		s := New(&Options{MaxRecords: n, EvictAnonymous: true})
		order := make([]store.Key, n)
		for i := range n {
			rec := session(i)
			if order[i] = rec.Key; i == 1 {
				rec.Idle = (n - 1) * time.Second
			}
			create(t, s, rec)
			time.Sleep(time.Second)
		}
		again := session(1) // the first one has just expired
		if err := create(t, s, again); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		turned := session(n)
		turned.Key.Tag = key(0).Tag
		if err := s.Rotate(bg, key(0), 1, turned, nil); err != nil {
			t.Fatal(err)
		}
		for i := 2; i < n; i += 3 {
			if s.Update(bg, session(i), 1) != nil || s.Touch(bg, session(i), 0) != nil {
				t.Fatal("not updated")
			}
		}
		order = append(order[2:], again.Key, turned.Key)
		for i := range order {
			if err := create(t, s, userRecord("a", 100+i)); err != nil {
				t.Fatal(err)
			}
			for j, k := range order {
				if has(s, k) != (j > i) {
					t.Fatalf("after %d evictions, record %d of the order is there: %v", i+1, j, has(s, k))
				}
			}
		}
		s.mem.check(t)
	})
}

// fading is a context that ends after it was looked at some times.
type fading struct {
	context.Context
	looks int
}

func (c *fading) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

// TestSweepEnds ends the context of a sweep on its way: it says what it did, and the next goes on.
func TestSweepEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := oneShard(nil)
		const n = 1000
		filled(t, s, n)
		time.Sleep(time.Hour)
		swept, err := s.Sweep(&fading{bg, 2}, n) // one look before the sweep, and one at the first slice
		if swept != slice || !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("swept %d, %v", swept, err)
		}
		if rest, err := s.Sweep(bg, n); rest != n-slice || err != nil {
			t.Errorf("then swept %d, %v", rest, err)
		}
	})
}

// TestGuardsFold fills a shard's guards: what comes beyond counts for everybody, but not what
// renews one that is known.
func TestGuardsFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sh := oneShard(nil)
		refused := func(user string, age time.Duration) bool {
			rec := userRecord(user, 1)
			_, err := s.Create(bg, rec, store.Admission{Began: time.Now().Add(-age)})
			s.Delete(bg, rec.Key)
			return errors.Is(err, store.ErrRevoked)
		}
		s.Revoke(bg, "a", store.Selection{})
		for i := range maxGuards - 1 {
			sh.guards.set(key(i).Tag, s.mem.now())
		}
		time.Sleep(time.Minute)
		s.Revoke(bg, "a", store.Selection{})
		if !refused("a", 0) || refused("b", 0) {
			t.Error("a guard that was renewed holds for others")
		}
		time.Sleep(time.Minute)
		s.Revoke(bg, "b", store.Selection{})
		time.Sleep(time.Minute)
		for _, user := range []string{"a", "b", "c"} {
			if !refused(user, time.Minute) || refused(user, time.Minute-1) {
				t.Errorf("the guard for everybody does not hold for %q", user)
			}
		}
		s.Revoke(bg, "a", store.Selection{})
		if !refused("a", 0) || refused("b", 0) {
			t.Error("a's own later guard is not told from that for everybody")
		}
		time.Sleep(store.GuardFor)
		s.Revoke(bg, "a", store.Selection{})
		if n := len(sh.guards.young); n != 1 { // though nobody sweeps
			t.Errorf("%d guards in a new generation", n)
		}
	})
}
