package embedded_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/embedded"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// toy is the least that an engine can be: a map under a lock.
type toy struct {
	mu     sync.Mutex
	recs   map[store.Key]store.Record
	guards map[store.Tag]time.Time // when users were revoked
}

func New() *driver.Store {
	return embedded.New("toystore", &toy{recs: map[store.Key]store.Record{}, guards: map[store.Tag]time.Time{}})
}

func (*toy) Traits() store.Traits { return store.Traits{Volatile: true} }

// Clock turns an instant of this process into one of the engine's clock: here they are the same.
func (*toy) Clock(t time.Time) time.Time { return t }

// Read returns a record as it stands there, expired or not. Its bytes are the caller's.
func (t *toy) Read(_ context.Context, key store.Key, data bool) (store.Record, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rec, ok := t.recs[key]
	if !ok {
		return rec, store.ErrNotFound
	}
	return own(rec), nil
}

func own(r store.Record) store.Record {
	r.Meta, r.Data = bytes.Clone(r.Meta), bytes.Clone(r.Data)
	return r
}

// Write is the only way to change anything: lock, let decide look, carry out, unlock.
func (t *toy) Write(ctx context.Context, tag store.Tag, decide func(embedded.View) (embedded.Change, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := store.FromContext(ctx); err != nil {
		return err // it ended during the wait for the lock
	}
	return embedded.Apply(view{t, tag}, decide)
}

// view is what decide sees: the records of one tag, under the lock.
type view struct {
	t   *toy
	tag store.Tag
}

func (view) Now() time.Time { return time.Now() }

func (v view) Find(id store.ID, rec *store.Record) (found bool, err error) {
	*rec, found = v.t.recs[store.Key{Tag: v.tag, ID: id}]
	return found, nil
}

func (v view) Each(user string, f func(*store.Record, error)) error {
	for key, rec := range v.t.recs {
		if key.Tag == v.tag {
			f(&rec, nil)
		}
	}
	return nil
}

func (v view) Revoked() (time.Time, error) { return v.t.guards[v.tag], nil }

// Apply carries out a change, all or nothing and durably.
func (v view) Apply(c *embedded.Change) error {
	for _, id := range c.Drop {
		delete(v.t.recs, store.Key{Tag: v.tag, ID: id})
	}
	for _, p := range c.Put {
		v.t.recs[p.Rec.Key] = own(*p.Rec)
	}
	if c.Seen != nil { // a touch: it need not be durable
		rec := v.t.recs[c.Seen.Key]
		rec.Seen = c.Seen.Seen
		v.t.recs[rec.Key] = rec
	}
	if !c.Revoked.IsZero() {
		v.t.guards[v.tag] = c.Revoked
	}
	return nil
}

// List calls f for a user's records, or for all, without data. Nothing is locked while f runs.
func (t *toy) List(_ context.Context, user string, f func(*store.Record, error) bool) error {
	t.mu.Lock()
	recs := slices.Collect(maps.Values(t.recs))
	t.mu.Unlock()
	for _, rec := range recs {
		rec.Data = nil
		if rec = own(rec); (user == "" || rec.User == user) && !f(&rec, nil) {
			break
		}
	}
	return nil
}

// Sweep deletes at most limit expired records, and old revocations.
func (t *toy) Sweep(_ context.Context, limit int) (n int, _ error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, rec := range t.recs {
		if n < limit && !rec.Live(time.Now()) {
			delete(t.recs, key)
			n++
		}
	}
	maps.DeleteFunc(t.guards, func(_ store.Tag, at time.Time) bool { return time.Since(at) > embedded.GuardKept })
	return n, nil
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store { return New() }, nil)
}
