package diskstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Create inserts rec as [store.Store] says, durably. Errors: store.ErrExists, ErrLimit,
// ErrRevoked, ErrFull, ErrInvalid, ErrCorrupt, ErrUnavailable, ErrIndeterminate.
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	const op = "create"
	if err := s.begin(ctx, store.CheckCreate(&rec, &adm)); err != nil {
		return store.Admitted{}, fail(op, err)
	}
	began := s.clock.of(adm.Began)
	h, err := s.hold(ctx, rec.Key.Tag)
	if err != nil {
		return store.Admitted{}, fail(op, err)
	}
	defer h.close()
	var a store.Admitted
	a.Evicted, a.Revoked, err = h.create(&rec, adm, began)
	if err != nil {
		return store.Admitted{}, fail(op, err)
	}
	a.Now = h.now()
	return a, nil
}

func (h *hold) create(rec *store.Record, adm store.Admission, began int64) (evicted []store.Handle, revoked time.Time, err error) {
	old, live, err := h.head(rec.Key.ID)
	if err != nil {
		return nil, revoked, err
	}
	at, guarded := int64(0), false
	if rec.User != "" {
		at, guarded, err = h.revoked()
		if errors.Is(err, store.ErrCorrupt) && adm.Began.IsZero() {
			at, guarded, err = h.time, true, nil // nobody can tell when, so now
		}
		if err != nil {
			return nil, revoked, err
		}
		if guarded {
			revoked = instant(at)
		}
	}
	if live {
		if old.Version == 1 && old.Writer == rec.Writer {
			return nil, revoked, h.again()
		}
		return nil, revoked, store.ErrExists
	}
	if adm.Age() > 0 && guarded && at >= began && revoked.After(adm.Known) {
		return nil, revoked, store.ErrRevoked
	}
	victims, err := h.admit(rec.User, adm)
	if err != nil {
		return nil, revoked, err
	}
	rec.Version, rec.Created, rec.Seen = 1, settle(rec.Created, h.time), settle(rec.Seen, h.time)
	if !rec.Live(h.now()) {
		return nil, revoked, nil // what is over at once needs neither a file nor room
	}
	if err := h.s.fileRecord(rec, h.time); err != nil {
		return nil, revoked, classify(err, false)
	}
	if err := h.ensure(); err != nil {
		return nil, revoked, classify(err, false)
	}
	evicted, err = h.insert(rec, victims)
	return evicted, revoked, err
}

// insert writes the new record, and ends others in the same step.
func (h *hold) insert(rec *store.Record, victims []store.Record) (evicted []store.Handle, err error) {
	if len(victims) == 0 {
		done, err := h.put(idName(rec.Key.ID), encode(rec), mtimeOf(rec))
		return nil, h.undo(classify(err, done))
	}
	c := change{puts: []put{newPut(rec)}}
	for i := range victims {
		evicted = append(evicted, victims[i].Handle)
		c.removes = append(c.removes, victims[i].Key.ID)
	}
	done, err := h.commit(&c)
	if err != nil {
		return nil, h.undo(classify(err, done))
	}
	return evicted, nil
}

// undo leaves no empty directory behind a write for which there was no room.
func (h *hold) undo(err error) error {
	if err != nil && !errors.Is(err, store.ErrIndeterminate) {
		h.tidy()
	}
	return err
}

// admit picks the user's records that must end to let one more in.
func (h *hold) admit(user string, adm store.Admission) ([]store.Record, error) {
	if adm.Max == 0 {
		return nil, nil
	}
	mine, err := h.of(user)
	if err != nil {
		return nil, err
	}
	over := len(mine) + 1 - adm.Max
	if over <= 0 {
		return nil, nil
	}
	if !adm.Evict {
		return nil, store.ErrLimit
	}
	slices.SortFunc(mine, func(a, b store.Record) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return bytes.Compare(a.Key.ID[:], b.Key.ID[:])
	})
	return mine[:over], nil
}

// Get returns the live record at key and the present time, without waiting for any
// lock, but for a user whose Rotate or eviction is under way. Errors: store.ErrNotFound,
// ErrCorrupt, ErrUnavailable.
func (s *Store) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	const op = "get"
	if err := s.begin(ctx, nil); err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	rec, err := s.look(ctx, key, fileMost)
	if err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	now := instant(s.clock.now())
	if !rec.Live(now) {
		return store.Record{}, time.Time{}, fail(op, store.ErrNotFound)
	}
	return rec, now, nil
}

// look reads a record without a lock: a file is never changed once it has its name. journal.go
// says when it may be taken as it is.
func (s *Store) look(ctx context.Context, key store.Key, most int) (rec store.Record, err error) {
	d, err := s.disk.open(key.Tag, false)
	if err != nil {
		return rec, absent(err)
	}
	rec, err = s.read(d, key, most)
	changing := false
	if missing(err) || !s.ordered.Load() {
		there, err2 := d.exists(journalName)
		if changing = there; err2 != nil {
			err = err2
		}
	}
	d.close()
	if !changing {
		return rec, absent(err)
	}
	h, err := s.hold(ctx, key.Tag)
	if err != nil {
		return store.Record{}, err
	}
	defer h.close()
	if h.dir == nil {
		return store.Record{}, store.ErrNotFound
	}
	rec, err = s.read(h.dir, key, most)
	return rec, absent(err)
}

