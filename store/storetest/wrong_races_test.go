package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that do in two steps what must be one. Called alone they are right.
var wrongRaces = []wrong{
	{"create looks, then inserts", []string{"race-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if _, _, err := a.ref.Get(ctx, rec.Key); err == nil {
				return a.ref.Create(ctx, rec, adm)
			}
			gap()
			a.ref.Delete(ctx, rec.Key)
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"limits: counts, then inserts", []string{"race-limit"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			n := len(a.snapshot(func(r store.Record) bool { return r.User == rec.User }))
			if adm.Max == 0 || n < adm.Max {
				gap()
				return a.ref.Create(ctx, rec, store.Admission{Began: adm.Began})
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"limits: lists, then evicts", []string{"race-evict"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (got store.Admitted, err error) {
			var evicted []store.Handle
			recs := a.snapshot(func(r store.Record) bool { return r.User == rec.User })
			slices.SortFunc(recs, func(x, y store.Record) int { return x.Created.Compare(y.Created) })
			gap()
			for adm.Max > 0 && adm.Evict && len(recs) >= adm.Max {
				a.ref.Delete(ctx, recs[0].Key)
				evicted = append(evicted, recs[0].Handle)
				recs = recs[1:]
			}
			got, err = a.ref.Create(ctx, rec, store.Admission{Began: adm.Began})
			got.Evicted = evicted
			return got, err
		}
	})},
	{"update looks, then writes", []string{"race-update", "race-delete", "race-revoke"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if err := ctx.Err(); err != nil {
				return store.FromContext(ctx)
			}
			old, _, err := a.ref.Get(ctx, rec.Key)
			if err != nil {
				return err
			}
			if old.Version != v {
				return store.ErrConflict
			}
			gap()
			rec.Version, rec.Created, rec.Seen, rec.Handle, rec.User = v+1, old.Created, time.Now(), old.Handle, old.User
			a.put(rec)
			return nil
		}
	})},
	{"touch writes the data that it read (D20)", []string{"race-touch", "race-delete", "race-revoke"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, _ time.Duration) error {
			rec, now, err := a.ref.Get(ctx, key)
			if err != nil {
				return err
			}
			gap()
			rec.Seen = now
			a.put(rec)
			return nil
		}
	})},
	{"rotate deletes, then inserts", []string{"rotate-step", "race-revoke", "race-revoke-only"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			was, ok := a.raw(old)
			if err := a.ref.Rotate(ctx, old, v, rec, tail); err != nil || !ok {
				return err
			}
			next, _ := a.raw(rec.Key)
			a.ref.Delete(ctx, rec.Key)
			gap()
			next.Created = was.Created
			a.put(next)
			return nil
		}
	})},
	{"rotate inserts, then deletes", []string{"rotate-step"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			was, ok := a.raw(old)
			if err := a.ref.Rotate(ctx, old, v, rec, tail); err != nil || !ok || tail != nil {
				return err
			}
			a.put(was)
			gap()
			return a.ref.Delete(ctx, old)
		}
	})},
	{"rotate looks, then writes", []string{"rotate-race"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			was, ok := a.raw(old)
			if !ok || was.Version != v {
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
			gap()
			a.put(was)
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"revoke lists, then deletes", []string{"race-revoke", "race-revoke-only", "race-guard"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			recs := a.snapshot(func(r store.Record) bool { return r.User == user && sel.Picks(r.Handle) })
			gap()
			for _, r := range recs {
				a.ref.Delete(ctx, r.Key)
			}
			gap()
			if len(sel.Only) == 0 {
				a.mu.Lock()
				a.guards[user] = time.Now()
				a.mu.Unlock()
			}
			return store.Revoked{N: len(recs)}, nil
		}
	})},
	{"an index of users beside the records (D25)", []string{"race-users", "race-revoke-create"}, swap(indexed)},
}

// indexed keeps a list of each user's keys, which it reads, changes and writes back.
func indexed(a *altered) {
	var mu sync.Mutex
	index := map[string][]store.Key{}
	load := func(user string) []store.Key {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(index[user])
	}
	save := func(user string, ks []store.Key) {
		mu.Lock()
		defer mu.Unlock()
		index[user] = ks
	}
	a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
		ks := load(rec.User)
		gap()
		save(rec.User, append(ks, rec.Key))
		return a.ref.Create(ctx, rec, adm)
	}
	a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
		ks := load(user)
		return a.walk(ctx, func(r store.Record) bool { return user != "" && r.User == user && slices.Contains(ks, r.Key) })
	}
	a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
		n := 0
		for r := range a.user(ctx, user) {
			if sel.Picks(r.Handle) {
				n++
				a.ref.Delete(ctx, r.Key)
			}
		}
		return store.Revoked{N: n}, nil
	}
}

// Stores that err in walks.
var wrongWalks = []wrong{
	{"a walk has no nobody", []string{"all"}, swap(func(a *altered) {
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return a.walk(ctx, func(r store.Record) bool { return r.User != "" })
		}
	})},
	{"a walk by pages and offsets", []string{"walk-change"}, swap(func(a *altered) {
		pages := func(ctx context.Context, want func(store.Record) bool) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for i := 0; ctx.Err() == nil; i++ {
					recs := a.snapshot(want)
					if i >= len(recs) || !yield(recs[i], nil) {
						return
					}
				}
				yield(store.Record{}, store.FromContext(ctx))
			}
		}
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return pages(ctx, func(r store.Record) bool { return user != "" && r.User == user })
		}
	})},
	{"a walk locks the store", []string{"walk-calls"}, swap(locked)},
	{"a walk left early keeps its cursor (D8)", []string{"walk-break"}, swap(func(a *altered) {
		open := 0
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				if open++; open > 20 {
					yield(store.Record{}, store.ErrUnavailable)
					return
				}
				for r, err := range a.ref.All(ctx) {
					if !yield(r, err) {
						return
					}
				}
				open--
			}
		}
	})},
	{"a walk breaks off in silence (D17)", []string{"walk-error"}, swap(func(a *altered) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range a.ref.User(ctx, user) {
					if ctx.Err() != nil || !yield(r, err) {
						return
					}
				}
			}
		}
	})},
	{"a walk goes on after its error", []string{"all"}, swap(func(a *altered) {
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				_ = yield(store.Record{}, fmt.Errorf("one: %w", store.ErrCorrupt)) && yield(store.Record{}, nil)
			}
		}
	})},
}

// locked holds one lock during a walk and during Touch. The lock heeds the context; a mutex would
// make the test hang instead of fail.
func locked(a *altered) {
	lock := make(chan struct{}, 1)
	take := func(ctx context.Context) error {
		select {
		case lock <- struct{}{}:
			return nil
		case <-ctx.Done():
			return store.FromContext(ctx)
		}
	}
	a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
		return func(yield func(store.Record, error) bool) {
			if err := take(ctx); err != nil {
				yield(store.Record{}, err)
				return
			}
			defer func() { <-lock }()
			for r, err := range a.ref.All(ctx) {
				if !yield(r, err) {
					return
				}
			}
		}
	}
	a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
		if err := take(ctx); err != nil {
			return err
		}
		defer func() { <-lock }()
		return a.ref.touchKey(ctx, key, every)
	}
}
