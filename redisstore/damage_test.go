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

// TestDamage puts other things at a record's key: every method but the ends says ErrCorrupt, with
// the handle where it can be read, and the ends end it.
func TestDamage(t *testing.T) {
	spoil := map[string]func(t *testing.T, k raw) (named bool){
		"cut in the handle":    func(t *testing.T, k raw) bool { k.cut(t, 60); return false },
		"cut after the handle": func(t *testing.T, k raw) bool { k.cut(t, 66); return true },
		"cut in the user":      func(t *testing.T, k raw) bool { k.cut(t, 70); return true },
		"a list": func(t *testing.T, k raw) bool {
			k.do(t, k.record, "DEL")
			k.do(t, k.record, "RPUSH", "x")
			return false
		},
	}
	each(t, func(t *testing.T, c rueidis.Client) {
		for what, f := range spoil {
			t.Run(what, func(t *testing.T) {
				p := prefix()
				s := open(t, c, redisstore.Options{Prefix: p})
				r := create(t, s, record("somebody"))
				named := f(t, keysOf(t, c, p))
				damaged(t, s, r, named)
				if r, err := s.Revoke(t.Context(), "somebody", store.Selection{Only: []store.Handle{r.Handle}}); r.N != 0 || err != nil {
					t.Errorf("revoke of one: %d, %v", r.N, err)
				}
				if r, err := s.Revoke(t.Context(), "somebody", store.Selection{}); r.N != 0 || err != nil {
					t.Errorf("revoke: %d, %v", r.N, err)
				}
				if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("get after revoke: %v", err)
				}
				r = create(t, s, record("somebody"))
				f(t, keysOf(t, c, p))
				if err := s.Delete(t.Context(), r.Key); err != nil {
					t.Errorf("delete: %v", err)
				}
				create(t, s, r)
			})
		}
	})
}

// TestOtherVersion has a record in another format: an outage for whoever reads it, which nobody
// takes for damage.
func TestOtherVersion(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := create(t, s, record("somebody"))
		k := keysOf(t, c, p)
		k.do(t, k.record, "SETRANGE", "0", "\x07")
		_, _, get := s.Get(t.Context(), r.Key)
		var all error
		for _, all = range s.All(t.Context()) {
		}
		for what, err := range map[string]error{"get": get, "all": all} {
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrUnavailable", what, err)
			}
		}
		if err := s.Update(t.Context(), r, 1); err == nil {
			t.Error("it can be changed")
		}
	})
}

// cut leaves n bytes of the record.
func (k raw) cut(t testing.TB, n int) {
	b, err := k.do(t, k.record, "GET").AsBytes()
	if err != nil {
		t.Fatal(err)
	}
	k.do(t, k.record, "SET", string(b[:n]))
}

// damaged fails unless every method that reads the record says what is wrong with it.
func damaged(t *testing.T, s *redisstore.Store, r store.Record, named bool) {
	t.Helper()
	next := record("somebody")
	last := func(user bool) (last error) {
		seq := s.All(t.Context())
		if user {
			seq = s.User(t.Context(), "somebody")
		}
		for _, err := range seq {
			last = err
		}
		return last
	}
	_, _, get := s.Get(t.Context(), r.Key)
	_, again := s.Create(t.Context(), r, store.Admission{})
	for what, err := range map[string]error{
		"get": get, "create": again, "update": s.Update(t.Context(), r, 1), "touch": s.Touch(t.Context(), r, 0),
		"rotate": s.Rotate(t.Context(), r.Key, 1, next, nil), "user": last(true), "all": last(false),
	} {
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", what, err)
		} else if named && !strings.Contains(err.Error(), r.Handle.String()) {
			t.Errorf("%s does not name the session: %v", what, err)
		}
	}
}

// TestDamagedIndex has something else where the user's index should be. Nothing passes for revoked
// then.
func TestDamagedIndex(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := create(t, s, record("somebody"))
		k := keysOf(t, c, p)
		k.do(t, k.index, "DEL")
		k.do(t, k.index, "SET", "x")
		if _, err := s.Revoke(t.Context(), "somebody", store.Selection{}); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("revoke: %v", err)
		}
		if _, err := s.Create(t.Context(), record("somebody"), store.Admission{Max: 3}); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("create: %v", err)
		}
		if err := s.Delete(t.Context(), r.Key); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get after delete: %v", err)
		}
		// An Update that ends its record is an end, too.
		k.do(t, k.index, "DEL")
		r = create(t, s, record("somebody"))
		k.do(t, k.index, "DEL")
		k.do(t, k.index, "SET", "x")
		time.Sleep(5 * time.Millisecond)
		r.Lifetime = time.Millisecond
		if err := s.Update(t.Context(), r, r.Version); err != nil {
			t.Errorf("update that ends: %v", err)
		}
		if _, _, err := s.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get after an update that ends: %v", err)
		}
	})
}
