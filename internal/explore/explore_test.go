package explore

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	everything = flag.Bool("explore.all", false, "explore every schedule of every pair with at most one fault, and samples of the rest")
	samples    = flag.Int("explore.samples", 200_000, "with -explore.all, how many schedules with three requests or two faults")
	seed       = flag.Uint64("explore.seed", 1, "of the samples")
	oneScene   = flag.String("explore.scene", "", "explore every schedule of one scene, for example stored/signed-in/incr+renew, with at most -explore.faults faults")
	most       = flag.Int("explore.faults", 1, "with -explore.scene, how many faults may happen in a schedule")
	only       = flag.String("explore.only", "", "explore only the scenes whose names match this regular expression")
	replay     = flag.String("explore.replay", "", "tell the story of one schedule: scene:schedule, as a finding names it")
)

// TestExplore explores a fixed number of schedules that cover every call of every pair with every
// outcome, or, with -explore.all, all that there are. What comes of them is judged by L1 to L9 and
// P4.
func TestExplore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // runs are small and many
	switch {
	case *replay != "":
		tellStory(t, *replay)
	case *oneScene != "":
		exploreScene(t, *oneScene, *most)
	case *everything:
		exploreAll(t)
	default:
		exploreFixed(t)
	}
}

// A tally counts runs, and groups what they have found.
type tally struct {
	mu     sync.Mutex
	begun  time.Time
	work   int // scenes to do, and done
	done   int
	runs   int
	groups map[string]*group
}

// A group are findings that differ in names only.
type group struct {
	law, text string
	n         int
	scenes    map[string]int
	story     string // the shortest
	length    int
}

func newTally(work int) *tally {
	return &tally{begun: time.Now(), work: work, groups: map[string]*group{}}
}

// names are what findings of one group differ in.
var names = regexp.MustCompile(`\bc\d+\b|\b[A-C]\d?\b`)

// add counts a run.
func (a *tally) add(r *run) {
	if r.redundant {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs++
	for _, f := range r.findings {
		key := f.law + " " + names.ReplaceAllString(f.text, "…")
		g := a.groups[key]
		if g == nil {
			g = &group{law: f.law, text: names.ReplaceAllString(f.text, "…"), scenes: map[string]int{}}
			a.groups[key] = g
			fmt.Fprintf(os.Stderr, "explore: %v:%v breaks %s: %s\n", r.scene, r.choices, f.law, f.text)
		}
		g.n++
		g.scenes[r.scene.String()]++
		if g.length == 0 || len(r.trace) < g.length {
			g.story, g.length = r.story(), len(r.trace)
		}
	}
}

// report prints what was found, and fails the test if it is anything.
func (a *tally) report(t *testing.T, what string) {
	for _, key := range slices.Sorted(maps.Keys(a.groups)) {
		g := a.groups[key]
		t.Errorf("%s: %s\nfound %d times, in %d scenes; the shortest (-explore.replay tells it again):\n%s", g.law, g.text, g.n, len(g.scenes), g.story)
	}
	t.Logf("counted: explored %d schedules (%s) in %v; laws broken in %d ways", a.runs, what, time.Since(a.begun).Round(time.Second), len(a.groups))
}

// progress prints a line every now and then until stop is called.
func (a *tally) progress() (stop func()) {
	tick, quit := time.NewTicker(5*time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				a.mu.Lock()
				fmt.Fprintf(os.Stderr, "explore: %d of %d scenes, %d schedules, laws broken in %d ways, %v\n",
					a.done, a.work, a.runs, len(a.groups), time.Since(a.begun).Round(time.Second))
				a.mu.Unlock()
			case <-quit:
				return
			}
		}
	}()
	return func() { tick.Stop(); close(quit) }
}

// each does the jobs on all processors.
func each[T any](t *testing.T, jobs []T, do func(t *testing.T, job T)) {
	next := make(chan T)
	t.Run("workers", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for job := range next {
					do(t, job)
				}
			})
		}
		go func() {
			for _, job := range jobs {
				next <- job
			}
			close(next)
		}()
	})
}

// inBubble makes the scene's world in a bubble of its own and hands it over.
func inBubble(t *testing.T, s *scene, f func(w *world)) {
	synctest.Test(t, func(*testing.T) { f(newWorld(s)) })
}

