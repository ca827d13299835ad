package call

import (
	"context"
	"errors"
	"fmt"
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

// It says what it says where the store has answered all the same.
func TestCancelledCallsThatAreAnswered(t *testing.T) {
	m := Caller{Timeout: time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * breakAfter {
		m.Do(ctx, func(context.Context) error { return nil })
		m.breaker.done(store.ErrUnavailable)
	}
	if !m.breaker.closed() {
		t.Error("outages between answers have opened the breaker")
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
		plain := []*Context{m.Half(ctx), m.Rest(ctx)}
		if half, rest := spent(plain[0]), spent(plain[1]); half != 4*time.Second || rest != 8*time.Second {
			t.Errorf("without a bound around it, Half is %v and Rest %v, want 4 and 8 s", half, rest)
		}
		m.breaker.done(nil)
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

// A breaker rests for a second from when it opens: what began before and fails later prolongs
// nothing. A step of a longer act that times out counts as well.
func TestBreakerRestsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Caller{Timeout: time.Minute}
		for range breakAfter {
			whole := m.Whole(t.Context())
			m.Do(whole, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			whole.Stop()
		}
		for range 9 {
			time.Sleep(breakFor / 10)
			m.breaker.done(errLate)
			if m.breaker.closed() {
				t.Fatal("a call goes through")
			}
		}
		if err := m.breaker.rests(); !strings.Contains(err.Error(), "too late") {
			t.Errorf("%v does not say what failed last", err)
		}
		if time.Sleep(breakFor / 10); !m.breaker.closed() {
			t.Error("no call goes through after a second")
		}
	})
}

var errLate = fmt.Errorf("%w: too late", store.ErrUnavailable)

// A try whose time ends in the pause before the next is the last.
func TestNoTryAfterTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Caller{Timeout: time.Nanosecond}
		act, calls := answers(store.ErrUnavailable, store.ErrUnavailable)
		if err := m.Do(t.Context(), act); !errors.Is(err, store.ErrUnavailable) || *calls != 1 {
			t.Errorf("%v after %d calls", err, *calls)
		}
	})
}

// Do frees what its own bound has taken.
func TestDoStops(t *testing.T) {
	m := Caller{Timeout: time.Hour}
	var bound context.Context
	m.Do(t.Context(), func(ctx context.Context) error { ctx.Done(); bound = ctx; return nil })
	if !errors.Is(bound.Err(), context.Canceled) {
		t.Errorf("the timer goes on: %v", bound.Err())
	}
}

func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		d := Jitter(time.Hour)
		if seen[d] = true; d < 0 || d >= time.Hour {
			t.Errorf("%v is not below an hour", d)
		}
	}
	if len(seen) < 2 {
		t.Error("always the same")
	}
}

// A Context has the values of the one around it before and after its timer starts, and tells why it
// has ended. The timer is started once.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		outer, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		defer cancel()
		c := (&Caller{Timeout: time.Second}).Whole(outer)
		defer c.Stop()
		for range 2 {
			if c.Value(key{}) != "value" {
				t.Error("a value is lost")
			}
			<-c.Done()
		}
		if n := testing.AllocsPerRun(100, func() { c.Done() }); n != 0 {
			t.Errorf("%v allocations of a timer that runs", n)
		}
		if err := context.Cause(c); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cause %v", err)
		}
	})
}

// Of two goroutines that start the timer at once one does, and nothing of the other's is left.
func TestContextStartsOnce(t *testing.T) {
	around := &watched{Context: t.Context(), done: make(chan struct{})}
	c := (&Caller{Timeout: time.Hour}).Whole(around)
	var inner <-chan struct{}
	around.meanwhile = func() { inner = c.Done() }
	if outer := c.Done(); inner == nil || outer != inner {
		t.Error("two timers")
	}
	if around.open != 1 {
		t.Errorf("%d timers wait, want 1", around.open)
	}
	if c.Stop(); around.open != 0 {
		t.Errorf("%d timers wait after Stop", around.open)
	}
}

// watched counts who waits for it, and runs a function the first time that it is asked something.
type watched struct {
	context.Context
	done      chan struct{}
	meanwhile func()
	open      int
}

func (w *watched) Deadline() (time.Time, bool) {
	if f := w.meanwhile; f != nil {
		w.meanwhile = nil
		f()
	}
	return w.Context.Deadline()
}

// Done is a channel of its own, so that package context calls AfterFunc.
func (w *watched) Done() <-chan struct{} { return w.done }

// AfterFunc is how package context waits for a context of another package.
func (w *watched) AfterFunc(func()) (stop func() bool) {
	w.open++
	return func() bool { w.open--; return true }
}
