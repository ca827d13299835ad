package cql

import (
	"context"
	"iter"
	"math"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// User lists the records of user, up to 2000 of them as they were at one instant. All are read
// before the first is yielded.
func (e *engine) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		p, err := e.partition(ctx, store.TagOf(user), e.opts.Consistency)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		live, damaged := p.live(user)
		for _, r := range live {
			if !yield(r.record(), nil) {
				return
			}
		}
		for _, r := range damaged {
			if !yield(store.Record{}, driver.Corrupt(r.handle)) {
				return
			}
		}
	}
}

// ranges is the number of parts of the token ring that a walk reads one after the other.
const ranges = 16

// All walks along the ring of tokens, page by page.
func (e *engine) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx) // a page that is fetched ahead ends with the walk
		defer cancel()
		for i := range ranges {
			if !e.part(ctx, i, yield) {
				return
			}
		}
	}
}

// part walks over one part of the ring. It reports whether to go on.
func (e *engine) part(ctx context.Context, n int, yield func(store.Record, error) bool) bool {
	const width = math.MaxUint64/ranges + 1
	from := int64(math.MinInt64) + int64(n)*width
	to := from + (width - 1)
	goOn := true
	var c cells
	var tag []byte
	st := e.build(0).add("SELECT tag,"+listed+" FROM @ WHERE token(tag)>=? AND token(tag)<=?", from, to).done()
	err := e.query(ctx, st, e.opts.Consistency, 500, append([]any{&tag}, c.list()...), func() bool {
		var key store.Key
		got := c
		c = cells{}
		if got.absent() || copy(key.Tag[:], tag) != len(key.Tag) || copy(key.ID[:], got.id) != len(key.ID) {
			return true
		}
		if r, err := got.row(key); err != nil {
			goOn = yield(store.Record{}, err)
		} else if r.live(got.now) {
			goOn = yield(r.record(), nil)
		}
		return goOn
	})
	if err != nil && goOn {
		yield(store.Record{}, err)
		return false
	}
	return goOn
}
