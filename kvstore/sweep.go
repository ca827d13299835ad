package kvstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

const minute = int64(60e9)

// Sweep is part of [embedded.Driver]. It looks at what is due in the expiry index only, holds one
// lock at a time, and syncs once, at the end. A damaged record goes in its time: when the end has
// come that it was filed with. Errors: after all else, [store.ErrCorrupt] where it met damaged
// records, and [driver.ErrVersion].
func (e *engine) Sweep(ctx context.Context, limit int) (int, error) {
	s := sweep{engine: e, ctx: ctx, limit: limit}
	err := s.run()
	if err == nil {
		err = s.sync()
	}
	return s.n, cmp.Or(err, s.bad)
}

// sweep is a Sweep under way.
type sweep struct {
	*engine
	ctx   context.Context
	limit int
	n     int   // records deleted
	began bool  // whether anything was deleted
	bad   error // the last record that could not be read
}

func (s *sweep) run() error {
	now := s.now()
	// Deleted entries burden an LSM tree for a while, so it does not begin in front of those of the
	// last sweep. Nothing is filed before its own present, but for a write that takes a minute.
	from := s.key(kindExpiry, slotBytes(s.swept.Load()))
	to := s.key(kindExpiry, slotBytes(now+1))
	for from != nil {
		due, next, err := s.page(from, to)
		if err != nil {
			return err
		}
		for _, key := range due {
			if s.n == s.limit {
				return nil
			}
			if err := s.visit(key); err != nil {
				return err
			}
		}
		from = next
	}
	s.swept.Store(max(0, now-minute))
	return nil
}

// page gathers some keys of the expiry index and returns the key to go on from, nil at the end.
func (s *sweep) page(from, to []byte) (due [][]byte, next []byte, err error) {
	err = s.walk(from, to, func(key, _ []byte) bool {
		due = append(due, bytes.Clone(key))
		if len(due) == page {
			next = append(bytes.Clone(key), 0)
		}
		return len(due) < page
	})
	return due, next, err
}

const (
	guardEntry  = 1 + 8 + len(store.Tag{})
	recordEntry = guardEntry + len(store.ID{})
)

// visit looks at what one expiry entry stands for.
func (s *sweep) visit(key []byte) error {
	part := key[len(s.root):]
	if len(part) != guardEntry && len(part) != recordEntry {
		return nil // not ours, whatever it does there
	}
	slot := int64(binary.BigEndian.Uint64(part[1:]))
	var k store.Key
	copy(k.Tag[:], part[1+8:])
	copy(k.ID[:], part[guardEntry:])
	w, err := s.lock(s.ctx, &k.Tag)
	if err != nil {
		return err
	}
	defer w.unlock()
	if len(part) == guardEntry {
		return s.forget(w, key, slot)
	}
	return s.record(w, key, &k, slot)
}

func (s *sweep) record(w *write, key []byte, k *store.Key, slot int64) error {
	e, err := s.read(k)
	switch {
	case errors.Is(err, driver.ErrVersion):
		s.bad = err // its own version sweeps it
		return nil
	case errors.Is(err, store.ErrCorrupt):
		s.bad = err
		w.del(key)
		w.del(s.dataKey(k))
		w.del(s.recordKey(k))
		return s.commit(w, 1)
	case err != nil:
		return err
	}
	if e == nil || e.slot != slot {
		w.del(key)
	}
	switch {
	case e == nil || e.slot > w.now: // it is gone, or has an entry elsewhere
	case e.Live(w.Now()):
		w.unfile(e)
		w.file(e)
		w.header(e)
	default:
		w.remove(e)
		return s.commit(w, 1)
	}
	return s.commit(w, 0)
}

// forget drops a revocation that no sign-in can be older than, or that cannot be read.
func (s *sweep) forget(w *write, key []byte, slot int64) error {
	at, _, err := s.guard(&w.tag)
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if at+guardKept <= slot { // at is 0 of one that cannot be read
		w.del(s.key(kindGuard, w.tag[:]))
	}
	w.del(key)
	return s.commit(w, 0)
}

func (s *sweep) commit(w *write, records int) error {
	if records > 0 {
		s.began = true
		s.loose.Add(1) // before anybody can find it gone
	}
	if err := w.commit(false); err != nil {
		return err
	}
	s.n += records
	return nil
}

// sync makes the deletions durable, and keeps the clock of a store that is not written to.
func (s *sweep) sync() error {
	if !s.began && s.now()-s.kept.Load() < minute {
		return nil
	}
	w, err := s.lock(s.ctx, &store.Tag{})
	if err != nil {
		return err
	}
	defer w.unlock()
	if s.began {
		return w.settle()
	}
	return w.commit(false)
}
