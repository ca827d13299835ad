package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// TestCachedStore runs the whole kit with cached reads: for one store a cache must not show.
func TestCachedStore(t *testing.T) {
	for _, variable := range []string{"SOJOURN_REDIS", "SOJOURN_VALKEY", "SOJOURN_REDIS_CLUSTER"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			c := dial(t, option(t, variable))
			storetest.Run(t, func(t testing.TB) store.Store { return open(t, c, redisstore.Options{CacheFor: 5 * time.Second}) }, kit)
		})
	}
}

// TestRevocationLag (P13, P14) ends a session behind a cache whose server never tells of changes,
// which is the worst that can happen to one: a copy is served until the stated time is over, and
// not a moment longer.
func TestRevocationLag(t *testing.T) {
	const lag = 2 * time.Second
	for _, variable := range servers {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			o := option(t, variable)
			o.ClientTrackingOptions = []string{"PREFIX", "no-key-begins-like-this", "BCAST"}
			p := prefix()
			c := dial(t, o)
			s, seen := spied(t, c, redisstore.Options{Prefix: p, CacheFor: lag})
			other := open(t, c, redisstore.Options{Prefix: p})
			if d := s.Traits().Lag; d != lag {
				t.Errorf("lag is %v", d)
			}
			r := create(t, other, record("somebody"))
			if _, _, err := s.Get(t.Context(), r.Key); err != nil { // asks for the time as well
				t.Fatal(err)
			}
			read := time.Now()
			if _, _, err := s.Get(t.Context(), r.Key); err != nil { // fills the cache
				t.Fatal(err)
			}
			full := time.Now()
			if _, err := other.Revoke(t.Context(), "somebody", store.Selection{}); err != nil {
				t.Fatal(err)
			}
			_, _, err := s.Get(t.Context(), r.Key)
			if time.Since(read) < lag/4 && (err != nil || seen.cached.Load() != 2) {
				t.Errorf("the cache was asked %d times of 2, and says %v: this test proves nothing", seen.cached.Load(), err)
			}
			if _, _, err := s.Get(redisstore.Fresh(t.Context()), r.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("get of an ended session, past the cache: %v", err)
			}
			time.Sleep(time.Until(full.Add(lag)))
			if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("get of an ended session after the lag: %v", err)
			}
		})
	}
}

// TestInvalidation ends a session in another process, of which the server tells this one. It polls,
// for no time is promised but the lag.
func TestInvalidation(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p, CacheFor: time.Minute})
		other := open(t, c, redisstore.Options{Prefix: p})
		r := create(t, other, record("somebody"))
		for range 3 {
			if _, _, err := s.Get(t.Context(), r.Key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := other.Revoke(t.Context(), "somebody", store.Selection{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for {
			_, _, err := s.Get(t.Context(), r.Key)
			if errors.Is(err, store.ErrNotFound) {
				t.Logf("an ended session was served for %v", time.Since(began))
				return
			}
			if err != nil || time.Since(began) > 30*time.Second {
				t.Fatalf("get %v after the end: %v", time.Since(began), err)
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
}

// TestCacheWriter changes what another store has changed, through a cache that does not learn of
// it: the conflict shows the new state, or the writer would never get on.
func TestCacheWriter(t *testing.T) {
	o := option(t, "SOJOURN_REDIS")
	o.ClientTrackingOptions = []string{"PREFIX", "no-key-begins-like-this", "BCAST"}
	c, p := dial(t, o), prefix()
	s := open(t, c, redisstore.Options{Prefix: p, CacheFor: time.Minute})
	other := open(t, c, redisstore.Options{Prefix: p})
	r := create(t, other, record("somebody"))
	for range 2 {
		if _, _, err := s.Get(t.Context(), r.Key); err != nil {
			t.Fatal(err)
		}
	}
	update(t, other, r)
	if err := s.Update(t.Context(), record2(r), r.Version); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("update of what another store changed: %v", err)
	}
	got, _, err := s.Get(t.Context(), r.Key)
	if err != nil || got.Version != r.Version+1 {
		t.Fatalf("get after a conflict: version %d, %v", got.Version, err)
	}
	update(t, s, got)
	if got, _, err = s.Get(t.Context(), r.Key); err != nil || got.Version != r.Version+2 {
		t.Errorf("get after the store's own update: version %d, %v", got.Version, err)
	}
}

// record2 is r as another writer would write it.
func record2(r store.Record) store.Record {
	r.Writer = record("").Writer
	return r
}
