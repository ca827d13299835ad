package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

var replicated = []string{"SOJOURN_REDIS_CLUSTER", "SOJOURN_REDIS_SENTINEL"}

// TestWaitingStore runs the whole kit with ends that wait for a replica.
func TestWaitingStore(t *testing.T) {
	for _, variable := range replicated {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, option(t, variable))
			storetest.Run(t, func(t testing.TB) store.Store {
				return open(t, c, redisstore.Options{WaitReplicas: 1, WaitTimeout: 30 * time.Second})
			}, kit)
		})
	}
}

// TestWaitUnmet asks for more replicas than there are, also where the end itself was applied by an earlier try and leaves nothing
// to write: each try must wait for what the first one wrote.
func TestWaitUnmet(t *testing.T) {
	for _, variable := range replicated {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, option(t, variable))
			s, p := spied(t, c, redisstore.Options{WaitReplicas: 9, WaitTimeout: 20 * time.Millisecond})
			r := create(t, s, record("somebody"))
			next := record("somebody")
			for range 2 {
				for what, err := range map[string]error{
					"rotate": s.Rotate(t.Context(), r.Key, 1, next, nil),
					"delete": s.Delete(t.Context(), r.Key),
					"revoke": func() error {
						_, err := s.Revoke(t.Context(), "somebody", store.Selection{Only: []store.Handle{r.Handle}})
						return err
					}(),
				} {
					if !errors.Is(err, store.ErrIndeterminate) || !strings.Contains(err.Error(), "of 9 replicas") {
						t.Errorf("%s: %v", what, err)
					}
				}
			}
			if p.waits.Load() == 0 {
				t.Error("nothing waited")
			}
			if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("get of what was ended without enough replicas: %v", err)
			}
		})
	}
}
