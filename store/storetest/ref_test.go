package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// ref is the contract in its plainest form: one map, one mutex. The wrong stores are made from it,
// by replacing a method or by setting one of the knobs.
type ref struct {
	mu     sync.Mutex
	recs   map[store.Key]store.Record
	guards map[string]time.Time // when the user was last revoked

	damaged map[store.Key]bool

	clock func(time.Time) time.Time       // turns an instant of the process into one of the store's
	life  func(store.Record) store.Record // what of a record decides its end
	clone func([]byte) []byte
	owns  func(rec store.Record, user string) bool // whether rec is the user's
	knobs
}

func newRef() *ref {
	return &ref{
		recs:    map[store.Key]store.Record{},
		guards:  map[string]time.Time{},
		damaged: map[store.Key]bool{},
		clock:   func(t time.Time) time.Time { return t },
		life:    func(r store.Record) store.Record { return r },
		clone:   bytes.Clone,
		owns:    func(rec store.Record, user string) bool { return rec.User == user },
	}
}

func (s *ref) now() time.Time { return s.clock(time.Now()) }

func (s *ref) copied(rec store.Record) store.Record {
	rec.Meta, rec.Data = s.clone(rec.Meta), s.clone(rec.Data)
	return rec
}

func (s *ref) alive(rec store.Record, now time.Time) bool {
	r := s.life(rec)
	return r.Live(now)
}

func (s *ref) find(key store.Key, now time.Time) (store.Record, bool) {
	rec, ok := s.recs[key]
	return rec, ok && s.alive(rec, now)
}

// settle gives a new record its instants and its own bytes.
func (s *ref) settle(rec store.Record, version uint64, now time.Time) store.Record {
	rec.Version = version
	for _, t := range []*time.Time{&rec.Created, &rec.Seen} {
		if t.IsZero() || t.After(now) && !s.trustSeen {
			*t = now
		}
	}
	return s.copied(rec)
}

func (s *ref) begin(ctx context.Context, err error) error {
	if err != nil && !s.unchecked {
		return err
	}
	return store.FromContext(ctx)
}

func (s *ref) Traits() store.Traits { return store.Traits{Volatile: true, Local: true} }

func (s *ref) Watch(context.Context, func(store.Ending)) error { return errors.ErrUnsupported }

func (s *ref) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	if err := s.begin(ctx, store.CheckCreate(&rec, &adm)); err != nil {
		return store.Admitted{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	a := store.Admitted{Now: now}
	if rec.User != "" {
		a.Revoked = s.guards[rec.User]
	}
	if s.damaged[rec.Key] {
		return store.Admitted{}, store.ErrCorrupt
	}
	if s.evictAtAll {
		s.evict(rec.User, adm, now)
	}
	if old, ok := s.find(rec.Key, now); ok {
		if old.Version == 1 && old.Writer == rec.Writer && !s.noReplay {
			return a, nil
		}
		return store.Admitted{}, fmt.Errorf("create: %w", store.ErrExists)
	}
	if rec.User != "" {
		known := s.knowsAll || !a.Revoked.After(adm.Known)
		if adm.Age() > 0 && !a.Revoked.Before(s.clock(adm.Began)) && !known && !s.noGuard {
			return store.Admitted{}, fmt.Errorf("create: %w", store.ErrRevoked)
		}
	}
	rec = s.settle(rec, 1, now)
	if rec.User != "" {
		if adm.Evict && !s.alive(rec, now) {
			return a, nil // it never lives, so nobody has to go for it
		}
		var err error
		if a.Evicted, err = s.evict(rec.User, adm, now); err != nil {
			return store.Admitted{}, err
		}
	}
	s.recs[rec.Key] = rec
	return a, nil
}

// evict makes room for one more of the user's records.
func (s *ref) evict(user string, adm store.Admission, now time.Time) (evicted []store.Handle, err error) {
	if adm.Max == 0 {
		return nil, nil
	}
	var has []store.Record
	for _, r := range s.recs {
		mine := r.User == user || s.countTails && r.Key.Tag == store.TagOf(user)
		if mine && (s.countDamaged || !s.damaged[r.Key]) && (s.countExpired || s.alive(r, now)) {
			has = append(has, r)
		}
	}
	over := len(has) + 1 - adm.Max
	if over <= 0 {
		return nil, nil
	}
	if !adm.Evict {
		return nil, fmt.Errorf("create: %w", store.ErrLimit)
	}
	slices.SortFunc(has, func(a, b store.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), bytes.Compare(a.Key.ID[:], b.Key.ID[:]))
	})
	if s.evictBy != nil {
		slices.SortStableFunc(has, s.evictBy)
	}
	for _, r := range has[:over] {
		delete(s.recs, r.Key)
		evicted = append(evicted, r.Handle)
	}
	if s.evictSilent {
		evicted = nil
	}
	return evicted, nil
}

func (s *ref) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	if err := s.begin(ctx, nil); err != nil {
		return store.Record{}, time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.damaged[key] {
		return store.Record{}, now, store.ErrCorrupt
	}
	rec, ok := s.find(key, now)
	if !ok {
		return store.Record{}, now, fmt.Errorf("get: %w", store.ErrNotFound)
	}
	return s.copied(rec), now, nil
}

