package possessions

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The command on the page about moving removes what the older library has left in a folder, and
// nothing else.
func TestRemoveOldFiles(t *testing.T) {
	page, err := os.ReadFile("../../docs/moving.md")
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(page), "```sh\n")
	command, _, found := strings.Cut(command, "```")
	if !found {
		t.Fatal("the page has no command")
	}
	d := newDisk(t, time.Hour)
	folder := d.faces.root.Name()
	visit(t, NewStorageOverseer(NewCookieOptions(), d)).at("set", "k", "a", "v", "1")
	id := only(t, d)
	for name, text := range map[string]string{
		"a668b3bb-0cf1-4627-8cd4-7f62d09ebad6": `{"name":"Ada"}`, "00000000-0000-0000-0000-000000000000": "{}", // the older library's
		"notes-old.txt": "mine", "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6.bak": "mine", "backup00-2026-1127-0000-000000000000": "mine",
	} {
		ok(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	sh := exec.Command("sh", "-c", command)
	sh.Dir = folder
	if out, err := sh.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	var left []string
	entries, err := os.ReadDir(folder)
	ok(t, err)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{".key", storeFolder, "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6.bak", "backup00-2026-1127-0000-000000000000", id, "notes-old.txt"}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if got, err := d.Get(t.Context(), id); got != `{"a":"1"}` || err != nil {
		t.Errorf("the session of now is %q, %v", got, err)
	}
	// Where there is nothing of the older library's it does nothing.
	sh = exec.Command("sh", "-c", command)
	sh.Dir = t.TempDir()
	if out, err := sh.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("in an empty folder: %v: %s", err, out)
	}
}

// ReadState gives a session in any case, an empty one where the request has none.
func TestReadStateOfNobody(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, _ Storer) {
		r := request(visit(t, o))
		for _, cookie := range []string{"", "id=a668b3bb-0cf1-4627-8cd4-7f62d09ebad6", "id=notes-old"} {
			r.Header.Set("Cookie", cookie)
			s, err := o.ReadState(r)
			if s == nil || err != nil {
				t.Fatalf("cookie %q: %v, %v", cookie, s, err)
			}
			if _, has := s.Get("a"); has {
				t.Errorf("cookie %q has a value", cookie)
			}
		}
	})
}

// Only random UUIDs are IDs on disk; other storers take any text that is not empty or too long.
func TestIDs(t *testing.T) {
	on(t, natives, func(t *testing.T, _ Overseer, s Storer) {
		_, disk := s.(*DiskStorer)
		for id, anywhere := range map[string]bool{
			"a668b3bb-0cf1-4627-8cd4-7f62d09ebad6": true,
			"a668b3bb-0cf1-1627-8cd4-7f62d09ebad6": false, // version 1
			"00000000-0000-0000-0000-000000000000": false,
			"any text":                             false,
		} {
			if err := s.Set(t.Context(), id, "{}"); IsNoSessionError(err) != (disk && !anywhere) || err != nil && !IsNoSessionError(err) {
				t.Errorf("Set of %q: %v", id, err)
			}
		}
	})
}

// A client that is no browser sends no word of its site, and is refused until it does.
func TestNativeClient(t *testing.T) {
	o := NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer()))
	v := visit(t, o)
	v.at("set", "k", "a", "v", "1")
	for origin, want := range map[string]int{"": 403, "https://example.com": 200, "https://elsewhere.example": 403} {
		r := request(v)
		r.Method, r.URL.Path = "POST", "/none"
		r.Header.Del("Sec-Fetch-Site")
		if r.Header.Del("Origin"); origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := serve(site(o), r); got != want {
			t.Errorf("Origin %q: status %d, want %d", origin, got, want)
		}
	}
}
