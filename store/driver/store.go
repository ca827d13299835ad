package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Store is a [store.Store] on a [Driver]. Make it with [New].
type Store struct {
	name string
	d    Driver
}

var _ store.Store = (*Store)(nil)

// New makes a Store on a driver. name begins the texts of all its errors: it is that of the package
// that a program imports. New opens nothing.
func New(name string, d Driver) *Store { return &Store{name, d} }

// call holds the records of a write. They are handed to a Driver by pointer, and so on the heap:
// without the pool each write would allocate them.
type call struct{ rec, tail store.Record }

var calls = sync.Pool{New: func() any { return new(call) }}

func hold(rec, tail *store.Record) (c *call, _ *store.Record) {
	c = calls.Get().(*call)
	c.rec = *rec
	if tail == nil {
		return c, nil
	}
	c.tail = *tail
	return c, &c.tail
}

func (c *call) free(tail *store.Record) {
	c.rec = store.Record{}
	if tail != nil {
		c.tail = store.Record{}
	}
	calls.Put(c)
}

// Traits are the driver's.
func (s *Store) Traits() store.Traits { return s.d.Traits() }

// Create is part of [store.Store].
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (a store.Admitted, err error) {
	err = s.write(ctx, "create", store.CheckCreate(&rec, &adm), func() (err error) {
		c, _ := hold(&rec, nil)
		a, err = s.d.Create(ctx, &c.rec, adm)
		c.free(nil)
		return err
	})
	if err != nil {
		a = store.Admitted{}
	}
	return a, err
}

// Get is part of [store.Store].
func (s *Store) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	if err = store.FromContext(ctx); err != nil {
		return rec, now, s.fail("get", err)
	}
	if rec, now, err = s.d.Get(ctx, key); err != nil {
		return store.Record{}, time.Time{}, s.Fail("get", err)
	}
	return rec, now, nil
}

// Update is part of [store.Store].
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	return s.write(ctx, "update", store.Check(&rec), func() error {
		c, _ := hold(&rec, nil)
		err := s.d.Update(ctx, &c.rec, ifVersion)
		c.free(nil)
		return err
	})
}

// Touch is part of [store.Store].
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return s.write(ctx, "touch", nil, func() error {
		c, _ := hold(&rec, nil)
		err := s.d.Touch(ctx, &c.rec, max(every, 0))
		c.free(nil)
		return err
	})
}

// Rotate is part of [store.Store].
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	return s.write(ctx, "rotate", store.CheckRotate(old, &rec, tail), func() error {
		c, tail := hold(&rec, tail)
		err := s.d.Rotate(ctx, old, ifVersion, &c.rec, tail)
		c.free(tail)
		return err
	})
}

// Delete is part of [store.Store].
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	return s.write(ctx, "delete", nil, func() error { return s.d.Delete(ctx, key) })
}

// Revoke is part of [store.Store].
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	bad := store.CheckSelection(sel)
	if bad == nil {
		bad = store.CheckUser(user)
	}
	err = s.write(ctx, "revoke", bad, func() (err error) {
		if user != "" {
			r, err = s.d.Revoke(ctx, user, sel)
		}
		return err
	})
	if err != nil {
		r = store.Revoked{}
	}
	return r, err
}

// Sweep is part of [store.Store].
func (s *Store) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = s.write(ctx, "sweep", nil, func() (err error) {
		n, err = s.d.Sweep(ctx, max(limit, 0))
		return err
	})
	return n, err
}

// write runs what writes, unless the context has ended or the input is bad.
func (s *Store) write(ctx context.Context, op string, bad error, do func() error) error {
	if err := store.FromContext(ctx); err != nil {
		return s.fail(op, err)
	}
	if bad != nil {
		return s.fail(op, bad)
	}
	return s.named(op, do(), store.ErrIndeterminate)
}

// User is part of [store.Store].
func (s *Store) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return s.walk(ctx, "user", func() iter.Seq2[store.Record, error] {
		if user == "" || store.CheckUser(user) != nil {
			return func(func(store.Record, error) bool) {}
		}
		return s.d.User(ctx, user)
	})
}

// Watch is part of [store.Store].
func (s *Store) Watch(ctx context.Context, f func(store.Ending)) error {
	w, ok := s.d.(Watcher)
	if !ok || !s.d.Traits().Push {
		return s.fail("watch", errors.ErrUnsupported)
	}
	if err := store.FromContext(ctx); err != nil {
		return s.fail("watch", err)
	}
	return s.Fail("watch", w.Watch(ctx, f))
}

// All is part of [store.Store].
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return s.walk(ctx, "all", func() iter.Seq2[store.Record, error] { return s.d.All(ctx) })
}

// walk yields what the driver does, until ctx ends or an error comes. A damaged record stops
// nobody: the first of them is told at the end.
func (s *Store) walk(ctx context.Context, op string, begin func() iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, s.fail(op, err))
			return
		}
		var damaged error
		for rec, err := range begin() {
			if errors.Is(err, store.ErrCorrupt) {
				damaged = cmp.Or(damaged, err)
				continue
			}
			if err == nil {
				err = store.FromContext(ctx)
			}
			if err != nil {
				yield(store.Record{}, s.Fail(op, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
		if damaged != nil {
			yield(store.Record{}, s.Fail(op, damaged))
		}
	}
}

// Fail names the store and the operation in an error of a method that the store has beside those of
// [store.Store], such as Migrate, and gives it a sentinel as if it came from a read. It returns nil
// for nil.
func (s *Store) Fail(op string, err error) error { return s.named(op, err, store.ErrUnavailable) }

// named is an error of the driver, which gets class if it has none.
func (s *Store) named(op string, err, class error) error {
	if err == nil {
		return nil
	}
	return s.fail(op, classed(err, class))
}

func (s *Store) fail(op string, err error) error { return fmt.Errorf("%s: %s: %w", s.name, op, err) }
