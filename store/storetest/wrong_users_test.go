package storetest

import (
	"context"
	"iter"
	"strings"

	"github.com/sojourn-go/sojourn/store"
)

// owning makes a wrong store that takes other records for the user's.
func owning(owns func(rec store.Record, user string) bool) func(*ref) store.Store {
	return turn(func(s *ref) { s.owns = owns })
}

// naming makes a wrong store that changes the user id of new records.
func naming(change func(string) string) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if r, ok := a.raw(rec.Key); ok && err == nil {
				r.User = change(r.User)
				a.put(r)
			}
			return got, err
		}
	})
}

func cut(user string, n int) string { return user[:min(len(user), n)] }

// Stores that err about users, revocations and limits, one call after another.
var wrongUsers = []wrong{
	{"user1 is a prefix of user10 (D17)", []string{"user-others", "user-revoke"},
		owning(func(r store.Record, user string) bool { return strings.HasPrefix(r.User, user) })},
	{"users without regard to case", []string{"user-others", "user-revoke"},
		owning(func(r store.Record, user string) bool { return strings.EqualFold(r.User, user) })},
	{"user ids end at NUL", []string{"user-others", "user-revoke"}, owning(func(r store.Record, user string) bool {
		a, _, _ := strings.Cut(r.User, "\x00")
		b, _, _ := strings.Cut(user, "\x00")
		return a == b
	})},
	{"user ids are padded", []string{"user-others", "user-revoke"},
		owning(func(r store.Record, user string) bool {
			return strings.TrimRight(r.User, " ") == strings.TrimRight(user, " ")
		})},
	{"users by tag alone", []string{"user-tag", "rotate-tail-apart"},
		owning(func(r store.Record, user string) bool { return r.Key.Tag == store.TagOf(user) })},
	{"user ids are made UTF-8", []string{"user-others", "user-long"}, naming(func(u string) string { return strings.ToValidUTF8(u, "\ufffd") })},
	{"user ids are cut at 191 bytes", []string{"user-others", "user-long"}, naming(func(u string) string { return cut(u, 191) })},
	{"nobody is everybody (D17)", []string{"user-nobody"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			if user != "" {
				return a.ref.Revoke(ctx, user, sel)
			}
			n := len(a.recs)
			clear(a.recs)
			return store.Revoked{N: n}, nil
		}
	})},
	{"nobody is listed", []string{"user-nobody"}, swap(func(a *altered) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return a.walk(ctx, func(r store.Record) bool { return r.User == user })
		}
	})},
	{"nobody has a limit", []string{"user-nobody", "limit"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if rec.User == "" && len(a.snapshot(func(r store.Record) bool { return r.User == "" })) >= 1 {
				return store.Admitted{}, store.ErrLimit
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"lists hold data", []string{"user-list"}, swap(func(a *altered) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range a.ref.User(ctx, user) {
					if full, ok := a.raw(r.Key); ok {
						r = full
					}
					if !yield(r, err) {
						return
					}
				}
			}
		}
	})},
	{"revoke counts what it does not end", []string{"revoke", "revoke-except"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			n := 0
			for range a.ref.User(ctx, user) {
				n++
			}
			r, err := a.ref.Revoke(ctx, user, sel)
			r.N = max(n, 1)
			return r, err
		}
	})},
	{"revoke ignores Only", []string{"revoke-only"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			return a.ref.Revoke(ctx, user, store.Selection{Except: sel.Except})
		}
	})},
	{"revoke ignores Except", []string{"revoke-except"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			return a.ref.Revoke(ctx, user, store.Selection{Only: sel.Only})
		}
	})},
	{"revoke takes anybody's handle", []string{"revoke-only"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			for key, rec := range a.recs {
				if len(sel.Only) > 0 && sel.Picks(rec.Handle) {
					delete(a.recs, key)
				}
			}
			return r, err
		}
	})},
	{"revoke is undone by a login (D26)", []string{"guard", "guard-time", "guard-only", "race-guard"}, turn(func(s *ref) { s.noGuard = true })},
	{"revoke guards only a user who has records", []string{"guard-time"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			if r.N == 0 {
				delete(a.guards, user)
			}
			return r, err
		}
	})},
	{"revoke with Only guards too", []string{"guard-only"}, turn(func(s *ref) { s.guardAlways = true })},
	{"limit is off by one", []string{"limit", "race-limit"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if adm.Max > 0 {
				adm.Max++
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"limits count what has been", []string{"limit-ended"}, swap(func(a *altered) {
		made := map[string]int{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			made[rec.User]++
			if adm.Max > 0 && made[rec.User] > adm.Max {
				return store.Admitted{}, store.ErrLimit
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"evicts the newest", []string{"evict"}, turn(func(s *ref) {
		s.evictBy = func(a, b store.Record) int { return -a.Created.Compare(b.Created) }
	})},
	{"evicts in silence", []string{"evict", "evict-many", "race-evict"}, turn(func(s *ref) { s.evictSilent = true })},
	{"evicts one at most", []string{"evict-many"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			n := 0
			for range a.ref.User(ctx, rec.User) {
				n++
			}
			if adm.Max > 0 {
				adm.Max = max(adm.Max, n)
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"makes room for what does not come", []string{"create-twice", "guard"}, turn(func(s *ref) { s.evictAtAll = true })},
}
