package diskstore

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// memoryDir returns a directory whose syncs cost nothing, where the system has one: most tests are
// about what is in the files, and not about the disk below. SOJOURN_DISK names another directory to
// make it in, on a file system that shall be tested.
func memoryDir(t testing.TB) string {
	t.Helper()
	base := "/dev/shm"
	if dir := os.Getenv("SOJOURN_DISK"); dir != "" {
		base = dir
	}
	dir, err := os.MkdirTemp(base, "diskstore-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func openAt(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	var dirs sync.Map
	storetest.Run(t, func(t testing.TB) store.Store {
		dir := memoryDir(t)
		s := openAt(t, dir)
		dirs.Store(s, dir)
		return s
	}, &storetest.Options{Damage: func(s store.Store, key store.Key) error {
		dir, _ := dirs.Load(s)
		path := pathOf(dir.(string), key)
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		b[20] ^= 1
		return errors.Join(err, os.WriteFile(path, b, 0o600), os.Chtimes(path, fi.ModTime(), fi.ModTime()))
	}})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b testing.TB) store.Store { return openAt(b, memoryDir(b)) })
}
