package storetest

import (
	"context"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// telling makes a wrong store that changes what Create tells.
func telling(change func(a *altered, rec store.Record, got *store.Admitted)) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err == nil {
				change(a, rec, &got)
			}
			return got, err
		}
	})
}

// Stores that err in what they say of themselves, and of sign-ins and revocations.
var wrongAdmitted = []wrong{
	{"traits that change", []string{"traits"}, swap(func(a *altered) {
		calls := 0
		a.traits = func() store.Traits { calls++; return store.Traits{Volatile: calls == 1} }
	})},
	{"a negative lag", []string{"traits"}, swap(func(a *altered) {
		a.traits = func() store.Traits { return store.Traits{Lag: -1} }
	})},
	{"says Push, and does not", []string{"watch"}, swap(func(a *altered) {
		a.traits = func() store.Traits { return store.Traits{Push: true} }
	})},
	{"says Push, and tells nothing", []string{"watch"}, swap(func(a *altered) {
		a.traits = func() store.Traits { return store.Traits{Push: true} }
		a.watch = func(ctx context.Context, f func(store.Ending)) error { <-ctx.Done(); return store.FromContext(ctx) }
	})},
	{"watches for nothing", []string{"watch"}, swap(func(a *altered) {
		a.watch = func(context.Context, func(store.Ending)) error { return nil }
	})},
	{"create tells no instant", []string{"admitted-now"}, telling(func(_ *altered, _ store.Record, got *store.Admitted) { got.Now = time.Time{} })},
	{"create tells Created for now", []string{"admitted-now"}, telling(func(a *altered, rec store.Record, got *store.Admitted) {
		stored, _ := a.raw(rec.Key)
		got.Now = stored.Created
	})},
	{"create tells no revocation", []string{"admitted-revoked", "known"}, telling(func(_ *altered, _ store.Record, got *store.Admitted) { got.Revoked = time.Time{} })},
	{"create tells no revocation on a replay", []string{"admitted-revoked"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			_, there := a.raw(rec.Key)
			got, err := a.ref.Create(ctx, rec, adm)
			if there {
				got.Revoked = time.Time{}
			}
			return got, err
		}
	})},
	{"revoke tells when it ended none", []string{"admitted-revoked"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			r.At = a.now()
			return r, err
		}
	})},
	{"revoke tells no instant", []string{"admitted-revoked", "known"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			r.At = time.Time{}
			return r, err
		}
	})},
	{"knowing is ignored", []string{"known"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			adm.Known = time.Time{}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"who knows of one revocation knows of all", []string{"known"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if !adm.Known.IsZero() {
				adm.Began = time.Time{}
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"a revoked sign-in is refused though it was let in before", []string{"order-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if at := a.guards[rec.User]; adm.Began.Before(at) && !adm.Began.IsZero() {
				return store.Admitted{}, store.ErrRevoked
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"the limit comes first", []string{"order-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			n := len(a.snapshot(func(r store.Record) bool { return r.User == rec.User && r.Key != rec.Key }))
			if adm.Max > 0 && !adm.Evict && n >= adm.Max {
				return store.Admitted{}, store.ErrLimit
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"an update that ends does not look at the version", []string{"order-update"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if _, _, err := a.ref.Get(ctx, rec.Key); err == nil && rec.Lifetime == 1 {
				return a.ref.Delete(ctx, rec.Key)
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"rotate looks at the new key first", []string{"order-rotate"}, turn(func(s *ref) { s.existsFirst = true })},
	{"revocations of one instant", []string{"known-apart"}, turn(func(s *ref) { s.oneInstant = true })},
	{"rotate wants life", []string{"rotate-ends"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if rec.Lifetime == 1 {
				return store.ErrInvalid
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"rotate to no life does nothing", []string{"rotate-ends"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if rec.Lifetime == 1 {
				return nil
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"rotate to no life leaves no tail", []string{"rotate-ends"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if rec.Lifetime == 1 {
				tail = nil
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
}
