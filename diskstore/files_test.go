package diskstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// TestNames makes users and keys that would like to be paths, and wants to find nothing outside,
// and nothing inside but names and modes that the store makes.
func TestNames(t *testing.T) {
	t.Parallel()
	outer := memoryDir(t)
	dir := filepath.Join(outer, "store")
	s := openAt(t, dir)
	for _, user := range []string{"../../x", "/etc/passwd", "..", ".", "a/b", "a\x00b", strings.Repeat("../", 80), "C:\\x", "~root"} {
		rec := sample(user)
		copy(rec.Key.ID[:], "../../../../tmp/x")
		mustCreate(t, s, rec)
		if _, err := s.Revoke(t.Context(), user, store.Selection{Except: []store.Handle{rec.Handle}}); err != nil {
			t.Fatal(err)
		}
	}
	if names, _ := os.ReadDir(outer); len(names) != 1 {
		t.Errorf("%d names beside the store's directory", len(names)-1)
	}
	known := regexp.MustCompile(`^(\.|format|clock|boot|reserve|hints|hints/[dhm]\d{10}|[0-9a-f]{2}(/[0-9a-f]{32}(/[0-9a-f]{64}|/\.g)?)?)$`)
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			t.Error(err)
			return nil
		}
		name, _ := filepath.Rel(dir, path)
		info, _ := e.Info()
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if !known.MatchString(name) || info.Mode() != want {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return nil
	})
}

