package storetest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that err in what a write does, one call after another.
var wrongWrites = []wrong{
	{"upserting update (D2, D15)", []string{"missing", "ended-delete", "ended-revoke", "ended-rotate", "ended-expiry", "race-delete", "race-revoke"},
		turn(func(s *ref) { s.upsert = true })},
	{"update does not look at expiry", []string{"ended-expiry", "expiry-idle", "expiry-lifetime"},
		turn(func(s *ref) { s.updateBlind = true })},
	{"upserting touch", []string{"missing", "ended-delete"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			if _, ok := a.raw(key); !ok {
				a.put(store.Record{Key: key, Version: 1})
			}
			return a.ref.touchKey(ctx, key, every)
		}
	})},
	{"upserting rotate", []string{"missing", "ended-delete", "ended-rotate"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			err := a.ref.Rotate(ctx, old, v, rec, tail)
			if errors.Is(err, store.ErrNotFound) {
				_, err = a.ref.Create(ctx, rec, store.Admission{})
			}
			return err
		}
	})},
	{"no version check (D1, D10)", []string{"update-conflict", "race-update"}, turn(func(s *ref) { s.noVersion = true })},
	{"a repeated write is a conflict", []string{"create-replay", "update-replay", "rotate-replay"}, turn(func(s *ref) { s.noReplay = true })},
	{"create overwrites", []string{"create-twice", "race-create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			a.ref.Delete(ctx, rec.Key)
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"create takes the caller's version", []string{"create"}, swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			got, err := a.ref.Create(ctx, rec, adm)
			if got, ok := a.raw(rec.Key); ok && err == nil && rec.Version > 0 {
				got.Version = rec.Version
				a.put(got)
			}
			return got, err
		}
	})},
	{"a deleted key is burnt", []string{"create-again"}, swap(func(a *altered) {
		burnt := map[store.Key]bool{}
		a.delete = func(ctx context.Context, key store.Key) error {
			burnt[key] = true
			return a.ref.Delete(ctx, key)
		}
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			if burnt[rec.Key] {
				return store.Admitted{}, store.ErrExists
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})},
	{"delete takes the whole tag", []string{"delete", "keys"}, swap(func(a *altered) {
		a.delete = func(_ context.Context, key store.Key) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			for other := range a.recs {
				if other.Tag == key.Tag {
					delete(a.recs, other)
				}
			}
			return nil
		}
	})},
	{"delete of a missing record fails (scs buntdb, jeff memcache)", []string{"delete-missing"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			if _, ok := a.raw(key); !ok {
				return store.ErrNotFound
			}
			return a.ref.Delete(ctx, key)
		}
	})},
	{"a cache serves what has ended", []string{"ended-delete", "ended-revoke", "ended-rotate", "ended-expiry"}, swap(func(a *altered) {
		cache := map[store.Key]store.Record{}
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			rec, now, err := a.ref.Get(ctx, key)
			if err == nil {
				cache[key] = rec
			} else if old, ok := cache[key]; ok {
				return old, now, nil
			}
			return rec, now, err
		}
	})},
	{"update takes handle and Created from the caller", []string{"update-keeps"}, turn(func(s *ref) { s.updateOwner = true })},
	{"update replaces the data alone", []string{"update", "idle-shortens", "sweep-moved"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok {
				rec.Idle, rec.Lifetime, rec.Meta = old.Idle, old.Lifetime, old.Meta
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"update does not move the expiry (D8d)", []string{"idle-slides", "sweep-live"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok {
				rec.Seen, rec.Idle, rec.Lifetime = old.Seen, old.Idle, old.Lifetime
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"a save of the same values is refused (D33)", []string{"update-same"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok && old.Version == v && bytes.Equal(old.Data, rec.Data) {
				return store.ErrConflict // no row was changed
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"an update to no life is refused", []string{"update-ends"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok && old.Version == v {
				old.Idle, old.Lifetime = rec.Idle, rec.Lifetime
				if !old.Live(time.Now()) {
					return store.ErrInvalid
				}
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"an update to no life drops the limits (D8c)", []string{"update-ends"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok && old.Version == v {
				old.Idle, old.Lifetime = rec.Idle, rec.Lifetime
				if !old.Live(time.Now()) {
					rec.Idle, rec.Lifetime = 0, 0
				}
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"empty means unchanged", []string{"update-empty"}, turn(func(s *ref) { s.keepEmpty = true })},
	{"trusts the caller's clock (D34)", []string{"seen", "clock-skew"}, turn(func(s *ref) { s.trustSeen = true })},
	{"Seen moves back", []string{"seen", "clock-skew"}, turn(func(s *ref) { s.seenBack = true })},
	{"touch does nothing", []string{"touch", "idle-slides", "touch-every"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, _ time.Duration) error {
			_, _, err := a.ref.Get(ctx, key)
			return err
		}
	})},
	{"touch is not throttled", []string{"touch-every"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, _ time.Duration) error { return a.ref.touchKey(ctx, key, 0) }
	})},
	{"touch waits longer than every", []string{"touch-every"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			return a.ref.touchKey(ctx, key, every+1)
		}
	})},
	{"touch is an update", []string{"touch", "race-touch"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			err := a.ref.touchKey(ctx, key, every)
			if rec, ok := a.raw(key); ok && err == nil {
				rec.Version++
				a.put(rec)
			}
			return err
		}
	})},
	{"touch moves Created", []string{"lifetime-stays", "touch"}, swap(func(a *altered) {
		a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
			err := a.ref.touchKey(ctx, key, every)
			if rec, ok := a.raw(key); ok && err == nil {
				rec.Created = rec.Seen
				a.put(rec)
			}
			return err
		}
	})},
	{"rotate leaves the old record (D36)", []string{"rotate", "ended-rotate", "rotate-step"}, turn(func(s *ref) { s.rotateKeeps = true })},
	{"rotate ignores the version", []string{"rotate-conflict"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if was, ok := a.raw(old); ok {
				v = was.Version
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"rotate overwrites", []string{"rotate-exists"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if there, ok := a.raw(rec.Key); ok && there.Writer != rec.Writer {
				a.ref.Delete(ctx, rec.Key)
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"rotate starts a new life", []string{"rotate-created", "lifetime-stays"}, turn(func(s *ref) { s.rotateNow = true })},
	{"rotate drops the tail", []string{"rotate-tail"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, _ *store.Record) error {
			return a.ref.Rotate(ctx, old, v, rec, nil)
		}
	})},
	{"a tail belongs to the user", []string{"rotate-tail", "rotate-tail-apart"}, turn(func(s *ref) { s.tailOwned = true })},
	{"touch believes its hint", []string{"touch-hint"}, func(s *ref) store.Store {
		return &hinting{s, func(ctx context.Context, hint store.Record, every time.Duration) error {
			err := s.touchKey(ctx, hint.Key, every)
			if rec, ok := s.raw(hint.Key); ok && err == nil {
				rec.Idle, rec.Lifetime = hint.Idle, hint.Lifetime
				s.put(rec)
			}
			return err
		}}
	}},
	{"a tail keeps the version", []string{"rotate-tail-apart", "rotate-tail"}, turn(func(s *ref) {
		s.tailVersion = func(v uint64) uint64 { return v }
	})},
	{"a tail starts at version 1", []string{"rotate-tail"}, turn(func(s *ref) { s.tailVersion = func(uint64) uint64 { return 1 } })},
	{"tails count in limits", []string{"rotate-tail-apart", "user-tag"}, turn(func(s *ref) { s.countTails = true })},
	{"a tail lives for ever", []string{"rotate-tail-expiry"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if tail != nil {
				t := *tail
				t.Lifetime = 0
				tail = &t
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"nothing is checked", []string{"rotate-invalid", "invalid-record", "invalid-admission", "revoke-invalid", "user-long"},
		turn(func(s *ref) { s.unchecked = true })},
}