func (s *ref) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	if err := s.begin(ctx, store.Check(&rec)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	old, ok := s.find(rec.Key, now)
	_, there := s.recs[rec.Key]
	switch {
	case s.damaged[rec.Key]:
		return store.ErrCorrupt
	case !ok && s.upsert, !ok && there && s.updateBlind:
	case !ok:
		return fmt.Errorf("update: %w", store.ErrNotFound)
	case old.Version == ifVersion+1 && old.Writer == rec.Writer && !s.noReplay:
		return nil
	case old.Version != ifVersion && !s.noVersion:
		return fmt.Errorf("update: %w", store.ErrConflict)
	}
	next := s.settle(rec, ifVersion+1, now)
	if ok {
		s.keep(&next, old)
	}
	s.recs[rec.Key] = next
	return nil
}

// keep restores what an update of old must not change.
func (s *ref) keep(next *store.Record, old store.Record) {
	if !s.updateOwner {
		next.Handle, next.Created = old.Handle, old.Created
	}
	next.User = old.User
	if next.Seen.Before(old.Seen) && !s.seenBack {
		next.Seen = old.Seen
	}
	if s.keepEmpty && len(next.Data) == 0 {
		next.Data = old.Data
	}
}

func (s *ref) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	return s.touchKey(ctx, rec.Key, every)
}

func (s *ref) touchKey(ctx context.Context, key store.Key, every time.Duration) error {
	if err := s.begin(ctx, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.damaged[key] {
		return store.ErrCorrupt
	}
	rec, ok := s.find(key, now)
	if !ok {
		return fmt.Errorf("touch: %w", store.ErrNotFound)
	}
	if now.Sub(rec.Seen) >= every {
		rec.Seen = now
		s.recs[key] = rec
	}
	return nil
}

func (s *ref) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	if err := s.begin(ctx, store.CheckRotate(old, &rec, tail)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, taken := s.now(), false
	if there, ok := s.find(rec.Key, now); ok {
		if there.Version == ifVersion+1 && there.Writer == rec.Writer && !s.noReplay {
			return nil
		}
		if s.existsFirst {
			return fmt.Errorf("rotate: %w", store.ErrExists)
		}
		taken = true
	}
	prev, ok := s.find(old, now)
	switch {
	case s.damaged[old]:
		return store.ErrCorrupt
	case !ok:
		return fmt.Errorf("rotate: %w", store.ErrNotFound)
	case prev.Version != ifVersion:
		return fmt.Errorf("rotate: %w", store.ErrConflict)
	case prev.User != rec.User:
		return fmt.Errorf("rotate: %w: not the user of the record", store.ErrInvalid)
	case taken:
		return fmt.Errorf("rotate: %w", store.ErrExists)
	}
	if s.rotateNow {
		rec.Created = time.Time{}
	}
	s.recs[rec.Key] = s.settle(rec, ifVersion+1, now)
	if !s.rotateKeeps {
		delete(s.recs, old)
	}
	if tail != nil {
		t := s.settle(*tail, ifVersion+1, now)
		if s.tailOwned {
			t.User = prev.User
		}
		if s.tailVersion != nil {
			t.Version = s.tailVersion(ifVersion)
		}
		s.recs[old] = t
	}
	return nil
}

func (s *ref) Delete(ctx context.Context, key store.Key) error {
	if err := s.begin(ctx, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.recs, key)
	delete(s.damaged, key)
	return nil
}

func (s *ref) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	if err := s.begin(ctx, errors.Join(store.CheckSelection(sel), store.CheckUser(user))); err != nil || user == "" {
		return store.Revoked{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var r store.Revoked
	for key := range s.damaged {
		if key.Tag == store.TagOf(user) && !s.keepDamage {
			delete(s.recs, key)
			delete(s.damaged, key)
		}
	}
	for key, rec := range s.recs {
		if !s.damaged[key] && s.owns(rec, user) && sel.Picks(rec.Handle) {
			if s.alive(rec, now) {
				r.N++
			}
			delete(s.recs, key)
		}
	}
	if len(sel.Only) == 0 || s.guardAlways {
		if last := s.guards[user]; !now.After(last) && !s.oneInstant {
			now = last.Add(time.Microsecond)
		}
		s.guards[user], r.At = now, now
	}
	return r, nil
}

func (s *ref) Sweep(ctx context.Context, limit int) (int, error) {
	if err := s.begin(ctx, nil); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, n := s.now(), 0
	for key, rec := range s.recs {
		if n < limit && !s.alive(rec, now) && !(s.damaged[key] && s.keepDamage) {
			delete(s.recs, key)
			delete(s.damaged, key)
			n++
		}
	}
	for user, at := range s.guards {
		if now.Sub(at) > store.GuardFor {
			delete(s.guards, user)
		}
	}
	return n, nil
}

func (s *ref) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return s.walk(ctx, func(r store.Record) bool { return user != "" && s.owns(r, user) })
}

func (s *ref) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return s.walk(ctx, func(store.Record) bool { return true })
}

func (s *ref) walk(ctx context.Context, want func(store.Record) bool) iter.Seq2[store.Record, error] {
	return s.told(func(yield func(store.Record, error) bool) {
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, err)
			return
		}
		for _, rec := range s.snapshot(want) {
			if !yield(rec, nil) {
				return
			}
		}
	})
}

// snapshot returns the live records, in the order of their keys.
func (s *ref) snapshot(want func(store.Record) bool) (recs []store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, rec := range s.recs {
		if want(rec) && s.alive(rec, now) {
			rec.Data = nil
			recs = append(recs, s.copied(rec))
		}
	}
	slices.SortFunc(recs, func(a, b store.Record) int {
		return cmp.Or(bytes.Compare(a.Key.Tag[:], b.Key.Tag[:]), bytes.Compare(a.Key.ID[:], b.Key.ID[:]))
	})
	return recs
}
