package syscalls

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func nothing(string) bool { return false }

// TestRun does to real files what a store should and what it should not.
func TestRun(t *testing.T) {
	acts := Run(t, func(dir string, act func(string, func() error)) {
		in := func(name string) string { return filepath.Join(dir, name) }
		act("nothing is synced", func() error {
			return errors.Join(os.Mkdir(in("folder"), 0o700), os.WriteFile(in("folder/file"), []byte("x"), 0o600))
		})
		act("the bytes are", func() error { return sync(in("folder/file"), "more") })
		act("the name, too", func() error { return sync(in("folder"), "") })
		act("and the folder's", func() error { return sync(dir, "") })
		act("a rename of what is synced", func() error {
			return errors.Join(sync(in("folder/file"), "x"), os.Rename(in("folder/file"), in("file")), sync(in("folder"), ""), sync(dir, ""))
		})
		act("a link to what is not", func() error {
			return errors.Join(write(in("file"), "y"), os.Link(in("file"), in("second")), sync(in("second"), ""), sync(dir, ""))
		})
		act("a removal", func() error { return os.Remove(in("second")) })
		act("an empty folder goes", func() error { return errors.Join(sync(dir, ""), os.Remove(in("folder"))) })
		act("times", func() error { return os.Chtimes(in("file"), testTime, testTime) })
	})
	want := map[string]string{
		"nothing is synced":          "the name of folder, the bytes of folder/file, the name of folder/file",
		"the bytes are":              "the name of folder/file, the name of folder",
		"the name, too":              "",
		"and the folder's":           "",
		"a rename of what is synced": "",
		"a link to what is not":      "early: second",
		"a removal":                  "the removal of second",
		"an empty folder goes":       "",
		"times":                      "the bytes of file",
	}
	disk := NewDisk()
	for _, a := range acts {
		var found []string
		for _, path := range disk.Do(a) {
			found = append(found, "early: "+path)
		}
		found = append(found, disk.Loses(nothing, a)...)
		if got := strings.Join(found, ", "); got != want[a.Name] {
			t.Errorf("%s: %s; want %s", a.Name, got, want[a.Name])
		}
		delete(want, a.Name)
	}
	if len(want) > 0 {
		t.Errorf("not done: %v", want)
	}
	if lost := disk.Loses(func(path string) bool { return path == "file" }, acts...); len(lost) > 0 {
		t.Errorf("what was spared is lost: %q", lost)
	}
}

var testTime = time.Unix(1e9, 0)

