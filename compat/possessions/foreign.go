package possessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// foreignIdle is longer than any session: how long it lives unused is the foreign Storer's to say.
const foreignIdle = store.MaxLife

// foreign makes a store for one overseer of a program's own [Storer]. Compare-and-swap holds within
// this process, by a lock, which is all that an interface of Get and Set can give; see the package
// comment.
type foreign struct {
	storer Storer
	locks  [64]sync.Mutex
}

var _ store.Store = (*foreign)(nil)

func newForeign(s Storer) *foreign { return &foreign{storer: s} }

// row is the text of a record.
type row struct {
	Format   int             `json:"sojourn"`
	ID       store.ID        `json:"id"` // a hash: it opens nothing
	Handle   store.Handle    `json:"handle"`
	Version  uint64          `json:"version"`
	Writer   store.Writer    `json:"writer"`
	Created  time.Time       `json:"created"`
	Seen     time.Time       `json:"seen"`
	Idle     time.Duration   `json:"idle"`
	Lifetime time.Duration   `json:"lifetime"`
	Meta     []byte          `json:"meta"`
	Values   json.RawMessage `json:"values"`
}

func (f *foreign) lock(key store.Key) (unlock func()) {
	mu := &f.locks[int(key.Tag[0])%len(f.locks)]
	mu.Lock()
	return mu.Unlock
}

func (f *foreign) load(ctx context.Context, id string) (rec store.Record, err error) {
	if err := store.FromContext(ctx); err != nil {
		return rec, err
	}
	text, err := f.storer.Get(ctx, id)
	switch {
	case IsNoSessionError(err):
		return rec, store.ErrNotFound
	case err != nil:
		return rec, fmt.Errorf("%w: storer get: %w", store.ErrUnavailable, err)
	}
	var r row
	if json.Unmarshal([]byte(text), &r) != nil || r.Format != 1 {
		return rec, store.ErrNotFound // the old library's, or somebody else's
	}
	tag, _ := parseID(id)
	rec = store.Record{
		Key: store.Key{Tag: tag, ID: r.ID}, Handle: r.Handle, Version: r.Version, Writer: r.Writer, Created: r.Created,
		Seen: r.Seen, Idle: r.Idle, Lifetime: r.Lifetime, Meta: r.Meta, Data: wrap(string(r.Values)),
	}
	return rec, nil
}

// Get gives ErrNotFound also for a record of another secret under the same UUID.
func (f *foreign) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	rec, err := f.load(ctx, idOf(key.Tag))
	now := time.Now()
	if err == nil && (rec.Key.ID != key.ID || !rec.Live(now)) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, now, err
	}
	rec.Key = key
	return rec, now, nil
}

func (f *foreign) save(ctx context.Context, rec *store.Record) error {
	id, now := idOf(rec.Key.Tag), time.Now().UTC()
	if rec.Seen.IsZero() || rec.Seen.After(now) {
		rec.Seen = now
	}
	if !rec.Live(now) {
		return f.del(ctx, id)
	}
	values, err := unwrap(rec.Data)
	if err != nil {
		return fmt.Errorf("%w: a program's own storer keeps this package's values only", store.ErrInvalid)
	}
	text, err := json.Marshal(row{
		Format: 1, ID: rec.Key.ID, Handle: rec.Handle, Version: rec.Version, Writer: rec.Writer, Created: rec.Created,
		Seen: rec.Seen, Idle: rec.Idle, Lifetime: rec.Lifetime, Meta: rec.Meta, Values: json.RawMessage(values),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	if err := f.storer.Set(ctx, id, string(text)); err != nil {
		return fmt.Errorf("%w: storer set: %w", store.ErrIndeterminate, err)
	}
	return nil
}

func (f *foreign) del(ctx context.Context, id string) error {
	if err := f.storer.Del(ctx, id); err != nil && !IsNoSessionError(err) {
		return fmt.Errorf("%w: storer del: %w", store.ErrIndeterminate, err)
	}
	return nil
}

// Traits says nothing special: a storer does not tell.
func (f *foreign) Traits() store.Traits { return store.Traits{Local: true} }

// Watch would need the storer's help.
func (f *foreign) Watch(context.Context, func(store.Ending)) error { return errors.ErrUnsupported }

func (f *foreign) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	if err := store.CheckCreate(&rec, &adm); err != nil {
		return store.Admitted{}, err
	}
	if rec.User != "" {
		return store.Admitted{}, errors.ErrUnsupported
	}
	defer f.lock(rec.Key)()
	switch old, err := f.load(ctx, idOf(rec.Key.Tag)); {
	case err == nil && old.Version == 1 && old.Writer == rec.Writer:
		return store.Admitted{Now: time.Now().UTC()}, nil
	case err == nil:
		return store.Admitted{}, store.ErrExists
	case !errors.Is(err, store.ErrNotFound):
		return store.Admitted{}, err
	}
	rec.Version, rec.Created, rec.Seen = 1, time.Now().UTC(), time.Time{}
	return store.Admitted{Now: rec.Created}, f.save(ctx, &rec)
}

func (f *foreign) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	if err := store.Check(&rec); err != nil {
		return err
	}
	defer f.lock(rec.Key)()
	old, _, err := f.Get(ctx, rec.Key)
	switch {
	case err != nil:
		return err
	case old.Version == ifVersion+1 && old.Writer == rec.Writer:
		return nil
	case old.Version != ifVersion:
		return store.ErrConflict
	}
	rec.Version, rec.Handle, rec.Created = ifVersion+1, old.Handle, old.Created
	return f.save(ctx, &rec)
}

// Touch leaves the text alone: the storer's own clock counts.
func (f *foreign) Touch(ctx context.Context, rec store.Record, _ time.Duration) error {
	defer f.lock(rec.Key)()
	if _, _, err := f.Get(ctx, rec.Key); err != nil {
		return err
	}
	err := f.storer.ResetExpiry(ctx, idOf(rec.Key.Tag))
	switch {
	case IsNoSessionError(err):
		return store.ErrNotFound
	case err != nil:
		return fmt.Errorf("%w: storer reset expiry: %w", store.ErrIndeterminate, err)
	}
	return nil
}

func (f *foreign) Delete(ctx context.Context, key store.Key) error {
	defer f.lock(key)()
	return f.del(ctx, idOf(key.Tag))
}

// Rotate would need two texts in one step.
func (f *foreign) Rotate(context.Context, store.Key, uint64, store.Record, *store.Record) error {
	return errors.ErrUnsupported
}

// User yields nothing: nobody is signed in.
func (f *foreign) User(context.Context, string) iter.Seq2[store.Record, error] {
	return func(func(store.Record, error) bool) {}
}

// Revoke ends nothing, as User says.
func (f *foreign) Revoke(context.Context, string, store.Selection) (store.Revoked, error) {
	return store.Revoked{}, nil
}

// Sweep leaves cleaning to the storer.
func (f *foreign) Sweep(context.Context, int) (int, error) { return 0, nil }

// All is for the manager's RevokeEveryone, in place of which a program empties its storer.
func (f *foreign) All(context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) { yield(store.Record{}, errors.ErrUnsupported) }
}
