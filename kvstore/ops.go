package kvstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// entryOf is a record that is written at now.
func entryOf(r *store.Record, version uint64, now int64) *entry {
	return &entry{
		key: r.Key, handle: r.Handle, writer: r.Writer, version: version,
		created: instant(r.Created, now), seen: instant(r.Seen, now), idle: int64(r.Idle), lifetime: int64(r.Lifetime),
		user: []byte(r.User), meta: r.Meta, data: r.Data,
	}
}

// Create inserts rec as [store.Store] says. Errors: store.ErrExists, ErrLimit,
// ErrRevoked, ErrFull, ErrInvalid, ErrCorrupt, ErrUnavailable, ErrIndeterminate.
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	const op = "create"
	began := s.base + int64(adm.Began.Sub(s.start))
	if err := store.CheckCreate(&rec, &adm); err != nil {
		return store.Admitted{}, fail(op, err)
	}
	c, err := s.lock(ctx, &rec.Key.Tag)
	if err != nil {
		return store.Admitted{}, fail(op, err)
	}
	defer c.unlock()
	a := store.Admitted{Now: instantTime(c.now)}
	a.Evicted, a.Revoked, err = c.create(&rec, adm, began)
	if err != nil {
		return store.Admitted{}, fail(op, err)
	}
	return a, nil
}

func (c *change) create(rec *store.Record, adm store.Admission, began int64) (evicted []store.Handle, revoked time.Time, err error) {
	old, live, err := c.at(&rec.Key)
	if err != nil {
		return nil, revoked, err
	}
	at := -int64(never)
	if rec.User != "" {
		if at, err = c.revoked(&rec.Key.Tag); err != nil {
			return nil, revoked, err
		}
		if at != -never {
			revoked = instantTime(at)
		}
	}
	if live {
		if old.version == 1 && old.writer == rec.Writer {
			return nil, revoked, c.settle()
		}
		return nil, revoked, store.ErrExists
	}
	if adm.Age() > 0 && at >= began && revoked.After(adm.Known) {
		return nil, revoked, store.ErrRevoked
	}
	var victims []entry
	if adm.Max > 0 {
		if victims, err = c.victims(rec, adm); err != nil {
			return nil, revoked, err
		}
	}
	e := entryOf(rec, 1, c.now)
	if !e.live(c.now) {
		return nil, revoked, nil // nobody makes room for what is over before it begins
	}
	if c.s.full() {
		return nil, revoked, store.ErrFull
	}
	for i := range victims {
		evicted = append(evicted, victims[i].handle)
		c.remove(&victims[i])
	}
	c.put(e, old)
	return evicted, revoked, c.commit(true)
}

// at reads the entry at a key, nil if there is none, and tells whether it is live.
func (c *change) at(k *store.Key) (e *entry, live bool, err error) {
	e = new(entry)
	found, err := c.s.find(k, e)
	if err != nil || !found {
		return nil, false, err
	}
	return e, e.live(c.now), nil
}

// victims gives the user's records that must end to let one more in.
func (c *change) victims(rec *store.Record, adm store.Admission) ([]entry, error) {
	var mine []entry
	user := []byte(rec.User)
	err := c.s.ofTag(&rec.Key.Tag, func(e *entry, err error) {
		if err == nil && bytes.Equal(e.user, user) && e.live(c.now) {
			v := *e
			v.user, v.meta, v.data = nil, nil, nil // the engine's
			mine = append(mine, v)
		}
	})
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
	slices.SortFunc(mine, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.created, b.created), bytes.Compare(a.key.ID[:], b.key.ID[:]))
	})
	return mine[:over], nil
}

// Get returns the live record at key and the present time. It waits for no
// writer, unless the record has just ended or is being written. Errors: store.ErrNotFound, ErrCorrupt, ErrUnavailable.
func (s *Store) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	const op = "get"
	if err := store.FromContext(ctx); err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	var e entry
	now, sure, err := s.read(&key, &e)
	if !sure {
		var c *change
		if c, err = s.lock(ctx, &key.Tag); err == nil {
			e = entry{}
			now, _, err = s.read(&key, &e)
			c.unlock()
		}
	}
	if err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	return e.record(), instantTime(now), nil
}

