package kvstore_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// TestClockSetBack opens a database of the future: fake time begins anew in each bubble.
func TestClockSetBack(t *testing.T) {
	db := new(kvtest.Memory)
	ended, kept := fresh("a"), fresh("b")
	var last time.Time
	synctest.Test(t, func(t *testing.T) {
		s := over(t, db, nil)
		add(t, s, ended)
		time.Sleep(50 * time.Minute)
		add(t, s, kept)
		time.Sleep(20 * time.Minute)
		if err := s.Touch(bg, kept, 0); err != nil || alive(t, s, ended.Key) {
			t.Fatal("not expired", err)
		}
		_, last, _ = s.Get(bg, kept.Key)
	})
	synctest.Test(t, func(t *testing.T) {
		if !time.Now().Before(last) {
			t.Fatal("the clock was not set back")
		}
		s := over(t, db, nil)
		if alive(t, s, ended.Key) {
			t.Error("a clock that was set back brought an expired session back")
		}
		rec, now, err := s.Get(bg, kept.Key)
		if err != nil || now.Before(last) || rec.Seen.After(now) {
			t.Errorf("now is %v, was %v: %v", now, last, err)
		}
		time.Sleep(time.Hour)
		if alive(t, s, kept.Key) {
			t.Error("the clock stood still")
		}
	})
}

// TestClockKept has nothing but sweeps after the end of a session.
func TestClockKept(t *testing.T) {
	db := new(kvtest.Memory)
	rec := fresh("a")
	synctest.Test(t, func(t *testing.T) {
		s := over(t, db, nil)
		add(t, s, rec)
		for range 65 {
			time.Sleep(time.Minute)
			if _, err := s.Sweep(bg, 0); err != nil { // keeps the record
				t.Fatal(err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if alive(t, over(t, db, nil), rec.Key) {
			t.Error("a clock that was set back brought an expired session back")
		}
	})
}

// TestDamagedClock opens all the same.
func TestDamagedClock(t *testing.T) {
	db := new(kvtest.Memory)
	rec := add(t, over(t, db, nil), fresh("a"))
	for _, key := range db.Keys("\x00c") {
		v, _, _ := db.Get(key)
		v[5] ^= 0x70 // centuries
		db.Apply([]kvstore.Op{{Key: key, Value: v}}, true)
	}
	if !alive(t, over(t, db, nil), rec.Key) {
		t.Error("a damaged clock ended a session")
	}
}

var errDisk = errors.New("disk on fire")

// TestUnknownOutcome has syncs that fail though the batch can be seen. Whoever tries again must not
// be told that all is well before it is.
func TestUnknownOutcome(t *testing.T) {
	retries := map[string]func(s store.Store, rec store.Record) error{
		"create": func(s store.Store, rec store.Record) error {
			_, err := s.Create(bg, rec, store.Admission{})
			return err
		},
		"update": func(s store.Store, rec store.Record) error {
			rec.Writer[0]++
			return s.Update(bg, rec, 1)
		},
		"rotate": func(s store.Store, rec store.Record) error {
			next := rec
			next.Key.ID[0]++
			return s.Rotate(bg, rec.Key, 1, next, nil)
		},
		"delete": func(s store.Store, rec store.Record) error { return s.Delete(bg, rec.Key) },
		"revoke": func(s store.Store, rec store.Record) error {
			_, err := s.Revoke(bg, rec.User, store.Selection{Only: []store.Handle{rec.Handle}})
			return err
		},
	}
	for name, try := range retries {
		t.Run(name, func(t *testing.T) {
			e := &unsure{}
			s := over(t, e, nil)
			rec := fresh("a")
			if name != "create" {
				add(t, s, rec)
			}
			e.broken = true
			for range 3 {
				if err := try(s, rec); !errors.Is(err, store.ErrIndeterminate) {
					t.Errorf("%v, want ErrIndeterminate", err)
				}
			}
			e.broken, e.synced = false, 0
			if err := try(s, rec); err != nil || e.synced != 1 {
				t.Errorf("after %d syncs: %v", e.synced, err)
			}
			if err := try(s, rec); err != nil || name != "update" && e.synced != 1 {
				t.Errorf("once more, after %d syncs: %v", e.synced, err)
			}
		})
	}
}

// unsure writes, and does not know whether it is on disk.
type unsure struct {
	kvtest.Memory
	broken bool
	synced int
}

func (e *unsure) Apply(ops []kvstore.Op, sync bool) error {
	if err := e.Memory.Apply(ops, false); err != nil {
		return err
	}
	if sync {
		if e.broken {
			return errDisk
		}
		e.synced++
	}
	return nil
}

// TestFull refuses what needs room, and nothing else.
func TestFull(t *testing.T) {
	full := false
	s := over(t, new(kvtest.Memory), &kvstore.Options{Full: func() bool { return full }})
	for _, size := range []int{10, 5000} {
		full = false
		rec := fresh("a")
		rec.Data = make([]byte, size)
		add(t, s, rec)
		next := rec
		next.Key.ID[0]++
		full = true
		if _, err := s.Create(bg, next, store.Admission{}); !errors.Is(err, store.ErrFull) {
			t.Errorf("create: %v", err)
		}
		if err := s.Rotate(bg, rec.Key, 1, next, nil); !errors.Is(err, store.ErrFull) {
			t.Errorf("rotate: %v", err)
		}
		next = rec
		next.Writer[0]++
		next.Data = make([]byte, size+1)
		if err := s.Update(bg, next, 1); !errors.Is(err, store.ErrFull) {
			t.Errorf("update: %v", err)
		}
		next.Data = next.Data[:size]
		if err := s.Update(bg, next, 1); err != nil {
			t.Errorf("what needs no room: %v", err)
		}
		if got, _, err := s.Get(bg, rec.Key); err != nil || got.Version != 2 {
			t.Errorf("updated to version %d, %v", got.Version, err)
		}
		if err := errors.Join(s.Touch(bg, rec, 0), s.Delete(bg, rec.Key)); err != nil || alive(t, s, rec.Key) {
			t.Errorf("what needs no room: %v", err)
		}
	}
}
