package kvstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

var bg = context.Background()

// fresh returns a new record of the user.
func fresh(user string) store.Record {
	r := store.Record{User: user, Idle: time.Hour, Meta: []byte("meta"), Data: []byte("data")}
	rand.Read(r.Key.Tag[:])
	if user != "" {
		r.Key.Tag = store.TagOf(user)
	}
	rand.Read(r.Key.ID[:])
	rand.Read(r.Handle[:])
	rand.Read(r.Writer[:])
	return r
}

// add creates a record and fails the test if that fails.
func add(t testing.TB, s store.Store, r store.Record) store.Record {
	t.Helper()
	if _, err := s.Create(bg, r, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func alive(t testing.TB, s store.Store, k store.Key) bool {
	t.Helper()
	_, _, err := s.Get(bg, k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// TestPrefix has stores side by side whose prefixes begin one another, with the same users, and an
// application's own keys.
func TestPrefix(t *testing.T) {
	db := new(kvtest.Memory)
	own := []kvstore.Op{{Key: []byte("a"), Value: []byte("app")}, {Key: []byte("a\x01"), Value: []byte("app")}, {Key: []byte("a0s"), Value: []byte("app")}}
	if err := db.Apply(own, true); err != nil {
		t.Fatal(err)
	}
	prefixes := []string{"", "a", "aa", "a\x01", "a0", "a0s", "as", "ae", strings.Repeat("\xff", 255)}
	stores := make([]store.Store, len(prefixes))
	recs := make([]store.Record, len(prefixes))
	same := fresh("user1")
	for i, p := range prefixes {
		stores[i] = over(t, db, &kvstore.Options{Prefix: p})
		recs[i] = add(t, stores[i], same)
		if n := len(db.Keys(p + "\x00")); p != "" && n < 3 {
			t.Errorf("prefix %q: %d keys begin with it", p, n)
		}
	}
	for i, s := range stores {
		n := 0
		for _, err := range s.All(bg) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		if r, err := s.Revoke(bg, "user1", store.Selection{}); n != 1 || r.N != 1 || err != nil {
			t.Errorf("prefix %q: All sees %d records, Revoke ended %d: %v", prefixes[i], n, r.N, err)
		}
		for j := range stores[i+1:] {
			if !alive(t, stores[i+1+j], same.Key) {
				t.Errorf("a revoke under prefix %q ended a session under %q", prefixes[i], prefixes[i+1+j])
			}
		}
	}
	for _, op := range own {
		if v, _, _ := db.Get(op.Key); !bytes.Equal(v, op.Value) {
			t.Errorf("the application's key %q was changed", op.Key)
		}
	}
	for _, bad := range []string{"a\x00b", "\x00", strings.Repeat("x", 256)} {
		if _, err := kvstore.New("kvstore", db, &kvstore.Options{Prefix: bad}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("prefix of %d bytes: %v, want ErrInvalid", len(bad), err)
		}
	}
}

// TestNothingStays ends records in every way and looks for what is left of them.
func TestNothingStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		for i, size := range []int{0, 1024, 1025, 100_000} {
			user := fmt.Sprint("user", i)
			recs := make([]store.Record, 5)
			for j := range recs {
				recs[j] = fresh(user)
				recs[j].Data = make([]byte, size)
				add(t, s, recs[j])
				time.Sleep(time.Second)
				if err := s.Touch(bg, recs[j], 0); err != nil {
					t.Fatal(err)
				}
				shorter := recs[j]
				shorter.Idle, shorter.Data = time.Minute, make([]byte, 1025-size%1025) // across the limit, either way
				shorter.Writer[0]++
				if err := s.Update(bg, shorter, 1); err != nil {
					t.Fatal(err)
				}
			}
			moved := recs[1]
			moved.Key.ID[0]++
			if err := errors.Join(s.Delete(bg, recs[0].Key), s.Rotate(bg, recs[1].Key, 2, moved, nil), s.Delete(bg, moved.Key)); err != nil {
				t.Fatal(err)
			}
			if r, err := s.Revoke(bg, user, store.Selection{Only: []store.Handle{recs[2].Handle}}); r.N != 1 || err != nil {
				t.Fatal(r.N, err)
			}
			if a, err := s.Create(bg, recs[0], store.Admission{Max: 1, Evict: true}); len(a.Evicted) != 2 || err != nil {
				t.Fatal(len(a.Evicted), err)
			}
			if r, err := s.Revoke(bg, user, store.Selection{}); r.N != 1 || err != nil {
				t.Fatal(r.N, err)
			}
		}
		time.Sleep(2 * store.GuardFor)
		if _, err := s.Sweep(bg, 10); err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(db.Keys(""), func(k []byte) bool { return k[1] == 'c' })
		if len(left) > 0 {
			t.Errorf("%d keys are left: %q", len(left), left)
		}
	})
}

// TestSweepCost counts what a sweep asks the engine for: as much beside many live records as beside
// few, though it met all of them once when they were touched.
func TestSweepCost(t *testing.T) {
	cost := func(live int) (c kvtest.Counts) {
		synctest.Test(t, func(t *testing.T) {
			db := new(kvtest.Memory)
			s := over(t, db, nil)
			for range live {
				add(t, s, fresh(""))
			}
			const ended = 500
			for i := range ended {
				r := fresh("")
				r.Idle = time.Minute + time.Duration(i)
				add(t, s, r)
			}
			time.Sleep(2 * time.Minute)
			before := db.Counts()
			if n, err := s.Sweep(bg, ended+1); n != ended || err != nil {
				t.Fatal(n, err)
			}
			c = db.Counts()
			c.Walked -= before.Walked
			c.Gets -= before.Gets
			c.Ops -= before.Ops
		})
		return c
	}
	small, large := cost(100), cost(20_000)
	if small.Walked != large.Walked || small.Gets != large.Gets || small.Ops != large.Ops {
		t.Errorf("a sweep of 500 costs %+v among 100 live records and %+v among 20,000", small, large)
	}
	if large.Walked > 600 || large.Gets > 600 {
		t.Errorf("a sweep of 500 walks %d entries and gets %d", large.Walked, large.Gets)
	}
}

// TestSweepTouched lets touched records come due: each is filed anew once, not once a sweep.
func TestSweepTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		recs := make([]store.Record, 300) // more than a page
		for i := range recs {
			recs[i] = add(t, s, fresh(""))
		}
		time.Sleep(50 * time.Minute)
		for _, r := range recs {
			if err := s.Touch(bg, r, 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Minute)
		for range 3 {
			if n, err := s.Sweep(bg, 1000); n != 0 || err != nil {
				t.Fatal(n, err)
			}
		}
		if ops := db.Counts().Ops; ops > 300*(3+2+4)+10 {
			t.Errorf("%d operations for 300 records created, touched and filed anew once", ops)
		}
		if n := len(db.Keys("\x00e")); n != len(recs) {
			t.Errorf("%d expiry entries for %d records", n, len(recs))
		}
		time.Sleep(40 * time.Minute)
		if n, err := s.Sweep(bg, 1000); n != len(recs) || err != nil {
			t.Errorf("swept %d: %v", n, err)
		}
	})
}
