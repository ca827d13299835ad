package storetest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that do in two steps what must be one, beside another write. Called alone they are right.
// The gap between the steps is a moment of fake time, so a bubble meets it in every run; of the
// last ones it is only that the lock is free.
var wrongMeets = []wrong{
	{"rotate looks, then moves what it saw", []string{"meet-rotate-update", "meet-revoke-rotate", "meet-rotate-evict", "meet-revoke-many"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			was, ok := a.raw(old)
			if _, _, err := a.ref.Get(ctx, old); !ok || err != nil || was.Version != v || was.User != rec.User {
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
			gap()
			a.put(was)
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"rotate leaves what an update has changed", []string{"meet-rotate-update"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			old, _, err := a.ref.Get(ctx, rec.Key)
			if err != nil || old.Version != v || old.User == "" {
				return a.ref.Update(ctx, rec, v)
			}
			gap()
			if now, ok := a.raw(rec.Key); ok && now.Version != v && now.User == "" {
				return nil // over a tail, it is said to be applied
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"touch writes back what it read", []string{"meet-rotate-touch", "meet-evict-writes", "meet-revoke-touch", "meet-update-touch", "meet-delete"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			rec, now, err := a.ref.Get(ctx, key)
			if err != nil || now.Sub(rec.Seen) < every {
				return err
			}
			gap()
			rec.Seen = now
			a.put(rec)
			return nil
		}
	})},
	{"update writes back what it read", []string{"meet-evict-writes", "meet-revoke-update", "meet-rotate-update", "meet-updates", "race-large", "meet-delete"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			old, _, err := a.ref.Get(ctx, rec.Key)
			if err != nil || old.Version != v || store.Check(&rec) != nil {
				return a.ref.Update(ctx, rec, v)
			}
			gap()
			a.put(old)
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"large data is written without looking again", []string{"meet-updates", "race-large", "meet-revoke-update"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			old, _, err := a.ref.Get(ctx, rec.Key)
			if err != nil || old.Version != v || store.Check(&rec) != nil || len(rec.Data) <= 16<<10 {
				return a.ref.Update(ctx, rec, v)
			}
			gap() // its bytes are copied with no lock held
			a.put(old)
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"delete of what was rotated takes the new record", []string{"meet-rotate-delete"}, swap(func(a *altered) {
		moved := map[store.Key]store.Key{}
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			a.mu.Lock()
			moved[old] = rec.Key
			a.mu.Unlock()
			gap()
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			gap()
			a.mu.Lock()
			delete(moved, old)
			a.mu.Unlock()
			return err
		}
		a.delete = func(ctx context.Context, key store.Key) error {
			a.mu.Lock()
			next := moved[key]
			a.mu.Unlock()
			a.ref.Delete(ctx, next)
			return a.ref.Delete(ctx, key)
		}
	})},
	{"rotate looks at the new key, then writes to it", []string{"meet-rotate-key"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if _, _, err := a.ref.Get(ctx, rec.Key); err == nil {
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
			gap()
			a.ref.Delete(ctx, rec.Key)
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"create looks at its key, then writes to it", []string{"meet-rotate-key", "meet-creates"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if _, _, err := a.ref.Get(ctx, rec.Key); err == nil {
				return a.ref.Create(ctx, rec, adm)
			}
			gap()
			a.ref.Delete(ctx, rec.Key)
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"rotate deletes, then inserts, and a create counts meanwhile", []string{"meet-rotate-limit", "meet-rotate-evict", "meet-revoke-rotate", "meet-rotate-read"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if err := a.ref.Rotate(ctx, old, v, rec, tail); err != nil {
				return err
			}
			next, ok := a.raw(rec.Key)
			if !ok || next.Version != v+1 {
				return nil
			}
			a.ref.Delete(ctx, rec.Key)
			gap()
			a.put(next)
			return nil
		}
	})},
	{"create lists, then evicts", []string{"meet-rotate-evict", "meet-revoke-evict", "meet-creates"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			recs := a.snapshot(func(r store.Record) bool { return r.User == rec.User && rec.User != "" })
			if !adm.Evict || adm.Max != 1 || len(recs) != 1 || recs[0].Key == rec.Key {
				return a.ref.Create(ctx, rec, adm)
			}
			gap()
			a.ref.Delete(ctx, recs[0].Key)
			got, err := a.ref.Create(ctx, rec, store.Admission{Began: adm.Began, Known: adm.Known})
			got.Evicted = handles(recs)
			return got, err
		}
	})},
	{"create evicts, then inserts", []string{"meet-evict-writes"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if err != nil || len(got.Evicted) == 0 {
				return got, err
			}
			stored, _ := a.raw(rec.Key)
			a.ref.Delete(ctx, rec.Key)
			gap()
			a.put(stored)
			return got, err
		}
	})},
	{"create counts, then inserts", []string{"meet-creates", "race-limit"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if n := a.has(rec.User); adm.Max > n && !adm.Evict && rec.User != "" {
				gap()
				adm.Max = 0
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"rotate inserts, then deletes, and both are the session meanwhile", []string{"meet-rotate-read"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			was, ok := a.raw(old)
			if err := a.ref.Rotate(ctx, old, v, rec, tail); err != nil || !ok || was.Version != v {
				return err
			}
			left, there := a.raw(old)
			a.put(was)
			gap()
			if there {
				a.put(left)
				return nil
			}
			return a.ref.Delete(ctx, old)
		}
	})},
	{"sweep lists, then deletes", []string{"meet-sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			a.mu.Lock()
			var dead []store.Key
			for key, rec := range a.recs {
				if len(dead) < limit && !rec.Live(time.Now()) {
					dead = append(dead, key)
				}
			}
			a.mu.Unlock()
			gap()
			for _, key := range dead {
				a.ref.Delete(ctx, key)
			}
			return len(dead), store.FromContext(ctx)
		}
	})},
	{"get reads the data, then the rest", []string{"race-read"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			before, ok := a.raw(key)
			gap()
			rec, now, err := a.ref.Get(ctx, key)
			if err == nil && ok {
				rec.Data = before.Data
			}
			return rec, now, err
		}
	})},
	{"lists hold the versions of other bytes", []string{"race-read"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			old, ok := a.raw(rec.Key)
			if err := a.ref.Update(ctx, rec, v); err != nil || !ok {
				return err
			}
			now, _ := a.raw(rec.Key)
			half := now
			half.Meta = old.Meta
			a.put(half)
			gap()
			a.put(now)
			return nil
		}
	})},
	{"revoke lists, then deletes its records", []string{"meet-revoke-rotate", "meet-revoke-create", "meet-revoke-evict", "meet-revoke-twice", "meet-revoke-guard"}, swap(revokeInSteps(1<<30, false))},
	{"revoke guards, lists, then deletes", []string{"meet-revoke-rotate", "meet-revoke-evict"}, swap(revokeInSteps(1<<30, true))},
	{"revoke goes by pages of 50", []string{"meet-revoke-many"}, swap(revokeInSteps(50, true))},
	{"revoke writes its records off, one by one", []string{"meet-revoke-delete"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			was, ok := a.raw(key)
			gap()
			if _, there := a.raw(key); ok && !there && was.User != "" {
				a.put(was) // it finds that another has changed it, and puts it back
			}
			return a.ref.Delete(ctx, store.Key{Tag: key.Tag})
		}
	})},
	{"two revokes read one instant", []string{"meet-revoke-twice"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			last := a.guard(user)
			gap()
			r, err := a.ref.Revoke(ctx, user, sel)
			if err == nil && !r.At.IsZero() {
				if r.At = a.now(); !r.At.After(last) {
					r.At = last.Add(time.Microsecond)
				}
				a.setGuard(user, r.At)
			}
			return r, err
		}
	})},
	{"the guard is looked at before the lock is taken", []string{"meet-revoke-guard", "race-guard"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if at := a.guard(rec.User); !adm.Began.IsZero() && at.Before(adm.Began) {
				gap()
				adm.Began = time.Time{}
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	// What these do between two steps takes no time: they are met by chance, many times over.
	{"large data is copied with the lock free", []string{"race-large"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			old, _, err := a.ref.Get(ctx, rec.Key)
			if err != nil || old.Version != v || store.Check(&rec) != nil || len(rec.Data) <= 16<<10 {
				return a.ref.Update(ctx, rec, v)
			}
			next := a.copied(rec)
			runtime.Gosched()
			a.put(old)
			return a.ref.Update(ctx, next, v)
		}
	})},
}

// revokeInSteps lists the user's records, lets go of the lock, and deletes them, some at a time.
func revokeInSteps(page int, guardFirst bool) func(*altered) {
	return func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
			if err := errors.Join(store.CheckSelection(sel), store.FromContext(ctx)); err != nil || user == "" {
				return r, err
			}
			mark := func() {
				if len(sel.Only) == 0 {
					g, _ := a.ref.Revoke(ctx, user, store.Selection{Except: handles(a.snapshot(func(r store.Record) bool { return r.User == user }))})
					r.At = g.At
				}
			}
			if guardFirst {
				mark()
			}
			recs := a.snapshot(func(rec store.Record) bool { return rec.User == user && sel.Picks(rec.Handle) })
			for some := range slices.Chunk(recs, page) {
				gap()
				for _, rec := range some {
					a.ref.Delete(ctx, rec.Key)
				}
				r.N += len(some)
			}
			if !guardFirst {
				gap()
				mark()
			}
			return r, nil
		}
	}
}
