package sojourn_test

// What Sweep and RunSweeper delete, and what they say.

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// Sweep deletes all that is expired, however much it is, and nothing else.
func TestSweep(t *testing.T) {
	for n, calls := range map[int]int{0: 1, 1: 1, 999: 1, 1000: 2, 2500: 3} {
		synctest.Test(t, func(t *testing.T) {
			st := newFaultStore(memstore.New(nil))
			m := must(sojourn.New(st, nil))
			for i := range n + 1 {
				rec := store.Record{Handle: store.Handle{byte(i), byte(i >> 8)}, Writer: store.Writer{1}, Lifetime: time.Minute}
				rec.Key.ID = store.ID{byte(i), byte(i >> 8)}
				if i == n {
					rec.Lifetime = time.Hour
				}
				must(st.Create(t.Context(), rec, store.Admission{}))
			}
			time.Sleep(2 * time.Minute)
			if got, err := m.Sweep(t.Context()); got != n || err != nil || st.count(opSweep) != calls {
				t.Errorf("%d records: %d swept in %d calls, want %d; %v", n, got, st.count(opSweep), calls, err)
			}
			if got, err := m.RevokeEveryone(t.Context()); got != 1 || err != nil {
				t.Errorf("%d records are left, %v", got, err)
			}
		})
	}
}

// sweeps answers Sweep by a script.
type sweeps struct {
	store.Store
	answers []swept
}

type swept struct {
	n   int
	err error
}

func (s *sweeps) Sweep(_ context.Context, limit int) (int, error) {
	a := s.answers[0]
	s.answers = s.answers[1:]
	if a.n < 0 {
		return limit, a.err
	}
	return a.n, a.err
}

// Damage does not keep Sweep from what comes after it, and is told in the end; an outage does.
func TestSweepFails(t *testing.T) {
	const full = -1
	damage, down := store.ErrCorrupt, store.ErrUnavailable
	for name, c := range map[string]struct {
		answers []swept
		n       int
		is      error
	}{
		"damage at first":    {[]swept{{full, damage}, {full, nil}, {5, nil}}, 2005, damage},
		"damage at last":     {[]swept{{full, nil}, {3, damage}}, 1003, damage},
		"down":               {[]swept{{0, down}, {0, down}, {0, down}}, 0, down},
		"down, then not":     {[]swept{{0, down}, {4, nil}}, 4, nil},
		"down after a part":  {[]swept{{full, nil}, {0, down}, {0, down}, {0, down}}, 1000, down},
		"damage, then down":  {[]swept{{full, damage}, {0, down}, {0, down}, {0, down}}, 1000, down},
		"nothing is deleted": {[]swept{{full, nil}, {0, nil}}, 1000, nil},
	} {
		st := &sweeps{memstore.New(nil), c.answers}
		n, err := must(sojourn.New(st, nil)).Sweep(t.Context())
		if n != c.n || !errors.Is(err, c.is) || (err == nil) != (c.is == nil) || len(st.answers) != 0 {
			t.Errorf("%s: %d swept, %v, %d answers left", name, n, err, len(st.answers))
		}
	}
}

// RunSweeper sweeps about every so often, goes on after a failure, which it tells, and returns when
// it is told to stop.
func TestRunSweeper(t *testing.T) {
	for _, c := range []struct{ every, counts time.Duration }{
		{time.Hour, time.Hour}, {time.Second, time.Second}, {0, time.Second}, {-time.Hour, time.Second}, {time.Millisecond, time.Second},
	} {
		for _, err := range []error{nil, store.ErrFull, store.ErrCorrupt} {
			bubble(t, func(t *testing.T, g *site) {
				ctx, stop := context.WithCancel(t.Context())
				var ended error
				done := make(chan struct{})
				begun := time.Now()
				var first time.Duration
				g.store.setBefore(func(context.Context) error {
					if first == 0 {
						first = time.Since(begun)
					}
					return err
				}, opSweep)
				go func() { ended = g.RunSweeper(ctx, c.every); close(done) }()
				time.Sleep(100*c.counts + 1)
				stop()
				<-done
				if !errors.Is(ended, context.Canceled) {
					t.Errorf("RunSweeper returned %v", ended)
				}
				n := g.store.count(opSweep)
				if n < 66 || n > 200 || first < c.counts/2 { // each pause is half of it to one and a half
					t.Errorf("every %v: %d sweeps in 100 times %v, the first after %v", c.every, n, c.counts, first)
				}
				told := g.log.named(sojourn.StoreFailed)
				if want := map[bool]int{true: n}[err != nil]; len(told) != want || want > 0 && (told[0].Reason != "sweep" || !errors.Is(told[0].Err, err)) {
					t.Errorf("%d events of %d sweeps", len(told), n)
				}
			})
		}
	}
}

// A sweep that is cut off since the program stops is no failure.
func TestRunSweeperStops(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		ctx, stop := context.WithCancel(t.Context())
		g.store.setBefore(func(ctx context.Context) error {
			stop()
			return store.FromContext(ctx)
		}, opSweep)
		if err := g.RunSweeper(ctx, time.Minute); !errors.Is(err, context.Canceled) || g.store.count(opSweep) == 0 {
			t.Errorf("%v", err)
		}
		if n := g.log.count(sojourn.StoreFailed); n != 0 {
			t.Errorf("%d events", n)
		}
	})
}

// RunSweeper compares the keys as well, and says where it could not.
func TestRunSweeperChecksKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFaultStore(durable{memstore.New(nil)})
		g := node(t, st, rigKeys(t))
		ctx, stop := context.WithCancel(t.Context())
		st.setBefore(fail(store.ErrFull), opCreate)
		go g.m.RunSweeper(ctx, time.Hour)
		synctest.Wait()
		if e := g.ev; len(e) != 1 || e[0].Name != sojourn.StoreFailed || e[0].Reason != "keys" {
			t.Errorf("events %+v", e)
		}
		st.heal()
		time.Sleep(time.Hour)
		if n := st.count(opGet); n < 10 || n > 30 {
			t.Errorf("%d checks in an hour", n)
		}
		st.setBefore(func(ctx context.Context) error {
			stop()
			return store.FromContext(ctx)
		}, opGet)
		time.Sleep(time.Hour)
		if g.seen(sojourn.StoreFailed) != 1 {
			t.Error("a check that was cut off since the program stops is told")
		}
	})
}
