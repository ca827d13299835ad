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

// TestWaitUnmet asks for more replicas than there are. A try that finds nothing left to end still writes something, or its WAIT, on
// a connection that wrote nothing, would not wait for what an earlier try wrote.
func TestWaitUnmet(t *testing.T) {
	for _, variable := range replicated {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, option(t, variable))
			name := prefix()
			s, p := spied(t, c, redisstore.Options{Prefix: name, WaitReplicas: 9, WaitTimeout: 20 * time.Millisecond})
			r := create(t, s, record("somebody"))
			next := record("somebody")
			k := keysOf(t, c, name)
			written := strings.TrimSuffix(k.index, "u") + "w"
			for range 2 {
				for what, end := range map[string]func() error{
					"rotate": func() error { return s.Rotate(t.Context(), r.Key, 1, next, nil) },
					"delete": func() error { return s.Delete(t.Context(), r.Key) },
					"revoke": func() error {
						_, err := s.Revoke(t.Context(), "somebody", store.Selection{Only: []store.Handle{r.Handle}})
						return err
					},
				} {
					k.do(t, written, "DEL")
					sent := time.Now()
					err := end()
					if n, _ := k.do(t, written, "EXISTS").AsInt64(); n != 1 && time.Since(sent) < 900*time.Millisecond {
						t.Errorf("%s wrote nothing to wait for", what)
					}
					if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
						continue // another one ended it first
					}
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
