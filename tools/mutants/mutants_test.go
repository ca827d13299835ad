package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/tools/mutants/known"
)

// sample is code whose tests notice some mutants and not others.
const sample = `package sample

import "errors"

var errNegative = errors.New("negative")

func Within(a, b bool, n int) bool { return a || b && n < 3 }

func Either(a, b bool) string {
	if a || b {
		return "some"
	}
	return "none"
}

func Root(n int) (r int, err error) {
	if n < 0 {
		return 0, errNegative
	}
	for (r+1)*(r+1) <= n {
		r++
	}
	return r, nil
}

func Forgotten(list []int) []int {
	list = append(list, 1)
	return list
}
`

const sampleTest = `package sample

import (
	"testing"
	"time"
)

func TestWithin(t *testing.T) {
	if Within(false, true, 3) || !Within(false, true, 2) || Within(false, false, 2) {
		t.Fatal()
	}
}

func TestEither(t *testing.T) {
	if Either(true, false) != "some" || Either(false, false) != "none" {
		t.Fatal()
	}
}

func TestRoot(t *testing.T) {
	if r, err := Root(10); r != 3 || err != nil {
		t.Fatal(r, err)
	}
	if r, _ := Root(0); r != 0 {
		t.Fatal(r)
	}
}

func TestForgotten(t *testing.T) {
	forgotten := len(Forgotten(nil)) == 0
	t.Run("fails", func(t *testing.T) {
		t.Parallel()
		if forgotten {
			t.Fatal()
		}
	})
	t.Run("does not end", func(t *testing.T) {
		t.Parallel()
		for forgotten {
			time.Sleep(time.Second)
		}
	})
}

func TestFails(t *testing.T) { t.Fatal("with every mutant asleep, too") }
`

// Each mutant of the sample has the fate that its tests give it; woven wrong it would have another.
func TestFates(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module sample\n\ngo 1.26\n", "sample.go": sample, "sample_test.go": sampleTest} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := prepare(root, target{name: "sample", code: map[string][]string{".": {"."}}})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(r.dir)
	var log strings.Builder
	n := &runner{dir: r.dir, all: r.all, workers: 2, log: io.Writer(&log)}
	if err := n.build(t.Context(), root, r.overlay, []suite{{module: ".", pkg: "."}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "TestFails") {
		t.Errorf("TestFails is not named as left out: %q", log.String())
	}
	got := map[string]fate{}
	for _, m := range r.all {
		n.try(context.Background(), m)
		got[strings.TrimPrefix(m.name(), "sample.go: ")] = m.fate
	}
	want := map[string]fate{
		"false: a":                     unseen, // nobody calls with true
		"false: b && n < 3":            killed,
		"true: b":                      killed,
		"true: n < 3":                  killed,
		"edge: n < 3":                  killed,
		"true: a || b":                 killed,
		"false: a || b":                killed, // and not only its second half
		"false: a #2":                  killed,
		"false: b":                     unseen,
		"true: n < 0":                  killed,
		"false: n < 0":                 unseen, // nor with less than 0
		"nil: errNegative":             unseen,
		"edge: n < 0":                  alive, // the error for 0 is not looked at
		"false: (r+1)*(r+1) <= n":      killed,
		"edge: (r+1)*(r+1) <= n":       alive,
		"sign: r+1":                    killed,
		"sign: r+1 #2":                 killed,
		"drop: r++":                    timedOut,
		"drop: list = append(list, 1)": killed, // by a subtest, though another does not end
	}
	for name, f := range want {
		if g, ok := got[name]; !ok || g != f {
			t.Errorf("%s: %d (found: %v), want %d", name, g, ok, f)
		}
	}
	for name, f := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %d, and no mutant of that name is expected", name, f)
		}
	}
}

// What the lists name is there.
func TestLists(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, target := range targets {
		r, err := prepare(root, target)
		if err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(r.dir)
		for _, m := range r.all {
			if there[m.name()] {
				t.Errorf("two mutants have the name %s", m.name())
			}
			there[m.name()] = true
		}
	}
	text, err := os.ReadFile("known.txt")
	if err != nil {
		t.Fatal(err)
	}
	equal, err := known.Read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for name := range equal {
		if !there[name] {
			t.Errorf("known.txt names a mutant that is not there: %s", name)
		}
	}
}

// A run that was stopped goes on where it was: what is recorded is not tried again, and after the
// quick tests alone only what is killed is settled.
func TestRecord(t *testing.T) {
	all := []*mutant{{file: "a.go", change: "drop", code: "x()"}, {file: "a.go", change: "true", code: "b"}, {file: "a.go", change: "nil", code: "err"}}
	o := options{quick: true}
	o.resume, o.only = filepath.Join(t.TempDir(), "record"), regexp.MustCompile("")
	for i, f := range []fate{killed, alive, unseen} {
		all[i].fate = f
		if err := o.record(all[i]); err != nil {
			t.Fatal(err)
		}
	}
	o.quick = false
	if err := o.record(all[2]); err != nil {
		t.Fatal(err)
	}
	r := &run{all: []*mutant{{file: "a.go", change: "drop", code: "x()"}, {file: "a.go", change: "true", code: "b"}, {file: "a.go", change: "nil", code: "err"}}}
	if err := o.choose([]*run{r}, &lists{table: &table{}}); err != nil {
		t.Fatal(err)
	}
	if len(r.chosen) != 1 || r.chosen[0] != r.all[1] || r.all[0].fate != killed || r.all[2].fate != unseen || len(r.tried) != 2 {
		t.Errorf("chosen %v, tried %v", r.chosen, r.tried)
	}
	if err := os.WriteFile(o.resume, []byte("drop: x()\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(o.resume); err == nil {
		t.Error("a record of another form is read")
	}
}
