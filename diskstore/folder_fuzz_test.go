package diskstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// The places of a store at which something may be found, and what may lie there.
const (
	placeTop = iota
	placeHints
	placeShard
	placeUser
	places
)

const (
	kindFile = iota
	kindFolder
	kindLink
	kindInstead // a file in place of one of the store's own
	kinds
)

// FuzzFolder lays anything, under any name, anywhere into a store's directory, and calls
// everything. Nothing panics, and beside what is not the store's the sessions are all there.
func FuzzFolder(f *testing.F) {
	for _, name := range []string{
		"notes-old.txt", "backup-2026-11-27", "-", "--", "a-b", "x", "xm", "m", "h-1", "d9999999999", "xd0000000000", "m0000000000",
		"m99999999999999999999", ".g", ".j", ".new", "boot", "format", "00", "ff", "0g", strings.Repeat("0", 32), strings.Repeat("f", 64),
		strings.Repeat("-", 64), strings.Repeat("f", 63) + "-", "\xff",
	} {
		for place := range places {
			f.Add(uint8(place), uint8(kindFile), name, []byte("text"))
		}
	}
	f.Add(uint8(placeUser), uint8(kindFolder), strings.Repeat("e", 64), []byte(nil))
	f.Add(uint8(placeHints), uint8(kindLink), "m0000000000", []byte("."))
	ada := sample("ada")
	whole := encode(&ada)
	for n := range uint8(12) {
		f.Add(n, uint8(kindInstead), "", whole)
		f.Add(n, uint8(kindInstead), "", (&hint{kind: 'r', end: 1}).encode())
		f.Add(n, uint8(kindInstead), "", stamp(guardMagic, 1))
	}
	f.Fuzz(func(t *testing.T, place, kind uint8, name string, content []byte) {
		dir := memoryDir(t)
		s := openAt(t, dir)
		live, short := sample("ada"), sample("bob")
		short.Idle = time.Nanosecond
		mustCreate(t, s, live)
		_, _ = s.Create(t.Context(), short, store.Admission{})
		if _, err := s.Revoke(t.Context(), "ada", store.Selection{Except: []store.Handle{live.Handle}}); err != nil {
			t.Fatal(err)
		}
		at := lay(dir, live.Key, place, kind%kinds, name, content)
		if at == "" {
			return
		}
		again, err := Open(dir, nil) // as after a restart
		if err == nil {
			defer again.Close()
			callAll(t, again, live)
		}
		callAll(t, s, live)
		if kind%kinds == kindInstead || strings.HasPrefix(name, ".") || place%places == placeTop {
			return // it may be the store's own
		}
		if _, _, err := s.Get(t.Context(), live.Key); err != nil {
			t.Errorf("beside %q: %v", name, err)
		}
	})
}

// lay lays something down and returns where, "" if the system does not take it.
func lay(dir string, key store.Key, place, kind uint8, name string, content []byte) string {
	user := filepath.Dir(pathOf(dir, key))
	if kind == kindInstead {
		var own []string
		filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				own = append(own, path)
			}
			return nil
		})
		at := own[int(place)%len(own)]
		if os.WriteFile(at, content, 0o600) != nil {
			return ""
		}
		return at
	}
	folder := []string{dir, filepath.Join(dir, hintsName), filepath.Dir(user), user}[place%places]
	at := filepath.Join(folder, name)
	if filepath.Dir(at) != folder || strings.ContainsAny(name, "\x00/") {
		return ""
	}
	if _, err := os.Lstat(at); err == nil {
		return ""
	}
	var err error
	switch kind {
	case kindFile:
		err = os.WriteFile(at, content, 0o600)
	case kindFolder:
		err = os.Mkdir(at, 0o700)
	case kindLink:
		err = os.Symlink(string(content), at)
	}
	if err != nil {
		return ""
	}
	return at
}

// callAll calls every method; what they answer is not this test's.
func callAll(t *testing.T, s *Store, live store.Record) {
	ctx := t.Context()
	_, _, _ = s.Get(ctx, live.Key)
	change := live
	change.Writer[0]++
	_ = s.Update(ctx, change, 1)
	_ = s.Touch(ctx, live, 0)
	next := change
	next.Key.ID[0]++
	next.Writer[0]++
	_ = s.Rotate(ctx, live.Key, 2, next, nil)
	back := next
	back.Key = live.Key
	back.Writer[0]++
	_ = s.Rotate(ctx, next.Key, 3, back, nil)
	for range s.User(ctx, live.User) {
	}
	for range s.All(ctx) {
	}
	for range 2 {
		_, _ = s.Sweep(ctx, 100)
	}
	gone := sample("eve")
	_, _ = s.Create(ctx, gone, store.Admission{Max: 1, Evict: true})
	_ = s.Delete(ctx, gone.Key)
	_, _ = s.Revoke(ctx, "eve", store.Selection{})
}
