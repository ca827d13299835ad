package possessions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sojourn-go/sojourn/store"
)

// "Disk sessions store the session as a text file on disk." "The file names are the UUIDs of the
// session." "Each time the file is accessed (using Get, Set, manually on disk, or by using the
// ResetMiddleware) it will reset the access time of the file."
func TestDiskFiles(t *testing.T) {
	d := newDisk(t, time.Hour)
	o := NewStorageOverseer(NewCookieOptions(), d)
	v := visit(t, o)
	v.at("set", "k", "a", "v", "1")
	id := only(t, d)
	file := filepath.Join(d.faces.root.Name(), id)
	text, err := os.ReadFile(file)
	if err != nil || !utf8.Valid(text) || string(text) != faceHead+`{"a":"1"}`+"\n" {
		t.Errorf("%q, %v", text, err)
	}
	if len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%q is no random UUID", id)
	}
	for what, act := range map[string]func(){
		"a request":  func() { v.at("get", "k", "a") },
		"middleware": func() { v.at("kept") },
		"Get":        func() { must(d.Get(t.Context(), id)) },
		"Set":        func() { ok(t, d.Set(t.Context(), id, `{"a":"1"}`)) },
		"setting":    func() { v.at("set", "k", "b", "v", time.Now().String()) },
		"reset":      func() { ok(t, d.ResetExpiry(t.Context(), id)) },
	} {
		back := time.Now().Add(-30 * time.Minute)
		ok(t, os.Chtimes(file, back, back))
		age(t, d, id, 30*time.Minute)
		act()
		fi, err := os.Stat(file)
		if err != nil || time.Since(fi.ModTime()) > 10*time.Minute {
			t.Errorf("%s does not reset the file's time: %v, %v", what, fi.ModTime(), err)
		}
	}
	// Removing the file by hand ends the session; other text in it changes nothing.
	ok(t, os.WriteFile(file, []byte("other"), 0o600))
	v.want("1", "get", "k", "a")
	ok(t, os.Remove(file))
	if n := len(ids(t, d)); n != 0 {
		t.Errorf("%d sessions are listed", n)
	}
	v.want("<none>", "get", "k", "a")
	// A session that is ended takes its file along.
	v.at("set", "k", "a", "v", "1")
	id = only(t, d)
	ok(t, d.Del(t.Context(), id))
	if _, err := os.Stat(filepath.Join(d.faces.root.Name(), id)); !os.IsNotExist(err) {
		t.Errorf("after Del: %v", err)
	}
}

// age rewrites a session as if it had been used last so long ago.
func age(t *testing.T, d *DiskStorer, id string, by time.Duration) {
	t.Helper()
	rec, err := d.read(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	inner := d.faces.Store
	ok(t, inner.Delete(t.Context(), rec.Key))
	rec.Seen, rec.Created = time.Now().Add(-by), time.Now().Add(-by-time.Minute)
	rec.Writer = writerNonce()
	if _, err := inner.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
}

// "manually on disk": touching the file pushes the expiry back while the session lives, also before
// the cleaner; afterwards it brings nothing back.
func TestDiskTouchedByHand(t *testing.T) {
	for name, clean := range map[string]bool{"read": false, "cleaned": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const maxAge, part = 8 * time.Second, 5 * time.Second
			d := newDisk(t, maxAge)
			v := visit(t, NewStorageOverseer(NewCookieOptions(), d))
			v.at("set", "k", "a", "v", "1")
			file := filepath.Join(d.faces.root.Name(), only(t, d))
			touch := func() error { return os.Chtimes(file, time.Now(), time.Now()) }
			time.Sleep(part)
			ok(t, touch())
			time.Sleep(part)
			if clean {
				d.Clean()
			}
			v.want("1", "get", "k", "a")
			time.Sleep(maxAge + time.Second)
			if err := touch(); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
			if clean {
				d.Clean()
			}
			v.want("<none>", "get", "k", "a")
		})
	}
}

// Sessions on disk outlive the process, and several processes share a folder.
func TestDiskShared(t *testing.T) {
	d := newDisk(t, time.Hour)
	v := visit(t, NewStorageOverseer(NewCookieOptions(), d))
	v.at("set", "k", "a", "v", "1")
	again, err := NewDiskStorer(d.faces.root.Name(), time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other := site(NewStorageOverseer(NewCookieOptions(), again))
	if got := record(other, request(v), "/get?k=a"); got != "1" {
		t.Errorf("through another process: %q", got)
	}
	ok(t, again.Del(t.Context(), only(t, again)))
	v.want("<none>", "get", "k", "a")
	ok(t, again.Close())
	ok(t, again.Close())
}
