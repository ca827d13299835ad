package storetest

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/sojourn-go/sojourn/store"
)

// yielding makes a wrong store that changes what a walk yields, as a whole.
func yielding(change func([]store.Record) []store.Record) func(*ref) store.Store {
	return swap(func(a *altered) {
		again := func(seq iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				var recs []store.Record
				for rec, err := range seq {
					if err != nil {
						yield(rec, err)
						return
					}
					recs = append(recs, rec)
				}
				for _, rec := range change(recs) {
					if !yield(rec, nil) {
						return
					}
				}
			}
		}
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return again(a.ref.User(ctx, user))
		}
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] { return again(a.ref.All(ctx)) }
	})
}

// capped makes a wrong store that takes the first n of a user's records for all of them, in one of
// its methods.
func capped(method string, n int) func(*ref) store.Store {
	return swap(func(a *altered) {
		first := func(user string) []store.Record {
			recs := a.snapshot(func(r store.Record) bool { return r.User == user && user != "" })
			return recs[:min(n, len(recs))]
		}
		switch method {
		case "list":
			a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
				few := keys(first(user))
				return a.walk(ctx, func(r store.Record) bool { return slices.Contains(few, r.Key) })
			}
		case "revoke":
			a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
				spared := first(user)
				if len(spared) < n {
					return a.ref.Revoke(ctx, user, sel)
				}
				some := store.Selection{}
				for _, rec := range spared {
					if sel.Picks(rec.Handle) {
						some.Only = append(some.Only, rec.Handle)
					}
				}
				if len(some.Only) == 0 {
					return store.Revoked{}, nil
				}
				return a.ref.Revoke(ctx, user, some)
			}
		case "limit":
			a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
				if !adm.Evict && adm.Max > n {
					adm.Max = 0 // nobody can have so many
				}
				return a.ref.Create(ctx, rec, adm)
			}
		case "evict":
			a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
				if has := a.has(rec.User); adm.Evict && adm.Max > 0 && has+1-adm.Max > n {
					adm.Max = has + 1 - n
				}
				return a.ref.Create(ctx, rec, adm)
			}
		case "oldest":
			a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
				few := first(rec.User)
				slices.SortFunc(few, func(a, b store.Record) int { return a.Created.Compare(b.Created) })
				if len(few) < n || !adm.Evict || a.has(rec.User) < adm.Max {
					return a.ref.Create(ctx, rec, adm)
				}
				a.ref.Delete(ctx, few[0].Key)
				got, err := a.ref.Create(ctx, rec, adm)
				got.Evicted = append(got.Evicted, few[0].Handle)
				return got, err
			}
		case "handles":
			a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
				sel.Only, sel.Except = sel.Only[:min(n, len(sel.Only))], sel.Except[:min(n, len(sel.Except))]
				return a.ref.Revoke(ctx, user, sel)
			}
		case "sweep":
			a.sweep = func(ctx context.Context, limit int) (int, error) { return a.ref.Sweep(ctx, min(limit, n)) }
		}
	})
}

// paged gives what a walk by pages of some records yields that makes a mistake at their edges.
func paged(size int, edge func(page []store.Record, next []store.Record) []store.Record) func([]store.Record) []store.Record {
	return func(recs []store.Record) (all []store.Record) {
		for from := 0; from < len(recs); from += size {
			to := min(from+size, len(recs))
			all = append(all, edge(recs[from:to], recs[to:])...)
		}
		return all
	}
}

