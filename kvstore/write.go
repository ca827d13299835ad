package kvstore

import (
	"context"
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// write is a batch in the making, for whoever holds the lock of its stripe. It is the
// [embedded.View] as well. now was read under the lock.
type write struct {
	*engine
	tag    store.Tag
	stripe byte
	now    int64
	ops    []Op
	found  []entry // that were read, some more than once
}

// Write is part of [embedded.Driver].
func (e *engine) Write(ctx context.Context, tag store.Tag, decide func(embedded.View) (embedded.Change, error)) error {
	w, err := e.lock(ctx, &tag)
	if err != nil {
		return err
	}
	defer w.unlock()
	return embedded.Apply(w, decide)
}

// Now is part of [embedded.View].
func (w *write) Now() time.Time { return instantTime(w.now) }

// Find is part of [embedded.View].
func (w *write) Find(id store.ID, rec *store.Record) (found bool, err error) {
	e, err := w.read(&store.Key{Tag: w.tag, ID: id})
	if err != nil || e == nil {
		return false, err
	}
	w.found = append(w.found, *e)
	*rec = e.Record
	return true, nil
}

// Each is part of [embedded.View].
func (w *write) Each(user string, f func(*store.Record, error)) error {
	return w.ofTag(&w.tag, func(e *entry, err error) {
		e.Meta, e.Data = nil, nil // the database's
		if err == nil {
			w.found = append(w.found, *e)
		}
		f(&e.Record, err)
	})
}

// Revoked is part of [embedded.View].
func (w *write) Revoked() (time.Time, error) {
	at, found, err := w.guard(&w.tag)
	if !found {
		return time.Time{}, err
	}
	return instantTime(at), nil
}

// at returns what was found with an ID, or nil.
func (w *write) at(id *store.ID) *entry {
	for i := range w.found {
		if w.found[i].Key.ID == *id {
			return &w.found[i]
		}
	}
	return nil
}

// Apply writes a change in one batch.
func (w *write) Apply(c *embedded.Change) error {
	for _, id := range c.Drop {
		if err := w.drop(&store.Key{Tag: w.tag, ID: id}); err != nil {
			return err
		}
	}
	for _, p := range c.Put {
		next, old := &entry{Record: *p.Rec}, w.at(&p.Rec.Key.ID)
		if w.full() {
			if err := w.fits(next, old); err != nil {
				return err
			}
		}
		w.put(next, old)
	}
	if c.Seen != nil {
		e := w.at(&c.Seen.Key.ID)
		e.Seen = c.Seen.Seen
		w.header(e)
		return w.commit(false)
	}
	if !c.Revoked.IsZero() {
		if err := w.setGuard(c.Revoked.UnixNano()); err != nil {
			return err
		}
	}
	if len(w.ops) == 0 {
		return w.settle()
	}
	return w.commit(c.Waits(w.wait))
}

// drop deletes all that belongs to a key. Of a damaged record nobody knows what it has in the
// expiry index, which Sweep drops in time.
func (w *write) drop(k *store.Key) error {
	if e := w.at(&k.ID); e != nil {
		w.remove(e)
		return nil
	}
	e, err := w.read(k)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		w.del(w.dataKey(k))
		w.del(w.recordKey(k))
	case err != nil:
		return err
	case e != nil:
		w.remove(e)
	}
	return nil
}

// fits refuses what needs more room than the entry that it replaces, or nil.
func (w *write) fits(next, old *entry) error {
	if old == nil {
		return store.ErrFull
	}
	apart, _, err := w.db.Get(w.dataKey(&old.Key))
	if err != nil {
		return class(err, store.ErrUnavailable)
	}
	before := len(old.Meta) + len(old.Data) + max(0, len(apart)-dataHeaderLen)
	if len(next.Meta)+len(next.Data) > before {
		return store.ErrFull
	}
	return nil
}

func (w *write) set(key, value []byte) { w.ops = append(w.ops, Op{Key: key, Value: value}) }
func (w *write) del(key []byte)        { w.ops = append(w.ops, Op{Key: key, Delete: true}) }

// put writes an entry with its Data. old is what stands at its key, or nil.
func (w *write) put(e, old *entry) {
	if e.apart = len(e.Data) > inlineMax; e.apart {
		key := w.dataKey(&e.Key)
		w.set(key, e.encodeData(key[len(w.root):]))
	} else if old != nil && old.apart {
		w.del(w.dataKey(&e.Key))
	}
	if old != nil {
		e.slot = old.slot
	}
	w.file(e)
	w.header(e)
}

// header writes an entry without its Data, if that lies apart.
func (w *write) header(e *entry) {
	key := w.recordKey(&e.Key)
	w.set(key, e.encode(key[len(w.root):]))
}

// file sees to it that there is one expiry entry, not later than the entry's end. An earlier one
// stays: the sweep that finds it files it anew.
func (w *write) file(e *entry) {
	end := e.ends()
	if e.slot != 0 && e.slot <= end {
		return
	}
	w.unfile(e)
	if end != never {
		e.slot = max(end, 1)
		w.set(w.expiryKey(e.slot, &e.Key), nil)
	}
}

func (w *write) unfile(e *entry) {
	if e.slot != 0 {
		w.del(w.expiryKey(e.slot, &e.Key))
		e.slot = 0
	}
}

// remove deletes all that belongs to an entry.
func (w *write) remove(e *entry) {
	if e.apart {
		w.del(w.dataKey(&e.Key))
	}
	w.unfile(e)
	w.del(w.recordKey(&e.Key))
}

// setGuard remembers a revocation, until Sweep finds its entry in the expiry index.
func (w *write) setGuard(at int64) error {
	old, found, err := w.guard(&w.tag)
	switch {
	case err != nil && !errors.Is(err, store.ErrCorrupt):
		return err
	case found:
		w.del(w.guardExpiry(old, &w.tag))
	}
	key := w.key(kindGuard, w.tag[:])
	w.set(key, encodeInstant(key[len(w.root):], at))
	w.set(w.guardExpiry(at, &w.tag), nil)
	return nil
}

// commit writes the batch, and with it the clock.
func (w *write) commit(sync bool) error {
	key := w.key(kindClock, []byte{w.stripe})
	w.set(key, encodeInstant(key[len(w.root):], w.now))
	err := w.db.Apply(w.ops, sync)
	w.kept.Store(w.now)
	if err != nil {
		w.loose.Add(1)
		return class(err, store.ErrIndeterminate)
	}
	return nil
}

// settle makes durable what an answer without a write relies on: a batch whose sync failed may be
// visible all the same, and what Sweep deleted is not synced at once.
func (w *write) settle() error {
	n := w.loose.Load()
	if n == w.settled.Load() {
		return nil
	}
	if err := w.commit(true); err != nil {
		return err
	}
	w.settled.Store(n)
	return nil
}
