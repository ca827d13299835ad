package kvstore_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// TestCosts says what each method asks the engine for. Records of up to 1 KiB of Data have no entry
// beside their own, an expiry entry is written only where the end comes sooner, and nothing is read
// twice.
func TestCosts(t *testing.T) {
	for _, size := range []int{100, 1024, 1025} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testCosts(t, size) })
		})
	}
}

func testCosts(t *testing.T, size int) {
	db := new(kvtest.Memory)
	s := over(t, db, nil)
	apart := 0 // entries of the Data
	if size > 1024 {
		apart = 1
	}
	rec, other := fresh("a"), fresh("a")
	rec.Data, other.Data = make([]byte, size), make([]byte, size)
	next := func() uint64 { rec.Writer[0]++; rec.Version++; return rec.Version }
	for _, step := range []struct {
		what       string
		gets, ops  int
		walked     int
		act        func() error
		thenExpiry int // entries in the expiry index
	}{
		{"create", 2, 3 + apart, 0, func() error { _, err := s.Create(bg, rec, store.Admission{}); return err }, 1},
		{"get", 1 + apart, 0, 0, func() error { _, _, err := s.Get(bg, rec.Key); return err }, 1},
		{"touch not yet", 1, 0, 0, func() error { return s.Touch(bg, rec, time.Minute) }, 1},
		{"touch", 2, 2, 0, func() error { time.Sleep(time.Minute); return s.Touch(bg, rec, time.Minute) }, 1},
		{"update", 1, 2 + apart, 0, func() error { return s.Update(bg, rec, next()) }, 1},
		{"update to the same end", 1, 2 + apart, 0, func() error { rec.Idle -= time.Minute; return s.Update(bg, rec, next()) }, 1},
		{"update to an earlier end", 1, 4 + apart, 0, func() error { rec.Idle -= time.Minute; return s.Update(bg, rec, next()) }, 1},
		{"update to a later end", 1, 2 + apart, 0, func() error { rec.Idle = 0; return s.Update(bg, rec, next()) }, 1},
		{"second", 2, 3 + apart, 0, func() error { _, err := s.Create(bg, other, store.Admission{}); return err }, 2},
		{"user", 0, 0, 2, func() error { return count(s, "a", 2) }, 2},
		{"delete", 1, 3 + apart, 0, func() error { return s.Delete(bg, rec.Key) }, 1},
		{"revoke", 2, 3 + apart + 2, 1, func() error { _, err := s.Revoke(bg, "a", store.Selection{}); return err }, 1},
		{"revoke nobody", 2, 4, 0, func() error { _, err := s.Revoke(bg, "a", store.Selection{}); return err }, 1},
		{"sweep of none", 0, 0, 0, func() error { _, err := s.Sweep(bg, 0); return err }, 1},
	} {
		before := db.Counts()
		if err := step.act(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		c := db.Counts()
		if c.Gets-before.Gets != step.gets || c.Ops-before.Ops != step.ops || c.Walked-before.Walked != step.walked {
			t.Errorf("%s: %d gets, %d operations, %d walked; want %d, %d, %d", step.what,
				c.Gets-before.Gets, c.Ops-before.Ops, c.Walked-before.Walked, step.gets, step.ops, step.walked)
		}
		if n := len(db.Keys("\x00e")); n != step.thenExpiry {
			t.Errorf("%s: %d expiry entries, want %d", step.what, n, step.thenExpiry)
		}
	}
}

// count wants so many records of the user.
func count(s store.Store, user string, want int) error {
	n := 0
	for _, err := range s.User(bg, user) {
		if n++; err != nil {
			return err
		}
	}
	if n != want {
		return fmt.Errorf("%d records of %d", n, want)
	}
	return nil
}

// TestFiled wants each record in the expiry index at its end, and one without end nowhere.
func TestFiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ idle, life, want time.Duration }{
			{0, 0, 0}, {time.Hour, 0, time.Hour}, {0, time.Hour, time.Hour},
			{time.Hour, 2 * time.Hour, time.Hour}, {2 * time.Hour, time.Hour, time.Hour},
		} {
			db := new(kvtest.Memory)
			s := over(t, db, nil)
			rec := fresh("")
			rec.Idle, rec.Lifetime = c.idle, c.life
			add(t, s, rec)
			if c.want == 0 {
				if keys := db.Keys("\x00e"); len(keys) > 0 {
					t.Errorf("%q has no end", keys)
				}
				continue
			}
			time.Sleep(c.want - 1)
			before := db.Counts()
			if n, err := s.Sweep(bg, 10); n != 0 || err != nil || db.Counts().Walked != before.Walked {
				t.Errorf("idle %v, life %v: looked at before its end; %d, %v", c.idle, c.life, n, err)
			}
			time.Sleep(time.Nanosecond)
			if n, err := s.Sweep(bg, 10); n != 1 || err != nil {
				t.Errorf("idle %v, life %v: swept %d, %v", c.idle, c.life, n, err)
			}
		}
	})
}

