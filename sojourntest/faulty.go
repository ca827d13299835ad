package sojourntest

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Op names a method of [store.Store].
type Op string

// The operations.
const (
	OpCreate Op = "Create"
	OpGet    Op = "Get"
	OpUpdate Op = "Update"
	OpTouch  Op = "Touch"
	OpRotate Op = "Rotate"
	OpDelete Op = "Delete"
	OpUser   Op = "User"
	OpRevoke Op = "Revoke"
	OpSweep  Op = "Sweep"
	OpAll    Op = "All"
)

// Faulty is a store with outages on demand: put it around the program's store and see that the page
// says 503 and nobody is signed out.
//
//	st := &sojourntest.Faulty{Store: memstore.New(nil)}
//	sessions, err := sojourn.New(st, nil)
//	…
//	st.Fail(store.ErrUnavailable)
//	… // every page that needs its session fails
//	st.Heal()
//
// A manager tries an outage again at once, and after ten failed acts in a row it leaves the store
// alone for a second, also when it works again: in a bubble of testing/synctest that second costs
// nothing.
type Faulty struct {
	store.Store

	mu            sync.Mutex
	before, after map[Op]error
	calls         map[Op]int
}

var _ store.Store = (*Faulty)(nil)

// Fail makes ops, or all operations if none is named, fail with err before they do anything, until
// Heal. Usual errors are [store.ErrUnavailable] and, for a store that is full, [store.ErrFull].
func (f *Faulty) Fail(err error, ops ...Op) { f.set(&f.before, err, ops) }

// FailAfter makes ops, or all operations if none is named, do their work and then fail with err: an
// answer that was lost, which is [store.ErrIndeterminate].
func (f *Faulty) FailAfter(err error, ops ...Op) { f.set(&f.after, err, ops) }

// Heal ends all failures.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = nil, nil
}

// Calls returns how often ops, or all operations if none is named, were called: for tests that a
// page costs nothing.
func (f *Faulty) Calls(ops ...Op) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for op, k := range f.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += k
		}
	}
	return n
}

func (f *Faulty) set(m *map[Op]error, err error, ops []Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ops) == 0 {
		ops = []Op{OpCreate, OpGet, OpUpdate, OpTouch, OpRotate, OpDelete, OpUser, OpRevoke, OpSweep, OpAll}
	}
	if *m == nil {
		*m = map[Op]error{}
	}
	for _, op := range ops {
		(*m)[op] = err
	}
}

// faults counts a call and gives its failures.
func (f *Faulty) faults(op Op) (before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[Op]int{}
	}
	f.calls[op]++
	return f.before[op], f.after[op]
}

// do runs one operation between its failures.
func do[T any](f *Faulty, op Op, call func() (T, error)) (T, error) {
	before, after := f.faults(op)
	var zero T
	if before != nil {
		return zero, before
	}
	x, err := call()
	if err == nil && after != nil {
		return zero, after
	}
	return x, err
}

// act is do for operations that give an error only.
func (f *Faulty) act(op Op, call func() error) error {
	_, err := do(f, op, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// walk is do for operations that give records one by one.
func (f *Faulty) walk(op Op, seq iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		before, after := f.faults(op)
		if before != nil {
			yield(store.Record{}, before)
			return
		}
		for rec, err := range seq {
			if !yield(rec, err) || err != nil {
				return
			}
		}
		if after != nil {
			yield(store.Record{}, after)
		}
	}
}

// Create is part of [store.Store].
func (f *Faulty) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	return do(f, OpCreate, func() (store.Admitted, error) { return f.Store.Create(ctx, rec, adm) })
}

// Get is part of [store.Store].
func (f *Faulty) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	rec, err = do(f, OpGet, func() (r store.Record, err error) {
		r, now, err = f.Store.Get(ctx, key)
		return r, err
	})
	return rec, now, err
}

// Update is part of [store.Store].
func (f *Faulty) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	return f.act(OpUpdate, func() error { return f.Store.Update(ctx, rec, ifVersion) })
}

// Touch is part of [store.Store].
func (f *Faulty) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return f.act(OpTouch, func() error { return f.Store.Touch(ctx, rec, every) })
}

// Rotate is part of [store.Store].
func (f *Faulty) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	return f.act(OpRotate, func() error { return f.Store.Rotate(ctx, old, ifVersion, rec, tail) })
}

// Delete is part of [store.Store].
func (f *Faulty) Delete(ctx context.Context, key store.Key) error {
	return f.act(OpDelete, func() error { return f.Store.Delete(ctx, key) })
}

// User is part of [store.Store].
func (f *Faulty) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return f.walk(OpUser, f.Store.User(ctx, user))
}

// Revoke is part of [store.Store].
func (f *Faulty) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	return do(f, OpRevoke, func() (store.Revoked, error) { return f.Store.Revoke(ctx, user, sel) })
}

// Sweep is part of [store.Store].
func (f *Faulty) Sweep(ctx context.Context, limit int) (int, error) {
	return do(f, OpSweep, func() (int, error) { return f.Store.Sweep(ctx, limit) })
}

// All is part of [store.Store].
func (f *Faulty) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return f.walk(OpAll, f.Store.All(ctx))
}
