// Package disktest checks that what a store on this machine's disk acknowledges is really there: it
// looks at the system calls. A kill proves nothing of the kind, for the kernel writes what a
// process has left behind, and a model of a disk stands where the files should be.
//
// Linux only, and strace must be installed; elsewhere [Run] skips the test. It needs the standard
// library only.
//
// # The law
//
// Before a write returns that waits for the disk (see [store.Durability]), all that it has changed
// is durable, and all that the opening of the store has. Bytes are by a sync of their file that
// begins after they were written. Names are by such a sync of their folder: that of a file, and
// those of all folders that lead to it. A file is synced before it is renamed or linked to another
// name. A write that does not wait syncs nothing, unless [Setup] says otherwise.
package disktest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/internal/syscalls"
	"github.com/sojourn-go/sojourn/store"
)

// Setup is what is tested. Only Open must be set.
type Setup struct {
	// Open opens a store of that setting in the folder dir, which is empty. close closes it.
	Open func(dir string, d store.Durability) (s store.Store, close func() error, err error)

	// Spare reports whether a file or its name need not be durable, such as a log that nobody
	// reads. The path is relative to dir.
	Spare func(path string) bool

	// InOrder says that a write that waits takes all before it along, as in a log.
	InOrder bool

	// Steps gives what an act does to the disk, as "write log, sync log", or "" where that is not
	// asked. The steps are write, sync, remove and mkdir with a name, and rename and link with two.
	// Equal ones that follow each other count as one. The acts are those of [Acts]; waits says
	// whether this one waits for the disk.
	Steps func(act string, d store.Durability, waits bool) string

	// Opening and Closing are the steps of Open and of close, or "" where that is not asked.
	Opening, Closing string

	// Name gives the name that a path has in steps, or "": what is done to it is left out.
	Name func(path string) string
}

// Acts are the names of the writes that [Run] looks at, in the order in which they are done.
func Acts() (names []string) {
	for _, a := range acts {
		names = append(names, a.name)
	}
	return names
}

const (
	opening = "opening"
	closing = "closing"
)

// Run opens a store of a setting, writes to it in a process of its own, under strace, and judges
// what reached the disk. It runs the test once more in that process: what stands before Run in the
// test is done there, too, and nothing behind it.
func Run(t *testing.T, d store.Durability, setup Setup) {
	t.Helper()
	done := syscalls.Run(t, func(dir string, act func(string, func() error)) {
		var s store.Store
		var close func() error
		act(opening, func() (err error) {
			s, close, err = setup.Open(dir, d)
			return err
		})
		for _, a := range acts {
			act(a.name, func() error { return a.do(context.Background(), s) })
		}
		act(closing, close)
	})
	setup.judge(t, d, done)
}

// Each runs Run in every setting.
func Each(t *testing.T, setup Setup) {
	t.Helper()
	for d := range store.Loose + 1 {
		t.Run(fmt.Sprint("setting", int(d)), func(t *testing.T) {
			t.Parallel()
			Run(t, d, setup)
		})
	}
}

// judge holds what was done against the law.
func (setup *Setup) judge(t *testing.T, d store.Durability, done []syscalls.Act) {
	t.Helper()
	disk, rest := syscalls.NewDisk(), acts
	for i, a := range done {
		early := disk.Do(a)
		switch {
		case a.Name == opening:
			setup.compare(t, a, setup.Opening)
			continue
		case a.Name == closing:
			setup.compare(t, a, setup.Closing)
			continue
		case a.Name == "": // something in the background
			continue
		}
		waits := d <= rest[0].waits
		rest = rest[1:]
		want := ""
		if setup.Steps != nil {
			want = setup.Steps(a.Name, d, waits)
		}
		setup.compare(t, a, want)
		if waits {
			setup.judgeWait(t, disk, done[:i+1], early)
		} else if want == "" && a.Syncs() > 0 {
			t.Errorf("%s need not wait for the disk, and syncs", a.Name)
		}
	}
	if len(rest) > 0 {
		t.Errorf("%s was not done", rest[0].name)
	}
}

// judgeWait judges the last act, which waits for the disk.
func (setup *Setup) judgeWait(t *testing.T, disk *syscalls.Disk, done []syscalls.Act, early []string) {
	t.Helper()
	a, spare := done[len(done)-1], setup.Spare
	if spare == nil {
		spare = func(string) bool { return false }
	}
	if a.Syncs() == 0 {
		t.Errorf("%s returns without a sync", a.Name)
	}
	for _, path := range early {
		if !spare(path) {
			t.Errorf("%s gives a file the name %s before its bytes are durable", a.Name, path)
		}
	}
	if !setup.InOrder {
		done = []syscalls.Act{done[0], a}
	}
	for _, what := range disk.Loses(spare, done...) {
		t.Errorf("%s returns, and a power cut may take %s", a.Name, what)
	}
}

// compare compares the steps of an act, if that is asked.
func (setup *Setup) compare(t *testing.T, a syscalls.Act, want string) {
	t.Helper()
	got := setup.steps(a)
	t.Logf("%s: %s", a.Name, got)
	if want != "" && got != want {
		t.Errorf("%s does this:\n%s\nand not this:\n%s", a.Name, got, want)
	}
}

// steps gives an act as [Setup.Steps] does.
func (setup *Setup) steps(a syscalls.Act) string {
	name := setup.Name
	if name == nil {
		name = func(path string) string { return path }
	}
	var steps []string
	for _, c := range a.Calls {
		if c.Kind == syscalls.Make {
			continue // the file may have been there
		}
		path, step := name(c.Path), string(c.Kind)
		if path == "" {
			continue
		}
		step += " " + path
		if to := name(c.To); c.To != "" && to != "" {
			step += " " + to
		}
		if len(steps) == 0 || steps[len(steps)-1] != step {
			steps = append(steps, step)
		}
	}
	return strings.Join(steps, ", ")
}