// TestPages wants records listed and swept in pages of 256, and no look at what a sweep left
// behind.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n, pages := range map[int]int{255: 1, 256: 2, 600: 3} {
			db := new(kvtest.Memory)
			s := over(t, db, nil)
			for range n {
				add(t, s, fresh(""))
			}
			c := func() (walks, walked int) { c := db.Counts(); return c.Walks, c.Walked }
			want := func(what string, pages, entries int, act func()) {
				t.Helper()
				walks, walked := c()
				act()
				if w, e := c(); w-walks != pages || e-walked != entries {
					t.Errorf("%s of %d records: %d walks over %d entries, want %d, %d", what, n, w-walks, e-walked, pages, entries)
				}
			}
			want("all", pages, n, func() {
				seen := map[store.Key]bool{}
				for r, err := range s.All(bg) {
					if seen[r.Key] = true; err != nil || string(r.Meta) != "meta" {
						t.Fatal(err)
					}
				}
				if len(seen) != n {
					t.Errorf("All yields %d of %d", len(seen), n)
				}
			})
			want("a walk that was left", 1, min(n, 256), func() {
				for range s.All(bg) {
					break
				}
			})
			time.Sleep(time.Hour)
			want("a short sweep", 1, min(n, 256), func() { s.Sweep(bg, 10) })
			want("a sweep", (n-10)/256+1, n-10, func() { s.Sweep(bg, n) })
			s.Sweep(bg, 1)
			walked := db.Keys("\x00e")
			want("a second sweep", 1, len(walked), func() { s.Sweep(bg, 1) })
		}
	})
}

// TestStrayEntries has expiry entries that stand for nothing any more, as an engine may leave them
// that lost a deletion, and a key that is none of the store's. Each costs its own deletion alone.
func TestStrayEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		rec := add(t, s, fresh("a"))
		filed := db.Keys("\x00e")[0]
		s.Revoke(bg, "b", store.Selection{})
		guarded := db.Keys("\x00e")[0]
		gone := append([]byte(nil), filed...)
		gone[len(gone)-1]++
		odd := append([]byte("\x00e"), make([]byte, 20)...)
		time.Sleep(10 * time.Minute)
		s.Touch(bg, rec, 0)
		s.Revoke(bg, "b", store.Selection{})
		db.Apply([]kvstore.Op{{Key: guarded}, {Key: odd}}, true)
		time.Sleep(7 * time.Minute)
		if n, err := s.Sweep(bg, 10); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := s.Create(bg, fresh("b"), store.Admission{Began: time.Now().Add(-7 * time.Minute)}); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("the later revocation is forgotten: %v", err)
		}
		time.Sleep(43 * time.Minute)
		if n, err := s.Sweep(bg, 10); n != 0 || err != nil { // files the record anew
			t.Fatal(n, err)
		}
		db.Apply([]kvstore.Op{{Key: filed}, {Key: gone}}, true)
		before := db.Counts().Ops
		if n, err := over(t, db, nil).Sweep(bg, 10); n != 0 || err != nil {
			t.Error(n, err)
		}
		if ops := db.Counts().Ops - before; ops != 2*2 { // each with the clock
			t.Errorf("%d operations", ops)
		}
		if err := s.Delete(bg, rec.Key); err != nil || len(db.Keys("\x00e")) != 1 {
			t.Errorf("%v; left beside the odd one: %q", err, db.Keys("\x00e"))
		}
	})
}

// TestRefiledUnsynced has a sweep that deletes no record: nothing waits for the disk.
func TestRefiledUnsynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		rec := add(t, s, fresh("a"))
		time.Sleep(30 * time.Minute)
		s.Touch(bg, rec, 0)
		time.Sleep(30 * time.Minute)
		db.Refuse = func(_ []kvstore.Op, sync bool) error {
			if sync {
				t.Error("a sweep that files anew waits for the disk")
			}
			return nil
		}
		if n, err := s.Sweep(bg, 10); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}

// TestSweptBefore begins a sweep a minute before the last one, and not in front of all that is
// gone.
func TestSweptBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(tracked)
		s := over(t, db, nil)
		first := string(sweepFrom(t, s, db))
		time.Sleep(time.Hour)
		again := string(sweepFrom(t, s, db))
		time.Sleep(time.Hour)
		if third := string(sweepFrom(t, s, db)); !(first < again && again < third) {
			t.Errorf("sweeps began at %x, %x and %x", first, again, third)
		}
	})
}

// tracked notes where the last walk began.
type tracked struct {
	kvtest.Memory
	from []byte
}

func (e *tracked) Walk(from, to []byte, f func(key, value []byte) bool) error {
	e.from = from
	return e.Memory.Walk(from, to, f)
}

func sweepFrom(t *testing.T, s store.Store, db *tracked) []byte {
	t.Helper()
	if _, err := s.Sweep(bg, 10); err != nil {
		t.Fatal(err)
	}
	return db.from
}
