package redisstore_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/store"
)

// each runs a test on every kind of server.
func each(t *testing.T, f func(t *testing.T, c rueidis.Client)) {
	for _, variable := range servers {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			f(t, dial(t, option(t, variable)))
		})
	}
}

// record returns a new one of the user.
func record(user string) store.Record {
	r := store.Record{User: user, Lifetime: time.Hour, Meta: []byte("meta"), Data: []byte("data")}
	r.Key.Tag = store.TagOf(user)
	rand.Read(r.Key.ID[:])
	rand.Read(r.Handle[:])
	rand.Read(r.Writer[:])
	return r
}

func create(t testing.TB, s store.Store, r store.Record) store.Record {
	t.Helper()
	if _, err := s.Create(t.Context(), r, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), r.Key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func update(t testing.TB, s store.Store, r store.Record) store.Record {
	t.Helper()
	rand.Read(r.Writer[:])
	if err := s.Update(t.Context(), r, r.Version); err != nil {
		t.Fatal(err)
	}
	r.Version++
	return r
}

// raw is the names of a user's keys, for tests that look at them past the store.
type raw struct {
	c             rueidis.Client
	prefix        string
	record, index string
}

// keysOf finds the keys of the only user under the prefix.
func keysOf(t testing.TB, c rueidis.Client, prefix string) raw {
	t.Helper()
	k := raw{c: c, prefix: prefix}
	for _, n := range c.Nodes() {
		found, err := n.Do(t.Context(), n.B().Arbitrary("KEYS", prefix+"*").Build()).AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			switch {
			case strings.HasSuffix(name, "}:u"):
				k.index = name
			case strings.Contains(name, "}:s:"):
				k.record = name
			}
		}
	}
	return k
}

// do sends a command for one key.
func (k raw) do(t testing.TB, key, name string, args ...string) rueidis.RedisResult {
	t.Helper()
	r := k.c.Do(t.Context(), k.c.B().Arbitrary(name).Keys(key).Args(args...).Build())
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatal(name, err)
	}
	return r
}

// left returns a key's time-to-live: -1 without, -2 without a key.
func (k raw) left(t testing.TB, key string) time.Duration {
	t.Helper()
	n, err := k.do(t, key, "PTTL").AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	if n < 0 {
		return time.Duration(n)
	}
	return time.Duration(n) * time.Millisecond
}

func prefix() string { return "test-" + rand.Text() + ":" }

// TestIndexOutlives lets the index's own time-to-live be pushed by each kind of write, and by none
// be shortened: an index that vanished before its members would hide them from Revoke.
func TestIndexOutlives(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		first := record("somebody")
		first.Idle, first.Lifetime = 10*time.Second, 0
		first = create(t, s, first)
		k := keysOf(t, c, p)
		covers := func(what string, least time.Duration) {
			t.Helper()
			if left := k.left(t, k.index); left >= 0 && left < least {
				t.Errorf("after %s the index lives %v, want %v", what, left, least)
			}
		}
		covers("create", 9*time.Second)

		k.do(t, k.index, "PEXPIRE", "5000")
		time.Sleep(5 * time.Millisecond) // else there is nothing to touch
		if err := s.Touch(t.Context(), first, 0); err != nil {
			t.Fatal(err)
		}
		covers("touch", 9*time.Second)

		first.Idle = time.Minute
		first = update(t, s, first)
		covers("update", 59*time.Second)

		short := record("somebody")
		short.Lifetime = time.Second
		create(t, s, short)
		covers("create of a shorter one", 58*time.Second)

		next := first
		rand.Read(next.Key.ID[:])
		next.Idle = 10 * time.Minute
		if err := s.Rotate(t.Context(), first.Key, first.Version, next, nil); err != nil {
			t.Fatal(err)
		}
		covers("rotate", 9*time.Minute)

		forever := record("somebody")
		forever.Lifetime = 0
		create(t, s, forever)
		create(t, s, record("somebody"))
		if left := k.left(t, k.index); left != -1 {
			t.Errorf("with a member that never ends the index lives %v, want for ever", left)
		}
		if r, err := s.Revoke(t.Context(), "somebody", store.Selection{}); err != nil || r.N < 4 {
			t.Errorf("revoke: %d, %v", r.N, err)
		}
		if left := k.left(t, k.index); left != -2 {
			t.Errorf("after the last member the index is there, for %v", left)
		}
		create(t, s, record("somebody"))
		if left := k.left(t, k.index); left < 0 || left > time.Hour {
			t.Errorf("a new index lives %v, want an hour", left)
		}
	})
}

