package kvstore_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// closer counts how often it is closed.
type closer struct {
	closed int
	err    error
}

func (c *closer) Close() error { c.closed++; return c.err }

// TestOpen closes the database with the store, and where the store cannot be made.
func TestOpen(t *testing.T) {
	dir, errClose := t.TempDir(), errors.New("not closed")
	c := &closer{err: errClose}
	s, err := kvstore.Open("kvstore", dir, new(kvtest.Memory), c, nil, 0)
	if err != nil || c.closed != 0 {
		t.Fatalf("%v, closed %d times", err, c.closed)
	}
	add(t, s, fresh("a"))
	if err := s.Close(); !errors.Is(err, errClose) || c.closed != 1 {
		t.Errorf("%v, closed %d times", err, c.closed)
	}
	for what, open := range map[error]func(c *closer) (*kvstore.Store, error){
		store.ErrInvalid: func(c *closer) (*kvstore.Store, error) {
			return kvstore.Open("kvstore", dir, new(kvtest.Memory), c, &kvstore.Options{Prefix: "\x00"}, 0)
		},
		fs.ErrNotExist: func(c *closer) (*kvstore.Store, error) { // whose names cannot be made durable
			return kvstore.Open("kvstore", filepath.Join(dir, "none"), new(kvtest.Memory), c, nil, 0)
		},
	} {
		if runtime.GOOS == "windows" && what == fs.ErrNotExist {
			continue // directories cannot be synced there
		}
		c := &closer{err: errClose}
		if s, err := open(c); s != nil || !errors.Is(err, what) || !errors.Is(err, errClose) || c.closed != 1 {
			t.Errorf("%v, want %v; closed %d times", err, what, c.closed)
		}
	}
}

// TestReserve keeps room for deletions, unless the application has said how.
func TestReserve(t *testing.T) {
	dir, free := t.TempDir(), &kvstore.Options{Full: func() bool { return false }}
	for _, c := range []struct {
		opts    *kvstore.Options
		reserve uint64
		full    bool
	}{{nil, 0, false}, {nil, math.MaxUint64, true}, {new(kvstore.Options), math.MaxUint64, true}, {free, math.MaxUint64, false}} {
		s, err := kvstore.Open("kvstore", dir, new(kvtest.Memory), new(closer), c.opts, c.reserve)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(bg, fresh("a"), store.Admission{}); errors.Is(err, store.ErrFull) != c.full {
			t.Errorf("with a reserve of %d: %v", c.reserve, err)
		}
	}
	if kvstore.Reserve(filepath.Join(dir, "none"), math.MaxUint64)() {
		t.Error("full, though the system could not be asked")
	}
}

// TestMakeDir makes all that is missing, for its owner alone.
func TestMakeDir(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"a", filepath.Join("b", "c", "d"), "a", filepath.Join(t.TempDir(), "e", "f")} {
		if err := kvstore.MakeDir(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", filepath.Join("file", "a"), filepath.Join("file", "a", "b")} {
		if err := kvstore.MakeDir(dir); err == nil {
			t.Errorf("made %q", dir)
		}
	}
}

// TestNotOpened says what is wrong, and matches an outage only where somebody else has the
// database.
func TestNotOpened(t *testing.T) {
	for _, inUse := range []bool{false, true} {
		err := kvstore.NotOpened("kvstore", "dir", errDisk, inUse)
		if !errors.Is(err, errDisk) || errors.Is(err, store.ErrUnavailable) != inUse ||
			!strings.HasPrefix(err.Error(), "kvstore: open dir: ") || strings.Contains(err.Error(), "open already") != inUse {
			t.Errorf("in use %v: %v", inUse, err)
		}
	}
}
