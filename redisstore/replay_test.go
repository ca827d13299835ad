package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/redisstore/lua"
	"github.com/sojourn-go/sojourn/store"
)

// spy stands between a store and its driver. It counts commands, may send each twice, as some
// clients do when an answer is lost, and may answer itself.
type spy struct {
	lua.Cacher
	twice  bool
	answer func(lua.Command) error // nil = ask the server
	gets, evals, texts, cached,
	waits atomic.Int64
}

func (s *spy) count(cmd lua.Command) error {
	switch cmd.Name {
	case "GET":
		s.gets.Add(1)
	case "EVALSHA":
		s.evals.Add(1)
	case "EVAL":
		s.texts.Add(1)
	}
	if s.answer != nil {
		return s.answer(cmd)
	}
	return nil
}

func (s *spy) Do(ctx context.Context, cmd lua.Command) ([]byte, error) {
	if err := s.count(cmd); err != nil {
		return nil, err
	}
	if s.twice {
		if b, err := s.Cacher.Do(ctx, cmd); err != nil {
			return b, err
		}
	}
	return s.Cacher.Do(ctx, cmd)
}

func (s *spy) DoWait(ctx context.Context, cmd lua.Command, n int, d time.Duration) ([]byte, int, error) {
	s.waits.Add(1)
	if err := s.count(cmd); err != nil {
		return nil, 0, err
	}
	return s.Cacher.DoWait(ctx, cmd, n, d)
}

func (s *spy) Cached(ctx context.Context, key string, ttl time.Duration) ([]byte, error) {
	s.cached.Add(1)
	return s.Cacher.Cached(ctx, key, ttl)
}

// spied returns a store over a spy.
func spied(t testing.TB, c rueidis.Client, opts redisstore.Options) (*redisstore.Store, *spy) {
	t.Helper()
	p := &spy{Cacher: redisstore.NewDriver(c)}
	if opts.Prefix == "" {
		opts.Prefix = prefix()
	}
	s, err := lua.New(p, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

// TestSentTwice has a client that sends every command twice. Each write is applied once and
// answered as such.
func TestSentTwice(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		s, p := spied(t, c, redisstore.Options{})
		p.twice = true
		r := record("somebody")
		if _, err := s.Create(t.Context(), r, store.Admission{Max: 1}); err != nil {
			t.Fatalf("create: %v", err)
		}
		if err := s.Update(t.Context(), func() store.Record { rand.Read(r.Writer[:]); return r }(), 1); err != nil {
			t.Fatalf("update: %v", err)
		}
		next := r
		rand.Read(next.Key.ID[:])
		rand.Read(next.Writer[:])
		tail := store.Record{Key: r.Key, Writer: next.Writer, Lifetime: time.Minute}
		if err := s.Rotate(t.Context(), r.Key, 2, next, &tail); err != nil {
			t.Fatalf("rotate: %v", err)
		}
		if got, _, err := s.Get(t.Context(), next.Key); err != nil || got.Version != 3 {
			t.Errorf("get: version %d, %v; want 3", got.Version, err)
		}
		if err := s.Delete(t.Context(), next.Key); err != nil {
			t.Errorf("delete: %v", err)
		}
		if n := count(t, s, "somebody"); n != 0 {
			t.Errorf("User yields %d records, want none", n)
		}
	})
}