// TestRecordTTL looks at the key's time-to-live, which ends what nobody asks for.
func TestRecordTTL(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		for _, life := range []time.Duration{90 * 24 * time.Hour, 400 * 24 * time.Hour, store.MaxLife, 0} {
			p := prefix()
			r := record("somebody")
			r.Lifetime = life
			create(t, open(t, c, redisstore.Options{Prefix: p}), r)
			k := keysOf(t, c, p)
			left := k.left(t, k.record)
			if life == 0 && left != -1 || life > 0 && (left > life || left < life-time.Minute) {
				t.Errorf("the key of a life of %v lives %v", life, left)
			}
		}
	})
}

// TestPrefixes has stores of which one's prefix, read as a pattern, would match the other's keys.
func TestPrefixes(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		base := prefix()
		one := open(t, c, redisstore.Options{Prefix: base + "[ab]*?:"})
		two := open(t, c, redisstore.Options{Prefix: base + "a-x:"})
		r := create(t, two, record("somebody"))
		if _, _, err := one.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get through another prefix: %v", err)
		}
		for what, seq := range map[string]int{"All": count(t, one, ""), "User": count(t, one, "somebody")} {
			if seq != 0 {
				t.Errorf("%s yields %d records of another prefix", what, seq)
			}
		}
		if r, err := one.Revoke(t.Context(), "somebody", store.Selection{}); r.N != 0 || err != nil {
			t.Errorf("revoke through another prefix: %d, %v", r.N, err)
		}
		if _, err := two.Create(t.Context(), record("somebody"), store.Admission{Began: time.Now().Add(-time.Minute)}); err != nil {
			t.Errorf("create after a revoke under another prefix: %v", err)
		}
		mine := create(t, one, record("somebody"))
		if n := count(t, one, ""); n != 1 {
			t.Errorf("All yields %d records, want 1", n)
		}
		if _, _, err := one.Get(t.Context(), mine.Key); err != nil {
			t.Error(err)
		}
	})
}

// count walks over all records, or over the user's.
func count(t testing.TB, s store.Store, user string) (n int) {
	t.Helper()
	seq := s.All(t.Context())
	if user != "" {
		seq = s.User(t.Context(), user)
	}
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestDatabases keeps two databases of one server apart; which one is the client's matter.
func TestDatabases(t *testing.T) {
	o := option(t, "SOJOURN_REDIS")
	p := prefix()
	zero := open(t, dial(t, o), redisstore.Options{Prefix: p})
	o.SelectDB = 1
	one := open(t, dial(t, o), redisstore.Options{Prefix: p})
	r := create(t, one, record("somebody"))
	if _, _, err := zero.Get(t.Context(), r.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get in another database: %v", err)
	}
	if n := count(t, zero, ""); n != 0 {
		t.Errorf("All yields %d records of another database", n)
	}
}

// TestStaleMembers leaves members of ended records in the index, as a time-to-live does: they are
// no sessions, and do not pile up.
func TestStaleMembers(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		p := prefix()
		s := open(t, c, redisstore.Options{Prefix: p})
		create(t, s, record("somebody"))
		for range 20 {
			r := record("somebody")
			r.Lifetime = time.Millisecond
			if _, err := s.Create(t.Context(), r, store.Admission{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Millisecond)
		if n := count(t, s, "somebody"); n != 1 {
			t.Errorf("User yields %d records, want 1", n)
		}
		k := keysOf(t, c, p)
		size := func() int64 { n, _ := k.do(t, k.index, "ZCARD").AsInt64(); return n }
		for range 60 {
			r := record("somebody")
			if _, err := s.Create(t.Context(), r, store.Admission{}); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(t.Context(), r.Key); err != nil {
				t.Fatal(err)
			}
		}
		if n := size(); n > 8 {
			t.Errorf("the index of one live record has %d members", n)
		}
		if _, err := s.Create(t.Context(), record("somebody"), store.Admission{Max: 2}); err != nil {
			t.Errorf("create at a limit of 2 beside one live record: %v", err)
		}
		if n := count(t, s, "somebody"); n != 2 {
			t.Errorf("User yields %d records, want 2", n)
		}
	})
}
