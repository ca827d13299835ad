package pebblestore

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// smallDisk tells how much of a few MiB is left.
type smallDisk struct {
	*vfs.MemFS
	t    *testing.T
	size uint64
}

func (d smallDisk) GetDiskUsage(dir string) (vfs.DiskUsage, error) {
	names, err := d.List(dir)
	if err != nil {
		return vfs.DiskUsage{}, err
	}
	var used uint64
	for _, name := range names {
		if info, err := d.Stat(d.PathJoin(dir, name)); err == nil { // else it is gone by now
			used += uint64(info.Size())
		}
	}
	if used > d.size {
		d.t.Errorf("%d bytes are used of %d: Pebble would have ended the process", used, d.size)
		return vfs.DiskUsage{}, nil
	}
	return vfs.DiskUsage{AvailBytes: d.size - used, TotalBytes: d.size, UsedBytes: used}, nil
}

func TestFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk{vfs.NewMem(), t, 32 << 20}
	db, err := pebble.Open("db", &pebble.Options{FS: disk, Logger: quiet{}, MemTableSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	full := func() bool {
		u, err := disk.GetDiskUsage("db")
		return err == nil && u.AvailBytes < 16<<20
	}
	s, err := New(db, &Options{Full: full})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d sessions of 40 kB", kvtest.Full(t, s))
	if _, err := disk.GetDiskUsage("db"); err != nil {
		t.Error(err)
	}
	// What was deleted frees its room when it is compacted.
	if err := db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	if full() {
		t.Error("still full after all was deleted and compacted")
	}
}

// TestClosed uses a store whose database is closed: an error, not Pebble's panic.
func TestClosed(t *testing.T) {
	db, err := inMemory()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, _, get := s.Get(t.Context(), store.Key{})
	var all error
	for _, all = range s.All(t.Context()) {
	}
	_, revoke := s.Revoke(t.Context(), "ada", store.Selection{})
	_, again := New(db, nil)
	for what, err := range map[string]error{"Get": get, "All": all, "Revoke": revoke, "New": again, "Delete": s.Delete(t.Context(), store.Key{})} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
}
