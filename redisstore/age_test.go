package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
)

// TestAgeGrows gives a revocation the time that a Create takes before its script runs, in retries or on its way: a sign-in that began
// before it stays one that began before it. The store knows the server's time, or has never had an answer.
func TestAgeGrows(t *testing.T) {
	c := dial(t, option(t, "SOJOURN_REDIS"))
	for what, answer := range map[string]error{"sent again": &redisstore.ServerError{Text: "TRYAGAIN"}, "on the way": nil} {
		for _, known := range []bool{true, false} {
			name := prefix()
			s, p := spied(t, c, redisstore.Options{Prefix: name})
			other := open(t, c, redisstore.Options{Prefix: name})
			if known {
				create(t, s, record("another"))
			}
			age := 10 * time.Millisecond
			first := true
			p.answer = func(cmd redisstore.Command) error {
				if cmd.Name != "EVALSHA" || len(cmd.After) != 7 || !first { // not a Create
					return nil
				}
				first = false
				if _, err := other.Revoke(t.Context(), "somebody", store.Selection{}); err != nil { // after the sign-in began
					t.Error(err)
				}
				time.Sleep(5 * age)
				return answer
			}
			if _, err := s.Create(t.Context(), record("somebody"), store.Admission{Began: time.Now().Add(-age)}); !errors.Is(err, store.ErrRevoked) {
				t.Errorf("create that came late, %s, time known %v: %v", what, known, err)
			}
		}
	}
}

// TestClockSkew signs in after a revocation. Where another server's clock may count, that is refused for so long.
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

// TestSlowGet has an answer that comes when the time, known at the start, is too old: now is not the past.
func TestSlowGet(t *testing.T) {
	c := dial(t, option(t, "SOJOURN_REDIS"))
	s, p := spied(t, c, redisstore.Options{})
	r := create(t, s, record("somebody"))
	p.answer = func(cmd redisstore.Command) error {
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