// absent tells a file that is not there from one that cannot be read.
func absent(err error) error {
	if missing(err) {
		return store.ErrNotFound
	}
	return classify(err, false)
}

// Update replaces a record's Idle, Lifetime, Meta and Data as [store.Store] says, durably.
// Errors: store.ErrConflict, ErrNotFound, ErrFull, ErrInvalid, ErrCorrupt, ErrUnavailable,
// ErrIndeterminate.
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	const op = "update"
	if err := s.begin(ctx, store.Check(&rec)); err != nil {
		return fail(op, err)
	}
	h, err := s.hold(ctx, rec.Key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer h.close()
	return fail(op, h.update(&rec, ifVersion))
}

func (h *hold) update(rec *store.Record, ifVersion uint64) error {
	old, live, err := h.head(rec.Key.ID)
	switch {
	case err != nil:
		return err
	case !live:
		return store.ErrNotFound
	case old.Version == ifVersion+1 && old.Writer == rec.Writer:
		return h.again()
	case old.Version != ifVersion:
		return store.ErrConflict
	}
	rec.Version, rec.Handle, rec.User, rec.Created = ifVersion+1, old.Handle, old.User, old.Created
	if rec.Seen = settle(rec.Seen, h.time); rec.Seen.Before(old.Seen) {
		rec.Seen = old.Seen
	}
	if !rec.Live(h.now()) {
		return h.end(rec.Key.ID)
	}
	if ends(rec) < ends(&old) { // else the old record's hint comes in time
		if err := h.s.fileRecord(rec, h.time); err != nil {
			return classify(err, false)
		}
	}
	done, err := h.put(idName(rec.Key.ID), encode(rec), mtimeOf(rec))
	return classify(err, done)
}

// Touch sets a record's Seen as [store.Store] says, without writing the file: see the
// package comment. Errors: store.ErrNotFound, ErrCorrupt, ErrUnavailable.
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	const op = "touch"
	if err := s.begin(ctx, nil); err != nil {
		return fail(op, err)
	}
	// Most touches come too early, and need no lock to be told so.
	old, err := s.look(ctx, rec.Key, headMost)
	if err != nil {
		return fail(op, err)
	}
	now := s.clock.now()
	if !old.Live(instant(now)) {
		return fail(op, store.ErrNotFound)
	}
	if !due(&old, now, every) {
		return nil
	}
	h, err := s.hold(ctx, rec.Key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer h.close()
	return fail(op, h.touch(rec.Key.ID, every))
}

func due(rec *store.Record, now int64, every time.Duration) bool {
	return instant(now).Sub(rec.Seen) >= every
}

func (h *hold) touch(id store.ID, every time.Duration) error {
	rec, live, err := h.head(id)
	switch {
	case err != nil:
		return err
	case !live:
		return store.ErrNotFound
	case !due(&rec, h.time, every):
		return nil
	}
	return classify(h.dir.touch(idName(id), h.time), false)
}

// Rotate moves a record to a new key as [store.Store] says, durably and in one step. Errors:
// store.ErrConflict, ErrNotFound, ErrExists, ErrFull, ErrInvalid, ErrCorrupt, ErrUnavailable,
// ErrIndeterminate.
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	const op = "rotate"
	if err := s.begin(ctx, store.CheckRotate(old, &rec, tail)); err != nil {
		return fail(op, err)
	}
	if tail != nil {
		t := *tail
		tail = &t
	}
	h, err := s.hold(ctx, old.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer h.close()
	return fail(op, h.rotate(old.ID, ifVersion, &rec, tail))
}

func (h *hold) rotate(from store.ID, ifVersion uint64, rec, tail *store.Record) error {
	at, taken, err := h.head(rec.Key.ID)
	if err != nil {
		return err
	}
	if taken && at.Version == ifVersion+1 && at.Writer == rec.Writer {
		return h.again()
	}
	old, live, err := h.head(from)
	switch {
	case err != nil:
		return err
	case !live:
		return store.ErrNotFound
	case old.Version != ifVersion:
		return store.ErrConflict
	case old.User != rec.User:
		return fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid)
	case taken:
		return store.ErrExists
	}
	c := change{removes: []store.ID{from}}
	for _, r := range []*store.Record{rec, tail} {
		if r == nil {
			continue
		}
		r.Version, r.Created, r.Seen = ifVersion+1, settle(r.Created, h.time), settle(r.Seen, h.time)
		if !r.Live(h.now()) {
			continue // over at once
		}
		if err := h.s.fileRecord(r, h.time); err != nil {
			return classify(err, false)
		}
		c.puts = append(c.puts, newPut(r))
		if r == tail {
			c.removes = nil // it takes the old one's place
		}
	}
	if len(c.puts) == 0 {
		return h.end(from)
	}
	done, err := h.commit(&c)
	return classify(err, done)
}

// Delete ends the record at key, if there is one, durably. It needs no room on the disk, nor
// that the record be readable. Errors: store.ErrUnavailable, ErrIndeterminate.
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	const op = "delete"
	if err := s.begin(ctx, nil); err != nil {
		return fail(op, err)
	}
	h, err := s.hold(ctx, key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer h.close()
	if h.dir == nil {
		return nil
	}
	return fail(op, h.end(key.ID))
}
