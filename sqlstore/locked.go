package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
)

// locked is the engine that needs nothing but a transaction with a lock: it takes the lock, reads the
// clock, looks, decides and writes. That is exact on any engine, and the cheapest
// way where the engine is in the process.
type locked struct {
	*shared
	cols   columns
	q      queries
	writes []*query // those of q that the writers' connections run
	queue  queue
	// room makes room for a write that only ends records; it may be nil.
	room  func(context.Context) error
	ready atomic.Bool // the clock was shown the stored instant
}

// queries are texts to be prepared: on the writers' connections, and on the readers'.
type queries struct {
	lock, tick, head, byTag, due           query
	put, change, touch, refile, drop       query
	guard, setGuard, dropGuards            query
	readMark, readGet, readHead, readByTag query
	readFirst, readPage                    query
}

func newLocked(s *shared, x texts, c columns) *locked {
	l := &locked{shared: s, cols: c}
	l.queue.wait, l.queue.transact = s.opts.Wait, l.transact
	q := &l.q
	q.lock.text, q.tick.text, q.head.text, q.byTag.text, q.due.text = x.lock, x.tick, x.head, x.byTag, x.due
	q.put.text, q.change.text, q.touch.text, q.refile.text, q.drop.text = x.put, x.change, x.touch, x.refile, x.drop
	q.guard.text, q.setGuard.text, q.dropGuards.text = x.guard, x.setGuard, x.dropGuards
	l.writes = []*query{&q.lock, &q.tick, &q.head, &q.byTag, &q.due, &q.put, &q.change, &q.touch, &q.refile,
		&q.drop, &q.guard, &q.setGuard, &q.dropGuards}
	for _, w := range l.writes {
		w.db = s.db
	}
	q.readMark.text, q.readGet.text, q.readHead.text, q.readByTag.text = x.mark, x.get, x.head, x.byTag
	q.readFirst.text, q.readPage.text = x.first, x.page
	for _, r := range []*query{&q.readMark, &q.readGet, &q.readHead, &q.readByTag, &q.readFirst, &q.readPage} {
		r.db = s.opts.Readers
	}
	return l
}

// find reads the row at a key without its data: nil if there is none.
func (t *tx) find(key store.Key) (found *row, err error) {
	err = t.each(&t.q.head, func(rows *sql.Rows) error {
		r, err := t.cols.read(rows, &key, false)
		found = &r
		return err
	}, key.Tag[:], key.ID[:])
	return found, err
}

// ofUser reads the rows of a user. A tag holds other rows too: tails, which are nobody's. Those that are
// damaged, of whomever, come last.
func ofUser(l *locked, each func(func(*sql.Rows) error) error, user string) (mine, damaged []row, err error) {
	err = each(func(rows *sql.Rows) error {
		r, err := l.cols.read(rows, nil, false)
		switch {
		case err != nil:
			return err
		case r.damaged:
			damaged = append(damaged, r)
		case r.user == user:
			mine = append(mine, r)
		}
		return nil
	})
	return mine, damaged, err
}

func (t *tx) ofUser(user string) (mine, damaged []row, err error) {
	tag := store.TagOf(user)
	return ofUser(t.locked, func(f func(*sql.Rows) error) error { return t.each(&t.q.byTag, f, tag[:]) }, user)
}

func (l *locked) create(ctx context.Context, r *row, adm store.Admission) (a admitted, err error) {
	err = l.queue.run(ctx, func(t *tx) error {
		a, err = t.create(*r, adm, span(adm.Age()))
		return err
	})
	return a, err
}

func (t *tx) create(r row, adm store.Admission, age int64) (a admitted, err error) {
	now := t.now()
	a.now, a.revoked = now, unset
	r.settle(now)
	old, err := t.find(r.key)
	if err != nil {
		return a, err
	}
	if old != nil && old.damaged {
		return a, old.corrupt()
	}
	if r.user != "" {
		a.revoked, err = t.revokedAt(r.key.Tag)
		if errors.Is(err, store.ErrCorrupt) && age == 0 {
			a.revoked, err = now, nil // nobody can tell when, so now
		}
		if err != nil {
			return a, err
		}
	}
	if old != nil && old.live(now) {
		if old.wrote(r.writer, 1) {
			return a, nil
		}
		return a, store.ErrExists
	}
	if age > 0 && a.revoked >= now-age && a.revoked > instant(adm.Known) {
		return a, store.ErrRevoked
	}
	var victims []row
	if adm.Max > 0 {
		if victims, err = t.admit(r.user, adm, now); err != nil {
			return a, err
		}
	}
	if !r.live(now) {
		return a, nil // it never lives, so nobody has to go
	}
	for i := range victims {
		if err := t.drop(victims[i].key); err != nil {
			return a, err
		}
		a.evicted = append(a.evicted, victims[i].handle)
	}
	_, err = t.exec(&t.q.put, t.cols.put(&r)...)
	return a, err
}

