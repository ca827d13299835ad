package redisstore_test

import (
	"context"
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

// TestWaitUnmet asks for more replicas than there are. A try that finds nothing left to end still
// writes something, or its WAIT, on a connection that wrote nothing, would not wait for what an
// earlier try wrote.
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

// TestWaitContext has no connection free for an end that waits for replicas: the call keeps its
// context, and nothing is sent later.
func TestWaitContext(t *testing.T) {
	o := option(t, "SOJOURN_REDIS")
	o.BlockingPoolSize = 1
	c := dial(t, o)
	s := open(t, c, redisstore.Options{WaitReplicas: 1, WaitTimeout: time.Millisecond})
	r := create(t, s, record("somebody"))
	_, release := c.Dedicate()
	released := false
	defer func() {
		if !released {
			release()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got := make(chan error, 1)
	go func() { got <- s.Delete(ctx, r.Key) }()
	select {
	case err := <-got:
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("delete without a free connection: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("delete waits for a connection past its context")
	}
	released = true
	release()
	// Another that waits gets the connection after the first was done with it.
	if err := s.Delete(t.Context(), store.Key{}); !errors.Is(err, store.ErrIndeterminate) {
		t.Errorf("delete with a free connection and no replica: %v", err)
	}
	if _, _, err := s.Get(t.Context(), r.Key); err != nil {
		t.Errorf("get of what was surely not ended: %v", err)
	}
}
