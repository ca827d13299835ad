package kvstore

import (
	"context"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

// Rotate moves a record to a new key as [store.Store] says. Errors: store.ErrConflict,
// ErrNotFound, ErrExists, ErrFull, ErrInvalid, ErrCorrupt, ErrUnavailable, ErrIndeterminate.
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	const op = "rotate"
	if err := store.CheckRotate(old, &rec, tail); err != nil {
		return fail(op, err)
	}
	c, err := s.lock(ctx, &rec.Key.Tag)
	if err != nil {
		return fail(op, err)
	}
	defer c.unlock()
	if err := c.rotate(&old, ifVersion, &rec, tail); err != nil {
		return fail(op, err)
	}
	return nil
}

func (c *change) rotate(from *store.Key, ifVersion uint64, rec, tail *store.Record) error {
	there, taken, err := c.at(&rec.Key)
	if err != nil {
		return err
	}
	if taken && there.version == ifVersion+1 && there.writer == rec.Writer {
		return c.settle()
	}
	old, live, err := c.at(from)
	switch {
	case err != nil:
		return err
	case !live:
		return store.ErrNotFound
	case old.version != ifVersion: // before the user: a racer may find a tail here, of nobody
		return store.ErrConflict
	case string(old.user) != rec.User:
		return fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid)
	case taken:
		return store.ErrExists
	}
	next := entryOf(rec, ifVersion+1, c.now)
	last := (*entry)(nil)
	if tail != nil {
		if last = entryOf(tail, ifVersion+1, c.now); !last.live(c.now) {
			last = nil
		}
	}
	if (next.live(c.now) || last != nil) && c.s.full() {
		return store.ErrFull
	}
	if last != nil {
		c.put(last, old)
	} else {
		c.remove(old)
	}
	if next.live(c.now) {
		c.put(next, there)
	}
	return c.commit(true)
}
