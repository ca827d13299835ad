package kvstore

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/sojourn-go/sojourn/store"
)

// User yields the live records of user as they were at one instant, without Data,
// with nothing held. Errors: store.ErrCorrupt for a damaged record under the user's tag, after
// all others; ErrUnavailable.
func (s *Store) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "user"
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, fail(op, err))
			return
		}
		if user == "" {
			return
		}
		w := walk{s: s, ctx: ctx, yield: yield}
		tag, id := store.TagOf(user), []byte(user)
		err := s.ofTag(&tag, func(e *entry, err error) {
			if err != nil {
				w.damaged(err)
			} else if bytes.Equal(e.user, id) {
				w.found = append(w.found, e.listed())
			}
		})
		if err == nil {
			err = w.flush()
		}
		w.end(op, err)
	}
}

// page is how many records All copies before it lets go of the engine's iterator, and
// how many expiry entries a sweep does.
const page = 256

// All walks over the live records as [store.Store] says, without Data, with nothing held while
// it yields. Errors: store.ErrCorrupt for a damaged record, after all others; ErrUnavailable.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		w := walk{s: s, ctx: ctx, yield: yield}
		from, to := s.span(kindRecord)
		for from != nil && !w.left {
			err := store.FromContext(ctx)
			var next []byte
			if err == nil {
				next, err = w.page(from, to)
			}
			if err == nil {
				err = w.flush()
			}
			if err != nil {
				w.end("all", err)
				return
			}
			from = next
		}
		w.end("all", nil)
	}
}

// walk is a User or All under way.
type walk struct {
	s     *Store
	ctx   context.Context
	yield func(store.Record, error) bool
	found []store.Record
	left  bool  // the caller wants no more
	bad   error // the first damaged record
}

func (w *walk) damaged(err error) {
	if w.bad == nil {
		w.bad = err
	}
}

// page gathers some records and gives the key to go on from, nil at the end.
func (w *walk) page(from, to []byte) (next []byte, err error) {
	n := 0
	err = w.s.db.Walk(from, to, func(key, value []byte) bool {
		var e entry
		if err := w.s.decodeAt(key, value, &e); err != nil {
			w.damaged(err)
		} else {
			w.found = append(w.found, e.listed())
		}
		if n++; n == page {
			next = append(bytes.Clone(key), 0)
		}
		return n < page
	})
	if err != nil {
		return nil, class(err, store.ErrUnavailable)
	}
	return next, nil
}

// flush yields what was gathered, unless it ended meanwhile.
func (w *walk) flush() error {
	for i := range w.found {
		if err := store.FromContext(w.ctx); err != nil {
			return err
		}
		if r := &w.found[i]; !r.Live(instantTime(w.s.now())) {
			continue
		} else if !w.yield(*r, nil) {
			w.left = true
			return nil
		}
	}
	w.found = w.found[:0]
	return nil
}

// end yields the walk's error, if there is one and the caller is still there.
func (w *walk) end(op string, err error) {
	if err == nil {
		err = w.bad
	}
	if err != nil && !w.left {
		w.yield(store.Record{}, fail(op, err))
	}
}

// Revoke ends records of user as [store.Store] says. Errors: store.ErrInvalid,
// ErrUnavailable, ErrIndeterminate.
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	const op = "revoke"
	if err := store.CheckSelection(sel); err != nil {
		return r, fail(op, err)
	}
	if err := store.CheckUser(user); err != nil {
		return r, fail(op, err)
	}
	tag := store.TagOf(user)
	c, err := s.lock(ctx, &tag)
	if err != nil {
		return r, fail(op, err)
	}
	defer c.unlock()
	if user == "" {
		return r, nil
	}
	n, err := c.revoke(&tag, []byte(user), sel)
	if err != nil {
		return r, fail(op, err)
	}
	if r.N = n; len(sel.Only) == 0 {
		r.At = instantTime(c.now)
	}
	return r, nil
}

// Traits says that nothing is special about the store.
func (s *Store) Traits() store.Traits { return store.Traits{Local: true} }

// Watch is not supported: nobody else writes to the database.
func (s *Store) Watch(context.Context, func(store.Ending)) error {
	return fail("watch", errors.ErrUnsupported)
}

func (c *change) revoke(tag *store.Tag, user []byte, sel store.Selection) (n int, err error) {
	if len(sel.Only) == 0 {
		if err := c.guard(tag); err != nil {
			return 0, err
		}
	}
	err = c.s.ofTag(tag, func(e *entry, err error) {
		switch {
		case err != nil:
			c.wipe(&e.key)
		case bytes.Equal(e.user, user) && e.live(c.now) && sel.Picks(e.handle):
			c.remove(e)
			n++
		}
	})
	if err != nil {
		return 0, err
	}
	if len(c.ops) == 0 {
		return 0, c.settle()
	}
	return n, c.commit(true)
}

// guardFor is how long a guard is kept: a sign-in of exactly GuardFor must still meet it.
const guardFor = int64(store.GuardFor) + 60e9

// revoked tells when the tag's user was last revoked. A damaged guard counts as now: it
// refuses too much, and never too little, until Sweep removes it.
func (c *change) revoked(tag *store.Tag) (int64, error) {
	key := c.s.key(kindGuard, tag[:])
	b, found, err := c.s.db.Get(key)
	if err != nil {
		return 0, class(err, store.ErrUnavailable)
	}
	if !found {
		return -never, nil
	}
	if t, ok := decodeInstant(key[len(c.s.root):], b); ok {
		return t, nil
	}
	return c.now, nil
}

// guard remembers that the tag's user is revoked now.
func (c *change) guard(tag *store.Tag) error {
	old, err := c.revoked(tag)
	if err != nil {
		return err
	}
	if old != -never {
		c.del(c.s.key(kindExpiry, slotBytes(old+guardFor), tag[:]))
	}
	key := c.s.key(kindGuard, tag[:])
	c.set(key, encodeInstant(key[len(c.s.root):], c.now))
	c.set(c.s.key(kindExpiry, slotBytes(c.now+guardFor), tag[:]), nil)
	return nil
}
