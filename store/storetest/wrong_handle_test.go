package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that are wrong about handles and tails.
var wrongHandles = []wrong{
	{"revoke goes by the handle of the beginning", []string{"handle-moves", "handle-gone"}, swap(func(a *altered) {
		byFirst := map[store.Handle]store.Key{} // follows rotations
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err == nil && byFirst[rec.Handle] == (store.Key{}) {
				byFirst[rec.Handle] = rec.Key
			}
			return got, err
		}
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			for h, key := range byFirst {
				if key == old && err == nil {
					byFirst[h] = rec.Key
				}
			}
			return err
		}
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (r store.Revoked, _ error) {
			if len(sel.Only) == 0 || len(sel.Except) > 0 {
				return a.ref.Revoke(ctx, user, sel)
			}
			for _, h := range sel.Only {
				if rec, now, err := a.ref.Get(ctx, byFirst[h]); err == nil && rec.Live(now) && rec.User == user {
					a.ref.Delete(ctx, rec.Key)
					r.N++
				}
			}
			return r, store.FromContext(ctx)
		}
	})},
	{"a rotation keeps the handle", []string{"handle-moves", "rotate"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if was, ok := a.raw(old); ok {
				rec.Handle = was.Handle
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"an index by handle finds the tail", []string{"handle-tail"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			for _, rec := range a.snapshot(func(rec store.Record) bool { return rec.User == "" && rec.Key.Tag == store.TagOf(user) }) {
				if slices.Contains(sel.Only, rec.Handle) {
					a.ref.Delete(ctx, rec.Key)
				}
			}
			return r, err
		}
	})},
	{"a tail with its session's handle is counted by revoke", []string{"handle-tail"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			tails := a.snapshot(func(rec store.Record) bool {
				return rec.User == "" && rec.Key.Tag == store.TagOf(user) && sel.Picks(rec.Handle)
			})
			r, err := a.ref.Revoke(ctx, user, sel)
			if r.N > 0 && len(sel.Only) > 0 {
				r.N += len(tails)
			}
			return r, err
		}
	})},
	{"a tail with its session's handle is the user's", []string{"handle-tail", "meet-rotate-evict"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if got, ok := a.raw(old); ok && err == nil && tail != nil && got.Handle == rec.Handle {
				got.User = rec.User
				a.put(got)
			}
			return err
		}
	})},
	{"a handle that was revoked stays so", []string{"handle-gone"}, swap(func(a *altered) {
		gone := map[store.Handle]bool{}
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			for _, h := range sel.Only {
				gone[h] = err == nil
			}
			return r, err
		}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if gone[rec.Handle] {
				a.ref.Delete(ctx, rec.Key)
			}
			return got, err
		}
	})},
	{"revoke counts handles that were evicted", []string{"handle-gone"}, swap(func(a *altered) {
		evicted := map[store.Handle]bool{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			for _, h := range got.Evicted {
				evicted[h] = true
			}
			return got, err
		}
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			for _, h := range sel.Only {
				if evicted[h] {
					r.N++
				}
			}
			return r, err
		}
	})},
	{"create tells the handle of the beginning", []string{"handle-evict"}, swap(func(a *altered) {
		first := map[store.Handle]store.Handle{}
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			was, _ := a.raw(old)
			first[rec.Handle] = was.Handle
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			for i, h := range got.Evicted {
				if was, ok := first[h]; ok {
					got.Evicted[i] = was
				}
			}
			return got, err
		}
	})},
	{"an update gives a tail its user", []string{"tail-nobody"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			err := a.ref.Update(ctx, rec, v)
			if got, ok := a.raw(rec.Key); ok && err == nil && got.Version == v+1 {
				got.User = rec.User
				a.put(got)
			}
			return err
		}
	})},
	{"a touch gives a tail its user", []string{"tail-nobody"}, func(s *ref) store.Store { return believing{s} }},
	{"a tail may be rotated to a user", []string{"tail-nobody"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if was, ok := a.raw(old); ok && was.User == "" && rec.User != "" && was.Version == v {
				was.User = rec.User
				a.put(was)
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"a tail is no live record", []string{"tail-nobody"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if was, ok := a.raw(rec.Key); ok && was.User == "" && rec.User != "" {
				a.ref.Delete(ctx, rec.Key)
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
}

// believing takes the user of Touch's hint.
type believing struct{ *ref }

func (s believing) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	err := s.ref.touchKey(ctx, rec.Key, every)
	if got, ok := s.raw(rec.Key); ok && err == nil && rec.User != "" {
		got.User = rec.User
		s.put(got)
	}
	return err
}
