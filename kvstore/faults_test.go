package kvstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// failing is an engine of which the n-th call fails.
type failing struct {
	kvtest.Memory
	n      int
	failed bool
}

func (e *failing) fail() error {
	if e.n--; e.n != 0 {
		return nil
	}
	e.failed = true
	return errDisk
}

func (e *failing) Get(key []byte) ([]byte, bool, error) {
	if err := e.fail(); err != nil {
		return nil, true, err // with an error, found says nothing
	}
	return e.Memory.Get(key)
}

func (e *failing) Apply(ops []kvstore.Op, sync bool) error {
	if err := e.fail(); err != nil {
		return err
	}
	return e.Memory.Apply(ops, sync)
}

func (e *failing) Walk(from, to []byte, f func(key, value []byte) bool) error {
	if err := e.fail(); err != nil {
		return err
	}
	return e.Memory.Walk(from, to, f)
}

// TestEveryFault lets each call that a method makes fail in turn: the method says so every time,
// and does it the next.
func TestEveryFault(t *testing.T) {
	full := false
	rec, damaged := fresh("a"), fresh("b")
	rec.Data = make([]byte, 2000)
	other := fresh("a")
	update := rec
	update.Writer[0]++
	moved := rec
	moved.Key.ID[0]++
	for what, act := range map[string]func(s store.Store) error{
		"get": func(s store.Store) error { _, _, err := s.Get(bg, rec.Key); return err },
		"create": func(s store.Store) error {
			_, err := s.Create(bg, other, store.Admission{Max: 1, Evict: true})
			return err
		},
		"touch":  func(s store.Store) error { time.Sleep(time.Second); return s.Touch(bg, rec, 0) },
		"update": func(s store.Store) error { return s.Update(bg, update, 1) },
		"update, full": func(s store.Store) error {
			full = true
			defer func() { full = false }()
			return s.Update(bg, update, 1)
		},
		"rotate": func(s store.Store) error { return s.Rotate(bg, rec.Key, 1, moved, nil) },
		"delete": func(s store.Store) error { return s.Delete(bg, rec.Key) },
		"revoke": func(s store.Store) error { _, err := s.Revoke(bg, "a", store.Selection{}); return err },
		"user":   func(s store.Store) error { return count(s, "a", 1) },
		"all": func(s store.Store) error {
			for _, err := range s.All(bg) {
				if err != nil && !errors.Is(err, store.ErrCorrupt) {
					return err
				}
			}
			return nil
		},
		"sweep": func(s store.Store) error { // records, a damaged one, one that was touched, and guards
			time.Sleep(time.Hour - time.Second)
			_, err := s.Sweep(bg, 10)
			if errors.Is(err, store.ErrCorrupt) && !errors.Is(err, errDisk) {
				err = nil
			}
			return err
		},
		"sweep of nothing": func(s store.Store) error {
			time.Sleep(30 * time.Minute)
			_, err := s.Sweep(bg, 0)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			for n, failed := 1, true; failed; n++ {
				synctest.Test(t, func(t *testing.T) {
					e := new(failing)
					s := over(t, e, &kvstore.Options{Full: func() bool { return full }})
					add(t, s, rec)
					if _, err := s.Revoke(bg, "c", store.Selection{}); err != nil {
						t.Fatal(err)
					}
					add(t, s, damaged)
					flip(t, &e.Memory, append([]byte("\x00s"), append(damaged.Key.Tag[:], damaged.Key.ID[:]...)...), 60)
					lasting := add(t, s, fresh("d"))
					time.Sleep(2 * time.Second)
					if err := s.Touch(bg, lasting, 0); err != nil {
						t.Fatal(err)
					}
					e.n, e.failed = n, false
					err := act(s)
					if failed = e.failed; failed && (!errors.Is(err, errDisk) || !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrIndeterminate)) {
						t.Errorf("call %d of the engine failed, and it says %v", n, err)
					} else if !failed && err != nil {
						t.Error(err)
					}
					if failed {
						if err := act(s); err != nil {
							t.Errorf("once more, after call %d failed: %v", n, err)
						}
					}
				})
			}
		})
	}
}

