package diskstore

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

// TestPowerCut (P3, P12) cuts the power after each step that the disk does in a play of many calls,
// and loses what was not synced: all, nothing, or each thing by chance. The store is opened on what
// is left. Sometimes the power is cut again while it recovers. SOJOURN_POWER is the number of
// plays, if not 3.
func TestPowerCut(t *testing.T) {
	const calls = 25
	seeds, cuts := uint64(3), 0
	if n, err := strconv.ParseUint(os.Getenv("SOJOURN_POWER"), 10, 64); err == nil {
		seeds = n
	}
	for seed := range seeds {
		for wait := range store.Loose + 1 {
			for at := 1; ; at++ {
				done := powerCut(t, seed, wait, calls, at)
				cuts++
				if t.Failed() {
					t.Fatalf("seed %d, setting %d, power cut after %d steps", seed, wait, at)
				}
				if done {
					break
				}
			}
		}
	}
	t.Logf("%d power cuts", cuts)
}

// powerCut plays until the power is cut after so many steps. over tells that it was not.
func powerCut(t *testing.T, seed uint64, wait store.Durability, calls, at int) (over bool) {
	opts := &Options{Reserve: -1, Durability: wait}
	d := newSimDisk()
	d.left = at
	p := newPlay(t, seed)
	p.wait = wait
	var err error
	if p.s, err = open(d, opts, "first"); err != nil {
		return false // cut while it was founded: nothing to lose
	}
	for range calls {
		if err = p.step(); err != nil {
			break
		}
	}
	if over = err == nil; !over && d.left != 0 {
		t.Errorf("%s: %v", p.what, err)
		return false
	}
	done := over
	r := rand.New(rand.NewPCG(seed, uint64(at)))
	for _, loss := range []float64{0, 1, 0.5, 0.3, 0.7} {
		after := d.cut(r, loss)
		if r.IntN(2) == 0 { // once more, during recovery
			after.left = r.IntN(30)
			if s, err := open(after, opts, "second"); err == nil {
				_, _ = s.Sweep(t.Context(), 10)
			}
			after = after.cut(r, loss)
		}
		s, err := open(after, opts, "third")
		if err != nil {
			t.Errorf("%s, loss %v: open: %v", p.what, loss, err)
			return false
		}
		first := p.judge(s, done)
		if _, err := s.Sweep(t.Context(), 10); err != nil {
			t.Errorf("%s, loss %v: sweep: %v", p.what, loss, err)
		}
		if err := errors.Join(first, p.judgeAgain(s, done)); err != nil {
			t.Errorf("%s, loss %v: %v", p.what, loss, err)
		}
	}
	if !over {
		killed(t, p, d, r)
	}
	return over
}

// killed looks at the same moment as if only the process had ended: the disk is as it was, with
// things that are not synced. Another process goes on with it, and then the power is cut.
func killed(t *testing.T, p *play, d *simDisk, r *rand.Rand) {
	opts := &Options{Reserve: -1, Durability: p.wait}
	d.left = -1
	s, err := open(d, opts, "first")
	if err == nil {
		err = p.judge(s, false)
	}
	if err != nil {
		t.Errorf("%s, killed: %v", p.what, err)
		return
	}
	// Whoever had no answer asks again; now it is acknowledged.
	p.s = s
	if p.call != nil {
		if err := p.call(); err != nil {
			t.Errorf("%s, sent again after the process was killed: %v", p.what, err)
			return
		}
	}
	for range r.IntN(4) {
		if err := p.step(); err != nil {
			t.Errorf("%s, after another was killed: %v", p.what, err)
		}
	}
	s, err = open(d.cut(r, []float64{1, 0.5}[r.IntN(2)]), opts, "second")
	if err == nil {
		err = p.judge(s, true)
	}
	if err != nil {
		t.Errorf("%s, after another was killed and the power was cut: %v", p.what, err)
	}
}

// judgeAgain judges after a sweep, unless the guards' tests have signed someone in.
func (p *play) judgeAgain(s *Store, done bool) error {
	if len(p.after.revoked) != len(p.before.revoked) {
		return nil
	}
	return p.judge(s, done)
}
