package explore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// engine is the store of every run: one map and one lock, so that a schedule costs little. It can be
// set back to what it held before.
type engine struct {
	mu      sync.Mutex
	records map[store.Key]*store.Record // never changed in place
	revoked map[string]time.Time
	changed func(key store.Key, before, after *store.Record) // told of each write; nil for absent
}

func newEngine() *engine {
	return &engine{records: map[store.Key]*store.Record{}, revoked: map[string]time.Time{}}
}

// Traits let a manager make its own key.
func (e *engine) Traits() store.Traits { return store.Traits{Volatile: true, Local: true} }

// Watch is not supported.
func (e *engine) Watch(context.Context, func(store.Ending)) error { return errors.ErrUnsupported }

// watch has f told of each write from now on.
func (e *engine) watch(f func(key store.Key, before, after *store.Record)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changed = f
}

// put and drop are the only writes.
func (e *engine) put(rec store.Record) {
	before := e.records[rec.Key]
	e.records[rec.Key] = &rec
	if e.changed != nil {
		e.changed(rec.Key, before, &rec)
	}
}

func (e *engine) drop(key store.Key) {
	before := e.records[key]
	if before == nil {
		return
	}
	delete(e.records, key)
	if e.changed != nil {
		e.changed(key, before, nil)
	}
}

func (e *engine) live(key store.Key, now time.Time) *store.Record {
	if rec := e.records[key]; rec != nil && rec.Live(now) {
		return rec
	}
	return nil
}

// inserted gives a new record its version, its instants and its own bytes.
func inserted(rec store.Record, version uint64, now time.Time) store.Record {
	rec.Version = version
	rec.Meta, rec.Data = bytes.Clone(rec.Meta), bytes.Clone(rec.Data)
	if rec.Created.IsZero() || rec.Created.After(now) {
		rec.Created = now
	}
	if rec.Seen.IsZero() || rec.Seen.After(now) {
		rec.Seen = now
	}
	return rec
}

func begin(ctx context.Context, err error) error { return cmp.Or(err, store.FromContext(ctx)) }

func (e *engine) Create(ctx context.Context, rec store.Record, adm store.Admission) (a store.Admitted, err error) {
	if err := begin(ctx, store.CheckCreate(&rec, &adm)); err != nil {
		return a, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	a.Now, a.Revoked = now, e.revoked[rec.User]
	if old := e.live(rec.Key, now); old != nil {
		if old.Version == 1 && old.Writer == rec.Writer {
			return a, nil
		}
		return store.Admitted{}, store.ErrExists
	}
	if a.Revoked.After(adm.Known) && adm.Age() > 0 && !a.Revoked.Before(adm.Began) {
		return store.Admitted{}, store.ErrRevoked
	}
	rec = inserted(rec, 1, now)
	if adm.Evict && !rec.Live(now) {
		return a, nil // it never lives, so nobody has to go for it
	}
	if a.Evicted, err = e.makeRoom(rec.User, adm, now); err == nil {
		e.put(rec)
	}
	return a, err
}

// makeRoom ends the user's oldest records beyond the limit.
func (e *engine) makeRoom(user string, adm store.Admission, now time.Time) (evicted []store.Handle, err error) {
	if adm.Max == 0 {
		return nil, nil
	}
	own := e.of(user, now)
	over := len(own) + 1 - adm.Max
	if over > 0 && !adm.Evict {
		return nil, store.ErrLimit
	}
	for _, rec := range own[:max(over, 0)] {
		e.drop(rec.Key)
		evicted = append(evicted, rec.Handle)
	}
	return evicted, nil
}

// of lists a user's live records, the oldest first.
func (e *engine) of(user string, now time.Time) (own []*store.Record) {
	for _, rec := range e.records {
		if rec.User == user && rec.Live(now) {
			own = append(own, rec)
		}
	}
	slices.SortFunc(own, func(a, b *store.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), bytes.Compare(a.Key.ID[:], b.Key.ID[:]))
	})
	return own
}

func (e *engine) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	now := time.Now()
	if err := begin(ctx, nil); err != nil {
		return store.Record{}, now, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.live(key, now)
	if old == nil {
		return store.Record{}, now, store.ErrNotFound
	}
	rec := *old
	rec.Meta, rec.Data = bytes.Clone(rec.Meta), bytes.Clone(rec.Data)
	return rec, now, nil
}

