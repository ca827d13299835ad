package postgresstore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// row is where a row's columns are scanned to.
type row struct {
	tag, id, user, handle, writer, meta, data []byte
	ver, created, seen, idle, life            int64
}

// columns are the destinations that all reads have.
func (r *row) columns() []any {
	return []any{&r.user, &r.handle, &r.ver, &r.writer, &r.created, &r.seen, &r.idle, &r.life, &r.meta}
}

// record returns the record at a key. Its error is [store.ErrCorrupt], for a row that another
// program wrote.
func (r *row) record(key store.Key) (store.Record, error) {
	rec := store.Record{Key: key}
	if len(r.handle) != len(rec.Handle) {
		return rec, driver.Corrupt(rec.Handle)
	}
	copy(rec.Handle[:], r.handle)
	if len(r.writer) != len(rec.Writer) || len(r.user) > store.MaxUser || r.ver < 1 {
		return rec, driver.Corrupt(rec.Handle)
	}
	copy(rec.Writer[:], r.writer)
	rec.User, rec.Version, rec.Meta, rec.Data = string(r.user), uint64(r.ver), r.meta, r.data
	rec.Created, rec.Seen = micro.Time(r.created), micro.Time(r.seen)
	rec.Idle, rec.Lifetime = micro.Duration(r.idle), micro.Duration(r.life)
	return rec, nil
}

// listed is a row of a list.
type listed struct {
	tag, id []byte
	rec     store.Record
	err     error // that it is damaged
}

func (e *engine) list(ctx context.Context, name string, args ...any) ([]listed, error) {
	return ask(ctx, e, name, args, func(rows Rows) (l listed, err error) {
		var r row
		if err := rows.Scan(append([]any{&r.tag, &r.id}, r.columns()...)...); err != nil {
			return l, err
		}
		l.tag, l.id = r.tag, r.id
		var key store.Key
		if len(r.tag) == len(key.Tag) && len(r.id) == len(key.ID) {
			copy(key.Tag[:], r.tag)
			copy(key.ID[:], r.id)
			l.rec, l.err = r.record(key)
		} else {
			l.err = fmt.Errorf("%w: the key of a row has the wrong length", store.ErrCorrupt)
		}
		return l, nil
	})
}

// User lists the records of user as they were at one instant.
func (e *engine) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		tag := store.TagOf(user)
		rows, err := e.list(ctx, "user", tag[:], []byte(user))
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		for i := range rows {
			if !yield(rows[i].rec, rows[i].err) {
				return
			}
		}
	}
}

// pageSize is how many rows a page of a walk has: half a megabyte at most.
const pageSize = 256

// All walks page by page in the order of keys, and holds neither lock nor transaction while it
// yields.
func (e *engine) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		last := listed{tag: []byte{}, id: []byte{}}
		for {
			rows, err := e.list(ctx, "page", last.tag, last.id, int64(pageSize))
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for i := range rows {
				if !yield(rows[i].rec, rows[i].err) {
					return
				}
			}
			if len(rows) < pageSize {
				return
			}
			last = rows[len(rows)-1]
		}
	}
}

// Get reads a record, in a statement with others.
func (e *engine) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	g, err := e.gets.Do(ctx, key)
	return g.rec, g.now, err
}