// TestPlantedLinks puts symbolic links where the store's files and directories are.
func TestPlantedLinks(t *testing.T) {
	t.Parallel()
	outer := memoryDir(t)
	dir, secret := filepath.Join(outer, "store"), filepath.Join(outer, "secret")
	s := openAt(t, dir)
	rec, other := sample("ada"), sample("ada")
	mustCreate(t, s, rec)
	mustCreate(t, s, other)
	sound, err := os.ReadFile(pathOf(dir, rec.Key))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	plant := func(target, at string) {
		os.RemoveAll(at)
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, key store.Key) {
		t.Helper()
		if _, _, err := s.Get(t.Context(), key); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("get through a link to %s: %v", what, err)
		}
		change := rec
		change.Key = key
		change.Writer[0]++
		if err := s.Update(t.Context(), change, 1); err == nil {
			t.Errorf("update through a link to %s", what)
		}
		if err := s.Touch(t.Context(), change, 0); err == nil {
			t.Errorf("touch through a link to %s", what)
		}
	}
	plant(secret, pathOf(dir, rec.Key))
	refused("a file outside", rec.Key)
	plant("../../../secret", pathOf(dir, rec.Key))
	refused("a file outside, by a relative path", rec.Key)
	plant(idName(other.Key.ID), pathOf(dir, rec.Key))
	refused("another session", rec.Key)
	// What is written goes to a new file, whatever lies at the names that it will have.
	for _, name := range []string{newName, putNames[0], putNames[1]} {
		plant(secret, filepath.Join(filepath.Dir(pathOf(dir, rec.Key)), name))
	}
	if err := s.Delete(t.Context(), rec.Key); err != nil {
		t.Errorf("delete of a link: %v", err)
	}
	next := sample("ada")
	if err := s.Rotate(t.Context(), other.Key, 1, next, nil); err != nil {
		t.Errorf("rotate beside links: %v", err)
	}
	mustCreate(t, s, rec)
	if fi, err := os.Lstat(pathOf(dir, rec.Key)); err != nil || !fi.Mode().IsRegular() {
		t.Error("a session's file is a link")
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != string(sound) {
		t.Error("a file outside was written to")
	}
	// A user's directory, and a shard.
	bob, eve := sample("bob"), sample("eve")
	mustCreate(t, s, bob)
	away := filepath.Join(outer, "away")
	os.Rename(filepath.Dir(pathOf(dir, bob.Key)), away)
	plant(away, filepath.Dir(pathOf(dir, bob.Key)))
	refused("a directory outside", bob.Key)
	if _, err := s.Create(t.Context(), sample("bob"), store.Admission{}); err == nil {
		t.Error("create through a link to a directory outside")
	}
	plant(".", filepath.Dir(pathOf(dir, bob.Key))) // the shard itself: within what the store may open
	if _, err := s.Create(t.Context(), sample("bob"), store.Admission{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("create through a link to a directory of the store: %v", err)
	}
	s2 := openAt(t, filepath.Join(outer, "second"))
	mustCreate(t, s2, eve)
	os.Mkdir(filepath.Join(outer, "empty"), 0o700)
	plant("../empty", filepath.Join(outer, "second", shardName(sample("zoe").Key.Tag[0])))
	if _, err := s2.Create(t.Context(), sample("zoe"), store.Admission{}); err == nil {
		t.Error("create through a link in place of a shard")
	}
	if n, _ := os.ReadDir(filepath.Join(outer, "empty")); len(n) > 0 {
		t.Error("something was written outside")
	}
}

// TestTouchedByHand extends a session as touch(1) does, as the older library possessions promises.
func TestTouchedByHand(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	s := openAt(t, dir)
	rec := sample("ada")
	rec.Idle, rec.Seen, rec.Created = time.Hour, time.Now().Add(-50*time.Minute), time.Now().Add(-50*time.Minute)
	mustCreate(t, s, rec)
	left := func() time.Duration {
		t.Helper()
		got, now, err := s.Get(t.Context(), rec.Key)
		if err != nil {
			t.Fatal(err)
		}
		return got.Expires().Sub(now).Round(time.Minute)
	}
	if d := left(); d != 10*time.Minute {
		t.Errorf("before: %v left", d)
	}
	set := func(at time.Time) {
		if err := os.Chtimes(pathOf(dir, rec.Key), at, at); err != nil {
			t.Fatal(err)
		}
	}
	set(time.Now().Add(-20 * time.Minute))
	if d := left(); d != 40*time.Minute {
		t.Errorf("touched to 20 minutes ago: %v left", d)
	}
	set(time.Now().Add(240 * time.Hour))
	if d := left(); d != time.Hour {
		t.Errorf("touched to a time in the future: %v left", d)
	}
	set(time.Now().Add(-240 * time.Hour))
	if d := left(); d != 10*time.Minute {
		t.Errorf("touched back: %v left, want what the file says", d)
	}
	if err := s.Touch(t.Context(), rec, 0); err != nil || left() != time.Hour {
		t.Errorf("touched by the store: %v, %v left", err, left())
	}
	fi, err := os.Stat(pathOf(dir, rec.Key))
	if err != nil || time.Since(fi.ModTime()) > time.Minute {
		t.Errorf("a touch left the modification time at %v", fi.ModTime())
	}
}

func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	outer := memoryDir(t)
	os.WriteFile(filepath.Join(outer, "letter"), nil, 0o600)
	if _, err := Open(outer, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("New in a directory with other things: %v", err)
	}
	if _, err := Open(filepath.Join(outer, "no", "parent"), nil); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), filepath.Join(outer, "no", "parent")) {
		t.Errorf("New without a parent: %v", err)
	}
	s, err := Open(filepath.Join(outer, "store"), &Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	rec := sample("ada")
	mustCreate(t, s, rec)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, _, err = s.Get(t.Context(), rec.Key)
	_, err2 := s.Create(t.Context(), sample("bob"), store.Admission{})
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err2, store.ErrUnavailable) {
		t.Errorf("after Close: %v, %v", err, err2)
	}
	s = openAt(t, filepath.Join(outer, "store"))
	if got, _, err := s.Get(t.Context(), rec.Key); err != nil || string(got.Data) != string(rec.Data) {
		t.Errorf("after opening again: %v", err)
	}
}
