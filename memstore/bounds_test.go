package memstore

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

func userRecord(user string, i int) store.Record {
	rec := session(i)
	rec.User, rec.Key.Tag = user, store.TagOf(user)
	return rec
}

func create(t *testing.T, s *Store, rec store.Record) error {
	t.Helper()
	_, err := s.Create(bg, rec, store.Admission{})
	return err
}

func has(s *Store, k store.Key) bool {
	_, _, err := s.Get(bg, k)
	return err == nil
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "Options.MaxRecords") {
		t.Fatalf("got %v, want ErrFull that says what to raise", err)
	}
}

func TestMaxRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&Options{MaxRecords: 3})
		filled(t, s, 3)
		wantFull(t, create(t, s, session(3)))
		wantFull(t, create(t, s, userRecord("a", 4)))
		if err := create(t, s, session(1)); err != nil {
			t.Fatal("a repeated Create:", err)
		}
		next := session(5)
		next.Key.Tag = key(0).Tag
		wantFull(t, s.Rotate(bg, key(0), 1, next, &store.Record{Key: key(0), Writer: store.Writer{9}}))
		if err := s.Rotate(bg, key(0), 1, next, nil); err != nil {
			t.Fatal("a rotation without a tail needs no room:", err)
		}
		if err := s.Delete(bg, next.Key); err != nil || create(t, s, session(3)) != nil {
			t.Fatal("no room after a Delete:", err)
		}
		time.Sleep(30 * time.Minute) // all expired, none swept
		for i := range 3 {
			if err := create(t, s, userRecord("a", 10+i)); err != nil {
				t.Fatal("expired records are in the way:", err)
			}
		}
		wantFull(t, create(t, s, session(20)))
		a, err := s.Create(bg, userRecord("a", 20), store.Admission{Max: 3, Evict: true})
		if err != nil || len(a.Evicted) != 1 {
			t.Fatal("an admission that ends one needs no room:", err)
		}
		s.mem.check(t)
	})
}

func TestMaxBytes(t *testing.T) {
	s := New(&Options{MaxBytes: 2*(overhead+200) + 100})
	filled(t, s, 2)
	wantFull(t, create(t, s, session(2)))
	rec := session(0)
	rec.Data = make([]byte, 301)
	wantFull(t, s.Update(bg, rec, 1))
	rec.Data = rec.Data[:300]
	if err := s.Update(bg, rec, 1); err != nil {
		t.Fatal(err)
	}
	if n, size := s.Usage(); n != 2 || size != 2*(overhead+200)+100 {
		t.Fatalf("usage %d, %d", n, size)
	}
	rec.Data = nil
	if err := s.Update(bg, rec, 2); err != nil {
		t.Fatal(err)
	}
	if _, size := s.Usage(); size != 2*overhead+200 {
		t.Fatalf("size %d", size)
	}
	s.mem.check(t)
}

func TestNoBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, o := range []*Options{nil, {}, {MaxRecords: -1, MaxBytes: -1}} {
			s := New(o)
			filled(t, s, 1000)
			s.Delete(bg, key(1))
			time.Sleep(time.Hour)
			if swept, err := s.Sweep(bg, 1000); swept != 999 || err != nil {
				t.Error(swept, err)
			}
			if !s.Traits().Volatile {
				t.Error("not volatile")
			}
			if s.mem.limits.used != (room{}) {
				t.Error("without a bound, all writes wait for one counter")
			}
		}
	})
}

func TestEvictAnonymous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&Options{MaxRecords: 4, EvictAnonymous: true})
		for i := range 3 {
			create(t, s, session(i))
			time.Sleep(time.Second)
		}
		s.Touch(bg, store.Record{Key: key(0)}, 0) // not what counts as old
		create(t, s, userRecord("a", 10))
		wantFull(t, create(t, s, session(3)))
		for i := range 3 {
			if err := create(t, s, userRecord("a", 11+i)); err != nil {
				t.Fatal(err)
			}
			for j := range 3 {
				if has(s, key(j)) != (j > i) {
					t.Fatalf("after %d evictions, anonymous record %d: %v", i+1, j, has(s, key(j)))
				}
			}
			s.mem.check(t)
		}
		wantFull(t, create(t, s, userRecord("a", 20)))
		if r, _ := s.Revoke(bg, "a", store.Selection{}); r.N != 4 {
			t.Fatalf("%d of 4 signed-in records are left", r.N)
		}
		s.mem.check(t)
	})
}

// TestBoundsRace keeps a full store busy from many sides: counts stay exact and within bounds, and
// no signed-in record ends.
func TestBoundsRace(t *testing.T) {
	const n = 200
	s := New(&Options{MaxRecords: n, MaxBytes: n * 500, EvictAnonymous: true})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				rec := session(g<<16 | i%300)
				if g == 0 && i < n/2 {
					rec = userRecord("a", i)
				}
				_, err := s.Create(bg, rec, store.Admission{})
				if err != nil && !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrExists) || err != nil && rec.User != "" {
					t.Error(err)
				}
				s.mem.limits.mu.Lock()
				used := s.mem.limits.used // Usage does not read all shards at one instant
				s.mem.limits.mu.Unlock()
				if used.records > n || used.bytes > n*500 {
					t.Errorf("%d records, %d bytes", used.records, used.bytes)
				}
				if i%7 == 0 {
					s.Delete(bg, session(g<<16|i%300).Key)
				}
				rec.Data = rec.Data[:i%200]
				s.Update(bg, rec, 1)
			}
		})
	}
	wg.Wait()
	s.mem.check(t)
	if r, _ := s.Revoke(bg, "a", store.Selection{}); r.N != 100 {
		t.Errorf("%d of 100 signed-in records are left", r.N)
	}
}

