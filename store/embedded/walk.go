package embedded

import (
	"context"
	"iter"

	"github.com/sojourn-go/sojourn/store"
)

func (c *core) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return c.walk(ctx, user, func(r *store.Record) bool { return r.User == user })
}

func (c *core) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return c.walk(ctx, "", func(*store.Record) bool { return true })
}

// walk yields the live records that keep keeps, and the errors of damaged ones.
func (c *core) walk(ctx context.Context, user string, keep func(*store.Record) bool) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		left := false // the caller wants no more
		err := c.d.List(ctx, user, func(r *store.Record, err error) bool {
			if err != nil {
				left = !yield(store.Record{}, err)
			} else {
				left = keep(r) && r.Live(c.now()) && !yield(*r, nil)
			}
			return !left
		})
		if err != nil && !left {
			yield(store.Record{}, err)
		}
	}
}
