package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

func TestReference(t *testing.T) {
	Run(t, func(testing.TB) store.Store { return newRef() }, &Options{Damage: damage})
}

func BenchmarkReference(b *testing.B) {
	Bench(b, func(testing.TB) store.Store { return newRef() })
}

// failing returns the names of the clauses that a store fails. Each clause has a bubble of its own,
// as in Run.
func failing(t *testing.T, table []clause, open func() (store.Store, error)) map[string]error {
	fails := map[string]error{}
	for _, c := range table {
		synctest.Test(t, func(t *testing.T) {
			err := check(t.Context(), open, &Options{Damage: damage}, []clause{c})
			var f *Failure
			if errors.As(err, &f) {
				fails[f.Clause] = f
			} else if err != nil {
				t.Errorf("%s: %v is not a Failure", c.name, err)
			}
		})
	}
	return fails
}

// TestWrongStores shows that the kit, which every store runs, reports each wrong store by the
// clauses that it breaks: P1, P3, P4, P8, P10, P11, R9, R12, R14, R15, R24, R26.
//
// Many are what other libraries do: D1, D2, D8, D8b, D8c, D8d, D10, D15 to D18, D20, D25 to D27,
// D33 to D36.
func TestWrongStores(t *testing.T) {
	for _, w := range wrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			table := slices.DeleteFunc((&Options{Damage: damage}).clauses(), func(c clause) bool { return !slices.Contains(w.want, c.name) })
			if len(table) != len(w.want) {
				t.Fatalf("some of %v are no clauses", w.want)
			}
			fails := failing(t, table, func() (store.Store, error) { return w.make(newRef()), nil })
			for _, name := range w.want {
				if fails[name] == nil {
					t.Errorf("clause %s does not report it", name)
				}
			}
		})
	}
}

// TestEveryClauseIsTripped keeps out clauses that no store is known to break.
func TestEveryClauseIsTripped(t *testing.T) {
	tripped := map[string]bool{}
	for _, w := range wrongs {
		for _, name := range w.want {
			tripped[name] = true
		}
	}
	seen := map[string]bool{}
	for _, c := range (&Options{Damage: damage}).clauses() {
		if !tripped[c.name] {
			t.Errorf("no wrong store trips clause %s", c.name)
		}
		if seen[c.name] {
			t.Errorf("two clauses are named %s", c.name)
		}
		seen[c.name] = true
	}
	t.Logf("%d clauses, %d wrong stores", len(seen), len(wrongs))
}

// TestCheckJoins shows what a caller of Check sees: all failures, by name.
func TestCheckJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := Check(t.Context(), func() (store.Store, error) { return newRef(), nil }, nil)
		if err != nil {
			t.Errorf("the reference store fails: %v", err)
		}
		err = Check(t.Context(), func() (store.Store, error) {
			s := newRef()
			s.noVersion, s.noGuard = true, true
			return s, nil
		}, nil)
		for _, name := range []string{"update-conflict", "race-update", "guard", "race-guard"} {
			if err == nil || !strings.Contains(err.Error(), "storetest: "+name+": ") {
				t.Errorf("the joined error does not name %s", name)
			}
		}
	})
}

// TestNetworked runs the reference store as though it were a server: one store for all clauses,
// real time with a coarse tick, and answers that take a while.
func TestNetworked(t *testing.T) {
	t.Parallel()
	shared := newRef()
	shared.clock = func(t time.Time) time.Time { return t.Add(-time.Hour).Truncate(time.Millisecond) }
	open := func() (store.Store, error) { return slow(shared), nil }
	if err := Check(t.Context(), open, &Options{Networked: true, Tick: time.Millisecond}); err != nil {
		t.Error(err)
	}
}

// slow returns a store whose writes are delayed on both ways.
func slow(s *ref) store.Store {
	wait := func() { time.Sleep(time.Duration(rand.IntN(int(2 * time.Millisecond)))) }
	a := alter(s)
	a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
		wait()
		defer wait()
		return s.Create(ctx, rec, adm)
	}
	a.update = func(ctx context.Context, rec store.Record, v uint64) error {
		wait()
		defer wait()
		return s.Update(ctx, rec, v)
	}
	a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
		wait()
		defer wait()
		return s.Rotate(ctx, old, v, rec, tail)
	}
	a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
		wait()
		defer wait()
		return s.Revoke(ctx, user, sel)
	}
	return a
}

// TestCoarseTick checks a store that rounds, at instants that are not round.
func TestCoarseTick(t *testing.T) {
	for _, tick := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			open := func() (store.Store, error) {
				s := newRef()
				s.clock = func(t time.Time) time.Time { return t.Truncate(tick) }
				return s, nil
			}
			time.Sleep(1234567)
			if err := Check(t.Context(), open, &Options{Tick: tick}); err != nil {
				t.Errorf("tick of %v: %v", tick, err)
			}
		})
	}
}

func TestUnsupported(t *testing.T) {
	open := func() (store.Store, error) {
		return swap(func(a *altered) {
			a.sweep = func(context.Context, int) (int, error) { return 0, errors.ErrUnsupported }
		})(newRef()), nil
	}
	synctest.Test(t, func(t *testing.T) {
		if err := Check(t.Context(), open, &Options{Unsupported: []string{"Sweep"}}); err != nil {
			t.Error(err)
		}
		if err := Check(t.Context(), open, nil); err == nil {
			t.Error("an unsupported method that is not named passes")
		}
		err := Check(t.Context(), func() (store.Store, error) { return newRef(), nil }, &Options{Unsupported: []string{"Sweep"}})
		if err == nil {
			t.Error("a supported method that is named as unsupported passes")
		}
		if err := Check(t.Context(), open, &Options{Unsupported: []string{"Swep"}}); err == nil {
			t.Error("an unknown method may be named")
		}
	})
}

func TestCheckOutsideBubble(t *testing.T) {
	err := Check(t.Context(), func() (store.Store, error) { return newRef(), nil }, nil)
	if err == nil {
		t.Error("Check of a store within the process runs in real time")
	}
}

func TestOpenFails(t *testing.T) {
	broken := errors.New("no server")
	err := Check(t.Context(), func() (store.Store, error) { return nil, broken }, &Options{Networked: true})
	var f *Failure
	if !errors.Is(err, broken) || !errors.As(err, &f) {
		t.Errorf("got %v", err)
	}
}
