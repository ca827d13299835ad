package storetest

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// creating makes a wrong store that changes a record before it is created.
func creating(change func(*store.Record)) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			change(&rec)
			return a.ref.Create(ctx, rec, adm)
		}
	})
}

// rotating makes a wrong store that changes a record, or its tail, before the rotation of old.
func rotating(change func(old store.Record, rec, tail *store.Record)) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.rotate = func(ctx context.Context, key store.Key, v uint64, rec store.Record, tail *store.Record) error {
			old, _ := a.raw(key)
			var left store.Record
			if tail != nil {
				left = *tail
				tail = &left
			}
			change(old, &rec, &left)
			return a.ref.Rotate(ctx, key, v, rec, tail)
		}
	})
}

// counting makes a wrong store in which a call counts as use of the record at a key.
func counting(set func(a *altered, use func(store.Key))) func(*ref) store.Store {
	return swap(func(a *altered) {
		set(a, func(key store.Key) {
			if rec, ok := a.raw(key); ok && rec.Live(a.now()) {
				rec.Seen = a.now()
				a.put(rec)
			}
		})
	})
}

// firstEnds makes a wrong store that remembers the end that each record had when it was created or
// rotated, until an update.
func firstEnds(set func(a *altered, past func(store.Key) bool)) func(*ref) store.Store {
	return swap(func(a *altered) {
		ends := map[store.Key]time.Time{}
		note := func(key store.Key) {
			rec, _ := a.raw(key)
			ends[key] = rec.Expires()
		}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			note(rec.Key)
			return got, err
		}
		set(a, func(key store.Key) bool { return !ends[key].IsZero() && !a.now().Before(ends[key]) })
	})
}

