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
			if left := k.left(t, k.index); left != -2 {
				t.Errorf("%s: the index of nothing is there, for %v", what, left)
			}
		}
	})
}

// TestMarkGoes lets an end that waits for replicas write its mark, which is not to stay. One that
// does not wait writes none.
func TestMarkGoes(t *testing.T) {
	c, p := dial(t, option(t, "SOJOURN_REDIS")), prefix()
	s := open(t, c, redisstore.Options{Prefix: p})
	r := create(t, s, record("somebody"))
	k := keysOf(t, c, p)
	if err := s.Delete(t.Context(), r.Key); err != nil {
		t.Fatal(err)
	}
	if left := k.left(t, strings.TrimSuffix(k.index, "u")+"w"); left != -2 {
		t.Errorf("without replicas there is a mark, for %v", left)
	}
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

// TestIndexHoldsNoMore lets records come and go: the index has a member for each that lives, and
// nobody's has none.
func TestIndexHoldsNoMore(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := record("somebody")
		if _, err := s.Create(t.Context(), r, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		k := keysOf(t, c, p)
		holds := func(what string, want int64) {
			t.Helper()
			if n, err := k.do(t, k.index, "ZCARD").AsInt64(); n != want || err != nil {
				t.Errorf("after %s the index has %d members, %v, want %d", what, n, err, want)
			}
		}
		one := store.Admission{Max: 1, Evict: true}
		for range 3 {
			r = record("somebody")
			if _, err := s.Create(t.Context(), r, one); err != nil {
				t.Fatal(err)
			}
			holds("an eviction", 1)
		}
		k.do(t, keysOf(t, c, p).record, "DEL") // as its time-to-live does
		r = record("somebody")
		if _, err := s.Create(t.Context(), r, one); err != nil {
			t.Fatal(err)
		}
		holds("a create in place of one that expired", 1)
		if err := s.Delete(t.Context(), r.Key); err != nil {
			t.Fatal(err)
		}
		holds("the last delete", 0)

		p = prefix()
		s = open(t, c, redisstore.Options{Prefix: p})
		nobody := record("")
		if _, err := s.Create(t.Context(), nobody, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		next := nobody
		next.Key.ID[0]++
		next.Writer[0]++
		if err := s.Rotate(t.Context(), nobody.Key, 1, next, nil); err != nil {
			t.Fatal(err)
		}
		if name := keysOf(t, c, p).index; name != "" {
			t.Errorf("nobody has an index: %s", name)
		}
	})
}

// TestRotateToDamage has a damaged record where a rotation leads.
func TestRotateToDamage(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := create(t, s, record("somebody"))
		keysOf(t, c, p).cut(t, 66)
		old := create(t, s, record("somebody"))
		r.Writer[0]++
		if err := s.Rotate(t.Context(), old.Key, 1, r, nil); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("rotate: %v", err)
		}
		if _, _, err := s.Get(t.Context(), old.Key); err != nil {
			t.Errorf("get of what was not rotated: %v", err)
		}
	})
}

// TestRecordEndsInRedis looks at when Redis ends a record: a millisecond before its life does, for
// it shows a key during the last one as well. A read trusts that.
func TestRecordEndsInRedis(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := record("somebody")
		r.Idle = 30 * time.Minute
		r = create(t, s, r)
		k := keysOf(t, c, p)
		ends := func(what string) {
			t.Helper()
			r, _, err := s.Get(t.Context(), r.Key)
			if err != nil {
				t.Fatal(err)
			}
			at, err := k.do(t, k.record, "PEXPIRETIME").AsInt64()
			if want := r.Expires().UnixMilli() - 1; at != want || err != nil {
				t.Errorf("after %s Redis ends it at %d, %v, want %d", what, at, err, want)
			}
		}
		ends("create")
		time.Sleep(2 * time.Millisecond)
		if err := s.Touch(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
		ends("touch")
		r.Idle = 20 * time.Minute
		r = update(t, s, r)
		ends("update")
		r.Idle = 2 * time.Hour // so that the lifetime is what ends it
		r = update(t, s, r)
		ends("update to a longer idle time")
		time.Sleep(2 * time.Millisecond)
		if err := s.Touch(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
		ends("touch near the end of its life")
		r.Idle, r.Lifetime = 0, 0
		r = update(t, s, r)
		if left := k.left(t, k.record); left != -1 {
			t.Errorf("a record without an end lives %v", left)
		}
	})
}

// TestIndexEnds has records without a lifetime. The index ends when the last of them may, and with
// one that never ends it never does.
func TestIndexEnds(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := record("somebody")
		r.Idle, r.Lifetime = 10*time.Minute, 0
		r = create(t, s, r)
		k := keysOf(t, c, p)
		lives := func(what string, least, most time.Duration) {
			t.Helper()
			if left := k.left(t, k.index); left < least || left > most {
				t.Errorf("after %s the index lives %v, want %v to %v", what, left, least, most)
			}
		}
		lives("create", 8*time.Minute, 10*time.Minute)
		r.Idle = 30 * time.Minute
		r = update(t, s, r)
		lives("update", 28*time.Minute, 30*time.Minute)
		r.Idle = 0
		update(t, s, r)
		lives("update to no end", -1, -1)
	})
}

// TestStrayMember has a member in the index with another handle than the record's own, as a write
// that was lost may leave.
func TestStrayMember(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		r := create(t, s, record("somebody"))
		k, other := keysOf(t, c, p), record("somebody").Handle
		k.do(t, k.index, "ZADD", "1", string(r.Key.ID[:])+string(other[:]))
		if n := count(t, s, "somebody"); n != 1 {
			t.Errorf("User yields %d records, want 1", n)
		}
		if r, err := s.Revoke(t.Context(), "somebody", store.Selection{Only: []store.Handle{other}}); r.N != 0 || err != nil {
			t.Errorf("revoke by a handle that is no record's: %d, %v", r.N, err)
		}
		if _, _, err := s.Get(t.Context(), r.Key); err != nil {
			t.Errorf("get: %v", err)
		}
		if n, _ := k.do(t, k.index, "ZCARD").AsInt64(); n != 1 {
			t.Errorf("the index has %d members, want 1", n)
		}
	})
}