// exploreAll is make explore.
func exploreAll(t *testing.T) {
	var scenes []*scene
	for _, p := range pairs() {
		scenes = append(scenes, chosen(p.scenes)...)
	}
	a := newTally(len(scenes))
	defer a.progress()()
	each(t, scenes, func(t *testing.T, s *scene) {
		a.explore(t, s, 1)
		a.scene()
	})
	a.report(t, "all pairs, every order of calls, at most one fault")
	if *samples == 0 {
		return
	}
	b := newTally(*samples / perWorld)
	defer b.progress()()
	sample(t, b, *seed, *samples)
	b.report(t, fmt.Sprintf("three requests or two faults, seed %d", *seed))
}

// exploreScene explores one scene.
func exploreScene(t *testing.T, name string, faults int) {
	s, err := parseScene(name)
	if err != nil {
		t.Fatal(err)
	}
	a := newTally(1)
	a.explore(t, s, faults)
	a.report(t, fmt.Sprintf("%v, every order of calls, at most %d faults", s, faults))
}

// explore tries every schedule of a scene.
func (a *tally) explore(t *testing.T, s *scene, faults int) {
	inBubble(t, s, func(w *world) {
		c := &choices{all: true, faults: faults}
		for more := true; more; more = c.next() {
			a.add(w.try(c))
		}
	})
}

// scene notes that a scene is done.
func (a *tally) scene() {
	a.mu.Lock()
	a.done++
	a.mu.Unlock()
}

// chosen drops the scenes that -explore.only leaves out.
func chosen(scenes []*scene) (list []*scene) {
	want := regexp.MustCompile(*only)
	for _, s := range scenes {
		if want.MatchString(s.String()) {
			list = append(list, s)
		}
	}
	return list
}

// perWorld is how many samples are taken of one scene.
const perWorld = 20

// sample tries n schedules by chance: of two requests or three, with at most two faults. The same
// seed gives the same ones.
func sample(t *testing.T, a *tally, seed uint64, n int) {
	type job struct {
		scene *scene
		rng   *rand.Rand
		n     int
	}
	var jobs []job
	dice := rand.New(rand.NewPCG(seed, 0))
	for i := uint64(1); n > 0; i++ {
		if s := randomScene(dice); len(chosen([]*scene{s})) > 0 {
			jobs = append(jobs, job{s, rand.New(rand.NewPCG(seed, i)), min(n, perWorld)})
			n -= perWorld
		}
	}
	each(t, jobs, func(t *testing.T, j job) {
		inBubble(t, j.scene, func(w *world) {
			for range j.n {
				a.add(w.try(&choices{rng: j.rng, faults: 2}))
			}
		})
		a.scene()
	})
}

// randomScene draws a scene of two requests, or mostly of three.
func randomScene(dice *rand.Rand) *scene {
	for {
		s := &scene{situation: situations[dice.IntN(len(situations))]}
		s.sealed = dice.IntN(4) == 0
		for range 2 + min(1, dice.IntN(4)) {
			s.scripts = append(s.scripts, scripts[dice.IntN(len(scripts))])
		}
		mode := stored
		if s.sealed {
			mode = sealed
		}
		ok := s.situation.modes&mode != 0
		for _, b := range s.scripts[1:] {
			ok = ok && s.situation.meet(s.scripts[0], b)
		}
		if ok {
			return s
		}
	}
}

// tellStory replays one schedule.
func tellStory(t *testing.T, text string) {
	name, schedule, _ := strings.Cut(text, ":")
	s, err := parseScene(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseChoices(schedule)
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, s, func(w *world) {
		r := w.try(c)
		t.Log(r.story())
		for _, f := range r.findings {
			t.Errorf("%s: %s", f.law, f.text)
		}
	})
}

// A schedule's string makes the same run again.
func TestReplay(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		inBubble(t, randomScene(dice), func(w *world) {
			for _, c := range []*choices{{rng: dice, faults: 2}, {all: true, faults: 1, path: []choice{{1, 2}, {1, 9}, {0, 9}, {1, 9}}}} {
				want := w.try(c).story()
				again, err := parseChoices(c.String())
				if err != nil {
					t.Fatal(err)
				}
				if got := w.try(again).story(); got != want {
					t.Errorf("%v tells another story:\n%s\nthan the run from which it is:\n%s", c, got, want)
				}
			}
		})
	}
}