func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// sync syncs a file, to which it may write first, or a folder.
func sync(path, text string) error {
	flag := os.O_RDONLY
	if text != "" {
		flag = os.O_WRONLY
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return err
	}
	if text != "" {
		_, err = f.WriteString(text)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// TestParse reads calls that another thread interrupts, and such as are not for the disk.
func TestParse(t *testing.T) {
	acts, err := parse(strings.Join([]string{
		`7 write(3</dev/null>, "begin first act", 15) = 15`,
		`7 openat(AT_FDCWD</>, "/d/a", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 4</d/a>`,
		`8 fsync(4</d/a> <unfinished ...>`,
		`7 pwrite64(4</d/a>, "\"d/b\", \n\x00", 9, 7) = 8`,
		`8 <... fsync resumed>) = 0`,
		`7 write(1<pipe:[123]>, "/d/a", 4) = 4`,
		`7 write(9</elsewhere/d/a>, "x", 1) = 1`,
		`7 openat(4</d>, "a", O_RDONLY|O_CLOEXEC) = 5</d/a>`,
		`7 unlinkat(5</d>, "missing", 0) = -1 ENOENT (No such file or directory)`,
		`7 write(4</d/a>(deleted), "x", 1) = 1`,
		`7 renameat2(5</d/sub>, "a", 6</d>, "b c", RENAME_NOREPLACE) = 0`,
		`7 write(3</dev/null>, "end first act", 13) = 13`,
		`9 fdatasync(4</d/a>) = 0`,
		`7 write(3</dev/null>, "begin second", 12) = 12`,
		`9 +++ exited with 0 +++`,
		`7 mkdirat(5</d>, "e", 0700) = 0`,
		`9 fsync(4</d/a> <unfinished ...>`,
	}, "\n"), "/d")
	if err != nil {
		t.Fatal(err)
	}
	want := []Act{
		{"first act", []Call{
			{Kind: Make, Path: "a", Mode: "0600", Began: 2, Ended: 2},
			{Kind: Write, Path: "a", Bytes: []byte("\"d/b\", \n"), At: 7, Began: 4, Ended: 4},
			{Kind: Sync, Path: "a", Began: 3, Ended: 5},
			{Kind: Write, Path: "a", Bytes: []byte("x"), Began: 10, Ended: 10},
			{Kind: Rename, Path: "sub/a", To: "b c", Began: 11, Ended: 11},
		}},
		{"", []Call{{Kind: Sync, Path: "a", Began: 13, Ended: 13}}},
		{"second", []Call{{Kind: Mkdir, Path: "e", Mode: "0700", Began: 16, Ended: 16}}},
	}
	if !reflect.DeepEqual(acts, want) {
		t.Errorf("got  %v\nwant %v", acts, want)
	}
	// The sync began before the write.
	disk := NewDisk()
	disk.Do(Act{Calls: acts[0].Calls[:3]})
	if lost := disk.Loses(nothing, Act{Calls: acts[0].Calls[:3]}); !slices.Contains(lost, "the bytes of a") {
		t.Errorf("a sync that began earlier counts: %q", lost)
	}
	if _, err := parse(`7 copy_file_range(4</d/a>, NULL, 5</d/b>, NULL, 9, 0) = 9`, "/d"); err == nil {
		t.Error("a call that is not known is passed over")
	}
}

// TestTell replays what a story did: a cut at the end that loses nothing leaves what it left.
func TestTell(t *testing.T) {
	before := Image{"old": []byte("was there"), "folder": nil, "folder/in": []byte("x")}
	calls, after := Tell(t, before, []byte("input"), func(dir string, input []byte, note func(string)) {
		in := func(name string) string { return filepath.Join(dir, name) }
		f, err := os.OpenFile(in("new"), os.O_CREATE|os.O_RDWR, 0o600)
		must(t, err)
		for i := range 3 {
			_, err = f.Write([]byte{byte(i), '"', '\\', '\n', 0xff, ')', ' ', '=', ' ', '1'})
			must(t, err)
		}
		_, err = f.WriteAt([]byte("in the middle"), 7)
		must(t, errors.Join(err, f.Sync()))
		note("synced " + string(input))
		must(t, errors.Join(f.Truncate(100), f.Close()))
		f, err = os.OpenFile(in("old"), os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString(", and more")
		must(t, errors.Join(err, f.Close(), os.Rename(in("folder/in"), in("out")), os.Remove(in("out")), os.Mkdir(in("made"), 0o700)))
		must(t, errors.Join(os.WriteFile(in("made/file"), []byte("y"), 0o600), os.WriteFile(in("made/file"), []byte("z"), 0o600)))
	})
	cut := func(at, percent int) Image {
		m, err := Cut(before, calls, at, Loss{Percent: percent, Below: rand.IntN})
		must(t, err)
		return m
	}
	if got := cut(End, 0); !maps.EqualFunc(got, after, bytes.Equal) {
		t.Errorf("replayed: %q, and the folder holds %q", got, after)
	}
	if got := cut(End, 100); !maps.EqualFunc(got, before, bytes.Equal) { // for no name was synced
		t.Errorf("of what was not synced, all is lost but %q", got)
	}
	noted := slices.IndexFunc(calls, func(c Call) bool { return c.Kind == Note })
	if noted < 0 || calls[noted].Text != "synced input" {
		t.Fatal("the note is lost")
	}
	named := slices.Insert(slices.Clone(calls), noted, Call{Kind: Sync, Path: ".", Began: calls[noted].Began, Ended: calls[noted].Began})
	calls = named
	if got := cut(End, 100)["new"]; len(got) != 30 || !bytes.Contains(got, []byte("in the middle")) {
		t.Errorf("what was synced is %q", got)
	}
	torn := map[int]bool{}
	for range 300 {
		torn[len(cut(End, 50)["old"])] = true
	}
	if len(torn) != len(", and more")+1 {
		t.Errorf("a write is torn in %d ways", len(torn))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