// Stores that are wrong about what time a write is given, and what it does to it.
var wrongGiven = []wrong{
	{"create sets Seen to now", []string{"given-create", "given-ends"}, creating(func(r *store.Record) { r.Seen = time.Time{} })},
	{"create sets Created to now", []string{"given-create", "given-ends"}, creating(func(r *store.Record) { r.Created = time.Time{} })},
	{"create sees a record when it was created", []string{"given-create"}, creating(func(r *store.Record) {
		if r.Seen.IsZero() {
			r.Seen = r.Created
		}
	})},
	{"create creates a record when it was seen", []string{"given-create"}, creating(func(r *store.Record) {
		if r.Created.IsZero() {
			r.Created = r.Seen
		}
	})},
	{"nobody is seen before he was created", []string{"given-create"}, creating(func(r *store.Record) {
		if !r.Seen.IsZero() && r.Seen.Before(r.Created) {
			r.Seen = r.Created
		}
	})},
	{"1970 is no time", []string{"given-create"}, creating(func(r *store.Record) {
		if r.Created.Unix() == 0 {
			r.Created = time.Time{}
		}
	})},
	{"update takes now for every Seen", []string{"given-update", "seen"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			rec.Seen = time.Time{}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"update leaves Seen where none is given", []string{"given-update", "use"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok && rec.Seen.IsZero() {
				rec.Seen = old.Seen
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"rotate keeps the old Created", []string{"given-rotate"}, rotating(func(old store.Record, rec, _ *store.Record) { rec.Created = old.Created })},
	{"rotate keeps the old Created where none is given", []string{"given-rotate"}, rotating(func(old store.Record, rec, _ *store.Record) {
		if rec.Created.IsZero() {
			rec.Created = old.Created
		}
	})},
	{"rotate keeps the old Seen where none is given", []string{"given-rotate"}, rotating(func(old store.Record, rec, _ *store.Record) {
		if rec.Seen.IsZero() {
			rec.Seen = old.Seen
		}
	})},
	{"rotate moves Seen forward only", []string{"given-rotate", "given-ends"}, rotating(func(old store.Record, rec, _ *store.Record) {
		if !rec.Seen.IsZero() && rec.Seen.Before(old.Seen) {
			rec.Seen = old.Seen
		}
	})},
	{"rotate sets Seen to now", []string{"given-rotate", "given-ends"}, rotating(func(_ store.Record, rec, _ *store.Record) { rec.Seen = time.Time{} })},
	{"a tail is as old as its record", []string{"given-rotate"}, rotating(func(old store.Record, _, tail *store.Record) { tail.Created = old.Created })},
	{"a tail is new", []string{"given-rotate", "given-ends"}, rotating(func(_ store.Record, _, tail *store.Record) { tail.Created, tail.Seen = time.Time{}, time.Time{} })},
	{"a tail has the new record's instants", []string{"given-rotate"}, rotating(func(_ store.Record, rec, tail *store.Record) { tail.Created, tail.Seen = rec.Created, rec.Seen })},
	{"get is use", []string{"use", "expiry-idle"}, counting(func(a *altered, use func(store.Key)) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			use(key)
			return rec, now, err
		}
	})},
	{"being listed is use", []string{"use"}, counting(func(a *altered, use func(store.Key)) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for rec, err := range a.ref.User(ctx, user) {
					use(rec.Key)
					if !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
	{"an update sent again is use", []string{"use"}, counting(func(a *altered, use func(store.Key)) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			old, _ := a.raw(rec.Key)
			err := a.ref.Update(ctx, rec, v)
			if err == nil && old.Version == v+1 {
				use(rec.Key)
			}
			return err
		}
	})},
	{"a refused update is use", []string{"use", "update-conflict"}, counting(func(a *altered, use func(store.Key)) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			err := a.ref.Update(ctx, rec, v)
			if errors.Is(err, store.ErrConflict) {
				use(rec.Key)
			}
			return err
		}
	})},
	{"a refused create is use", []string{"use"}, counting(func(a *altered, use func(store.Key)) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if errors.Is(err, store.ErrExists) {
				use(rec.Key)
			}
			return got, err
		}
	})},
	{"a refused rotate is use", []string{"use"}, counting(func(a *altered, use func(store.Key)) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if err != nil {
				use(old)
			}
			return err
		}
	})},
	{"a sweep uses what it meets", []string{"use"}, counting(func(a *altered, use func(store.Key)) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			n, err := a.ref.Sweep(ctx, limit)
			for _, rec := range a.snapshot(func(store.Record) bool { return true }) {
				use(rec.Key)
			}
			return n, err
		}
	})},
	{"now is at most a while after Seen", []string{"clock-late"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if most := rec.Seen.Add(time.Hour); err == nil && now.After(most) {
				now = most
			}
			return rec, now, err
		}
	})},
	{"now is that of the last write", []string{"clock-late"}, swap(func(a *altered) {
		at := a.now()
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			at = a.now()
			return a.ref.Create(ctx, rec, adm)
		}
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			at = a.now()
			return a.ref.touchKey(ctx, key, every)
		}
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, _, err := a.ref.Get(ctx, key)
			return rec, at, err
		}
	})},
	{"lists go by the first end", []string{"kept-alive"}, firstEnds(func(a *altered, past func(store.Key) bool) {
		a.user = func(ctx context.Context, user string) iter.Seq2[store.Record, error] {
			return a.walk(ctx, func(r store.Record) bool { return r.User == user && user != "" && !past(r.Key) })
		}
	})},
	{"a walk goes by the first end", []string{"kept-alive"}, firstEnds(func(a *altered, past func(store.Key) bool) {
		a.all = func(ctx context.Context) iter.Seq2[store.Record, error] {
			return a.walk(ctx, func(r store.Record) bool { return !past(r.Key) })
		}
	})},
	{"revoke goes by the first end", []string{"kept-alive"}, firstEnds(func(a *altered, past func(store.Key) bool) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			spared := a.snapshot(func(r store.Record) bool { return r.User == user && past(r.Key) })
			r, err := a.ref.Revoke(ctx, user, sel)
			for _, rec := range spared {
				if sel.Picks(rec.Handle) && err == nil {
					a.put(rec)
					r.N--
				}
			}
			return r, err
		}
	})},
	{"limits go by the first end", []string{"kept-alive"}, func(s *ref) store.Store {
		w := firstEnds(func(a *altered, past func(store.Key) bool) {
			create := a.create
			a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
				if adm.Max > 0 {
					adm.Max += len(a.snapshot(func(r store.Record) bool { return r.User == rec.User && past(r.Key) }))
				}
				return create(ctx, rec, adm)
			}
		})
		return w(s)
	}},
	{"what a sweep has met alive it does not look at again", []string{"kept-swept"}, firstEnds(func(a *altered, past func(store.Key) bool) {
		met := map[store.Key]bool{}
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			for _, rec := range a.snapshot(func(r store.Record) bool { return past(r.Key) }) {
				met[rec.Key] = true
			}
			a.mu.Lock()
			kept := map[store.Key]store.Record{}
			for key := range met {
				if rec, ok := a.recs[key]; ok {
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
	{"an expired idle time counts in limits", []string{"limit-expired"}, expiredCounts(func(r store.Record) bool { return r.Idle > 0 && r.Lifetime == 0 })},
	{"an expired lifetime counts in limits", []string{"limit-expired"}, expiredCounts(func(r store.Record) bool { return r.Idle == 0 && r.Lifetime > 0 })},
	{"what expired by the earlier end counts in limits", []string{"limit-expired"}, expiredCounts(func(r store.Record) bool { return r.Idle > 0 && r.Lifetime > 0 })},
	{"what expired after an update counts in limits", []string{"limit-expired"}, expiredCounts(func(r store.Record) bool { return r.Version > 1 })},
	{"eviction takes what has expired for room", []string{"limit-expired", "expired-count"}, turn(func(s *ref) { s.countExpired = true })},
}

// expiredCounts makes a wrong store whose limits count some expired records.
func expiredCounts(which func(store.Record) bool) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			dead := 0
			a.mu.Lock()
			for _, r := range a.recs {
				if r.User == rec.User && !r.Live(a.now()) && which(r) {
					dead++
				}
			}
			a.mu.Unlock()
			if adm.Max > 0 && dead > 0 && rec.User != "" {
				adm.Max = max(adm.Max-dead, 1)
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})
}
