package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A fate is what became of a mutant.
type fate int

const (
	waiting  fate = iota
	killed        // a test failed
	timedOut      // a test did not end, which is as good
	alive         // every test that reaches it passed
	unseen        // no test reaches it
)

// A test is a test, example or fuzz target with its seeds, of one test binary.
type test struct {
	name   string
	binary string
	dir    string
	takes  time.Duration
	sees   int // how many mutants it reaches
}

// quick is what a test takes that runs together with others. The rest run last, one by one.
const quick = time.Second

// pointed is how many tests run first: those that reach the fewest other mutants are the most
// likely to be about this one.
const pointed = 12

// A runner builds the test binaries of a target once, with all its mutants, and runs them.
type runner struct {
	dir     string // of its own, for binaries and marks
	all     []*mutant
	tests   []*test
	workers int
	quick   bool // no slow tests
	log     io.Writer
}

// build builds the test binary of each suite and finds which test reaches which mutant.
func (r *runner) build(ctx context.Context, root, overlay string, suites []suite) error {
	for _, s := range suites {
		dir := filepath.Join(root, s.module)
		binary := filepath.Join(r.dir, strings.NewReplacer("/", "_", ".", "_").Replace(s.module+"_"+s.pkg)+".test")
		build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", binary, s.pkg)
		build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s of %s with its mutants: %w\n%s", s.pkg, s.module, err, out)
		}
		list := exec.CommandContext(ctx, binary, "-test.list", "^(Test|Example|Fuzz)")
		list.Dir = filepath.Join(dir, s.pkg)
		out, err := list.Output()
		if err != nil {
			return fmt.Errorf("listing the tests of %s: %w", binary, err)
		}
		for name := range strings.FieldsSeq(string(out)) {
			if !s.without(name) {
				r.tests = append(r.tests, &test{name: name, binary: binary, dir: list.Dir})
			}
		}
	}
	return r.reach(ctx)
}

// reach runs every test by itself, with no mutant awake. One that fails is left out, and named.
func (r *runner) reach(ctx context.Context) error {
	var mu sync.Mutex
	var sound []*test
	each(r.workers, r.tests, func(t *test) {
		marks := filepath.Join(r.dir, "marks"+strconv.Itoa(slices.Index(r.tests, t)))
		defer os.Remove(marks)
		if err := os.WriteFile(marks, make([]byte, len(r.all)), 0o600); err != nil {
			panic(err)
		}
		begun := time.Now()
		out, err := r.run(ctx, t.binary, t.dir, []*test{t}, 10*time.Minute, "SOJOURN_MUTANTS_SEEN="+marks)
		t.takes = time.Since(begun)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			fmt.Fprintf(r.log, "left out, for it fails with all mutants asleep: %s: %v\n%s\n", t.name, err, tail(out))
			return
		}
		sound = append(sound, t)
		seen, err := os.ReadFile(marks)
		if err != nil {
			panic(err)
		}
		for i, m := range r.all {
			if seen[i] != 0 {
				t.sees++
				m.seenBy = append(m.seenBy, t)
			}
		}
	})
	if len(sound) == 0 {
		return errors.New("no test passes with all mutants asleep")
	}
	r.tests = sound
	for _, m := range r.all {
		slices.SortFunc(m.seenBy, func(a, b *test) int { return a.sees - b.sees })
	}
	return ctx.Err()
}

// try decides the fate of one mutant.
func (r *runner) try(ctx context.Context, m *mutant) {
	if len(m.seenBy) == 0 {
		m.fate = unseen
		return
	}
	for _, group := range groups(m.seenBy) {
		if r.quick && group[0].takes > quick {
			continue
		}
		var takes time.Duration
		for _, t := range group {
			takes += t.takes
		}
		_, err := r.run(ctx, group[0].binary, group[0].dir, group, 3*takes+10*time.Second,
			"SOJOURN_MUTANT="+strconv.Itoa(m.id))
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, context.DeadlineExceeded):
			m.fate, m.by = timedOut, group[0].name
			return
		case err != nil:
			m.fate, m.by = killed, group[0].name
			return
		}
	}
	m.fate = alive
}

// groups returns the tests in the order to run them: the pointed ones, the other quick ones, and
// the slow ones one by one. Each group is of one binary.
func groups(tests []*test) [][]*test {
	var list, slow [][]*test
	of := map[string]int{}
	n := 0
	for _, t := range tests {
		if t.takes > quick {
			slow = append(slow, []*test{t})
			continue
		}
		key := t.binary
		if n++; n > pointed {
			key += " later"
		}
		if i, ok := of[key]; ok {
			list[i] = append(list[i], t)
			continue
		}
		of[key] = len(list)
		list = append(list, []*test{t})
	}
	slices.SortFunc(slow, func(a, b []*test) int { return cmp.Compare(a[0].takes, b[0].takes) })
	return append(list, slow...)
}

// run runs tests of one binary, until one fails or a subtest of one does: for test2json subtests
// say so when they end, and not after their test. Its error matches [context.DeadlineExceeded] if
// they took too long.
func (r *runner) run(ctx context.Context, binary, dir string, tests []*test, limit time.Duration, env string) ([]byte, error) {
	names := make([]string, len(tests))
	for i, t := range tests {
		names[i] = regexp.QuoteMeta(t.name)
	}
	temp, err := os.MkdirTemp(r.dir, "run")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, binary, "-test.v=test2json", "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env, "TMPDIR="+temp)
	out := output{failed: cancel}
	cmd.Stdout, cmd.Stderr = &out, &out
	endWithChildren(cmd)
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if err != nil && limited.Err() != nil && !out.fails {
		return nil, limited.Err()
	}
	return out.text, err
}

// An output is what tests print. It calls failed as soon as one of them, or a subtest, has failed:
// the rest of a kit would take half a minute, and changes nothing.
type output struct {
	text   []byte
	failed func()
	fails  bool
}

const failure = "--- FAIL: "

func (o *output) Write(p []byte) (int, error) {
	seen := max(0, len(o.text)-len(failure)) // of which all but a beginning of failure was looked at
	o.text = append(o.text, p...)
	if !o.fails && bytes.Contains(o.text[seen:], []byte(failure)) {
		o.fails = true
		o.failed()
	}
	return len(p), nil
}

// each calls do for every element, n at a time.
func each[T any](n int, list []T, do func(T)) {
	work := make(chan T)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for x := range work {
				do(x)
			}
		})
	}
	for _, x := range list {
		work <- x
	}
	close(work)
	wg.Wait()
}

func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
