package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// sizing makes a wrong store that changes the bytes of one write alone.
func sizing(write string, change func(b []byte) []byte) func(*ref) store.Store {
	return swap(func(a *altered) {
		both := func(rec *store.Record) { rec.Meta, rec.Data = change(rec.Meta), change(rec.Data) }
		switch write {
		case "create":
			a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
				both(&rec)
				return a.ref.Create(ctx, rec, adm)
			}
		case "update":
			a.update = func(ctx context.Context, rec store.Record, v uint64) error {
				both(&rec)
				return a.ref.Update(ctx, rec, v)
			}
		case "rotate":
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				both(&rec)
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
		case "tail":
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				if tail != nil {
					left := *tail
					both(&left)
					tail = &left
				}
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
		}
	})
}

// cutAt cuts what is longer than n, and lostAt loses what is just so long.
func cutAt(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:min(n, len(b))] } }

func lostAt(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		if len(b) == n {
			return nil
		}
		return b
	}
}

func zero(b []byte) []byte {
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}

// Stores that are wrong about bytes of some lengths, about writes that are sent again, and about
// the order of checks.
var wrongSizes = []wrong{
	{"create cuts at 64 KiB", []string{"size-edges"}, sizing("create", cutAt(1<<16))},
	{"update cuts at 64 KiB", []string{"size-edges"}, sizing("update", cutAt(1<<16))},
	{"rotate cuts at 64 KiB", []string{"size-edges"}, sizing("rotate", cutAt(1<<16))},
	{"a tail is cut at 64 KiB less a byte", []string{"size-edges"}, sizing("tail", cutAt(1<<16-1))},
	{"update cuts at 128 KiB", []string{"size-edges"}, sizing("update", cutAt(1<<17))},
	{"just 64 KiB are lost in a rotation", []string{"size-edges"}, sizing("rotate", lostAt(1<<16))},
	{"just 4 KiB are lost in an update", []string{"size-edges"}, sizing("update", lostAt(4<<10))},
	{"a tail of 65,535 bytes is lost", []string{"size-edges"}, sizing("tail", lostAt(1<<16-1))},
	{"256 bytes are none in a rotation", []string{"size-edges"}, sizing("rotate", lostAt(256))},
	{"no bytes are one in a rotation", []string{"size-edges", "size-changes"}, sizing("rotate", zero)},
	{"no bytes are one in a tail", []string{"size-edges", "size-changes"}, sizing("tail", zero)},
	{"no bytes are one in an update", []string{"size-edges", "size-changes", "update-empty"}, sizing("update", zero)},
	{"a rotation without data keeps the old", []string{"size-changes"}, rotating(func(old store.Record, rec, _ *store.Record) {
		if len(rec.Data) == 0 {
			rec.Data = old.Data
		}
	})},
	{"a rotation without meta keeps the old", []string{"size-changes"}, rotating(func(old store.Record, rec, _ *store.Record) {
		if len(rec.Meta) == 0 {
			rec.Meta = old.Meta
		}
	})},
	{"a tail without data keeps its record's", []string{"size-changes"}, rotating(func(old store.Record, _, tail *store.Record) {
		if len(tail.Data) == 0 {
			tail.Data = old.Data
		}
	})},
	{"long data is kept apart, and left behind", []string{"size-changes"}, swap(func(a *altered) {
		apart := map[store.Key][]byte{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if len(rec.Data) > 1<<10 {
				apart[rec.Key] = rec.Data
			}
			return a.ref.Create(ctx, rec, adm)
		}
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err == nil && rec.Version == 1 && apart[key] != nil {
				rec.Data = apart[key]
			}
			return rec, now, err
		}
	})},
	{"a create is known by its writer alone", []string{"replay-apart"}, swap(func(a *altered) {
		seen := map[store.Writer]bool{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if seen[rec.Writer] {
				return store.Admitted{Now: a.now(), Revoked: a.guard(rec.User)}, nil
			}
			got, err := a.ref.Create(ctx, rec, adm)
			seen[rec.Writer] = err == nil
			return got, err
		}
	})},
	{"an update is known by its writer alone", []string{"replay-apart"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, _, err := a.ref.Get(ctx, rec.Key); err == nil && old.Writer == rec.Writer {
				return nil
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"a rotation is known by its writer alone", []string{"replay-apart"}, swap(func(a *altered) {
		seen := map[store.Writer]bool{}
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if seen[rec.Writer] {
				return nil
			}
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			seen[rec.Writer] = err == nil
			return err
		}
	})},
	{"a rotation is known by its key and version alone", []string{"replay-apart"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if there, ok := a.raw(rec.Key); ok && there.Version == v+1 && errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
	})},
	{"a rotation is known by its key and writer alone", []string{"replay-apart"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if there, ok := a.raw(rec.Key); ok && there.Writer == rec.Writer {
				return nil
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"a repeated create tells the handles again", []string{"replay-handles"}, swap(func(a *altered) {
		told := map[store.Key][]store.Handle{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err == nil {
				told[rec.Key] = append(told[rec.Key], got.Evicted...)
				got.Evicted = told[rec.Key]
			}
			return got, err
		}
	})},
	{"a repeated create evicts once more", []string{"replay-handles", "order-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			recs := a.snapshot(func(r store.Record) bool { return r.User == rec.User && r.Key != rec.Key })
			if err == nil && adm.Evict && len(recs) >= adm.Max {
				a.ref.Delete(ctx, recs[0].Key)
			}
			if err == nil && adm.Evict && len(recs) == 1 && len(got.Evicted) == 0 && a.has(rec.User) == adm.Max {
				got.Evicted = handles(recs)
			}
			return got, err
		}
	})},
	{"a touch makes a write another one", []string{"replay-touched"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			err := a.ref.touchKey(ctx, key, every)
			if rec, ok := a.raw(key); ok && err == nil {
				rec.Writer = store.Writer{}
				a.put(rec)
			}
			return err
		}
	})},
	{"a repeated rotation leaves its tail again", []string{"replay-touched"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if _, ok := a.raw(old); err == nil && tail != nil && !ok {
				left := *tail
				left.Version, left.Created, left.Seen = v+1, a.now(), a.now()
				a.put(left)
			}
			return err
		}
	})},
	{"a read is indeterminate", []string{"read-errors"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			if err := ctx.Err(); err != nil {
				return store.Record{}, time.Time{}, fmt.Errorf("%w: %w", store.ErrIndeterminate, err)
			}
			return a.ref.Get(ctx, key)
		}
	})},
	{"a list is indeterminate", []string{"read-errors"}, swap(func(a *altered) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				if err := ctx.Err(); err != nil {
					yield(store.Record{}, fmt.Errorf("%w: %w", store.ErrIndeterminate, err))
					return
				}
				a.ref.User(ctx, user)(yield)
			}
		}
	})},
	{"a read that is cut short is indeterminate", []string{"read-errors"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			if err := store.FromContext(ctx); err != nil {
				return store.Record{}, time.Time{}, err
			}
			gap()
			if err := ctx.Err(); err != nil {
				return store.Record{}, time.Time{}, fmt.Errorf("%w: %w", store.ErrIndeterminate, err)
			}
			return a.ref.Get(ctx, key)
		}
	})},
	{"a create without life is refused", []string{"life-over", "order-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if !rec.Created.IsZero() && !rec.Live(a.now()) {
				return store.Admitted{}, store.ErrInvalid
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"a rotation looks at the user before the version", []string{"order-rotate"}, checking(func(old store.Record, rec store.Record, v uint64, taken bool) error {
		if old.User != rec.User {
			return store.ErrInvalid
		}
		return nil
	})},
	{"a rotation looks at the new key before the version", []string{"order-rotate"}, checking(func(_, _ store.Record, _ uint64, taken bool) error {
		if taken {
			return store.ErrExists
		}
		return nil
	})},
	{"a rotation looks at the new key before the user", []string{"order-rotate"}, checking(func(old, _ store.Record, v uint64, taken bool) error {
		if taken && old.Version == v {
			return store.ErrExists
		}
		return nil
	})},
	{"a rotation looks for what it moves before it knows itself again", []string{"order-rotate", "rotate-replay"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if _, _, err := a.ref.Get(ctx, old); err != nil {
				return err
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"create looks for a revocation before the key", []string{"order-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			there, _, err := a.ref.Get(ctx, rec.Key)
			if at := a.guard(rec.User); err == nil && there.Writer != rec.Writer && !adm.Began.IsZero() && !at.Before(adm.Began) {
				return store.Admitted{}, store.ErrRevoked
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"create makes room before it looks for a revocation", []string{"guard"}, turn(func(s *ref) { s.evictAtAll = true })},
}

// checking makes a wrong store whose Rotate makes a check of a live old record too early.
func checking(early func(old, rec store.Record, v uint64, taken bool) error) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.rotate = func(ctx context.Context, key store.Key, v uint64, rec store.Record, tail *store.Record) error {
			there, _, err := a.ref.Get(ctx, rec.Key)
			taken := err == nil && there.Writer != rec.Writer
			if old, _, err := a.ref.Get(ctx, key); err == nil && there.Writer != rec.Writer {
				if err := early(old, rec, v, taken); err != nil {
					return err
				}
			}
			return a.ref.Rotate(ctx, key, v, rec, tail)
		}
	})
}