// read reads into an empty e a live entry with its Data. Without the lock a writer may come between; where that
// could be the reason for the answer, sure is false.
func (s *Store) read(k *store.Key, e *entry) (now int64, sure bool, err error) {
	found, err := s.find(k, e)
	now = s.now()
	switch {
	case err != nil:
		return now, true, err
	case !found:
		return now, true, store.ErrNotFound
	case !e.live(now):
		return now, false, store.ErrNotFound
	case !e.apart:
		return now, true, nil
	}
	key := s.key(kindData, k.Tag[:], k.ID[:])
	b, found, err := s.db.Get(key)
	if err != nil {
		return now, true, class(err, store.ErrUnavailable)
	}
	mine := false
	if found {
		e.data, mine, err = e.decodeData(key[len(s.root):], b)
	}
	if err == nil && !mine {
		err = fmt.Errorf("%w: session %v: its data is another's or missing", store.ErrCorrupt, e.handle)
	}
	return now, err == nil, err
}

// Update replaces a record's Idle, Lifetime, Meta and Data as [store.Store] says.
// Errors: store.ErrConflict, ErrNotFound, ErrFull, ErrInvalid, ErrCorrupt, ErrUnavailable, ErrIndeterminate.
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	const op = "update"
	if err := store.Check(&rec); err != nil {
		return fail(op, err)
	}
	c, err := s.lock(ctx, &rec.Key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer c.unlock()
	if err := c.update(&rec, ifVersion); err != nil {
		return fail(op, err)
	}
	return nil
}

func (c *change) update(rec *store.Record, ifVersion uint64) error {
	old, live, err := c.at(&rec.Key)
	switch {
	case err != nil:
		return err
	case !live:
		return store.ErrNotFound
	case old.version == ifVersion+1 && old.writer == rec.Writer:
		return c.settle()
	case old.version != ifVersion:
		return store.ErrConflict
	}
	e := *old
	e.version, e.writer = ifVersion+1, rec.Writer
	e.seen = max(e.seen, instant(rec.Seen, c.now))
	e.idle, e.lifetime = int64(rec.Idle), int64(rec.Lifetime)
	e.meta, e.data = rec.Meta, rec.Data
	if !e.live(c.now) {
		c.remove(old)
		return c.commit(true)
	}
	if c.s.full() {
		if larger, err := c.larger(&e, old); err != nil {
			return err
		} else if larger {
			return store.ErrFull
		}
	}
	c.put(&e, old)
	return c.commit(true)
}

// larger tells whether e needs more room than old, whose Data may lie apart.
func (c *change) larger(e, old *entry) (bool, error) {
	before := len(old.meta) + len(old.data)
	if old.apart {
		b, _, err := c.s.db.Get(c.s.key(kindData, old.key.Tag[:], old.key.ID[:]))
		if err != nil {
			return false, class(err, store.ErrUnavailable)
		}
		before += max(0, len(b)-dataHeaderLen)
	}
	return len(e.meta)+len(e.data) > before, nil
}

// Touch sets a record's Seen as [store.Store] says. It waits for other writers only
// when it has to write. Errors: store.ErrNotFound, ErrCorrupt, ErrUnavailable, ErrIndeterminate.
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	const op = "touch"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	var e entry
	found, err := s.find(&rec.Key, &e)
	if now := s.now(); err == nil && found && e.live(now) && !e.due(now, every) {
		return nil
	}
	c, err := s.lock(ctx, &rec.Key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer c.unlock()
	old, live, err := c.at(&rec.Key)
	if err == nil && !live {
		err = store.ErrNotFound
	}
	if err == nil && old.due(c.now, every) {
		old.seen = c.now
		c.header(old)
		err = c.commit(false)
	}
	if err != nil {
		return fail(op, err)
	}
	return nil
}

func (e *entry) due(now int64, every time.Duration) bool {
	return e.seen < now && now-e.seen >= int64(every)
}

// Delete ends the record at key, if there is one. Errors: store.ErrUnavailable, ErrIndeterminate.
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	const op = "delete"
	c, err := s.lock(ctx, &key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer c.unlock()
	if err := c.delete(&key); err != nil {
		return fail(op, err)
	}
	return nil
}

func (c *change) delete(k *store.Key) error {
	key := c.s.recordKey(k)
	b, found, err := c.s.db.Get(key)
	if err != nil {
		return class(err, store.ErrUnavailable)
	}
	if !found {
		return c.settle()
	}
	var e entry
	if c.s.decodeAt(key, b, &e) != nil {
		c.wipe(k)
	} else {
		c.remove(&e)
	}
	return c.commit(true)
}
