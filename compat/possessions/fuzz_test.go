package possessions

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// A name with dashes that is no UUID ended the process: in a folder the cleaner's goroutine, in a
// program the caller.
var dashed = []string{
	"-", "--", "a-b", "notes-old.txt", "backup-2026-11-27", strings.Repeat("-", 36), strings.Repeat("-", 300),
	"a668b3bb0cf146278cd47f62d09ebad6", "a668b3bb-0cf1-4627-8cd4-7f62d09ebad", "a668b3bb-0cf1-4627-8cd4-7f62d09ebad67",
	"A668B3BB-0CF1-4627-8CD4-7F62D09EBAD6", "a668b3bb-0cf1-4627-8cd4-7f62d09ebag6", "a668b3bb-0cf146278cd4-7f62-d09ebad6",
}

func TestDashes(t *testing.T) {
	on(t, natives, func(t *testing.T, _ Overseer, s Storer) {
		for _, key := range dashed {
			useAnyKey(t, s, key, "{}")
		}
	})
}

// useAnyKey calls every method of a storer with a key that may be anything.
func useAnyKey(t *testing.T, s Storer, key, text string) {
	t.Helper()
	ctx := t.Context()
	set := s.Set(ctx, key, text)
	if set != nil && !IsNoSessionError(set) && len(text) <= store.MaxData-100 {
		t.Errorf("Set of %q: %v", key, set)
	}
	got, err := s.Get(ctx, key)
	if (err == nil) != (set == nil) || err != nil && !IsNoSessionError(err) || err == nil && got != text {
		t.Errorf("Get of %q: %q, %v, after Set: %v", key, got, err, set)
	}
	if err := s.ResetExpiry(ctx, key); (err == nil) != (set == nil) || err != nil && !IsNoSessionError(err) {
		t.Errorf("ResetExpiry of %q: %v, after Set: %v", key, err, set)
	}
	all, err := s.All(ctx)
	ok(t, err)
	listed := false
	for _, k := range all {
		listed = listed || k == key
	}
	if listed != (set == nil) {
		t.Errorf("All lists %q: %v, after Set: %v", key, listed, set)
	}
	ok(t, s.Del(ctx, key))
	if _, err := s.Get(ctx, key); !IsNoSessionError(err) {
		t.Errorf("Get of %q after Del: %v", key, err)
	}
}

// FuzzStorer: no key and no text harms a storer in memory or on disk.
func FuzzStorer(f *testing.F) {
	for _, key := range dashed {
		f.Add(key, `{"a":"1"}`)
	}
	f.Add("a668b3bb-0cf1-4627-8cd4-7f62d09ebad6", "no JSON")
	f.Add("", "")
	f.Add("../escape", "\xff")
	f.Add(keyRecord, "{}")
	f.Add(strings.Repeat("k", store.MaxUser+1), "{}")
	memory, disk := must(NewDefaultMemoryStorer()), newDisk(f, defaultMaxAge)
	f.Fuzz(func(t *testing.T, key, text string) {
		useAnyKey(t, memory, key, text)
		useAnyKey(t, disk, key, text)
	})
}

// FuzzID: an ID leads to one tag and back, and whatever is not spelled like one is none.
func FuzzID(f *testing.F) {
	for _, id := range dashed {
		f.Add(id)
	}
	f.Add("a668b3bb-0cf1-4627-8cd4-7f62d09ebad6")
	f.Fuzz(func(t *testing.T, id string) {
		if tag, ok := parseID(id); ok && (idOf(tag) != id || !utf8.ValidString(id) || len(id) != 36) {
			t.Errorf("%q is the ID of %v, which is that of %q", id, tag, idOf(tag))
		}
	})
}