// TestNoSweep never sweeps: what expires goes by the Creates alone.
func TestNoSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		for i := range 50_000 {
			create(t, s, session(i))
			time.Sleep(time.Second) // 1800 live at a time
		}
		if n, _ := s.Usage(); n > 2*1800 {
			t.Fatalf("%d records are held, 1800 live", n)
		}
		s.mem.check(t)
	})
}

// TestGuards wants revocations kept for GuardFor, then forgotten, and bounded.
func TestGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		tag := store.TagOf("a")
		sh, _ := s.mem.locate(&tag)
		late := func(age time.Duration) bool {
			_, err := s.Create(bg, userRecord("a", 1), store.Admission{Began: time.Now().Add(-age)})
			s.Delete(bg, userRecord("a", 1).Key)
			return errors.Is(err, store.ErrRevoked)
		}
		time.Sleep(7 * time.Minute)
		s.Revoke(bg, "a", store.Selection{})
		for range 15 {
			time.Sleep(time.Minute)
			if !late(store.GuardFor) {
				t.Fatal("forgotten")
			}
		}
		time.Sleep(time.Nanosecond)
		if late(store.GuardFor) {
			t.Fatal("began after the revocation")
		}
		time.Sleep(store.GuardFor)
		s.Sweep(bg, 1)
		time.Sleep(store.GuardFor)
		s.Sweep(bg, 1)
		if len(sh.guards.young)+len(sh.guards.old) != 0 {
			t.Fatal("not forgotten")
		}
		for i := range 2 * maxGuards {
			sh.guards.set(key(i).Tag, s.mem.now())
		}
		s.Revoke(bg, "a", store.Selection{}) // beyond the bound
		time.Sleep(time.Second)
		if len(sh.guards.young) != maxGuards || !late(2*time.Second) || late(0) {
			t.Fatal("beyond the bound, guards are not folded into one")
		}
	})
}

// TestCollisions gives many records one hash, in one shard.
func TestCollisions(t *testing.T) {
	s := New(nil)
	ids := make([]store.Key, 300)
	for i := range ids {
		ids[i] = store.Key{Tag: store.TagOf("a"), ID: store.ID{1, 2, 3, 4, 5, 6, 7, 8, byte(i), byte(i >> 8)}}
		rec := store.Record{Key: ids[i], Writer: store.Writer{1}, Handle: store.Handle{byte(i), byte(i >> 8)}, User: "a"}
		if err := create(t, s, rec); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(ids); i += 2 {
		s.Delete(bg, ids[i])
	}
	for i, k := range ids {
		rec, _, err := s.Get(bg, k)
		if i%2 == 0 && !errors.Is(err, store.ErrNotFound) || i%2 == 1 && (err != nil || rec.Handle != store.Handle{byte(i), byte(i >> 8)}) {
			t.Fatal(i, err)
		}
	}
	s.mem.check(t)
}

// TestGetAllocates wants one allocation for Meta and Data, and slices that cannot grow into one
// another.
func TestGetAllocates(t *testing.T) {
	s := New(nil)
	for i, want := range []float64{0, 1, 1, 1} {
		rec := userRecord("somebody", i)
		rec.Meta, rec.Data = make([]byte, i&1*5), make([]byte, i>>1*7)
		create(t, s, rec)
		got := testing.AllocsPerRun(100, func() { s.Get(bg, rec.Key) })
		r, _, _ := s.Get(bg, rec.Key)
		if got != want || cap(r.Meta) != len(rec.Meta) || cap(r.Data) != len(rec.Data) {
			t.Errorf("%d bytes of meta, %d of data: %v allocations, caps %d and %d", len(rec.Meta), len(rec.Data), got, cap(r.Meta), cap(r.Data))
		}
	}
}

// TestLarge writes what is copied with no lock held, and sees that it is what was written.
func TestLarge(t *testing.T) {
	s := New(nil)
	rec := userRecord("a", 1)
	for i, n := range []int{large, large + 1, store.MaxData, 10} {
		rec.Meta, rec.Data = []byte{byte(i)}, bytes.Repeat([]byte{byte(i)}, n)
		if i == 0 {
			create(t, s, rec)
		} else if err := s.Update(bg, rec, uint64(i)); err != nil {
			t.Fatal(err)
		}
		got, _, err := s.Get(bg, rec.Key)
		if err != nil || got.User != "a" || !bytes.Equal(got.Meta, rec.Meta) || !bytes.Equal(got.Data, rec.Data) {
			t.Fatalf("%d bytes: %v, %d bytes", n, err, len(got.Data))
		}
	}
	s.mem.check(t)
}
