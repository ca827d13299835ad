package cql

import (
	"context"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// nobody is a writer that no record has, for a condition that always holds and has the engine name
// the writer when it refuses.
var nobody = make([]byte, len(store.Writer{}))

// version returns a version that the engine can hold; those beyond are nobody's.
func version(v uint64) int64 { return int64(min(v, 1<<62)) }

// Update replaces a record. It writes every cell, those that do not change too, so that all share
// one time to live. It takes their values from rec, which the caller has from Get, and the
// condition verifies them: one round trip, or two where the guess was wrong.
func (e *engine) Update(ctx context.Context, rec *store.Record, v uint64) error {
	ifVersion := version(v)
	a, err := e.begin(ctx, rec.Key.Tag)
	if err != nil {
		return err
	}
	defer a.free()
	r := newRow(rec, ifVersion+1)
	r.settle(e.clock.now())
	old := *r // the guess
	blind := r.created == ticks.Never
	for {
		var c cells
		if blind {
			if c, err = a.again(r.key, false); err != nil {
				return err
			}
		} else {
			applied := false
			applied, c, err = a.one(func(now int64) Statement { return e.replace(r, &old, ifVersion, now) })
			if err != nil || applied {
				return err
			}
		}
		cur, err := a.present(&c, r.key, r.ver, r.writer)
		if err != nil {
			return a.unless(err) // it may have been applied, and ended since
		}
		if cur == nil {
			return nil
		}
		if cur.ver != ifVersion {
			return a.conflict(cur, ifVersion)
		}
		// If nothing was guessed wrong, it is about time: the record has ended, or a clock is
		// behind its Seen.
		late := r.seen != ticks.Never && cur.seen > r.seen
		blind = !blind && !late && cur.created == old.created && cur.life == old.life && cur.idle == old.idle && cur.handle == old.handle && cur.user == old.user
		if late || c.now != 0 && cur.seen > c.now {
			r.seen = cur.seen
		}
		old = *cur
		if err := a.pause(); err != nil {
			return err
		}
	}
}

// replace is the statement of an update. Where that leaves no life it is a deletion.
func (e *engine) replace(r, old *row, ifVersion, now int64) Statement {
	w := *r
	w.created, w.user, w.handle = old.created, old.user, old.handle
	b := e.build(now)
	if l := w.lives.at(now); l.live(now + 2) { // what would end at once does not wait for it
		b.put(&w)
	} else {
		b.add("DELETE FROM @").where(r.key)
	}
	b.add(" IF ver=? AND writer!=? AND uid=? AND handle=? AND created=?", ifVersion, nobody, bytes(old.user), old.handle[:], old.created)
	return b.alive(old.lives).atMost(r.seen).done()
}

// atMost appends the condition that the stored Seen does not go back.
func (b *build) atMost(seen int64) *build {
	if seen == ticks.Never {
		return b.ago(" AND seen<=", 0)
	}
	return b.add(" AND seen<=?", seen)
}

// present reads what stood in a write's way: nil and no error if it was the write's own writer,
// which was here before. Whether the record lives is judged by the engine's clock; where the cells
// came without it, and the end is near, they are read again.
func (a *attempt) present(c *cells, key store.Key, version int64, w store.Writer) (*row, error) {
	for {
		if c.absent() {
			return nil, store.ErrNotFound
		}
		if c.wrote(w, version) {
			return nil, nil
		}
		r, err := c.row(key)
		switch {
		case err != nil:
			return nil, err
		case c.now != 0 && !r.live(c.now):
			return nil, store.ErrNotFound
		case c.now != 0 || r.live(a.e.clock.now()+nearEnd):
			return r, nil
		}
		if *c, err = a.again(key, false); err != nil {
			return nil, err
		}
	}
}

// nearEnd is the time in ms by which the estimate of the engine's clock may surely be wrong.
const nearEnd = 10_000

// conflict is the outcome of a write that found another version.
func (a *attempt) conflict(cur *row, ifVersion int64) error {
	if cur.ver == ifVersion+1 {
		return store.ErrConflict // surely not by this write, or it had been recognised
	}
	return a.unless(store.ErrConflict)
}

// Touch moves Seen.
func (e *engine) Touch(ctx context.Context, hint *store.Record, interval time.Duration) error {
	every := milli.Span(interval)
	a, err := e.begin(ctx, hint.Key.Tag)
	if err != nil {
		return err
	}
	defer a.free()
	r := newRow(hint, 0)
	now := e.clock.now()
	// A hint that does not come from Get, or says that the touch is not due, is not worth a
	// conditional write.
	known := r.created <= now && now-r.seen >= every && r.live(now)
	level := e.opts.Consistency
	for {
		if !known {
			c, err := a.look(r.key, level)
			if err != nil {
				return err
			}
			if r, err = a.present(&c, r.key, 0, store.Writer{}); err != nil {
				return err
			}
			if c.now-r.seen < every {
				return nil
			}
		}
		var done bool
		if !known && r.hor < e.clock.now()+r.idle+e.spare/8 {
			done, err = a.renew(r.key, every)
		} else {
			done, _, err = a.one(func(now int64) Statement { return e.light(r, every, now) })
		}
		if done || err != nil {
			return err
		}
		known, level = false, e.opts.SerialConsistency
		if err := a.pause(); err != nil {
			return err
		}
	}
}

// light is the statement of a touch: one cell, which lives as long as the touch makes the record
// live, and not longer than the others.
func (e *engine) light(r *row, every, now int64) Statement {
	l := r.lives
	l.seen = now
	ttl := e.seconds(l.left(now), e.spare/12, now)
	b := e.build(now).add("UPDATE @ USING TTL ? SET ", int(ttl)).ago("seen=", 0).where(r.key)
	b.add(" IF created=?", r.created).alive(r.lives).ago(" AND seen<=", every)
	return b.ago(" AND hor>=", -r.idle).done()
}

// renew is a touch past the horizon: it writes the whole record again, as it is. It is not done if
// the record was changed meanwhile, which has moved the horizon.
func (a *attempt) renew(key store.Key, every int64) (done bool, err error) {
	c, err := a.again(key, true)
	if err != nil {
		return false, err
	}
	r, err := a.present(&c, key, 0, store.Writer{})
	if err != nil {
		return false, err
	}
	old := r.lives
	r.seen = ticks.Never
	done, _, err = a.one(func(now int64) Statement {
		b := a.e.build(now).put(r).add(" IF ver=? AND writer=?", r.ver, r.writer[:])
		return b.alive(old).ago(" AND seen<=", every).done()
	})
	return done, err
}

// Delete ends whatever is at the key.
func (e *engine) Delete(ctx context.Context, key store.Key) error {
	a, err := e.begin(ctx, key.Tag)
	if err != nil {
		return err
	}
	defer a.free()
	_, _, err = a.one(func(int64) Statement {
		st := e.remove(key)
		st.Text += " IF EXISTS"
		return st
	})
	return err
}

// Rotate moves a record, or leaves it where it is: both in one batch. It writes a new guard without
// comparing the old one, for its own truth is the record's version; whoever compares the guard sees
// that something moved.
func (e *engine) Rotate(ctx context.Context, old store.Key, v uint64, rec, tail *store.Record) error {
	ifVersion := version(v)
	a, err := e.begin(ctx, old.Tag)
	if err != nil {
		return err
	}
	defer a.free()
	now := e.clock.now()
	r, guard := newRow(rec, ifVersion+1), newGuard()
	r.settle(now)
	var end *row
	if tail != nil {
		end = newRow(tail, ifVersion+1)
		end.settle(now)
	}
	guess := r.lives // likely those of the record at old
	var have expect
	for {
		applied, rows, err := a.cas(func(now int64) []Statement {
			sts := make([]Statement, 0, 3)
			if r.user != "" {
				sts = append(sts, e.build(now).guard(old.Tag, guard).done())
			}
			sts = append(sts, e.build(now).insert(r, have))
			b := e.build(now)
			if end != nil {
				b.put(end)
			} else {
				b.add("DELETE FROM @").where(old)
			}
			b.add(" IF ver=? AND writer!=? AND uid=?", ifVersion, nobody, bytes(r.user)).alive(guess)
			return append(sts, b.done())
		})
		if err != nil || applied {
			return err
		}
		stands := rowAt(rows, rec.Key.ID)
		if stands != nil && stands.wrote(r.writer, r.ver) {
			return nil
		}
		// Refusals are rare, and there is an order among them: read rather than guess.
		c, err := a.again(old, false)
		if err != nil {
			return err
		}
		cur, err := a.present(&c, old, 0, store.Writer{})
		switch {
		case err != nil: // perhaps after this rotation
			return a.unless(err)
		case cur.ver != ifVersion:
			return a.unless(store.ErrConflict)
		case cur.user != r.user:
			return errUser
		}
		guess = cur.lives
		if have, err = a.vacant(rec.Key); err != nil {
			return err
		}
		if err := a.pause(); err != nil {
			return err
		}
	}
}

// errUser is a rotation to another user than the old record's.
var errUser = fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid)
