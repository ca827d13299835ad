package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/programs"
	"github.com/sojourn-go/sojourn/servers/internal/progress"
)

func TestChooseMirror(t *testing.T) {
	for _, c := range []struct{ name, targets, want string }{
		{"first", "http://a/debian/ bookworm main\nhttp://b/debian/ bookworm main\n", "http://a/debian/"},
		{"not security", "http://s/debian-security/ bookworm-security main\nhttp://a/debian/ bookworm main\n", "http://a/debian/"},
		{"not updates alone", "http://u/debian/ bookworm-updates main\n", ""},
		{"by suite", "https://a/debian/ stable main\n", "https://a/debian/"},
		{"not other people's", "https://p/ nodistro main\nhttp://a/debian/ bookworm contrib\n", ""},
		{"nothing", "", ""},
	} {
		if got := chooseMirror(c.targets, "bookworm"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPlanNamesEachPackageOnce(t *testing.T) {
	p := &plan{debs: map[programs.Source][]string{}}
	if !p.empty() {
		t.Error("a new plan is not empty")
	}
	p.add([]programs.Program{programs.Initdb, programs.Postgres, programs.MySQL, programs.CC})
	p.jars = true
	if got, want := p.String(), "gcc libc6-dev postgresql mysql-server-core the jars of Cassandra "+programs.CassandraVersion; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFollowerReadsReportsInPieces(t *testing.T) {
	var board, out bytes.Buffer
	f := &follower{task: progress.Plain(&board).Task("x", "y"), out: &out}
	text := "Reading lists\ndlstatus:1:50.0:Retrieving file 1 of 2\npmstatus:gcc:90.5:Installing: gcc\nE: no room\nnot:a:report\n"
	for len(text) > 0 {
		n := min(7, len(text))
		if _, err := f.Write([]byte(text[:n])); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if got := out.String(); got != "Reading lists\nE: no room\nnot:a:report\n" {
		t.Errorf("kept %q", got)
	}
	if got := board.String(); !strings.Contains(got, "x: 25 %") || !strings.Contains(got, "x: 75 %") {
		t.Errorf("shown %q", got)
	}
}

func TestRunShowsOutputOnFailure(t *testing.T) {
	err := run(t.Context(), nil, nil, "sh", "-c", "echo the reason; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
}

// report is what a board prints, and calls written with each text.
type report struct {
	text    bytes.Buffer
	written func()
}

func (r *report) Write(b []byte) (int, error) {
	if r.written != nil {
		defer r.written()
	}
	return r.text.Write(b)
}

func TestLockWaits(t *testing.T) {
	dir := t.TempDir()
	var log report
	board := progress.Plain(&log)
	unlock, err := lock(t.Context(), board, dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log.written = cancel // it says that it waits
	if _, err := lock(ctx, board, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("second lock: %v", err)
	}
	if text := log.text.String(); !strings.Contains(text, "waiting") {
		t.Errorf("it waits and does not say so: %q", text)
	}
	unlock()
	unlock, err = lock(t.Context(), board, dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// A cache that another program filled is searched in the same places that unpacking fills.
func TestUnpackedProgramsAreFound(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("SOJOURN_SERVERS_CACHE", cache)
	t.Setenv("PATH", cache)
	path := filepath.Join(cache, programs.Next, "usr/bin/valkey-server")
	loader := filepath.Join(cache, programs.Next, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
	for _, file := range []string{path, loader} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found, err := programs.Find(programs.Valkey)
	if err != nil {
		t.Fatal(err)
	}
	if argv := found.Argv; argv[0] != loader || argv[len(argv)-1] != path {
		t.Errorf("argv %q", argv)
	}
	if missing, _ := programs.Missing("valkey"); len(missing) != 0 {
		t.Errorf("missing %q", missing)
	}
}

func TestReportsLeaveStandardOutputAlone(t *testing.T) {
	var board bytes.Buffer
	task := progress.Plain(&board).Task("x", "y")
	script := "echo dlstatus:1:100:file >&3; echo heard || exit 9; exit 3"
	err := run(t.Context(), task, nil, slices.Concat(reporting, []string{"sh", "-c", script})...)
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 3\nheard") || !strings.Contains(board.String(), "x: 50 %") {
		t.Errorf("error %v, board %q", err, board.String())
	}
}

// Of a package of npm only the files at its top are taken, and nothing goes elsewhere.
func TestUntar(t *testing.T) {
	dir := t.TempDir()
	pack, folder := filepath.Join(dir, "p.tgz"), filepath.Join(dir, "files")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range []string{"package/a.js", "package/sub/b.js", "package/../c.js", "../d.js"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close(), os.WriteFile(pack, b.Bytes(), 0o600), untar(pack, folder)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || !slices.Equal(files, []string{filepath.Join(folder, "a.js")}) {
		t.Errorf("%q, %v", files, err)
	}
}
