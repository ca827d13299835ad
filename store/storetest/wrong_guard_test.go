package storetest

import (
	"context"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// revoking makes a wrong store that does something with a revocation when it was made. before is
// when the user was revoked until then.
func revoking(then func(a *altered, user string, sel store.Selection, before time.Time, r store.Revoked)) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			before := a.guard(user)
			r, err := a.ref.Revoke(ctx, user, sel)
			if err == nil {
				then(a, user, sel, before, r)
			}
			return r, err
		}
	})
}

// guard and setGuard reach past all rules. The zero time means none.
func (s *ref) guard(user string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guards[user]
}

func (s *ref) setGuard(user string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.IsZero() {
		delete(s.guards, user)
		return
	}
	s.guards[user] = at
}

// has counts the user's live records.
func (s *ref) has(user string) int {
	return len(s.snapshot(func(r store.Record) bool { return r.User == user }))
}

// forgetting makes a wrong store that forgets a revocation with the user's last record, where one
// of its methods ends that.
func forgetting(method string) func(*ref) store.Store {
	return swap(func(a *altered) {
		after := func(user string) {
			if user != "" && a.has(user) == 0 {
				a.setGuard(user, time.Time{})
			}
		}
		switch method {
		case "delete":
			a.delete = func(ctx context.Context, key store.Key) error {
				rec, _ := a.raw(key)
				defer after(rec.User)
				return a.ref.Delete(ctx, key)
			}
		case "revoke":
			a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
				if len(sel.Only) > 0 {
					defer after(user)
				}
				return a.ref.Revoke(ctx, user, sel)
			}
		case "update":
			a.update = func(ctx context.Context, rec store.Record, v uint64) error {
				old, _ := a.raw(rec.Key)
				defer after(old.User)
				return a.ref.Update(ctx, rec, v)
			}
		case "rotate":
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				defer after(rec.User)
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
		case "sweep":
			a.sweep = func(ctx context.Context, limit int) (int, error) {
				n, err := a.ref.Sweep(ctx, limit)
				a.mu.Lock()
				users := make([]string, 0, len(a.guards))
				for user := range a.guards {
					users = append(users, user)
				}
				a.mu.Unlock()
				for _, user := range users {
					after(user)
				}
				return n, err
			}
		}
	})
}

// kept makes a wrong store that keeps revocations for a while.
func keptFor(d time.Duration) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if at := a.guard(rec.User); !at.IsZero() && a.now().Sub(at) > d {
				a.setGuard(rec.User, time.Time{})
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})
}

// ageing makes a wrong store that changes when a sign-in began.
func ageing(change func(a *altered, user string, began time.Time) time.Time) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if !adm.Began.IsZero() && rec.User != "" {
				adm.Began = change(a, rec.User, adm.Began)
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})
}

// Stores that forget revocations, or miss one.
var wrongGuards = []wrong{
	{"a second revoke does not move the guard", []string{"guard-again"}, revoking(func(a *altered, user string, _ store.Selection, before time.Time, _ store.Revoked) {
		if !before.IsZero() {
			a.setGuard(user, before)
		}
	})},
	{"a revoke of nothing does not move the guard", []string{"guard-again"}, revoking(func(a *altered, user string, _ store.Selection, before time.Time, r store.Revoked) {
		if !before.IsZero() && r.N == 0 {
			a.setGuard(user, before)
		}
	})},
	{"a revoke with Except does not move the guard", []string{"guard-again"}, revoking(func(a *altered, user string, sel store.Selection, before time.Time, _ store.Revoked) {
		if !before.IsZero() && len(sel.Except) > 0 {
			a.setGuard(user, before)
		}
	})},
	{"a guard goes when the first one's time is over", []string{"guard-again"}, swap(func(a *altered) {
		first := map[string]time.Time{}
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			if first[user].IsZero() {
				first[user] = r.At
			}
			return r, err
		}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if at := first[rec.User]; !at.IsZero() && a.now().Sub(at) > store.GuardFor+time.Minute {
				a.setGuard(rec.User, time.Time{})
				delete(first, rec.User)
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"a guard goes with the last record that is deleted", []string{"guard-outlives"}, forgetting("delete")},
	{"a guard goes with the last record that is revoked by name", []string{"guard-outlives"}, forgetting("revoke")},
	{"a guard goes with the last record that an update ends", []string{"guard-outlives"}, forgetting("update")},
	{"a guard goes with the last record that a rotation ends", []string{"guard-outlives"}, forgetting("rotate")},
	{"a guard goes with the last record that is swept", []string{"guard-outlives"}, forgetting("sweep")},
	{"an eviction forgets the guard", []string{"guard-outlives"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if len(got.Evicted) > 0 {
				a.setGuard(rec.User, time.Time{})
			}
			return got, err
		}
	})},
	{"guards are kept for 20 s", []string{"guard-whole", "guard-time", "guard-again"}, keptFor(20 * time.Second)},
	{"guards are kept for 5 min", []string{"guard-whole", "guard-time"}, keptFor(5 * time.Minute)},
	{"guards are kept for GuardFor less a moment", []string{"guard-whole"}, keptFor(store.GuardFor - 1)},
	{"a sign-in must begin before the revoke, not with it", []string{"guard-instant"}, ageing(func(a *altered, user string, began time.Time) time.Time {
		if began.Equal(a.guard(user)) {
			return began.Add(1)
		}
		return began
	})},
	{"a sign-in of this moment has no age", []string{"guard-instant"}, ageing(func(_ *altered, _ string, began time.Time) time.Time {
		if time.Since(began) == 0 {
			return time.Time{}
		}
		return began
	})},
	{"ages in whole seconds", []string{"guard-instant"}, ageing(func(_ *altered, _ string, began time.Time) time.Time {
		return time.Now().Add(-time.Since(began).Truncate(time.Second))
	})},
	{"ages in whole seconds, rounded up", []string{"guard-instant"}, ageing(func(_ *altered, _ string, began time.Time) time.Time {
		return time.Now().Add(-min((time.Since(began) + time.Second - 1).Truncate(time.Second), store.GuardFor))
	})},
	{"the last 500 guards are kept", []string{"guard-many"}, swap(func(a *altered) {
		var users []string
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			if users = append(users, user); len(users) > 500 {
				a.setGuard(users[0], time.Time{})
				users = users[1:]
			}
			return a.ref.Revoke(ctx, user, sel)
		}
	})},
	{"a guard is forgotten by whom knows of it", []string{"known"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err == nil && !adm.Known.IsZero() {
				a.setGuard(rec.User, time.Time{})
			}
			return got, err
		}
	})},
	{"who knows of more than the last revocation is refused", []string{"known"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if adm.Known.After(a.guard(rec.User)) {
				adm.Known = time.Time{}
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"guards of users that begin alike", []string{"user-revoke"}, swap(func(a *altered) {
		short := func(user string) string { return user[:min(len(user), 20)] }
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			a.setGuard(short(user), r.At)
			return r, err
		}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if at := a.guard(short(rec.User)); !adm.Began.IsZero() && at.After(adm.Known) && !at.Before(adm.Began) {
				return store.Admitted{}, store.ErrRevoked
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"revoke with an empty Only is one of none", []string{"guard-only"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			if sel.Only != nil && len(sel.Only) == 0 {
				return store.Revoked{}, nil
			}
			return a.ref.Revoke(ctx, user, sel)
		}
	})},
}
