package leveldbstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

func TestMain(m *testing.M) { kvtest.Main(m, openDir) }

func openDir(dir string, d store.Durability) (store.Store, func() error, error) {
	db, err := leveldb.OpenFile(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	s, err := New(db, &Options{Durability: d})
	return s, db.Close, err
}

// TestKill kills a process at work and opens what it left: P12.
func TestKill(t *testing.T) {
	t.Parallel()
	for d := range store.Loose + 1 {
		kvtest.Kill(t, 60, d, openDir)
	}
}

// TestPowerCut (P12) loses what was not synced of the real files: in any order where writes wait
// for the disk, and from some write on where they do not (see the package's comment).
func TestPowerCut(t *testing.T) {
	for d := range store.Loose + 1 {
		t.Run(fmt.Sprint("setting", int(d)), func(t *testing.T) {
			t.Parallel()
			kvtest.CutFiles(t, 2, 15, d, openDir, &kvtest.Files{InOrder: d != store.Durable})
		})
	}
}

func TestFlip(t *testing.T) {
	t.Parallel()
	kvtest.Flip(t, 30, "*.ldb", openDir)
}

// TestSecondProcess opens a directory that this process has open.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	_, close, err := openDir(dir, store.Durable)
	if err != nil {
		t.Fatal(err)
	}
	defer close()
	if got := kvtest.Second(t, dir); !strings.Contains(got, "resource temporarily unavailable") {
		t.Errorf("a second process got %q, not the error of the lock", got)
	}
}
