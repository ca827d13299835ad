package cql

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/sojourn-go/sojourn/store"
)

// User yields the live records of user, without Data; up to 2000 of them as they were at one instant. All are
// read before the first is yielded. If records are damaged, it ends with store.ErrCorrupt for one of
// them, after all others. Errors: store.ErrUnavailable, ErrCorrupt.
func (s *Store) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "user"
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, fail(op, err))
			return
		}
		if user == "" || len(user) > store.MaxUser {
			return
		}
		p, err := s.partition(ctx, store.TagOf(user), s.opts.Consistency)
		if err != nil {
			yield(store.Record{}, fail(op, err))
			return
		}
		live, damaged := p.live(user)
		for _, r := range live {
			if err := store.FromContext(ctx); err != nil {
				yield(store.Record{}, fail(op, err))
				return
			}
			if !yield(r.record(), nil) {
				return
			}
		}
		if len(damaged) > 0 {
			yield(store.Record{}, fail(op, fmt.Errorf("%w: session %v", store.ErrCorrupt, damaged[0].handle)))
		}
	}
}

// ranges is the number of parts of the token ring that a walk reads one after the other.
const ranges = 16

// All walks over the live records as [store.Store] says, without Data: along the ring of tokens,
// page by page. If records are damaged, it ends with store.ErrCorrupt for one of them, after all
// others. Errors: store.ErrUnavailable, ErrCorrupt.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "all"
		ctx, cancel := context.WithCancel(ctx) // a page that is fetched ahead ends with the walk
		defer cancel()
		var damaged error
		for i := range ranges {
			bad, err, ok := s.span(ctx, i, yield)
			if !ok {
				return
			}
			if err != nil {
				yield(store.Record{}, fail(op, err))
				return
			}
			if damaged == nil {
				damaged = bad
			}
		}
		if damaged != nil {
			yield(store.Record{}, fail(op, damaged))
		}
	}
}

// span walks over one part of the ring. It also tells whether to go on.
func (s *Store) span(ctx context.Context, part int, yield func(store.Record, error) bool) (damaged, err error, ok bool) {
	if err := store.FromContext(ctx); err != nil {
		return nil, err, true
	}
	const width = math.MaxUint64/ranges + 1
	from := int64(math.MinInt64) + int64(part)*width
	to := from + (width - 1)
	ok = true
	var c cells
	var tag []byte
	st := s.build(0).add("SELECT tag,"+listed+" FROM @ WHERE token(tag)>=? AND token(tag)<=?", from, to).done()
	q := Query{Statement: st, Consistency: s.opts.Consistency, PageSize: 500}
	failed := s.db.Query(ctx, q, append([]any{&tag}, c.list()...), func() bool {
		var key store.Key
		now := c.now
		if c.absent() || copy(key.Tag[:], tag) != len(key.Tag) || copy(key.ID[:], c.id) != len(key.ID) {
			c = cells{}
			return true
		}
		r, bad := c.row(key)
		c = cells{}
		if bad != nil {
			if damaged == nil {
				damaged = bad
			}
			return true
		}
		if err = store.FromContext(ctx); err != nil {
			return false
		}
		ok = !r.live(now) || yield(r.record(), nil)
		return ok
	})
	if failed != nil && ok && err == nil {
		err = s.judge(failed, false)
	}
	return damaged, err, ok
}

// Sweep returns 0: the engine's own time to live removes what has expired.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	if err := store.FromContext(ctx); err != nil {
		return 0, fail("sweep", err)
	}
	return 0, nil
}
