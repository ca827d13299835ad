package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"hash/crc32"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// Write is part of [embedded.Driver]. A change that only ends records must work where there is no
// room for anything else.
func (e *engine) Write(ctx context.Context, tag store.Tag, decide func(embedded.View) (embedded.Change, error)) error {
	ends := false
	do := func(t *tx) error {
		return embedded.Apply(&view{tx: t, tag: tag, at: t.now(), ends: &ends}, decide)
	}
	err := e.queue.run(ctx, do)
	if ends && errors.Is(err, store.ErrFull) && e.makeRoom(ctx) == nil {
		err = e.queue.run(ctx, do)
	}
	return err
}

// makeRoom gives the log's room back to the disk, for the log is where a deletion is written first.
// Copying the log into the file may need room itself, which the caller's reserve has.
func (e *engine) makeRoom(ctx context.Context) error {
	if e.opts.MakeRoom != nil {
		e.opts.MakeRoom()
	}
	_, err := e.db.ExecContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// view is the records of a tag in a transaction.
type view struct {
	*tx
	tag   store.Tag
	at    int64
	found []row
	ends  *bool // is set where the change needs no room
}

// Now is part of [embedded.View].
func (v *view) Now() time.Time { return micro.Time(v.at) }

// Find is part of [embedded.View].
func (v *view) Find(id store.ID, rec *store.Record) (found bool, err error) {
	key := store.Key{Tag: v.tag, ID: id}
	err = v.each(&v.q.head, func(rows *sql.Rows) error {
		r, err := read(rows, &key, false)
		if err == nil {
			err = r.bad
		}
		v.found = append(v.found, r)
		*rec, found = r.Record, err == nil
		return err
	}, key.Tag[:], key.ID[:])
	return found, err
}

// Each is part of [embedded.View].
func (v *view) Each(_ string, f func(*store.Record, error)) error {
	return v.each(&v.q.byTag, func(rows *sql.Rows) error {
		r, err := read(rows, nil, false)
		switch {
		case err != nil:
			return err
		case errors.Is(r.bad, driver.ErrVersion):
			return r.bad
		default:
			f(&r.Record, r.bad)
		}
		return nil
	}, v.tag[:])
}

// Revoked is part of [embedded.View].
func (v *view) Revoked() (at time.Time, err error) {
	err = v.each(&v.q.guard, func(rows *sql.Rows) error {
		var n, sum int64
		if err := rows.Scan(&n, &sum); err != nil || sum != instantSum(v.tag, n) {
			return store.ErrCorrupt
		}
		at = micro.Time(n)
		return nil
	}, v.tag[:])
	return at, err
}

// Apply carries out a change within the transaction.
func (v *view) Apply(c *embedded.Change) (err error) {
	*v.ends = c.Ends()
	do := func(q *query, args ...any) {
		if err == nil {
			_, err = v.exec(q, args...)
		}
	}
	for i := range c.Drop {
		do(&v.q.drop, v.tag[:], c.Drop[i][:])
	}
	for _, p := range c.Put {
		r := row{Record: *p.Rec, dataSum: crc32.Checksum(p.Rec.Data, castagnoli)}
		exp := r.exp()
		args := []any{[]byte(r.User), exp, slotOf(exp), r.head(), r.Meta, r.Data, v.tag[:], r.Key.ID[:]}
		if p.Old != nil && p.Old.User == r.User {
			do(&v.q.change, args[1:]...) // which leaves the index alone, if it can
		} else {
			do(&v.q.put, args...)
		}
	}
	if c.Seen != nil {
		for _, r := range v.found {
			if r.Key.ID == c.Seen.Key.ID {
				r.Seen = c.Seen.Seen
				do(&v.q.touch, r.exp(), r.head(), v.tag[:], r.Key.ID[:])
			}
		}
	}
	if !c.Revoked.IsZero() {
		at := micro.Instant(c.Revoked)
		do(&v.q.setGuard, v.tag[:], at, instantSum(v.tag, at))
	}
	return err
}

// Sweep is part of [embedded.Driver]. It works in transactions of at most 256 rows. A record whose
// life was prolonged since it was filed costs a visit once in that life.
func (e *engine) Sweep(ctx context.Context, limit int) (sum int, err error) {
	for more := true; more && sum < limit; {
		if err := store.FromContext(ctx); err != nil {
			return sum, err
		}
		n := 0
		do := func(t *tx) (err error) {
			n, more, err = t.sweep(min(limit-sum, pageSize))
			return err
		}
		err := e.queue.run(ctx, do)
		if errors.Is(err, store.ErrFull) && e.makeRoom(ctx) == nil {
			err = e.queue.run(ctx, do)
		}
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

func (t *tx) sweep(limit int) (n int, more bool, err error) {
	now := t.now()
	if _, err := t.exec(&t.q.dropGuards, now-micro.Span(embedded.GuardKept)); err != nil {
		return 0, false, err
	}
	var rows []row
	err = t.each(&t.q.due, func(rs *sql.Rows) error {
		r, err := read(rs, nil, false)
		rows = append(rows, r)
		return err
	}, slotOf(now), slotOf(now), now, int64(pageSize))
	if err != nil {
		return 0, false, err
	}
	moved := 0
	for i := range rows {
		r := &rows[i]
		switch {
		case errors.Is(r.bad, driver.ErrVersion): // its own version sweeps it
		case r.bad == nil && r.exp() > now: // it was prolonged since it was filed
			moved++
			_, err = t.exec(&t.q.refile, r.exp(), slotOf(r.exp()), r.Key.Tag[:], r.Key.ID[:])
		case n == limit:
			return n, true, nil
		default: // a damaged key may lead to nothing; All tells of it
			var gone int64
			gone, err = t.exec(&t.q.drop, r.Key.Tag[:], r.Key.ID[:])
			n += int(gone)
		}
		if err != nil {
			return 0, false, err
		}
	}
	return n, len(rows) == pageSize && n+moved > 0, nil
}
