package diskstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// realDisk returns an open disk with the directory of a user.
func realDisk(t *testing.T) (d *osDisk, path string, tag store.Tag) {
	t.Helper()
	path, tag = filepath.Join(memoryDir(t), "store"), store.TagOf("ada")
	d, err := prepare(path)
	if err == nil {
		err = d.mkdir(tag)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return d, path, tag
}

// another opens the same disk as another process does.
func another(t *testing.T, path string) *osDisk {
	t.Helper()
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := openOS(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return d
}

// TestDisk checks what the store asks of a disk, on the real one and on the model of one.
func TestDisk(t *testing.T) {
	real, _, tag := realDisk(t)
	model := newSimDisk()
	if err := model.mkdir(tag); err != nil {
		t.Fatal(err)
	}
	for what, d := range map[string]disk{"real": real, "model": model} {
		t.Run(what, func(t *testing.T) { testDisk(t, d, tag) })
	}
}

func testDisk(t *testing.T, d disk, tag store.Tag) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.mkdir(tag); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder is made twice: %v", err)
	}
	none := tag
	none[15]++
	if _, err := d.open(none, true); !missing(err) {
		t.Errorf("open of no folder to write: %v", err)
	}
	if _, err := d.open(none, false); !missing(err) {
		t.Errorf("open of no folder to read: %v", err)
	}
	if tags, err := d.tags(tag[0]); err != nil || !slices.Equal(tags, []store.Tag{tag}) {
		t.Errorf("tags: %x, %v", tags, err)
	}
	f, err := d.open(tag, true)
	must(err)
	defer f.close()
	for what, err := range map[string]error{
		"read":   func() error { _, _, err := f.read("x", 5); return err }(),
		"readAt": func() error { _, err := f.readAt("x", 0, 5); return err }(),
		"touch":  f.touch("x", 5), "rename": f.rename("x", "y"), "remove": f.remove("x"),
		"setAside": func() error { must(closed(d.damaged())); return d.setAside(tag, "x", "x") }(),
	} {
		if !missing(err) {
			t.Errorf("%s of nothing: %v", what, err)
		}
	}
	if there, err := f.exists("x"); there || err != nil {
		t.Errorf("nothing exists: %v, %v", there, err)
	}
	must(f.write("x", []byte("some bytes"), 1e18, true))
	must(f.write("x", []byte("other bytes"), 1e18+5, false))
	if b, info, err := f.read("x", 5); err != nil || string(b) != "other" || info != (fileInfo{11, 1e18 + 5}) {
		t.Errorf("read: %q, %v, %v", b, info, err)
	}
	if b, _, err := f.read("x", 50); err != nil || string(b) != "other bytes" {
		t.Errorf("read of all: %q, %v", b, err)
	}
	for off, want := range map[int64]string{0: "other by", 6: "bytes", 11: "", 50: ""} {
		if b, err := f.readAt("x", off, 8); err != nil || string(b) != want {
			t.Errorf("read at %d: %q, %v", off, b, err)
		}
	}
	must(f.patch("x", []byte("OT")))
	must(f.patch("p", []byte("new")))
	must(f.append("x", []byte(" and more")))
	must(f.append("a", []byte("new")))
	must(f.touch("x", 7e17))
	must(f.rename("x", "y"))
	if b, info, err := f.read("y", 50); err != nil || string(b) != "OTher bytes and more" || info.mtime != 7e17 {
		t.Errorf("after changes: %q, %v, %v", b, info, err)
	}
	if there, err := f.exists("y"); !there || err != nil {
		t.Errorf("it exists: %v, %v", there, err)
	}
	names, err := f.names(0)
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"a", "p", "y"}) {
		t.Errorf("names: %q, %v", names, err)
	}
	if names, err := f.names(2); err != nil || len(names) != 2 {
		t.Errorf("two names: %q, %v", names, err)
	}
	must(f.sync())
	must(d.syncShard(tag[0]))
	if d.rmdir(tag) == nil {
		t.Error("a folder is removed that is not empty")
	}
	must(d.setAside(tag, "y", "aside"))
	aside, err := d.damaged()
	must(err)
	defer aside.close()
	if b, _, err := aside.read("aside", 5); err != nil || string(b) != "OTher" {
		t.Errorf("set aside: %q, %v", b, err)
	}
	must(f.remove("a"))
	must(f.remove("p"))
	if names, err := f.names(2); err != nil || len(names) != 0 {
		t.Errorf("in the end: %q, %v", names, err)
	}
	must(d.rmdir(tag))
	if err := d.rmdir(tag); !missing(err) {
		t.Errorf("a folder is removed twice: %v", err)
	}
}

func closed(d dir, err error) error {
	if err == nil {
		d.close()
	}
	return err
}

