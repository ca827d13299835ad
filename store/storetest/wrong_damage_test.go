package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// damage damages a record of the reference store, or of one that is made from it.
func damage(s store.Store, key store.Key) error {
	r, ok := s.(*ref)
	if !ok {
		r = s.(*altered).ref
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damaged[key] = true
	return nil
}

// sound lets a method forget the damage of a key.
func (s *ref) sound(key store.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.damaged, key)
}

var wrongDamage = []wrong{
	{"what is damaged is given out", []string{"damaged"}, swap(func(a *altered) {
		a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
			a.sound(key)
			return a.ref.Get(ctx, key)
		}
	})},
	{"what is damaged is overwritten", []string{"damaged"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			a.sound(rec.Key)
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"a walk ends at what is damaged", []string{"damaged-walk"}, turn(func(s *ref) { s.stopAtDamage = true })},
	{"a walk hides what is damaged", []string{"damaged-walk"}, turn(func(s *ref) { s.hideDamage = true })},
	{"what is damaged cannot be deleted", []string{"damaged-delete"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			if a.isDamaged(key) {
				return store.ErrCorrupt
			}
			return a.ref.Delete(ctx, key)
		}
	})},
	{"a delete of what is damaged repairs it", []string{"damaged-delete"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			if a.isDamaged(key) {
				a.sound(key)
				return nil
			}
			return a.ref.Delete(ctx, key)
		}
	})},
	{"a revocation leaves what is damaged", []string{"damaged-revoke"}, turn(func(s *ref) { s.keepDamage = true })},
	{"a sweep leaves what is damaged", []string{"damaged-sweep"}, turn(func(s *ref) { s.keepDamage = true })},
	{"a sweep takes what is damaged for all that there is", []string{"damaged-sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			for key := range a.recs {
				a.sound(key)
			}
			return 0, store.ErrUnavailable
		}
	})},
}

func (s *ref) isDamaged(key store.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[key]
}

// told yields an error for what is damaged at the end.
func (s *ref) told(seq iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		met := false
		for rec, err := range seq {
			if err == nil && s.isDamaged(rec.Key) {
				if met = true; s.stopAtDamage {
					break
				}
				continue
			}
			if !yield(rec, err) {
				return
			}
		}
		if met && !s.hideDamage {
			yield(store.Record{}, store.ErrCorrupt)
		}
	}
}
