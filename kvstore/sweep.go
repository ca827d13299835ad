package kvstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/sojourn-go/sojourn/store"
)

const (
	minute = int64(60e9)
	day    = 24 * 60 * minute
)

// Sweep deletes at most limit expired records and tells how many. It looks at what
// is due in the expiry index only, holds one lock at a time, and syncs once, at the end.
// Errors: store.ErrUnavailable and ErrIndeterminate, together with the number that was
// deleted before; ErrCorrupt, after all else, where it met damaged records.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	w := sweep{s: s, ctx: ctx, limit: limit}
	err := w.run()
	if err == nil {
		err = w.sync()
	}
	if err == nil {
		err = w.bad
	}
	if err != nil {
		return w.n, fail("sweep", err)
	}
	return w.n, nil
}

// sweep is a Sweep under way.
type sweep struct {
	s     *Store
	ctx   context.Context
	limit int
	n     int   // records deleted
	loose bool  // whether anything was deleted
	bad   error // the last damaged record
}

func (w *sweep) run() error {
	s, now := w.s, w.s.now()
	// Deleted entries burden an LSM tree for a while, so it does not begin in front of those of the last
	// sweep. Nothing is filed before its own present, but for a write that takes a minute.
	from := s.key(kindExpiry, slotBytes(s.swept.Load()))
	to := s.key(kindExpiry, slotBytes(now+1))
	for from != nil && w.n < w.limit {
		due, next, err := w.page(from, to)
		if err != nil {
			return err
		}
		for _, key := range due {
			if w.n == w.limit {
				return nil
			}
			if err := w.visit(key); err != nil {
				return err
			}
		}
		from = next
	}
	if from == nil {
		s.swept.Store(max(0, now-minute))
	}
	return store.FromContext(w.ctx)
}

// page gathers some keys of the expiry index and gives the key to go on from, nil at the end.
func (w *sweep) page(from, to []byte) (due [][]byte, next []byte, err error) {
	err = w.s.db.Walk(from, to, func(key, _ []byte) bool {
		due = append(due, bytes.Clone(key))
		if len(due) == page {
			next = append(bytes.Clone(key), 0)
		}
		return len(due) < page
	})
	if err != nil {
		return nil, nil, class(err, store.ErrUnavailable)
	}
	return due, next, nil
}

const (
	guardEntry  = 1 + 8 + len(store.Tag{})
	recordEntry = guardEntry + len(store.ID{})
)

// visit looks at what one expiry entry stands for.
func (w *sweep) visit(key []byte) error {
	part := key[len(w.s.root):]
	if len(part) != guardEntry && len(part) != recordEntry {
		return nil // not ours, whatever it does there
	}
	slot := int64(binary.BigEndian.Uint64(part[1:]))
	var k store.Key
	copy(k.Tag[:], part[1+8:])
	copy(k.ID[:], part[guardEntry:])
	c, err := w.s.lock(w.ctx, &k.Tag)
	if err != nil {
		return err
	}
	defer c.unlock()
	if len(part) == guardEntry {
		return w.guard(c, key, &k.Tag, slot)
	}
	return w.record(c, key, &k, slot)
}

func (w *sweep) record(c *change, key []byte, k *store.Key, slot int64) error {
	var e entry
	found, err := w.s.find(k, &e)
	switch {
	case err != nil && !errors.Is(err, store.ErrCorrupt):
		return err
	case err != nil:
		// Its life cannot be read. It does no harm, and somebody may want to look at it.
		w.bad = err
		c.del(key)
		c.set(w.s.expiryKey(c.now+day, k), nil)
		return w.commit(c, 0)
	}
	if !found || e.slot != slot {
		c.del(key)
	}
	switch {
	case !found || e.slot != slot && e.slot > c.now: // it is gone, or has an entry elsewhere
	case e.live(c.now):
		c.unfile(&e)
		c.file(&e)
		c.header(&e)
	default:
		c.remove(&e)
		return w.commit(c, 1)
	}
	return w.commit(c, 0)
}

// guard forgets a revocation that no sign-in can be older than.
func (w *sweep) guard(c *change, key []byte, tag *store.Tag, slot int64) error {
	at := w.s.key(kindGuard, tag[:])
	b, found, err := w.s.db.Get(at)
	if err != nil {
		return class(err, store.ErrUnavailable)
	}
	if t, ok := decodeInstant(at[len(w.s.root):], b); found && (!ok || t+guardFor <= slot) {
		c.del(at)
	}
	c.del(key)
	return w.commit(c, 0)
}

func (w *sweep) commit(c *change, records int) error {
	if records > 0 && !w.loose {
		w.loose = true
		w.s.loose.Add(1) // before anybody can find it gone
	}
	if err := c.commit(false); err != nil {
		return err
	}
	w.n += records
	return nil
}

// sync makes the deletions durable, and keeps the clock of a store that is not written to.
func (w *sweep) sync() error {
	if !w.loose && w.s.now()-w.s.kept.Load() < minute {
		return nil
	}
	c, err := w.s.lock(w.ctx, &store.Tag{})
	if err != nil {
		return err
	}
	defer c.unlock()
	if w.loose {
		return c.settle()
	}
	return c.commit(false)
}
