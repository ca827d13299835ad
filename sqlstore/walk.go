package sqlstore

import (
	"context"
	"iter"

	"github.com/sojourn-go/sojourn/store"
)

// pageSize is how many rows a page of a walk or a sweep has: under 1 ms of work, and half a
// megabyte at most.
const pageSize = 256

// User yields the live records of user as they were at one instant, without Data. All are
// read before the first is yielded. Errors: store.ErrUnavailable, ErrCorrupt.
func (s *Store) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "user"
		var rows []row
		err := store.FromContext(ctx)
		if err == nil && user != "" && len(user) <= store.MaxUser {
			rows, err = s.engine.user(ctx, user)
		}
		damaged, ok := s.give(ctx, op, rows, yield)
		if err == nil {
			err = damaged
		}
		if ok && err != nil {
			yield(store.Record{}, s.done(op, err))
		}
	}
}

// All walks over the live records as [store.Store] says, without Data. It reads page by page, in order
// of keys, and holds neither lock nor transaction while it yields. If records are damaged, it
// ends with store.ErrCorrupt for one of them, after all others. Errors: store.ErrUnavailable, ErrCorrupt.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "all"
		var at *store.Key
		var damaged error
		for {
			err := store.FromContext(ctx)
			if err != nil {
				yield(store.Record{}, s.fail(op, err))
				return
			}
			var rows []row
			rows, at, err = s.engine.page(ctx, at)
			bad, ok := s.give(ctx, op, rows, yield)
			if !ok {
				return
			}
			if damaged == nil {
				damaged = bad
			}
			if err == nil && at != nil {
				continue
			}
			if err == nil {
				err = damaged
			}
			if err != nil {
				yield(store.Record{}, s.done(op, err))
			}
			return
		}
	}
}

// give yields rows, but for damaged ones, of which it gives the first one's error. It also tells whether
// to go on.
func (s *Store) give(ctx context.Context, op string, rows []row, yield func(store.Record, error) bool) (damaged error, ok bool) {
	for i := range rows {
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, s.fail(op, err))
			return nil, false
		}
		if rows[i].damaged {
			if damaged == nil {
				damaged = rows[i].corrupt()
			}
		} else if !yield(rows[i].record(), nil) {
			return nil, false
		}
	}
	return damaged, true
}

// Sweep deletes at most limit expired records and tells how many, in transactions of at most 256.
// A record whose life was prolonged since it was filed costs a visit once in that life.
// Errors: store.ErrUnavailable, ErrIndeterminate, ErrFull, together with the number deleted before.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	const op = "sweep"
	sum := 0
	for sum < limit {
		if err := store.FromContext(ctx); err != nil {
			return sum, s.fail(op, err)
		}
		n, more, err := s.engine.sweep(ctx, min(limit-sum, pageSize))
		sum += n
		if err != nil {
			return sum, s.done(op, err)
		}
		if !more {
			break
		}
	}
	return sum, nil
}
