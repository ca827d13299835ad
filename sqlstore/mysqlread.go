package sqlstore

import (
	"context"
	"database/sql"
	"sync"

	"github.com/sojourn-go/sojourn/store"
)

// lookup reads one live row, and the server's clock with its data.
func (m *mysql) lookup(ctx context.Context, q *query, key store.Key, data bool) (r row, now int64, err error) {
	st, err := q.on(ctx)
	if err != nil {
		return r, 0, m.asked(err)
	}
	found := false
	err = eachOf(ctx, st, func(rows *sql.Rows) (err error) {
		found = true
		r, now, err = mysqlRead(rows, &key, data)
		return err
	}, key.Tag[:], key.ID[:])
	switch {
	case err != nil:
		return r, 0, m.asked(err)
	case !found:
		return r, 0, store.ErrNotFound
	case r.damaged:
		return r, 0, r.corrupt()
	}
	return r, now, nil
}

func (m *mysql) user(ctx context.Context, user string) ([]row, error) {
	tag := store.TagOf(user)
	return m.list(ctx, &m.q.user, tag[:], []byte(user))
}

func (m *mysql) list(ctx context.Context, q *query, args ...any) (all []row, err error) {
	st, err := q.on(ctx)
	if err != nil {
		return nil, m.asked(err)
	}
	err = eachOf(ctx, st, func(rows *sql.Rows) error {
		r, _, err := mysqlRead(rows, nil, false)
		all = append(all, r)
		return err
	}, args...)
	return all, m.asked(err)
}

func (m *mysql) page(ctx context.Context, after *store.Key) (rows []row, next *store.Key, err error) {
	q, args := &m.q.first, []any{int64(pageSize)}
	if after != nil {
		q, args = &m.q.page, []any{after.Tag[:], after.ID[:], after.Tag[:], int64(pageSize)}
	}
	if rows, err = m.list(ctx, q, args...); err == nil && len(rows) == pageSize {
		next = &rows[pageSize-1].key
	}
	return rows, next, err
}

// mysqlScan is where columns are scanned to, without a copy.
type mysqlScan struct {
	bytes [8]sql.RawBytes // tag, id, usr, handle, writer, meta, data, data aside
	ints  [7]any          // ver, created, seen, idle, life, aside, now; an int64 is scanned to an any without reflection
	dest  [15]any
}

var mysqlScans = sync.Pool{New: func() any {
	s := new(mysqlScan)
	b, n := &s.bytes, &s.ints
	s.dest = [...]any{&b[0], &b[1], &b[2], &b[3], &n[0], &b[4], &n[1], &n[2], &n[3], &n[4], &b[5], &b[6], &b[7], &n[5], &n[6]}
	return s
}}

// mysqlRead scans a row, with its key if none is given, and with its data and the server's clock if data says so.
func mysqlRead(rows *sql.Rows, key *store.Key, data bool) (r row, now int64, err error) {
	s := mysqlScans.Get().(*mysqlScan)
	defer mysqlScans.Put(s)
	from, to, ints := 0, 11, s.ints[:5]
	if key != nil {
		from, r.key = 2, *key
	}
	if data {
		to, ints = 15, s.ints[:]
	}
	if err := rows.Scan(s.dest[from:to]...); err != nil {
		return r, 0, err
	}
	b := &s.bytes
	if key == nil && !(copy(r.key.Tag[:], b[0]) == len(r.key.Tag) && copy(r.key.ID[:], b[1]) == len(r.key.ID)) ||
		copy(r.handle[:], b[3]) != len(r.handle) || copy(r.writer[:], b[4]) != len(r.writer) || len(b[2]) > store.MaxUser {
		r.damaged = true
		return r, 0, nil
	}
	r.user = string(b[2])
	var n [len(s.ints)]int64
	for i := range ints {
		v, ok := ints[i].(int64)
		if !ok {
			r.damaged = true
			return r, 0, nil
		}
		n[i] = v
	}
	r.ver, r.created, r.seen, r.idle, r.life = uint64(n[0]), n[1], n[2], n[3], n[4]
	if !data {
		r.meta = append([]byte(nil), b[5]...)
		return r, 0, nil
	}
	body := b[6]
	if n[5] == 1 {
		body = b[7]
		r.damaged = body == nil
	}
	// One allocation for both; neither can grow into the other.
	all := append(append(make([]byte, 0, len(b[5])+len(body)), b[5]...), body...)
	r.meta, r.data = all[:len(b[5]):len(b[5])], all[len(b[5]):]
	return r, n[6], nil
}