// admit picks the rows that must end to let one more in.
func (t *tx) admit(user string, adm store.Admission, now int64) ([]row, error) {
	mine, _, err := t.ofUser(user)
	if err != nil {
		return nil, err
	}
	mine = slices.DeleteFunc(mine, func(r row) bool { return !r.live(now) })
	over := len(mine) + 1 - adm.Max
	if over <= 0 {
		return nil, nil
	}
	if !adm.Evict {
		return nil, store.ErrLimit
	}
	slices.SortFunc(mine, func(a, b row) int {
		if a.created != b.created {
			if a.created < b.created {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.key.ID[:], b.key.ID[:])
	})
	return mine[:over], nil
}

func (t *tx) drop(key store.Key) error {
	_, err := t.exec(&t.q.drop, key.Tag[:], key.ID[:])
	return err
}

// must gives the live row of a version, or nil if the writer's write to that version was
// applied before.
func (t *tx) must(key store.Key, version uint64, w store.Writer, now int64) (*row, error) {
	old, err := t.find(key)
	switch {
	case err != nil:
		return nil, err
	case old == nil:
		return nil, store.ErrNotFound
	case old.damaged:
		return nil, old.corrupt()
	case !old.live(now):
		return nil, store.ErrNotFound
	case old.ver == version:
		return old, nil
	case old.wrote(w, version+1):
		return nil, nil
	}
	return nil, store.ErrConflict
}

func (l *locked) update(ctx context.Context, r *row, ifVersion uint64) error {
	ends := false
	write := func(t *tx) (err error) {
		ends, err = t.update(*r, ifVersion)
		return err
	}
	err := l.queue.run(ctx, write)
	if ends && errors.Is(err, store.ErrFull) {
		return l.end(ctx, write)
	}
	return err
}

func (t *tx) update(r row, ifVersion uint64) (ends bool, err error) {
	now := t.now()
	old, err := t.must(r.key, ifVersion, r.writer, now)
	if err != nil || old == nil {
		return false, err
	}
	r.handle, r.user, r.created = old.handle, old.user, old.created
	r.seen = max(old.seen, clamp(r.seen, now))
	if !r.live(now) {
		return true, t.drop(r.key)
	}
	_, err = t.exec(&t.q.change, t.cols.change(&r)...)
	return false, err
}

func (l *locked) touch(ctx context.Context, key store.Key, every int64) error {
	r, now, err := l.peek(key)
	if err != nil || now-r.seen < every {
		return err
	}
	return l.queue.run(ctx, func(t *tx) error { return t.touchRow(key, every) })
}

func (t *tx) touchRow(key store.Key, every int64) error {
	now := t.now()
	r, err := t.find(key)
	switch {
	case err != nil:
		return err
	case r == nil:
		return store.ErrNotFound
	case r.damaged:
		return r.corrupt()
	case !r.live(now):
		return store.ErrNotFound
	case now-r.seen < every || now <= r.seen:
		return nil
	}
	r.seen = now
	_, err = t.exec(&t.q.touch, t.cols.touch(r)...)
	return err
}

func (l *locked) rotate(ctx context.Context, old store.Key, ifVersion uint64, r, tail *row) error {
	return l.queue.run(ctx, func(t *tx) error {
		var end *row
		if tail != nil {
			end = new(row)
			*end = *tail
		}
		return t.rotate(old, ifVersion, *r, end)
	})
}

func (t *tx) rotate(key store.Key, ifVersion uint64, r row, tail *row) error {
	now := t.now()
	next, err := t.find(r.key)
	if err != nil {
		return err
	}
	taken := next != nil && !next.damaged && next.live(now)
	if taken && next.wrote(r.writer, ifVersion+1) {
		return nil
	}
	old, err := t.find(key)
	switch {
	case err != nil:
		return err
	case old == nil:
		return store.ErrNotFound
	case old.damaged:
		return old.corrupt()
	case !old.live(now):
		return store.ErrNotFound
	case old.ver != ifVersion: // first: a racer may find a tail here, of nobody
		return store.ErrConflict
	case old.user != r.user:
		return errUser
	case taken:
		return store.ErrExists
	case next != nil && next.damaged:
		return next.corrupt()
	}
	r.settle(now)
	if r.live(now) {
		if _, err := t.exec(&t.q.put, t.cols.put(&r)...); err != nil {
			return err
		}
	}
	if tail != nil {
		if tail.settle(now); tail.live(now) {
			_, err := t.exec(&t.q.put, t.cols.put(tail)...)
			return err
		}
	}
	return t.drop(key)
}

// end runs a write that only ends records. It must work where there is no room for anything else.
func (l *locked) end(ctx context.Context, do func(*tx) error) error {
	err := l.queue.run(ctx, do)
	if !errors.Is(err, store.ErrFull) || l.room == nil || l.room(ctx) != nil {
		return err
	}
	return l.queue.run(ctx, do)
}

func (l *locked) remove(ctx context.Context, key store.Key) error {
	return l.end(ctx, func(t *tx) error { return t.drop(key) })
}

func (l *locked) revoke(ctx context.Context, user string, sel store.Selection) (n int, at int64, err error) {
	err = l.end(ctx, func(t *tx) error {
		n, at, err = t.revoke(user, sel)
		return err
	})
	return n, at, err
}

func (t *tx) revoke(user string, sel store.Selection) (n int, now int64, err error) {
	now = t.now()
	if len(sel.Only) == 0 {
		if err := t.setRevoked(store.TagOf(user), now); err != nil {
			return 0, now, err
		}
	}
	mine, damaged, err := t.ofUser(user)
	if err != nil {
		return 0, now, err
	}
	for i := range mine {
		if r := &mine[i]; sel.Picks(r.handle) {
			if err := t.drop(r.key); err != nil {
				return n, now, err
			}
			if r.live(now) {
				n++
			}
		}
	}
	// Nobody can tell whose they were, and nobody can use them.
	for i := range damaged {
		if sel.Picks(damaged[i].handle) {
			if err := t.drop(damaged[i].key); err != nil {
				return n, now, err
			}
		}
	}
	return n, now, nil
}
