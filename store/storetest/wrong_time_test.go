package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

const thirtyDays = 30 * 24 * time.Hour

// handedIn makes a wrong store that changes each new record, and each change of one.
func handedIn(change func(*store.Record)) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			change(&rec)
			return a.ref.Create(ctx, rec, adm)
		}
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			change(&rec)
			return a.ref.Update(ctx, rec, v)
		}
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			change(&rec)
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})
}

// lasting makes a wrong store that ends records at another time than they say.
func lasting(life func(*store.Record)) func(*ref) store.Store {
	return turn(func(s *ref) {
		s.life = func(rec store.Record) store.Record { life(&rec); return rec }
	})
}

// Stores that err about time, and in sweeps.
var wrongTimes = []wrong{
	{"lives a tick too long", []string{"expiry-lifetime", "expiry-both", "life-short", "rotate-tail-expiry"}, lasting(func(r *store.Record) {
		if r.Lifetime > 0 {
			r.Lifetime++
		}
	})},
	{"idles a tick too long", []string{"expiry-idle", "expiry-both", "idle-slides"}, lasting(func(r *store.Record) {
		if r.Idle > 0 {
			r.Idle++
		}
	})},
	{"ends a tick too early", []string{"expiry-lifetime", "life-short", "life-long"}, lasting(func(r *store.Record) {
		if r.Lifetime > 0 {
			r.Created = r.Created.Add(-1)
		}
	})},
	{"lives as long as the later limit says", []string{"expiry-both"}, lasting(func(r *store.Record) {
		if r.Idle > 0 && r.Lifetime > 0 {
			if r.Seen.Add(r.Idle).Before(r.Created.Add(r.Lifetime)) {
				r.Idle = 0
			} else {
				r.Lifetime = 0
			}
		}
	})},
	{"the lifetime slides", []string{"lifetime-stays"}, lasting(func(r *store.Record) { r.Created = r.Seen })},
	{"lives are cut at 30 days (D27)", []string{"life-long"}, lasting(func(r *store.Record) {
		if r.Lifetime > thirtyDays {
			r.Lifetime = thirtyDays
		}
	})},
	{"lives over 35 days are refused (D33)", []string{"life-exact", "life-long"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if rec.Lifetime > 35*24*time.Hour {
				return store.Admitted{}, store.ErrUnavailable
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"lives are rounded to seconds", []string{"life-exact"}, handedIn(func(r *store.Record) {
		r.Idle, r.Lifetime = r.Idle.Round(time.Second), r.Lifetime.Round(time.Second)
	})},
	{"a default for no limit", []string{"life-unlimited", "life-exact"}, handedIn(func(r *store.Record) {
		if r.Idle == 0 && r.Lifetime == 0 {
			r.Lifetime = thirtyDays
		}
	})},
	{"lives last a second at least", []string{"life-short"}, lasting(func(r *store.Record) {
		if r.Lifetime > 0 {
			r.Lifetime = max(r.Lifetime, time.Second)
		}
	})},
	{"no time to live where it has passed (D8c)", []string{"life-over"}, handedIn(func(r *store.Record) {
		if !r.Created.IsZero() && !r.Live(time.Now()) {
			r.Idle, r.Lifetime = 0, 0
		}
	})},
	{"expired records are there until swept (D16, D35)", []string{"ended-expiry", "expiry-idle", "expiry-lifetime", "life-over"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			if rec, ok := a.raw(key); ok {
				return rec, time.Now(), store.FromContext(ctx)
			}
			return a.ref.Get(ctx, key)
		}
	})},
	{"expired records are listed until swept", []string{"ended-expiry", "expiry-idle", "expiry-lifetime"}, swap(func(a *altered) {
		a.user = func(_ context.Context, user string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				a.mu.Lock()
				var recs []store.Record
				for _, r := range a.recs {
					if r.User == user && user != "" {
						r.Data = nil
						recs = append(recs, r)
					}
				}
				a.mu.Unlock()
				for _, r := range recs {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
	})},
	{"expired records hold their keys", []string{"expired-slot"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if old, ok := a.raw(rec.Key); ok && old.Writer != rec.Writer {
				return store.Admitted{}, store.ErrExists
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"expired records count in limits", []string{"expired-count", "update-ends"}, turn(func(s *ref) { s.countExpired = true })},
	{"now stands still", []string{"clock"}, swap(func(a *altered) {
		var first time.Time
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if first.IsZero() {
				first = now
			}
			return rec, first, err
		}
	})},
	{"instants come back in another zone's time (D34)", []string{"create", "clock"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			rec.Created, rec.Seen = rec.Created.Add(9*time.Hour), rec.Seen.Add(9*time.Hour)
			return rec, now, err
		}
	})},
	{"sweep stops after the first (D8)", []string{"sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) { return a.ref.Sweep(ctx, min(limit, 1)) }
	})},
	{"sweep exceeds its limit", []string{"sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) { return a.ref.Sweep(ctx, 10*limit) }
	})},
	{"sweep does not count", []string{"sweep", "sweep-moved"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			n, err := a.ref.Sweep(ctx, limit)
			return min(n, 1), err
		}
	})},
	{"sweep takes what ends within a tick", []string{"sweep-early"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			now := a.clock
			a.clock = func(t time.Time) time.Time { return now(t).Add(1) }
			n, err := a.ref.Sweep(ctx, limit)
			a.clock = now
			return n, err
		}
	})},
	{"sweep goes by the first expiry (D18)", []string{"sweep-live"}, swap(func(a *altered) {
		ends := map[store.Key]time.Time{}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			now, _ := a.raw(rec.Key)
			ends[rec.Key] = now.Expires()
			return got, err
		}
		a.sweep = func(ctx context.Context, _ int) (n int, _ error) {
			for key, end := range ends {
				if end.Before(time.Now()) {
					delete(ends, key)
					a.ref.Delete(ctx, key)
					n++
				}
			}
			return n, store.FromContext(ctx)
		}
	})},
	{"sweep misses what was saved twice within an instant (D18)", []string{"sweep-moved"}, swap(func(a *altered) {
		last, missed := map[store.Key]time.Time{}, map[store.Key]bool{}
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			now := time.Now()
			missed[rec.Key] = last[rec.Key].Equal(now) // the index row of both is the same, and was deleted
			last[rec.Key] = now
			return a.ref.Update(ctx, rec, v)
		}
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			a.mu.Lock()
			kept := map[store.Key]store.Record{}
			for key := range missed {
				if rec, ok := a.recs[key]; ok && missed[key] {
					kept[key] = rec
					delete(a.recs, key)
				}
			}
			a.mu.Unlock()
			n, err := a.ref.Sweep(ctx, limit)
			for _, rec := range kept {
				a.put(rec)
			}
			return n, err
		}
	})},
	{"sweep forgets revocations", []string{"guard-time"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			a.mu.Lock()
			clear(a.guards)
			a.mu.Unlock()
			return a.ref.Sweep(ctx, limit)
		}
	})},
	{"sweep is not supported", []string{"unsupported", "sweep"}, swap(func(a *altered) {
		a.sweep = func(context.Context, int) (int, error) {
			return 0, fmt.Errorf("sweep: %w", errors.ErrUnsupported)
		}
	})},
}