// TestDiskFails wants each call on a disk that does not work to say so, and to name no file, for
// that would show an ID.
func TestDiskFails(t *testing.T) {
	dead, path, tag := realDisk(t)
	f, err := dead.open(tag, true)
	if err != nil {
		t.Fatal(err)
	}
	f.close()
	if _, err := f.readAt("x", 0, 1); err == nil {
		t.Error("a closed folder is still open")
	}
	if err := dead.close(); err != nil {
		t.Fatal(err)
	}
	_, gonePath, _ := realDisk(t)
	if err := os.RemoveAll(filepath.Join(gonePath, shardName(tag[0]))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(gonePath, damagedName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := another(t, gonePath)
	full, fullPath, _ := realDisk(t) // folders stand where files should be
	in, err := full.open(tag, true)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	name := strings.Repeat("f", 64)
	if err := os.MkdirAll(filepath.Join(fullPath, shardName(tag[0]), tagName(tag), name, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	onShard := func(d *osDisk) map[string]error {
		_, tags := d.tags(tag[0])
		_, lock := d.lock(t.Context(), tag[0])
		_, damaged := d.damaged()
		return map[string]error{
			"open": closed(d.open(tag, false)), "open to write": closed(d.open(tag, true)), "mkdir": d.mkdir(tag), "rmdir": d.rmdir(tag),
			"syncShard": d.syncShard(tag[0]), "tags": tags, "lock": lock, "damaged": damaged, "setAside": d.setAside(tag, name, name),
		}
	}
	onDir := func(d dir, folder bool) map[string]error {
		_, _, read := d.read(name, 5)
		_, readAt := d.readAt(name, 0, 5)
		_, exists := d.exists(name)
		_, names := d.names(0)
		errs := map[string]error{
			"read": read, "readAt": readAt, "write": d.write(name, nil, 0, true), "patch": d.patch(name, []byte("x")),
			"append": d.append(name, []byte("x")), "remove": d.remove(name), "rename": d.rename(newName, name),
		}
		if !folder { // it exists, and may be touched
			errs["exists"], errs["names"], errs["sync"], errs["touch"] = exists, names, d.sync(), d.touch(name, 0)
		}
		return errs
	}
	for what, errs := range map[string]map[string]error{
		"closed": onShard(dead), "closed folder": onDir(f, false), "no shard": onShard(gone), "a folder for a file": onDir(in, true),
	} {
		for call, err := range errs {
			if err == nil {
				t.Errorf("%s: %s says nothing", what, call)
			} else if text := err.Error(); strings.Contains(text, tagName(tag)) || strings.Contains(text, name) || strings.Contains(text, path) {
				t.Errorf("%s: %s names a file: %v", what, call, err)
			}
		}
	}
}

// TestDiskIgnores has other things beside users' folders, and what is no file.
func TestDiskIgnores(t *testing.T) {
	d, path, tag := realDisk(t)
	other := tag
	other[0]++
	for _, name := range []string{tagName(other), tagName(tag)[:30], strings.ToUpper(tagName(tag)), tagName(tag)[:31] + "/", tagName(tag)[:31] + ":",
		tagName(tag)[:31] + "`", tagName(tag)[:31] + "g", "notes"} {
		if err := os.MkdirAll(filepath.Join(path, shardName(tag[0]), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ends := []store.Tag{tag}
	for _, last := range []string{"00", "99", "aa", "ff"} { // the ends of what is a digit
		var also store.Tag
		if !parse(also[:], tagName(tag)[:30]+last) {
			t.Fatalf("%s is no digits", last)
		}
		if also != tag {
			ends = append(ends, also)
			if err := d.mkdir(also); err != nil {
				t.Fatal(err)
			}
		}
	}
	tags, err := d.tags(tag[0])
	for _, want := range ends {
		if !slices.Contains(tags, want) {
			t.Errorf("%x is not found", want)
		}
	}
	if err != nil || len(tags) != len(ends) {
		t.Errorf("tags: %x, %v", tags, err)
	}
}

// TestDiskLock wants a lock to be waited for, until the context ends, and to be free again then.
func TestDiskLock(t *testing.T) {
	a, path, _ := realDisk(t)
	b := another(t, path)
	release, err := a.lock(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	other, err := a.lock(t.Context(), 8)
	if err != nil {
		t.Fatal(err)
	}
	other()
	ended, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	for range 2 { // it is not kept by who gave up
		if _, err := b.lock(ended, 7); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the lock of another: %v", err)
		}
	}
	var free, inside atomic.Bool
	time.AfterFunc(5*time.Millisecond, func() { free.Store(true); release() })
	again, err := b.lock(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if again(); !free.Load() {
		t.Error("the lock was had before it was free")
	}
	var wg sync.WaitGroup
	for _, d := range []*osDisk{a, b, a, b} {
		wg.Go(func() {
			for range 50 {
				release, err := d.lock(t.Context(), 7)
				if err != nil {
					t.Error(err)
					return
				}
				if !inside.CompareAndSwap(false, true) {
					t.Error("two hold the lock")
				}
				runtime.Gosched()
				inside.Store(false)
				release()
			}
		})
	}
	wg.Wait()
}

// TestAppendAndTake has a file of hints taken away while others append: nothing is lost.
func TestAppendAndTake(t *testing.T) {
	d, _, _ := realDisk(t)
	const each = 300
	var wg, takers sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range each {
				if err := d.hints().append("m", fmt.Appendf(nil, "%d-%03d ", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var all strings.Builder
	done := make(chan struct{})
	takers.Go(func() {
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			if err := d.hints().rename("m", "x"); err != nil {
				continue
			}
			b, err := d.hints().readAt("x", 0, 1<<20)
			if err != nil {
				t.Error(err)
			}
			all.Write(b)
			if err := d.hints().remove("x"); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	close(done)
	takers.Wait()
	for w := range 2 {
		for i := range each {
			if text := fmt.Sprintf("%d-%03d ", w, i); !strings.Contains(all.String(), text) {
				t.Fatalf("%q is lost", text)
			}
		}
	}
}
