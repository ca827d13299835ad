package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/sojourn-go/sojourn/store"
)

// present gives the clock of the process, once it knows of the instants that were stored
// before it was born.
func (l *locked) present() (int64, error) {
	if !l.ready.Load() {
		st, err := l.q.readMark.prepared()
		if err != nil {
			return 0, err
		}
		found := false
		err = each(st, func(rows *sql.Rows) error {
			found = true
			mark, err := readMark(rows)
			l.clock.seen(mark)
			return err
		})
		if err != nil {
			return 0, err
		}
		if !found {
			return 0, errUnready
		}
		l.ready.Store(true)
	}
	return l.clock.now(), nil
}

// readMark reads the stored instant. A damaged one counts for nothing: it might be a century ahead.
func readMark(rows *sql.Rows) (at int64, err error) {
	var sum int64
	if err := rows.Scan(&at, &sum); err != nil || sum != instantSum(store.Tag{}, at) {
		return 0, err
	}
	return at, nil
}

// lookup reads one live row outside of any transaction, and the instant at which it was live.
func (l *locked) lookup(q *query, key store.Key, data bool) (r row, now int64, err error) {
	if _, err := l.present(); err != nil {
		return r, 0, err
	}
	st, err := q.prepared()
	if err != nil {
		return r, 0, err
	}
	rows, err := st.QueryContext(background, key.Tag[:], key.ID[:])
	if err != nil {
		return r, 0, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return r, 0, err
		}
		return r, 0, store.ErrNotFound
	}
	if r, err = l.cols.read(rows, &key, data); err != nil {
		return r, 0, err
	}
	if r.damaged {
		return r, 0, r.corrupt()
	}
	l.clock.seen(max(r.created, r.seen)) // another process of this machine may be a moment ahead
	if now = l.clock.now(); !r.live(now) {
		return r, 0, store.ErrNotFound
	}
	return r, now, nil
}

func (l *locked) get(_ context.Context, key store.Key) (row, int64, error) {
	return l.lookup(&l.q.readGet, key, true)
}

func (l *locked) peek(key store.Key) (row, int64, error) { return l.lookup(&l.q.readHead, key, false) }

func (l *locked) user(_ context.Context, user string) ([]row, error) {
	if _, err := l.present(); err != nil {
		return nil, err
	}
	st, err := l.q.readByTag.prepared()
	if err != nil {
		return nil, err
	}
	tag := store.TagOf(user)
	mine, damaged, err := ofUser(l, func(f func(*sql.Rows) error) error { return each(st, f, tag[:]) }, user)
	if err != nil {
		return nil, err
	}
	return append(l.living(mine), damaged...), nil
}

// living drops rows that have expired, but no damaged ones, of which that cannot be told.
func (l *locked) living(rows []row) []row {
	now := l.clock.now()
	return slices.DeleteFunc(rows, func(r row) bool { return !r.damaged && !r.live(now) })
}

func (l *locked) page(_ context.Context, after *store.Key) (rows []row, next *store.Key, err error) {
	if _, err := l.present(); err != nil {
		return nil, nil, err
	}
	q, args := &l.q.readFirst, []any{int64(pageSize)}
	if after != nil {
		q, args = &l.q.readPage, []any{after.Tag[:], after.ID[:], int64(pageSize)}
	}
	st, err := q.prepared()
	if err != nil {
		return nil, nil, err
	}
	rows = make([]row, 0, pageSize)
	// A damaged key may stand anywhere and lead anywhere: only sound ones lead on, and onwards only.
	last := after
	err = each(st, func(rs *sql.Rows) error {
		r, err := l.cols.read(rs, nil, false)
		rows = append(rows, r)
		if !r.damaged && (last == nil || keyLess(last, &r.key)) {
			last = &r.key
		}
		return err
	}, args...)
	if err != nil {
		return nil, nil, err
	}
	if len(rows) == pageSize {
		if last == after {
			return rows, nil, fmt.Errorf("%w: nothing sound to go on from", store.ErrCorrupt)
		}
		next = last
	}
	return l.living(rows), next, nil
}

func keyLess(a, b *store.Key) bool {
	if a.Tag != b.Tag {
		return bytes.Compare(a.Tag[:], b.Tag[:]) < 0
	}
	return bytes.Compare(a.ID[:], b.ID[:]) < 0
}

func (l *locked) sweep(ctx context.Context, limit int) (n int, more bool, err error) {
	err = l.end(ctx, func(t *tx) error {
		n, more, err = t.sweep(limit)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return n, more, nil
}

func (t *tx) sweep(limit int) (n int, more bool, err error) {
	now := t.now()
	if _, err := t.exec(&t.q.dropGuards, now-guardKept); err != nil {
		return 0, false, err
	}
	var rows []row
	err = t.each(&t.q.due, func(rs *sql.Rows) error {
		r, err := t.cols.read(rs, nil, false)
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
		case !r.damaged && r.live(now): // it was prolonged since it was filed
			moved++
			_, err = t.exec(&t.q.refile, r.exp(), slotOf(r.exp()), r.key.Tag[:], r.key.ID[:])
		case n == limit:
			return n, true, nil
		default: // a damaged key may lead to nothing; All tells of it
			var gone int64
			gone, err = t.exec(&t.q.drop, r.key.Tag[:], r.key.ID[:])
			n += int(gone)
		}
		if err != nil {
			return 0, false, err
		}
	}
	return n, len(rows) == pageSize && n+moved > 0, nil
}

// slotOf is the coarse instant under which rows are filed for the sweep: 67 s each. A touch leaves it
// alone, so that it costs no index, and the sweep files such a row anew when it comes by.
func slotOf(exp int64) int64 { return exp >> 26 }

// revokedAt gives the instant of the last revocation that is remembered.
func (t *tx) revokedAt(tag store.Tag) (at int64, err error) {
	at = unset
	err = t.each(&t.q.guard, func(rows *sql.Rows) error {
		var sum int64
		if err := rows.Scan(&at, &sum); err != nil {
			return store.ErrCorrupt
		}
		if sum != instantSum(tag, at) {
			return store.ErrCorrupt
		}
		return nil
	}, tag[:])
	return at, err
}

// setRevoked remembers a revocation. A later one, or one that cannot be read, stays no longer than
// it would have.
func (t *tx) setRevoked(tag store.Tag, now int64) error {
	_, err := t.exec(&t.q.setGuard, tag[:], now, instantSum(tag, now))
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// instantSum guards a single instant, that of a user's revocation or (no tag) of the clock, against damage.
func instantSum(tag store.Tag, at int64) int64 {
	var b [24]byte
	copy(b[:], tag[:])
	binary.BigEndian.PutUint64(b[16:], uint64(at))
	return int64(crc32.Checksum(b[:], castagnoli))
}
