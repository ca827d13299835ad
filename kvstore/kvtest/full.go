package kvtest

import (
	"errors"
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

// Full fills a store until it refuses more with [store.ErrFull], and tells how many sessions it
// took. What was acknowledged must be readable then, and every other one can be deleted, touched or
// revoked.
func Full(t *testing.T, s store.Store) int {
	t.Helper()
	var all []session
	for {
		w := session{User: "user", Size: 40_000}.moved()
		w.Size = 40_000
		w.Key.Tag = store.TagOf(w.User)
		_, err := s.Create(t.Context(), w.record(), store.Admission{})
		if errors.Is(err, store.ErrFull) {
			break
		}
		if all = append(all, w); err != nil || len(all) > 100_000 {
			t.Fatalf("after %d sessions: %v, want ErrFull", len(all), err)
		}
	}
	for i, w := range all {
		if rec, _, err := s.Get(t.Context(), w.Key); err != nil || len(rec.Data) != w.Size {
			t.Fatalf("read when full: %v", err)
		}
		if i%2 == 0 {
			continue
		}
		if err := errors.Join(s.Touch(t.Context(), w.record(), 0), s.Delete(t.Context(), w.Key)); err != nil {
			t.Fatalf("touch and delete when full: %v", err)
		}
	}
	if r, err := s.Revoke(t.Context(), "user", store.Selection{}); r.N != (len(all)+1)/2 || err != nil {
		t.Fatalf("revoke when full: %d of %d: %v", r.N, (len(all)+1)/2, err)
	}
	for range s.All(t.Context()) {
		t.Fatal("after a revoke, something is left")
	}
	return len(all)
}
