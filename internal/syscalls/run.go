// Package syscalls tells what a test asks of the disk. [Run] runs the test again in a process under
// strace and reads its system calls; a [Disk] replays them and says what a power cut could take,
// and [Cut] takes it.
//
// Models of a disk show that a store survives what the model does. They cannot show that the real
// files are synced as the model's are: that is what this package is for.
package syscalls

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// argument says, before a directory and behind all flags, that this is the process under strace.
const argument = "under-strace"

// Script is what the process under strace does: acts, one after the other, on files in dir, which
// exists and is empty. act calls f and marks where it begins and where it returns.
type Script func(dir string, act func(name string, f func() error))

// Run gives the acts of a script, which runs in this test once more, in a process of its own under
// strace. There Run does not return, so whatever stands before it in the test is done twice. It
// skips the test where there is no strace.
func Run(t *testing.T, script Script) []Act {
	t.Helper()
	if n := len(os.Args); n > 2 && os.Args[n-2] == argument {
		child(t, func(dir string, mark func(what, name string)) {
			script(dir, func(name string, f func() error) {
				mark(begins, name)
				if err := f(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				mark(ends, name)
			})
		})
	}
	acts, _ := trace(t, nil, nil)
	return acts
}

// Story is what the process under strace does in [Tell]: it works on files in dir, and tells of it
// in notes of one line of plain text. input is what Tell was given.
type Story func(dir string, input []byte, note func(text string))

// Tell is [Run] for what several goroutines do at once, on files that are there before: it gives
// all calls and notes in the order in which they returned, and what the folder held afterwards.
func Tell(t *testing.T, before Image, input []byte, story Story) (calls []Call, after Image) {
	t.Helper()
	if n := len(os.Args); n > 2 && os.Args[n-2] == argument {
		child(t, func(dir string, mark func(what, name string)) {
			input, err := os.ReadFile(inputOf(dir))
			if err != nil {
				t.Fatal(err)
			}
			story(dir, input, func(text string) { mark(notes, text) })
		})
	}
	acts, after := trace(t, before, input)
	for _, a := range acts {
		calls = append(calls, a.Calls...)
	}
	return calls, after
}

// inputOf is the file beside a folder that holds the input of a story.
func inputOf(dir string) string { return dir + ".in" }

// trace runs this test in a process of its own under strace, in a folder that holds what before
// does.
func trace(t *testing.T, before Image, input []byte) ([]Act, Image) {
	t.Helper()
	strace := find(t)
	dir, err := filepath.EvalSymlinks(t.TempDir()) // strace tells the paths behind links
	if err != nil {
		t.Fatal(err)
	}
	work, out := filepath.Join(dir, "work"), filepath.Join(dir, "calls")
	if err := errors.Join(before.Write(work), os.WriteFile(inputOf(work), input, 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), strace, "-f", "--seccomp-bpf", "-qq", "-y", "-x", "-s", longest, "-e", "signal=none",
		"-e", "trace="+traced, "-o", out, os.Args[0], "-test.run="+pattern(t.Name()), "-test.v", "-test.timeout=2m", argument, work)
	cmd.Env = append(cmd.Environ(), "GORACE=atexit_sleep_ms=0") // the race detector would wait for a second
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("under strace: %v\n%s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	acts, err := parse(string(text), work)
	if err != nil {
		t.Fatal(err)
	}
	if len(acts) == 0 {
		t.Fatal("the process under strace did nothing")
	}
	after, err := ReadImage(work)
	if err != nil {
		t.Fatal(err)
	}
	return acts, after
}

// longest is how many bytes of a write are told.
const longest = "4194304"

// find finds a strace that works.
func find(t *testing.T) string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("NOT TESTED which system calls reach the disk: %v: run make setup", err)
	}
	if out, err := exec.CommandContext(t.Context(), strace, "-f", "--seccomp-bpf", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED which system calls reach the disk: strace may not trace a process here: %v\n%s", err, out)
	}
	return strace
}

// child does what the process under strace is there for, and ends the test.
func child(t *testing.T, do func(dir string, mark func(what, name string))) {
	marks, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	do(os.Args[len(os.Args)-1], func(what, name string) {
		if _, err := fmt.Fprintf(marks, "%s %s", what, name); err != nil {
			t.Error(err)
		}
	})
	t.SkipNow() // the rest of the test is for who reads the calls
}
