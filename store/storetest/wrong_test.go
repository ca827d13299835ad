package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// wrong is a store that breaks the contract, and the clauses that must say so. A D number is a
// defect of another library; see docs/promises.md.
type wrong struct {
	name string
	want []string
	make func(s *ref) store.Store
}

// knobs are mistakes in the middle of a method.
type knobs struct {
	noVersion    bool // Update applies to any version
	noReplay     bool // a write sent twice is a conflict
	upsert       bool // Update inserts
	trustSeen    bool // instants are taken as the caller gives them
	seenBack     bool // Seen may move back
	updateOwner  bool // Update takes Handle and Created from the caller
	noGuard      bool // Create forgets revocations
	guardAlways  bool // Revoke with Only guards too
	evictSilent  bool
	evictBy      func(a, b store.Record) int
	countExpired bool                // limits count what has expired
	countTails   bool                // limits count by tag
	evictAtAll   bool                // room is made before it is known that the record will come
	tailOwned    bool                // a tail belongs to the user
	tailVersion  func(uint64) uint64 // of a tail, from that of the record that it follows
	rotateKeeps  bool                // the old record stays
	rotateNow    bool                // a renewed record begins anew
	updateBlind  bool                // Update does not look whether the record has expired
	keepEmpty    bool                // Update takes empty bytes for "unchanged"
	unchecked    bool                // no argument is refused
	existsFirst  bool                // Rotate looks at the new key first
	oneInstant   bool                // two revocations may have one instant
	keepDamage   bool                // only Delete removes what is damaged
	countDamaged bool                // limits count it
	hideDamage   bool                // a walk does not tell of it
	stopAtDamage bool                // a walk ends there
	knowsAll     bool                // a sign-in that knows of one revocation knows of all
}

// altered is the reference store with some methods replaced.
type altered struct {
	*ref
	traits func() store.Traits
	watch  func(context.Context, func(store.Ending)) error
	create func(context.Context, store.Record, store.Admission) (store.Admitted, error)
	get    func(context.Context, store.Key) (store.Record, time.Time, error)
	update func(context.Context, store.Record, uint64) error
	touch  func(context.Context, store.Key, time.Duration) error
	rotate func(context.Context, store.Key, uint64, store.Record, *store.Record) error
	delete func(context.Context, store.Key) error
	revoke func(context.Context, string, store.Selection) (store.Revoked, error)
	sweep  func(context.Context, int) (int, error)
	user   func(context.Context, string) iter.Seq2[store.Record, error]
	all    func(context.Context) iter.Seq2[store.Record, error]
}

func alter(s *ref) *altered {
	return &altered{ref: s, traits: s.Traits, watch: s.Watch, create: s.Create, get: s.Get, update: s.Update, touch: s.touchKey, rotate: s.Rotate,
		delete: s.Delete, revoke: s.Revoke, sweep: s.Sweep, user: s.User, all: s.All}
}

func (a *altered) Traits() store.Traits { return a.traits() }

func (a *altered) Watch(ctx context.Context, f func(store.Ending)) error { return a.watch(ctx, f) }

func (a *altered) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	return a.create(ctx, rec, adm)
}

func (a *altered) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	return a.get(ctx, key)
}

func (a *altered) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	return a.update(ctx, rec, ifVersion)
}

func (a *altered) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return a.touch(ctx, rec.Key, every)
}

func (a *altered) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	return a.rotate(ctx, old, ifVersion, rec, tail)
}

func (a *altered) Delete(ctx context.Context, key store.Key) error { return a.delete(ctx, key) }

func (a *altered) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	return a.revoke(ctx, user, sel)
}

func (a *altered) Sweep(ctx context.Context, limit int) (int, error) { return a.sweep(ctx, limit) }

func (a *altered) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return a.user(ctx, user)
}

func (a *altered) All(ctx context.Context) iter.Seq2[store.Record, error] { return a.all(ctx) }

// put writes past all rules, as a plain upsert does.
func (s *ref) put(rec store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recs[rec.Key] = s.copied(rec)
}

// raw reads past all rules.
func (s *ref) raw(key store.Key) (store.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.recs[key]
	return s.copied(rec), ok
}

// gap lets every other goroutine of the bubble run as far as it can: what a slow moment does
// between two statements of a store that is not atomic.
func gap() { time.Sleep(time.Nanosecond) }

// turn makes a wrong store by setting knobs.
func turn(set func(*ref)) func(*ref) store.Store {
	return func(s *ref) store.Store { set(s); return s }
}

// swap makes a wrong store by replacing methods.
func swap(set func(*altered)) func(*ref) store.Store {
	return func(s *ref) store.Store {
		a := alter(s)
		set(a)
		return a
	}
}
