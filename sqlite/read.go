package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

// show shows the clock the instants that were stored before the process was born, once.
func (e *engine) show() error {
	if e.ready.Load() {
		return nil
	}
	found := false
	err := e.q.readMark.each(func(rows *sql.Rows) error {
		found = true
		mark, err := readMark(rows)
		e.seen(mark)
		return err
	})
	switch {
	case err != nil:
		return e.judge(err)
	case !found:
		return errUnready
	}
	e.ready.Store(true)
	return nil
}

// errUnready is for a file in which Migrate did not come to its end.
var errUnready = fmt.Errorf("%w: the store's tables are empty: call Migrate", store.ErrUnavailable)

// readMark reads the stored instant. A damaged one counts for nothing: it might be a century ahead.
func readMark(rows *sql.Rows) (at int64, err error) {
	var sum int64
	if err := rows.Scan(&at, &sum); err != nil || sum != instantSum(store.Tag{}, at) {
		return 0, err
	}
	return at, nil
}

// Read is part of [embedded.Driver].
func (e *engine) Read(_ context.Context, key store.Key, data bool) (store.Record, error) {
	if err := e.show(); err != nil {
		return store.Record{}, err
	}
	q := &e.q.readHead
	if data {
		q = &e.q.readGet
	}
	st, err := q.prepared()
	if err != nil {
		return store.Record{}, e.judge(err)
	}
	rows, err := st.QueryContext(background, key.Tag[:], key.ID[:])
	if err != nil {
		return store.Record{}, e.judge(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return store.Record{}, e.judge(err)
		}
		return store.Record{}, store.ErrNotFound
	}
	r, err := read(rows, &key, data)
	switch {
	case err != nil:
		return store.Record{}, e.judge(err)
	case r.bad != nil:
		return store.Record{}, r.bad
	}
	// Another process of this machine may be a moment ahead.
	e.seen(max(micro.Instant(r.Created), micro.Instant(r.Seen)))
	return r.Record, nil
}

// pageSize is how many rows a page of a list or a sweep has: under 1 ms of work, and half a
// megabyte at most.
const pageSize = 256

// List is part of [embedded.Driver]. It lists all page by page, in order of keys.
func (e *engine) List(_ context.Context, user string, f func(*store.Record, error) bool) error {
	if err := e.show(); err != nil {
		return err
	}
	if user != "" {
		tag := store.TagOf(user)
		rows, err := e.rows(&e.q.readByTag, tag[:])
		if err == nil {
			give(rows, f)
		}
		return err
	}
	var from *store.Key
	rows, err := e.rows(&e.q.readFirst, int64(pageSize))
	for err == nil && give(rows, f) && len(rows) == pageSize {
		before := from
		// A damaged key may stand anywhere and lead anywhere: only sound ones lead on, and onwards.
		for i := range rows {
			if r := &rows[i]; r.bad == nil && (from == nil || less(from, &r.Key)) {
				from = &r.Key
			}
		}
		if from == before {
			return fmt.Errorf("%w: all rows of a page are damaged, and the list cannot go on", store.ErrUnavailable)
		}
		rows, err = e.rows(&e.q.readPage, from.Tag[:], from.ID[:], int64(pageSize))
	}
	return err
}

// less reports whether a comes before b in the order of rows.
func less(a, b *store.Key) bool {
	return cmp.Or(bytes.Compare(a.Tag[:], b.Tag[:]), bytes.Compare(a.ID[:], b.ID[:])) < 0
}

// rows reads rows without data.
func (e *engine) rows(q *query, args ...any) (all []row, err error) {
	err = q.each(func(rs *sql.Rows) error {
		r, err := read(rs, nil, false)
		all = append(all, r)
		return err
	}, args...)
	return all, e.judge(err)
}

func give(rows []row, f func(*store.Record, error) bool) bool {
	for i := range rows {
		r, err := &rows[i].Record, error(nil)
		if rows[i].bad != nil {
			r, err = nil, rows[i].bad
		}
		if !f(r, err) {
			return false
		}
	}
	return true
}
