package explore

import (
	"fmt"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// A spot is one call of a pair: the first of its method in one of the two requests, or a later one.
// Tries of the same act count as one.
type spot struct {
	request int
	method  method
	later   bool
}

// coverage tells which outcomes the calls of a pair have met.
type coverage map[spot]map[fault]bool

// note adds what has happened in a run.
func (cov coverage) note(r *run) {
	for _, q := range r.reqs {
		var had [len(methodNames)]bool
		for i, c := range q.calls {
			if c.again {
				c.spot = q.calls[i-1].spot
			} else {
				c.spot = spot{q.id, c.method, had[c.method]}
				had[c.method] = true
			}
			if c.choice == 0 {
				continue // two faults came before
			}
			if cov[c.spot] == nil {
				cov[c.spot] = map[fault]bool{}
			}
			cov[c.spot][c.fault] = true
		}
	}
}

// missing counts the outcomes that some call has not met.
func (cov coverage) missing() (missing, all int) {
	for s, met := range cov {
		all += len(faults[s.method])
		for _, f := range faults[s.method] {
			if !met[f] {
				missing++
			}
		}
	}
	return missing, all
}

// close tries every outcome that is missing of each call that a scene shows: where the call is
// first met, the same run is done again with that outcome, until nothing new is seen.
func (cov coverage) close(w *world, add func(*run)) {
	planned := map[spot]map[fault]bool{}
	todo := [][]choice{nil, {{1, 3}}} // both requests at once, and one after the other
	for len(todo) > 0 {
		c := &choices{all: true, faults: 2, path: todo[0]}
		todo = todo[1:]
		r := w.try(c)
		cov.note(r)
		add(r)
		for _, q := range r.reqs {
			for _, call := range q.calls {
				if call.choice == 0 {
					continue
				}
				for i, f := range faults[call.method] {
					if cov[call.spot][f] || planned[call.spot][f] {
						continue
					}
					if planned[call.spot] == nil {
						planned[call.spot] = map[fault]bool{}
					}
					planned[call.spot][f] = true
					path := slices.Clone(c.path[:call.choice])
					path[call.choice-1].took = i
					todo = append(todo, path)
				}
			}
		}
	}
}

// fixed is how many schedules make test explores.
const fixed = 130_000

// raced is of how many pairs, and of how many samples, the race detector sees one.
const raced = 20

// exploreFixed is the explorer's part of make test. The race detector makes a run several times as
// slow, and has little to find in it, for only one goroutine runs at any time: so it sees a fixed
// share, and a binary that is built without it explores the whole.
func exploreFixed(t *testing.T) {
	if !raceDetector() {
		exploreOneIn(t, 1)
		return
	}
	t.Run("raced", func(t *testing.T) { exploreOneIn(t, raced) })
	t.Run("whole", exploreWhole)
}

// raceDetector reports whether this binary was built with it.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// exploreWhole runs this test in a binary without the race detector.
func exploreWhole(t *testing.T) {
	explorer := buildTest(t, "./internal/explore")
	args := []string{"-test.run=^TestExplore$", "-test.v", "-explore.only=" + *only, fmt.Sprintf("-explore.seed=%d", *seed)}
	out, err := exec.CommandContext(t.Context(), explorer, args...).CombinedOutput()
	_, count, ok := strings.Cut(string(out), "counted: ")
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, out)
	}
	count, _, _ = strings.Cut(count, "\n")
	t.Log("counted:", count)
}

// exploreOneIn covers the first of every n pairs, and takes so many of the samples.
func exploreOneIn(t *testing.T, n int) {
	var all []*pair
	for list := range slices.Chunk(pairs(), n) {
		all = append(all, list[0])
	}
	a := newTally(len(all))
	stop := a.progress()
	defer func() { stop() }()
	covered := make([]coverage, len(all))
	each(t, indexes(len(all)), func(t *testing.T, i int) {
		cov := coverage{}
		for _, s := range chosen(all[i].scenes) {
			inBubble(t, s, func(w *world) { cov.close(w, a.add) })
		}
		covered[i] = cov
		a.scene()
	})
	missing, outcomes := 0, 0
	for i, cov := range covered {
		m, n := cov.missing()
		if outcomes += n; m > 0 {
			missing += m
			t.Errorf("%s: %d of %d outcomes of its calls were not tried", all[i].name, m, n)
		}
	}
	closed := a.runs
	if *only == "" {
		sample(t, a, *seed, fixed/n-closed)
	}
	a.report(t, fmt.Sprintf("%d pairs, %d calls and outcomes of which %d are covered, and %d samples of three requests or two faults",
		len(all), outcomes, outcomes-missing, a.runs-closed))
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
