package redisstore_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/redisstore/lua"
	"github.com/sojourn-go/sojourn/store"
)

// TestOvertaken has a revocation between the sending of a Create and its script, which came after
// the sign-in began. Its age at the call cannot show that; the answer does, also where the Create
// is sent again.
func TestOvertaken(t *testing.T) {
	c := dial(t, option(t, "SOJOURN_REDIS"))
	for what, answer := range map[string]error{"sent again": &lua.ServerError{Text: "TRYAGAIN"}, "on the way": nil} {
		name := prefix()
		s, p := spied(t, c, redisstore.Options{Prefix: name})
		other := open(t, c, redisstore.Options{Prefix: name})
		first := true
		var revoked store.Revoked
		p.answer = func(cmd lua.Command) error {
			if cmd.Name != "EVALSHA" || len(cmd.After) != 7 || !first { // not a Create
				return nil
			}
			first = false
			var err error
			if revoked, err = other.Revoke(t.Context(), "somebody", store.Selection{}); err != nil {
				t.Error(err)
			}
			time.Sleep(50 * time.Millisecond)
			return answer
		}
		began := time.Now()
		rec := record("somebody")
		a, err := s.Create(t.Context(), rec, store.Admission{Began: time.Now().Add(-10 * time.Millisecond)})
		if err != nil || !a.Revoked.Equal(revoked.At) || a.Now.Sub(a.Revoked) > time.Since(began) {
			t.Errorf("create that came late, %s: %v, at %v and revoked at %v, want %v", what, err, a.Now, a.Revoked, revoked.At)
		}
		again, err := s.Create(t.Context(), rec, store.Admission{Began: time.Now().Add(-10 * time.Millisecond)})
		if err != nil || !again.Revoked.Equal(revoked.At) {
			t.Errorf("the same once more, %s: %v, revoked at %v, want %v", what, err, again.Revoked, revoked.At)
		}
	}
}

// TestInstants ends a user's sessions many times within a millisecond: each time has an instant of
// its own, so that a sign-in which knows of one is refused for the next.
func TestInstants(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		s := open(t, c, redisstore.Options{})
		const many = 64
		var mu sync.Mutex
		seen := map[time.Time]bool{}
		var wg sync.WaitGroup
		for range many {
			wg.Go(func() {
				r, err := s.Revoke(t.Context(), "somebody", store.Selection{})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				seen[r.At] = true
			})
		}
		wg.Wait()
		if len(seen) != many {
			t.Errorf("%d revocations have %d instants", many, len(seen))
		}
	})
}

// TestClockSkew signs in after a revocation. Where another server's clock may count, that is
// refused for so long.
func TestClockSkew(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		for _, skew := range []time.Duration{0, time.Minute} {
			s := open(t, c, redisstore.Options{ClockSkew: skew})
			create(t, s, record("another"))
			began := time.Now()
			if _, err := s.Revoke(t.Context(), "somebody", store.Selection{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			_, err := s.Create(t.Context(), record("somebody"), store.Admission{Began: time.Now().Add(-time.Millisecond)})
			switch strict := skew > 0 || c.Mode() != rueidis.ClientModeStandalone; {
			case !strict && err != nil:
				t.Errorf("create after a revoke, one server: %v", err)
			case strict && !errors.Is(err, store.ErrRevoked) && time.Since(began) < time.Second:
				t.Errorf("create within the clocks' skew of %v after a revoke: %v", skew, err)
			}
			if _, err := s.Create(t.Context(), record("somebody"), store.Admission{}); err != nil {
				t.Errorf("create of a sign-in that begins now: %v", err)
			}
		}
	})
}

// TestSlowGet has an answer that comes when the time, known at the start, is too old: now is not
// the past.
func TestSlowGet(t *testing.T) {
	c := dial(t, option(t, "SOJOURN_REDIS"))
	s, p := spied(t, c, redisstore.Options{})
	r := create(t, s, record("somebody"))
	p.answer = func(cmd lua.Command) error {
		if cmd.Name == "GET" {
			time.Sleep(1100 * time.Millisecond)
		}
		return nil
	}
	for range 20 {
		gets := p.gets.Load()
		if _, err := s.Create(t.Context(), record("another"), store.Admission{}); err != nil { // tells the time
			t.Fatal(err)
		}
		_, now, err := s.Get(t.Context(), r.Key)
		if p.gets.Load() == gets {
			continue // on a busy machine that took too long, too
		}
		if err != nil || now.Sub(r.Created) < time.Second {
			t.Errorf("get that takes over a second: now is %v after the record's creation, %v", now.Sub(r.Created), err)
		}
		return
	}
	t.Error("the time was never known when Get began")
}
