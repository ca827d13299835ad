package qsess_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// newPruned is a pruned Store over memory; its pruner ends with the test.
func newPruned(t testing.TB, log *strings.Builder) (*qsess.Store, *memstore.Store, *sojourntest.Faulty) {
	t.Helper()
	kept := memstore.New(nil)
	f := &sojourntest.Faulty{Store: kept}
	st, err := qsess.NewPrunedStore(f, log, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	return st, kept, f
}

func TestPrune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		st, kept, f := newPruned(t, &log)
		for range 2500 { // more than two batches
			s := st.NewSession(nil)
			s.MaxAgeSecs = 60
			save(t, s)
		}
		_, live := save(t, st.NewSession(nil))
		time.Sleep(119 * time.Second)
		if n, _ := kept.Usage(); n < 2000 {
			t.Errorf("%d sessions are left before the pruner's time", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, _ := kept.Usage(); n != 1 {
			t.Errorf("%d sessions are left after two minutes, want the live one", n)
		}
		load(t, st, live)

		count := func() int { return f.Calls(sojourntest.OpSweep) }
		st.PruneInterval <- 10
		before := count()
		time.Sleep(100*time.Second + time.Millisecond)
		if n := count() - before; n != 10 {
			t.Errorf("in 100 s of 10 s each it pruned %d times", n)
		}
		st.PruneInterval <- 0 // nonsense changes nothing, and never makes it spin
		st.PruneInterval <- -5
		close(st.PruneInterval)
		before = count()
		time.Sleep(20*time.Second + time.Millisecond)
		if n := count() - before; n != 2 {
			t.Errorf("after nonsense it pruned %d times in 20 s", n)
		}
		f.Fail(store.ErrUnavailable, sojourntest.OpSweep)
		time.Sleep(20 * time.Second)
		f.Heal()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "unavailable") {
			t.Errorf("two failures wrote %q", got)
		}
		st.PruneKill <- 1
		before = count()
		time.Sleep(time.Hour)
		if count() != before {
			t.Error("it prunes after PruneKill")
		}
	})
}

// halting is a store whose every second sweep deletes a batch and then meets something that it
// cannot delete.
type halting struct {
	store.Store
	calls int
}

func (h *halting) Sweep(ctx context.Context, limit int) (int, error) {
	n, err := h.Store.Sweep(ctx, limit)
	if h.calls++; err == nil && h.calls%2 == 1 {
		err = store.ErrCorrupt
	}
	return n, err
}

// TestPruneGoesOn: what one sweep cannot delete does not leave the rest to the next round.
func TestPruneGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		kept := memstore.New(nil)
		st, err := qsess.NewPrunedStore(&halting{Store: kept}, &log, qstest.Key1)
		if err != nil {
			t.Fatal(err)
		}
		for range 3500 {
			s := st.NewSession(nil)
			s.MaxAgeSecs = 60
			save(t, s)
		}
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if n, _ := kept.Usage(); n != 0 || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("%d sessions are left, and the log is %q", n, log.String())
		}
		st.PruneKill <- 1
	})
}

// TestPrunerEnds: the bubble fails if a goroutine is left.
func TestPrunerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, _, _ := newPruned(t, nil)
		close(st.PruneKill)
		if _, err := qsess.NewPrunedStore(memstore.New(nil), nil, []byte("short")); !errors.Is(err, qsess.ErrConfig) {
			t.Errorf("got %v", err)
		}
	})
}

// TestForgotten: a Store that nobody refers to any more keeps no goroutine; the bubble fails if one
// is left.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			st, _, _ := newPruned(t, nil)
			save(t, st.NewSession(nil))
		}
		for range 3 {
			runtime.GC()
			time.Sleep(time.Hour)
		}
	})
}

// TestMapForgets: without a pruner the map does not grow with what has expired (it used to keep it
// for ever).
func TestMapForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memstore.New(nil)
		st, err := qsess.NewStoreOver(kept, qstest.Key1)
		if err != nil {
			t.Fatal(err)
		}
		const each = 500
		for range 6 {
			for range each {
				s := st.NewSession(nil)
				s.MaxAgeSecs = 60
				save(t, s)
			}
			time.Sleep(2 * time.Minute)
		}
		if n, _ := kept.Usage(); n > 3*each {
			t.Errorf("of %d sessions, all expired, %d are kept", 6*each, n)
		}
	})
}