// FuzzFolder: nothing that somebody puts into a storer's folder, under whatever name, harms the
// cleaner or the sessions.
func FuzzFolder(f *testing.F) {
	const id = "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"
	for _, name := range append(dashed, id, newFace, newFace+id, newFace+"-", newFace+id+"-x", ".store", ".key", "x y", "\xff-") {
		f.Add(name, faceHead+"{}\n", byte(0))
	}
	f.Add(id, "", byte(1))
	f.Add("a-b", "", byte(2))
	d := newDisk(f, time.Hour)
	folder := d.faces.root.Name()
	f.Fuzz(func(t *testing.T, name, text string, kind byte) {
		const live = "0f0e0d0c-0b0a-4908-8706-050403020100"
		ok(t, d.Set(t.Context(), live, "{}"))
		file := filepath.Join(folder, name)
		if filepath.Dir(file) != folder || name == live || strings.ContainsAny(name, "\x00/") || name == ".key" || name == storeFolder {
			return
		}
		if _, err := os.Lstat(file); err == nil {
			return
		}
		var err error
		switch kind % 3 {
		case 0:
			err = os.WriteFile(file, []byte(text), 0o600)
		case 1:
			err = os.Mkdir(file, 0o700)
		case 2:
			err = os.Symlink(text, file)
		}
		if err != nil {
			return // the system does not take the name
		}
		defer os.RemoveAll(file)
		if kind%3 != 2 { // of a link it would be another file's time
			old := time.Now().Add(-2 * faceYoung)
			ok(t, os.Chtimes(file, old, old))
		}
		d.Clean()
		all, err := d.All(t.Context())
		if err != nil || len(all) != 1 || all[0] != live {
			t.Errorf("beside %q the sessions are %q, %v", name, all, err)
		}
		if got, err := d.Get(t.Context(), live); err != nil || got != "{}" {
			t.Errorf("beside %q the session is %q, %v", name, got, err)
		}
	})
}

// FuzzOwnText: no text that a program's own storer gives harms a request: neither any at all, nor a
// record of the visitor's with any numbers in it.
func FuzzOwnText(f *testing.F) {
	s := newOwn(time.Hour)
	o := NewStorageOverseer(NewCookieOptions(), s)
	v, h := visit(f, o), site(o)
	v.at("set", "k", "a", "v", "1")
	r, id := request(v), only(f, s)
	var whole row
	if err := json.Unmarshal([]byte(must(s.Get(f.Context(), id))), &whole); err != nil {
		f.Fatal(err)
	}
	f.Add("", whole.Version, int64(0), int64(0), int64(whole.Idle), int64(0), whole.Meta, `{"a":"1"}`)
	f.Add("null", uint64(math.MaxUint64), int64(-1), int64(1), int64(-1), int64(-1), []byte(nil), "null")
	f.Add(`{"sojourn":1}`, uint64(0), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), []byte("x"), "")
	f.Fuzz(func(t *testing.T, text string, version uint64, created, seen, idle, lifetime int64, meta []byte, values string) {
		texts := []string{text}
		damaged := whole
		damaged.Version, damaged.Meta, damaged.Values = version, meta, json.RawMessage(values)
		damaged.Created, damaged.Seen = whole.Created.Add(time.Duration(created)), whole.Seen.Add(time.Duration(seen))
		damaged.Idle, damaged.Lifetime = time.Duration(idle), time.Duration(lifetime)
		if b, err := json.Marshal(damaged); err == nil {
			texts = append(texts, string(b))
		}
		for _, text := range texts {
			for _, path := range []string{"/get?k=a", "/set?k=a&v=2", "/del?k=a", "/show?k=a", "/delall", "/refresh"} {
				ok(t, s.Set(t.Context(), id, text))
				record(h, r, path)
			}
		}
	})
}

// FuzzCookie: no cookie harms a request, and none that was not sent opens a session.
func FuzzCookie(f *testing.F) {
	for _, c := range []string{"", "id", "id=", "id=;id=", "id=a-b", "id=2.x", "id=\x00", `id="x"; id.1=y`} {
		f.Add(c)
	}
	sites := []http.Handler{
		site(NewCookieOverseer(NewCookieOptions(), randomKey())),
		site(NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer()))),
		site(NewStorageOverseer(NewCookieOptions(), newOwn(time.Hour))),
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		for _, h := range sites {
			for _, path := range []string{"/get?k=a", "/set?k=a&v=2", "/show?k=a", "/kept"} {
				r := httptest.NewRequest("GET", sojourntest.Origin+path, nil)
				r.Header.Set("Cookie", cookie)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if got := w.Body.String(); path == "/get?k=a" && got != "<none>" {
					t.Errorf("cookie %q shows %q", cookie, got)
				}
			}
		}
	})
}

// FuzzValues: what a request sets the next one reads, whatever its name and text; only text that is
// no UTF-8 changes.
func FuzzValues(f *testing.F) {
	f.Add("", "")
	f.Add("a-b", "\x00")
	f.Add("key\"", "<&>\u2028")
	f.Add("\xff", "\xff")
	o := NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer()))
	f.Fuzz(func(t *testing.T, key, value string) {
		v := visit(t, o)
		v.at("set", "k", key, "v", value)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			v.at("get", "k", key)
			return
		}
		v.want(value, "get", "k", key)
		v.want(value, "show", "k", key)
		v.want("<none>", "get", "k", key)
	})
}
