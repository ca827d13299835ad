package call

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// answers makes an act that gives one answer after the other, and nil after the last.
func answers(errs ...error) (act func(context.Context) error, calls *int) {
	calls = new(int)
	return func(context.Context) error {
		*calls++
		if *calls > len(errs) {
			return nil
		}
		return errs[*calls-1]
	}, calls
}

var errDriver = errors.New("connection reset")

func TestDo(t *testing.T) {
	una, lost := store.ErrUnavailable, store.ErrIndeterminate
	for name, c := range map[string]struct {
		answers []error
		calls   int
		is, not []error
	}{
		"applied":                  {nil, 1, nil, nil},
		"an outage passes":         {[]error{una, lost}, 3, nil, nil},
		"an outage stays":          {[]error{una, una, una, una}, 3, []error{una}, []error{lost}},
		"conflicts are not tried":  {[]error{store.ErrConflict}, 1, []error{store.ErrConflict}, []error{lost}},
		"nameless":                 {[]error{errDriver, errDriver, errDriver}, 3, []error{lost, errDriver}, nil},
		"lost, then conflict":      {[]error{lost, store.ErrConflict}, 2, []error{lost}, []error{store.ErrConflict}},
		"lost, then down":          {[]error{lost, una, una}, 3, []error{lost}, []error{una}},
		"lost, then gone":          {[]error{lost, store.ErrNotFound}, 2, []error{lost, store.ErrNotFound}, nil},
		"down, then gone":          {[]error{una, store.ErrNotFound}, 2, []error{store.ErrNotFound}, []error{lost}},
		"the caller's own outcome": {[]error{errOwn}, 1, []error{errOwn}, []error{lost}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				act, calls := answers(c.answers...)
				m := Caller{Timeout: time.Second, Known: errOwn}
				err := m.Do(t.Context(), act)
				if (err == nil) != (c.is == nil) || *calls != c.calls {
					t.Errorf("%v after %d calls, want %d", err, *calls, c.calls)
				}
				for _, want := range c.is {
					if !errors.Is(err, want) {
						t.Errorf("%v does not match %v", err, want)
					}
				}
				for _, other := range c.not {
					if errors.Is(err, other) {
						t.Errorf("%v matches %v", err, other)
					}
				}
			})
		})
	}
}

var errOwn = errors.New("too large")

func TestTimeoutBoundsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Caller{Timeout: 5 * time.Second}
		start := time.Now()
		err := m.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if d := time.Since(start); d != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v", err, d)
		}
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Caller{Timeout: time.Second}
		calls := 0
		down := func(context.Context) error { calls++; return errDriver }
		for range breakAfter {
			m.Do(t.Context(), down)
		}
		calls = 0
		for range 10 {
			err := m.Do(t.Context(), down)
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrIndeterminate) || !strings.Contains(err.Error(), "connection reset") {
				t.Error(err)
			}
		}
		if calls != 0 {
			t.Errorf("%d calls through an open breaker", calls)
		}
		time.Sleep(breakFor)
		for range 10 {
			m.Do(t.Context(), down)
		}
		if calls != attempts {
			t.Errorf("%d calls of one probe, want %d", calls, attempts)
		}
		time.Sleep(breakFor)
		for range 3 {
			if err := m.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
		}
	})
}

// A client that hangs up says nothing about the store.
func TestCancelledCallsDoNotBreak(t *testing.T) {
	m := Caller{Timeout: time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * breakAfter {
		m.Do(ctx, func(ctx context.Context) error { return store.FromContext(ctx) })
	}
	if err := m.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

// Nor does one whose call is the probe of a breaker: the next call is.
func TestCancelledProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Caller{Timeout: time.Second}
		for range breakAfter {
			m.Do(t.Context(), func(context.Context) error { return errDriver })
		}
		time.Sleep(breakFor)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m.Do(ctx, func(ctx context.Context) error { return store.FromContext(ctx) })
		if err := m.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestBeginEnd(t *testing.T) {
	m := Caller{Timeout: time.Second}
	var c Context
	if m.Bound(&c, t.Context()); !m.Begin(&c) {
		t.Fatal("the breaker is open")
	}
	act, calls := answers()
	if err := m.End(&c, store.ErrUnavailable, act); err != nil || *calls != 1 {
		t.Error(err, *calls)
	}
	if d, ok := c.Deadline(); !ok || time.Until(d) > time.Second {
		t.Error(d, ok)
	}
	if c.Stop(); c.Err() == nil {
		t.Error("a stopped context is alive")
	}
}

// Half leaves half of what is left, and Rest goes on where its act was called off. A step for which
// no time is left is not taken, and says nothing about the store.
func TestTimeOfAnAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Caller{Timeout: 8 * time.Second}
		ctx, hangUp := context.WithCancel(t.Context())
		whole := m.Whole(ctx)
		defer whole.Stop()
		spent := func(ctx context.Context) time.Duration {
			begun := time.Now()
			m.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			return time.Since(begun)
		}
		m.Do(whole, func(ctx context.Context) error { ctx.Done(); time.Sleep(2 * time.Second); return nil })
		half := m.Half(whole)
		defer half.Stop()
		if d := spent(half); d != 3*time.Second {
			t.Errorf("half of what is left is %v, want 3 s", d)
		}
		rest := m.Rest(whole)
		defer rest.Stop()
		if hangUp(); spent(rest) != 3*time.Second {
			t.Error("what is left ended with the client")
		}
		over := m.Whole(t.Context())
		defer over.Stop()
		spent(over)
		m.breaker.done(nil)
		for range 2 * breakAfter {
			err := m.Do(over, func(context.Context) error { t.Error("a step is taken"); return nil })
			if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrIndeterminate) || m.Begin(over) {
				t.Errorf("no time is left: %v", err)
			}
		}
		if !m.breaker.closed() {
			t.Error("steps that were not taken have opened the breaker")
		}
	})
}
