package leveldbstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// TestFull keeps a reserve, as the package's comment recommends.
func TestFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := leveldb.OpenFile(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := New(db, &Options{Full: func() bool { return used(t, dir) > 20<<20 }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d sessions of 40 kB", kvtest.Full(t, s))
}

func used(t *testing.T, dir string) (n int64) {
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, f := range files {
		if info, err := os.Stat(filepath.Join(dir, f.Name())); err == nil { // else it is gone by now
			n += info.Size()
		}
	}
	return n
}

// smallDisk is a storage that takes so many bytes, and the first part of the write that is too
// much.
type smallDisk struct {
	storage.Storage
	room atomic.Int64
	late atomic.Bool // syncs fail instead
}

func (d *smallDisk) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := d.Storage.Create(fd)
	return &file{w, d}, err
}

type file struct {
	storage.Writer
	disk *smallDisk
}

func (f *file) Write(b []byte) (int, error) {
	if left := f.disk.room.Add(-int64(len(b))); left < 0 {
		n, _ := f.Writer.Write(b[:max(0, int64(len(b))+left)])
		return n, &fs.PathError{Op: "write", Path: "log", Err: syscall.ENOSPC}
	}
	return f.Writer.Write(b)
}

func (f *file) Sync() error {
	if f.disk.late.Load() {
		return &fs.PathError{Op: "sync", Path: "log", Err: syscall.EIO}
	}
	return f.Writer.Sync()
}

// TestNoReserve lets the disk fail under goleveldb: nothing works then but reading, and nothing
// that was refused is there after the database was opened again.
func TestNoReserve(t *testing.T) {
	failures := map[string]struct {
		begin, end func(*smallDisk)
		want       error
	}{
		"full": {func(d *smallDisk) { d.room.Store(100) }, func(d *smallDisk) { d.room.Store(1 << 40) }, store.ErrFull},
		"sync": {func(d *smallDisk) { d.late.Store(true) }, func(d *smallDisk) { d.late.Store(false) }, store.ErrIndeterminate},
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			disk := &smallDisk{Storage: storage.NewMemStorage()}
			disk.room.Store(1 << 40)
			db, s := reopen(t, disk)
			kept, refused := record("ada", 1), record("ada", 2)
			if _, err := s.Create(t.Context(), kept, store.Admission{}); err != nil {
				t.Fatal(err)
			}
			f.begin(disk)
			if _, err := s.Create(t.Context(), refused, store.Admission{}); !errors.Is(err, f.want) {
				t.Errorf("create: %v, want %v", err, f.want)
			}
			f.end(disk)
			for what, err := range map[string]error{"delete": s.Delete(t.Context(), kept.Key), "update": s.Update(t.Context(), kept, 1)} {
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", what, err)
				}
			}
			if _, _, err := s.Get(t.Context(), kept.Key); err != nil {
				t.Errorf("reading after a failed write: %v", err)
			}
			db.Close()
			db, s = reopen(t, disk)
			defer db.Close()
			if _, _, err := s.Get(t.Context(), refused.Key); name == "full" && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the refused session, after opening again: %v", err)
			}
			if err := errors.Join(s.Update(t.Context(), kept, 1), s.Delete(t.Context(), kept.Key)); err != nil {
				t.Errorf("after opening again: %v", err)
			}
		})
	}
}

func reopen(t *testing.T, disk storage.Storage) (*leveldb.DB, store.Store) {
	t.Helper()
	db, err := leveldb.Open(disk, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

func record(user string, n byte) store.Record {
	return store.Record{Key: store.Key{Tag: store.TagOf(user), ID: store.ID{n}}, Handle: store.Handle{n}, User: user,
		Writer: store.Writer{n}, Data: make([]byte, 500)}
}

// TestClosed uses a store whose database is closed.
func TestClosed(t *testing.T) {
	db, s := reopen(t, storage.NewMemStorage())
	db.Close()
	_, _, get := s.Get(t.Context(), store.Key{})
	for what, err := range map[string]error{"get": get, "delete": s.Delete(t.Context(), store.Key{})} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
}
