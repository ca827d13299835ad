package sojourn_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// errDriver is what a driver says of a broken connection: words that no client may see.
var errDriver = errors.New("dial tcp db.internal:5432: password=hunter2")

// errCut ends an iteration early.
var errCut = errors.New("walk cut short")

// A hook runs before an operation is applied, or after. What it returns is the store's answer, and
// before it, the operation is then not applied.
type hook func(ctx context.Context) error

// faultStore wraps a store and does to it what networks and engines do: per operation, before or
// after it is applied.
type faultStore struct {
	store.Store
	mu            sync.Mutex
	before, after map[string]hook
	calls         map[string]int
	seen          []store.Record // every record handed in
	mutate        func(*store.Record)
	skew          time.Duration // of the clock in Get's answers
}

const (
	opCreate = "create"
	opGet    = "get"
	opUpdate = "update"
	opTouch  = "touch"
	opRotate = "rotate"
	opDelete = "delete"
	opRevoke = "revoke"
	opUser   = "user"
	opAll    = "all"
	opSweep  = "sweep"
)

// allOps are those that requests make; a sweeper makes others.
var allOps = []string{opCreate, opGet, opUpdate, opTouch, opRotate, opDelete, opRevoke}

func newFaultStore(inner store.Store) *faultStore {
	return &faultStore{Store: inner, before: map[string]hook{}, after: map[string]hook{}, calls: map[string]int{}}
}

// setBefore and setAfter install a hook on operations; nil removes it.
func (f *faultStore) setBefore(h hook, ops ...string) { f.set(f.before, h, ops) }
func (f *faultStore) setAfter(h hook, ops ...string)  { f.set(f.after, h, ops) }

func (f *faultStore) set(hooks map[string]hook, h hook, ops []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range ops {
		hooks[op] = h
	}
}

// during runs act in the middle of what follows: before the nth call is applied, or after it. later
// counts the calls whose answers tell what act has done; -1 says that there was no nth call. Those
// that act makes itself run no other.
func (f *faultStore) during(n int, after bool, act func()) (later *atomic.Int32) {
	later = new(atomic.Int32)
	later.Store(-1)
	var calls atomic.Int32
	h := func(context.Context) error {
		if later.Load() >= 0 {
			later.Add(1)
		}
		if int(calls.Add(1)) == n {
			act()
			if later.Store(1); after {
				later.Store(0)
			}
		}
		return nil
	}
	if after {
		f.setAfter(h, allOps...)
	} else {
		f.setBefore(h, allOps...)
	}
	return later
}

// heal removes every fault.
func (f *faultStore) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.before)
	clear(f.after)
	f.mutate, f.skew = nil, 0
}

// count tells how often the operations were called since reset; of all if none is named.
func (f *faultStore) count(ops ...string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ops) == 0 {
		for _, k := range f.calls {
			n += k
		}
	}
	for _, op := range ops {
		n += f.calls[op]
	}
	return n
}

func (f *faultStore) writes() int {
	return f.count(opCreate, opUpdate, opTouch, opRotate, opDelete, opRevoke)
}

func (f *faultStore) reset() {
	f.mu.Lock()
	clear(f.calls)
	f.mu.Unlock()
}

func (f *faultStore) do(ctx context.Context, op string, act func() error) error {
	f.mu.Lock()
	f.calls[op]++
	before, after := f.before[op], f.after[op]
	f.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	err := act()
	if after != nil {
		if lost := after(ctx); lost != nil {
			return lost
		}
	}
	return err
}

func (f *faultStore) note(recs ...*store.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range recs {
		if r != nil {
			f.seen = append(f.seen, *r)
		}
	}
}

func (f *faultStore) Create(ctx context.Context, rec store.Record, adm store.Admission) (ev store.Admitted, err error) {
	f.note(&rec)
	err = f.do(ctx, opCreate, func() (err error) { ev, err = f.Store.Create(ctx, rec, adm); return err })
	if err != nil { // the answer is lost as a whole
		ev = store.Admitted{}
	}
	return ev, err
}

func (f *faultStore) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	err = f.do(ctx, opGet, func() (err error) { rec, now, err = f.Store.Get(ctx, key); return err })
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		return store.Record{}, now, err
	}
	if f.mutate != nil {
		f.mutate(&rec)
	}
	return rec, now.Add(f.skew), nil
}

func (f *faultStore) Update(ctx context.Context, rec store.Record, v uint64) error {
	f.note(&rec)
	return f.do(ctx, opUpdate, func() error { return f.Store.Update(ctx, rec, v) })
}

func (f *faultStore) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return f.do(ctx, opTouch, func() error { return f.Store.Touch(ctx, rec, every) })
}

func (f *faultStore) Rotate(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
	f.note(&rec, tail)
	return f.do(ctx, opRotate, func() error { return f.Store.Rotate(ctx, old, v, rec, tail) })
}

func (f *faultStore) Delete(ctx context.Context, key store.Key) error {
	return f.do(ctx, opDelete, func() error { return f.Store.Delete(ctx, key) })
}

func (f *faultStore) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	err = f.do(ctx, opRevoke, func() (err error) { r, err = f.Store.Revoke(ctx, user, sel); return err })
	if err != nil {
		r = store.Revoked{}
	}
	return r, err
}

func (f *faultStore) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = f.do(ctx, opSweep, func() (err error) { n, err = f.Store.Sweep(ctx, limit); return err })
	return n, err
}

func (f *faultStore) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return f.walk(ctx, opUser, f.Store.User(ctx, user))
}

func (f *faultStore) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return f.walk(ctx, opAll, f.Store.All(ctx))
}

func (f *faultStore) walk(ctx context.Context, op string, seq iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := f.do(ctx, op, func() error {
			for rec, err := range seq {
				if !yield(rec, err) || err != nil {
					return errCut
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errCut) {
			yield(store.Record{}, err)
		}
	}
}

// fail answers every call with err.
func fail(err error) hook { return func(context.Context) error { return err } }

// failTimes answers the first n calls with err.
func failTimes(n int, err error) hook {
	var mu sync.Mutex
	return func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

// failNth is h at the nth call, and at no other.
func failNth(n int, h hook) hook {
	var calls atomic.Int32
	return func(ctx context.Context) error {
		if int(calls.Add(1)) == n {
			return h(ctx)
		}
		return nil
	}
}

// hang waits until the caller's patience ends, then says what a driver would say.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// once runs f at the first call only; f may use the store.
func once(f func()) hook {
	var done atomic.Bool
	return func(context.Context) error {
		if !done.Swap(true) {
			f()
		}
		return nil
	}
}
