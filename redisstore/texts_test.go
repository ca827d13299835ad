package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
)

// TestDamageStaysFiled creates other records of a user who has a damaged one. That must stay in the
// index, or nothing would end it.
func TestDamageStaysFiled(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		for what, adm := range map[string]store.Admission{"no limit": {}, "a limit": {Max: 2}, "eviction": {Max: 1, Evict: true}} {
			p := prefix()
			s := open(t, c, redisstore.Options{Prefix: p})
			r := create(t, s, record("somebody"))
			k := keysOf(t, c, p)
			k.cut(t, 66)
			for range 3 {
				next := record("somebody")
				if _, err := s.Create(t.Context(), next, adm); err != nil {
					t.Fatalf("%s: create beside a damaged record: %v", what, err)
				}
				if err := s.Delete(t.Context(), next.Key); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: get of the damaged record: %v", what, err)
			}
			if _, err := s.Revoke(t.Context(), "somebody", store.Selection{}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: get of the damaged record after a revoke: %v", what, err)
			}
		}
	})
}

// TestMarkGoes lets an end that waits for replicas write its mark, which is not to stay.
func TestMarkGoes(t *testing.T) {
	for _, variable := range replicated {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c, p := dial(t, option(t, variable)), prefix()
			s := open(t, c, redisstore.Options{Prefix: p, WaitReplicas: 1, WaitTimeout: 30 * time.Second})
			r := create(t, s, record("somebody"))
			k := keysOf(t, c, p)
			if err := s.Delete(t.Context(), r.Key); err != nil {
				t.Fatal(err)
			}
			if left := k.left(t, strings.TrimSuffix(k.index, "u")+"w"); left == -1 || left > time.Second {
				t.Errorf("the mark lives %v, want a second", left)
			}
		})
	}
}