func (e *engine) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	if err := begin(ctx, store.Check(&rec)); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	old := e.live(rec.Key, now)
	switch {
	case old == nil:
		return store.ErrNotFound
	case old.Version == ifVersion+1 && old.Writer == rec.Writer:
		return nil
	case old.Version != ifVersion:
		return store.ErrConflict
	}
	next := inserted(rec, ifVersion+1, now)
	next.Handle, next.User, next.Created = old.Handle, old.User, old.Created
	if next.Seen.Before(old.Seen) {
		next.Seen = old.Seen
	}
	e.put(next)
	return nil
}

func (e *engine) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if err := begin(ctx, nil); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	old := e.live(rec.Key, now)
	if old == nil {
		return store.ErrNotFound
	}
	if now.Sub(old.Seen) >= every {
		next := *old
		next.Seen = now
		e.put(next)
	}
	return nil
}

func (e *engine) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	if err := begin(ctx, store.CheckRotate(old, &rec, tail)); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	there, prev := e.live(rec.Key, now), e.live(old, now)
	switch {
	case there != nil && there.Version == ifVersion+1 && there.Writer == rec.Writer:
		return nil
	case prev == nil:
		return store.ErrNotFound
	case prev.Version != ifVersion:
		return store.ErrConflict
	case prev.User != rec.User:
		return store.ErrInvalid
	case there != nil:
		return store.ErrExists
	}
	if tail == nil {
		e.drop(old)
	} else {
		e.put(inserted(*tail, ifVersion+1, now))
	}
	if rec = inserted(rec, ifVersion+1, now); rec.Live(now) {
		e.put(rec)
	}
	return nil
}

func (e *engine) Delete(ctx context.Context, key store.Key) error {
	if err := begin(ctx, nil); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(key)
	return nil
}

func (e *engine) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	if err := begin(ctx, store.CheckSelection(sel)); err != nil || user == "" {
		return r, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, rec := range e.of(user, now) {
		if sel.Picks(rec.Handle) {
			e.drop(rec.Key)
			r.N++
		}
	}
	if len(sel.Only) == 0 {
		// Two revocations never share an instant: who knows of the first does not know of the second.
		if last := e.revoked[user]; !now.After(last) {
			now = last.Add(1)
		}
		e.revoked[user], r.At = now, now
	}
	return r, nil
}

func (e *engine) Sweep(ctx context.Context, limit int) (n int, err error) {
	if err := begin(ctx, nil); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for key, rec := range e.records {
		if n < limit && !rec.Live(now) {
			e.drop(key)
			n++
		}
	}
	return n, nil
}

func (e *engine) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return e.walk(ctx, func(r *store.Record) bool { return user != "" && r.User == user })
}

func (e *engine) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return e.walk(ctx, func(*store.Record) bool { return true })
}

func (e *engine) walk(ctx context.Context, want func(*store.Record) bool) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if err := begin(ctx, nil); err != nil {
			yield(store.Record{}, err)
			return
		}
		for _, rec := range e.list(want) {
			rec.Meta, rec.Data = bytes.Clone(rec.Meta), nil
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func (e *engine) list(want func(*store.Record) bool) (recs []store.Record) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, rec := range e.records {
		if rec.Live(now) && want(rec) {
			recs = append(recs, *rec)
		}
	}
	return recs
}

// snapshot is what an engine held at an instant.
type snapshot struct {
	taken   time.Time
	records []store.Record
	revoked map[string]time.Time
}

func (e *engine) snapshot() *snapshot {
	s := &snapshot{taken: time.Now(), revoked: map[string]time.Time{}}
	for _, rec := range e.records {
		s.records = append(s.records, *rec)
	}
	for user, at := range e.revoked {
		s.revoked[user] = at
	}
	return s
}

// restore makes the engine hold s again, everything as old as it was then: the clock goes on from
// run to run, and the runs must not notice.
func (e *engine) restore(s *snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	passed := time.Since(s.taken)
	clear(e.records)
	for _, rec := range s.records {
		rec.Created, rec.Seen = rec.Created.Add(passed), rec.Seen.Add(passed)
		rec.Meta = later(rec.Meta, passed)
		e.records[rec.Key] = &rec
	}
	clear(e.revoked)
	for user, at := range s.revoked {
		e.revoked[user] = at.Add(passed)
	}
}

// The engine keeps the contract.
func TestEngine(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store { return newEngine() }, nil)
}