// TestTrips counts what is sent: one command for each call.
func TestTrips(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		s, p := spied(t, c, redisstore.Options{})
		r := create(t, s, record("somebody")) // the scripts are known from here on, or will be
		next := r
		rand.Read(next.Key.ID[:])
		acts := map[string]func() error{
			"create": func() error {
				_, err := s.Create(t.Context(), record("b"), store.Admission{Max: 3, Evict: true, Began: time.Now().Add(-1)})
				return err
			},
			"get": func() error { _, _, err := s.Get(t.Context(), r.Key); return err },
			"update": func() error {
				rand.Read(r.Writer[:])
				err := s.Update(t.Context(), r, r.Version)
				r.Version++
				return err
			},
			"touch":  func() error { return s.Touch(t.Context(), r, 0) },
			"rotate": func() error { return s.Rotate(t.Context(), r.Key, r.Version, next, nil) },
			"revoke": func() error { _, err := s.Revoke(t.Context(), "nobody", store.Selection{}); return err },
			"user":   func() error { count(t, s, "somebody"); return nil },
			"delete": func() error { return s.Delete(t.Context(), next.Key) },
		}
		for _, what := range []string{"create", "get", "update", "touch", "rotate", "revoke", "user", "delete"} {
			before, texts := p.gets.Load()+p.evals.Load(), p.texts.Load()
			if err := acts[what](); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if n := p.gets.Load() + p.evals.Load() - before; n != 1 {
				t.Errorf("%s sends %d commands, want 1", what, n)
			}
			if n := p.texts.Load() - texts; n > 1 {
				t.Errorf("%s sends the text of its script %d times", what, n)
			}
		}
	})
}

// TestNames has the server know the scripts by the names that they are called by: their text is not
// sent to one that has it.
func TestNames(t *testing.T) {
	s, p := spied(t, dial(t, option(t, "SOJOURN_REDIS")), redisstore.Options{})
	act := func() {
		r := create(t, s, record("somebody"))
		update(t, s, r)
		if err := s.Delete(t.Context(), r.Key); err != nil {
			t.Fatal(err)
		}
	}
	act()
	for range 3 {
		texts := p.texts.Load()
		if act(); p.texts.Load() == texts {
			return
		}
	} // another test of the same server may let it forget
	t.Error("the server does not know the scripts by these names")
}

// TestForgottenScripts lets the servers forget all scripts, as a restart does.
func TestForgottenScripts(t *testing.T) {
	each(t, func(t *testing.T, c rueidis.Client) {
		s, p := spied(t, c, redisstore.Options{})
		create(t, s, record("somebody"))
		sent := int64(0)
		for range 50 { // tests of other packages use the same server, and may load a script just then
			for _, n := range c.Nodes() {
				if err := n.Do(t.Context(), n.B().Arbitrary("SCRIPT", "FLUSH").Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			texts := p.texts.Load()
			r := create(t, s, record("somebody"))
			update(t, s, r)
			if err := s.Delete(t.Context(), r.Key); err != nil {
				t.Error(err)
			}
			if sent = p.texts.Load() - texts; sent >= 3 {
				return
			}
		}
		t.Errorf("after SCRIPT FLUSH the text of scripts was sent %d times, want 3", sent)
	})
}

// TestPassingRefusals has a server that is not ready at first: that is waited for within bounds,
// and named when it lasts.
func TestPassingRefusals(t *testing.T) {
	c := dial(t, option(t, "SOJOURN_REDIS"))
	for _, text := range []string{"TRYAGAIN Multiple keys request during rehashing of slot", "LOADING Redis is loading", "CLUSTERDOWN The cluster is down",
		"READONLY You can't write against a read only replica.", "MASTERDOWN Link with MASTER is down"} {
		s, p := spied(t, c, redisstore.Options{})
		left := int64(4)
		p.answer = func(lua.Command) error {
			if left--; left >= 0 {
				return &lua.ServerError{Text: text}
			}
			return nil
		}
		r := record("somebody")
		if _, err := s.Create(t.Context(), r, store.Admission{}); err != nil {
			t.Errorf("create after 4 times %s: %v", text, err)
		}
		left = 4
		if _, _, err := s.Get(t.Context(), r.Key); err != nil {
			t.Errorf("get after 4 times %s: %v", text, err)
		}
		left = 1 << 60
		err := s.Delete(t.Context(), r.Key)
		if word, _, _ := strings.Cut(text, " "); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), word) {
			t.Errorf("delete while %s: %v", text, err)
		}
	}
}