// TestReadGivenUp has a reader whose data lies apart and is being written, and no time to wait.
func TestReadGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(stuck)
		s := over(t, db, nil)
		rec := fresh("a")
		rec.Data = make([]byte, 2000)
		add(t, s, rec)
		db.Memory.Apply([]kvstore.Op{{Key: db.Keys("\x00d")[0], Delete: true}}, true)
		db.hang.Store(true)
		go s.Delete(bg, rec.Key)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, _, err := s.Get(ctx, rec.Key); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("get: %v", err)
		}
		time.Sleep(2 * time.Hour)
	})
}

// TestDamagedApart ends a damaged record with all that belongs to it, and says which part was lost
// of one whose data is damaged.
func TestDamagedApart(t *testing.T) {
	db := new(kvtest.Memory)
	s := over(t, db, nil)
	rec := fresh("a")
	rec.Data = make([]byte, 2000)
	for what, end := range map[string]func() error{
		"delete": func() error { return s.Delete(bg, rec.Key) },
		"revoke": func() error { return second(s.Revoke(bg, "a", store.Selection{})) },
	} {
		add(t, s, rec)
		flip(t, db, db.Keys("\x00s")[0], 60)
		if err := end(); err != nil || len(db.Keys("\x00s"))+len(db.Keys("\x00d")) > 0 {
			t.Errorf("%s: %v; left: %q", what, err, db.Keys(""))
		}
	}
	add(t, s, rec)
	key := db.Keys("\x00d")[0]
	flip(t, db, key, 100)
	if _, _, err := s.Get(bg, rec.Key); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("with damaged data: %v", err)
	}
	db.Apply([]kvstore.Op{{Key: key, Delete: true}}, true)
	if _, _, err := s.Get(bg, rec.Key); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("without data: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestRevokeMendsGuard revokes where the guard is damaged: then it is whole.
func TestRevokeMendsGuard(t *testing.T) {
	db := new(kvtest.Memory)
	s := over(t, db, nil)
	s.Revoke(bg, "a", store.Selection{})
	flip(t, db, db.Keys("\x00g")[0], 4)
	r, err := s.Revoke(bg, "a", store.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := s.Create(bg, fresh("a"), store.Admission{}); err != nil || !a.Revoked.Equal(r.At) {
		t.Errorf("revoked at %v, want %v, %v", a.Revoked, r.At, err)
	}
}

// TestWalkDamage breaks off where the engine itself is damaged: nobody knows what lies behind.
func TestWalkDamage(t *testing.T) {
	db := new(brittle)
	s := over(t, db, nil)
	add(t, s, fresh("a"))
	db.broken = true
	for _, err := range s.All(bg) {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrCorrupt) {
			t.Errorf("all: %v", err)
		}
	}
	if err := second(s.Revoke(bg, "a", store.Selection{})); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrCorrupt) {
		t.Errorf("revoke: %v", err)
	}
}

// brittle finds a page of its own damaged.
type brittle struct {
	kvtest.Memory
	broken bool
}

func (e *brittle) Walk(from, to []byte, f func(key, value []byte) bool) error {
	if e.broken {
		return store.ErrCorrupt
	}
	return e.Memory.Walk(from, to, f)
}

// TestSweepEnds ends a sweep's context at its first deletion: it goes no further, and does not say
// that what it deleted is durable.
func TestSweepEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := range 3 {
			db := new(kvtest.Memory)
			s := over(t, db, nil)
			for range n + 1 {
				add(t, s, fresh(""))
			}
			time.Sleep(time.Hour)
			ctx, cancel := context.WithCancel(bg)
			db.Refuse = func([]kvstore.Op, bool) error { cancel(); return nil }
			if swept, err := s.Sweep(ctx, 10); swept != 1 || !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("swept %d of %d, %v", swept, n+1, err)
			}
		}
	})
}

// TestNeverRevoked tells a user who was never revoked from one who was.
func TestNeverRevoked(t *testing.T) {
	s := over(t, new(kvtest.Memory), nil)
	if a, err := s.Create(bg, fresh("a"), store.Admission{}); err != nil || !a.Revoked.IsZero() {
		t.Errorf("revoked at %v, %v", a.Revoked, err)
	}
	r, _ := s.Revoke(bg, "a", store.Selection{})
	if a, err := s.Create(bg, fresh("a"), store.Admission{}); err != nil || !a.Revoked.Equal(r.At) {
		t.Errorf("revoked at %v, want %v, %v", a.Revoked, r.At, err)
	}
}
