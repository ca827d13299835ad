// Command testlines reads what "go test -json" writes and prints what plain go test would, and what
// plain go test keeps to itself: each skipped test with its reason, and the lines of passed tests
// that begin with "counted: ". Lines that are not JSON pass through.
//
// It always exits with 0 when it could read and write: the exit code of go test says whether tests
// failed (in a pipe, with pipefail).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := show(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testlines:", err)
		os.Exit(1)
	}
}

// An event is one line of go test -json; see go doc test2json.
type event struct {
	Action, Package, Test, Output string
}

// show prints each package when it ends: of one that passed the skipped tests, what tests have
// counted and its closing line, of one that failed all but the tests that passed.
func show(w io.Writer, r io.Reader) error {
	out := bufio.NewWriter(w)
	in := bufio.NewReader(r)
	kept := map[string][]event{}    // output so far, by package
	ended := map[[2]string]string{} // how each test ended
	flush := func(pkg, action string) {
		for _, e := range kept[pkg] {
			end := ended[[2]string{pkg, e.Test}]
			switch {
			case e.Test == "" && (action != "pass" || closing(e.Output)), end == "skip", action == "fail" && end != "pass", counted(e.Output):
				out.WriteString(e.Output)
			}
		}
		delete(kept, pkg)
	}
	for {
		line, err := in.ReadString('\n')
		var e event
		switch {
		case line == "":
		case !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil:
			out.WriteString(line)
		case e.Action == "build-output":
			out.WriteString(e.Output)
		case e.Action == "output":
			if !framing(e.Output) {
				kept[e.Package] = append(kept[e.Package], e)
			}
		case e.Test != "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
			ended[[2]string{e.Package, e.Test}] = e.Action
		case e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
			flush(e.Package, e.Action)
		}
		if err == nil {
			err = flushIfIdle(out, in)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	for pkg := range kept { // go test was stopped: show what there is
		flush(pkg, "fail")
	}
	return out.Flush()
}

// flushIfIdle writes when nothing more waits to be read, so that a person sees each package when it
// ends.
func flushIfIdle(out *bufio.Writer, in *bufio.Reader) error {
	if in.Buffered() > 0 {
		return nil
	}
	return out.Flush()
}

// closing reports whether the line is the one by which go test ends a package that passed.
func closing(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "\t")
}

// counted reports whether the line is one that a test logs to say how much it has done.
func counted(line string) bool {
	_, text, _ := strings.Cut(line, ": ")
	return strings.HasPrefix(text, "counted: ")
}

// framing reports whether the line only tells that a test begins or goes on.
func framing(line string) bool {
	for _, p := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}