// Stores that are right for few records.
var wrongMany = []wrong{
	{"lists 10 at most", []string{"many-list"}, capped("list", 10)},
	{"lists 16 at most", []string{"many-list"}, capped("list", 16)},
	{"lists 100 at most", []string{"many-list"}, capped("list", 100)},
	{"lists 1000 at most", []string{"many-list"}, capped("list", 1000)},
	{"a walk yields 200 at most", []string{"many-list", "many-users"}, yielding(func(recs []store.Record) []store.Record { return recs[:min(200, len(recs))] })},
	{"a page repeats the last of the page before", []string{"many-list", "many-users"}, yielding(paged(50, func(page, next []store.Record) []store.Record {
		return append(slices.Clone(page), next[:min(1, len(next))]...)
	}))},
	{"a page loses its first", []string{"many-list", "many-users"}, yielding(paged(128, func(page, next []store.Record) []store.Record {
		if len(next) == 0 {
			return page
		}
		return page[:len(page)-1]
	}))},
	{"a full last page is lost", []string{"many-list"}, yielding(func(recs []store.Record) []store.Record {
		if len(recs)%100 == 0 {
			return recs[:max(0, len(recs)-100)]
		}
		return recs
	})},
	{"pages by Created lose what was created at one instant", []string{"many-list"}, yielding(func(recs []store.Record) []store.Record {
		recs = slices.Clone(recs)
		slices.SortStableFunc(recs, func(a, b store.Record) int { return a.Created.Compare(b.Created) })
		var all []store.Record
		for len(recs) > 0 {
			page := recs[:min(64, len(recs))]
			all = append(all, page...)
			last := page[len(page)-1].Created
			i := slices.IndexFunc(recs, func(r store.Record) bool { return r.Created.After(last) })
			if i < 0 {
				break
			}
			recs = recs[max(i, len(page)):]
		}
		return all
	})},
	{"a walk over all stops at its 256th user", []string{"many-users"}, swap(func(a *altered) {
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				tags := map[store.Tag]bool{}
				for rec, err := range a.ref.All(ctx) {
					if tags[rec.Key.Tag] = true; len(tags) > 256 || !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
	{"revokes 16 at most", []string{"many-revoke"}, capped("revoke", 16)},
	{"revokes 100 at most", []string{"many-revoke"}, capped("revoke", 100)},
	{"revokes 500 at most", []string{"many-revoke"}, capped("revoke", 500)},
	{"takes 10 handles at most", []string{"many-revoke"}, capped("handles", 10)},
	{"takes 255 handles at most", []string{"many-revoke"}, capped("handles", 255)},
	{"revoke counts in a byte", []string{"many-revoke"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			r, err := a.ref.Revoke(ctx, user, sel)
			r.N %= 256
			return r, err
		}
	})},
	{"limits over 50 are none", []string{"many-limit"}, capped("limit", 50)},
	{"limits over 256 are none", []string{"many-limit"}, capped("limit", 256)},
	{"evicts 10 at most", []string{"many-evict"}, capped("evict", 10)},
	{"evicts 100 at most", []string{"many-evict"}, capped("evict", 100)},
	{"evicts the oldest of 100", []string{"many-evict"}, capped("oldest", 100)},
	{"tells 16 handles at most", []string{"many-evict"}, telling(func(_ *altered, _ store.Record, got *store.Admitted) {
		got.Evicted = got.Evicted[:min(16, len(got.Evicted))]
	})},
	{"sweeps 50 at most", []string{"many-sweep"}, capped("sweep", 50)},
	{"sweeps 1000 at most", []string{"many-sweep"}, capped("sweep", 1000)},
	{"a sweep of none is one of all", []string{"many-sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			n, err := a.ref.Sweep(ctx, cmp.Or(limit, 1<<30))
			return min(n, limit), err
		}
	})},
	{"versions in a byte", []string{"many-writes"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			err := a.ref.Update(ctx, rec, v)
			if got, ok := a.raw(rec.Key); ok && err == nil && got.Version == v+1 {
				got.Version %= 256
				a.put(got)
			}
			return err
		}
	})},
	{"a record takes 200 updates", []string{"many-writes"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if v > 200 {
				rec.Data = bytes.Clone(rec.Data[:len(rec.Data)/2])
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"a walk stops where the first of a page is deleted meanwhile, beyond 80 records", []string{"walk-change"}, swap(func(a *altered) {
		walk := func(seq iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				n := 0
				for rec, err := range seq {
					if n++; n > 80 && n%7 == 1 {
						if _, there := a.raw(rec.Key); err == nil && !there {
							return // the page's first key was the cursor
						}
					}
					if !yield(rec, err) {
						return
					}
				}
			}
		}
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return walk(a.ref.User(ctx, user))
		}
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] { return walk(a.ref.All(ctx)) }
	})},
}
