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

func hold(rec *store.Record) *call {
	c := calls.Get().(*call)
	c.rec = *rec
	return c
}

func (c *call) free() {
	c.rec = store.Record{}
	calls.Put(c)
}

// Traits are the driver's.
func (s *Store) Traits() store.Traits { return s.d.Traits() }

// Create is part of [store.Store].
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	err := store.FromContext(ctx)
	if err == nil {
		err = store.CheckCreate(&rec, &adm)
	}
	if err != nil {
		return store.Admitted{}, s.fail("create", err)
	}
	c := hold(&rec)
	a, err := s.d.Create(ctx, &c.rec, adm)
	c.free()
	if err != nil {
		return store.Admitted{}, s.write("create", err)
	}
	return a, nil
}

// Get is part of [store.Store].
func (s *Store) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	err := store.FromContext(ctx)
	if err == nil {
		rec, now, err := s.d.Get(ctx, key)
		if err == nil {
			return rec, now, nil
		}
		return store.Record{}, time.Time{}, s.read("get", err)
	}
	return store.Record{}, time.Time{}, s.fail("get", err)
}

// Update is part of [store.Store].
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	err := store.FromContext(ctx)
	if err == nil {
		err = store.Check(&rec)
	}
	if err != nil {
		return s.fail("update", err)
	}
	c := hold(&rec)
	err = s.d.Update(ctx, &c.rec, ifVersion)
	c.free()
	return s.write("update", err)
}

// Touch is part of [store.Store].
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if err := store.FromContext(ctx); err != nil {
		return s.fail("touch", err)
	}
	c := hold(&rec)
	err := s.d.Touch(ctx, &c.rec, max(every, 0))
	c.free()
	return s.write("touch", err)
}

// Rotate is part of [store.Store].
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	err := store.FromContext(ctx)
	if err == nil {
		err = store.CheckRotate(old, &rec, tail)
	}
	if err != nil {
		return s.fail("rotate", err)
	}
	c := hold(&rec)
	if tail != nil {
		c.tail = *tail
		tail = &c.tail
	}
	err = s.d.Rotate(ctx, old, ifVersion, &c.rec, tail)
	c.tail = store.Record{}
	c.free()
	return s.write("rotate", err)
}

// Delete is part of [store.Store].
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	if err := store.FromContext(ctx); err != nil {
		return s.fail("delete", err)
	}
	return s.write("delete", s.d.Delete(ctx, key))
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

// Revoke is part of [store.Store].
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	err := store.FromContext(ctx)
	if err == nil {
		err = store.CheckSelection(sel)
	}
	if err == nil {
		err = store.CheckUser(user)
	}
	if err != nil {
		return store.Revoked{}, s.fail("revoke", err)
	}
	if user == "" {
		return store.Revoked{}, nil
	}
	r, err := s.d.Revoke(ctx, user, sel)
	if err != nil {
		return store.Revoked{}, s.write("revoke", err)
	}
	return r, nil
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
	return s.read("watch", w.Watch(ctx, f))
}

// Sweep is part of [store.Store].
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	if err := store.FromContext(ctx); err != nil {
		return 0, s.fail("sweep", err)
	}
	n, err := s.d.Sweep(ctx, max(limit, 0))
	return n, s.write("sweep", err)
}

// All is part of [store.Store].
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return s.walk(ctx, "all", func() iter.Seq2[store.Record, error] { return s.d.All(ctx) })
}

// walk yields what the driver does, until ctx ends or an error comes. A damaged record stops nobody:
// the first of them is told at the end.
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
				yield(store.Record{}, s.read(op, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
		if damaged != nil {
			yield(store.Record{}, s.read(op, damaged))
		}
	}
}

func (s *Store) fail(op string, err error) error { return fmt.Errorf("%s: %s: %w", s.name, op, err) }

// Fail names the store and the operation in an error of a method that the store has beside those of
// [store.Store], such as Migrate, and gives it a sentinel as if it came from a read. It returns nil
// for nil.
func (s *Store) Fail(op string, err error) error { return s.read(op, err) }

// read and write class an error of the driver.
func (s *Store) read(op string, err error) error {
	if err == nil {
		return nil
	}
	return s.fail(op, classed(err, store.ErrUnavailable))
}

func (s *Store) write(op string, err error) error {
	if err == nil {
		return nil
	}
	return s.fail(op, classed(err, store.ErrIndeterminate))
}
