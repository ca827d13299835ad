package bboltstore

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

func TestMain(m *testing.M) { kvtest.Main(m, openDir) }

func openDir(dir string, d store.Durability) (store.Store, func() error, error) {
	s, err := Open(filepath.Join(dir, "sessions.db"), &Options{Durability: d})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// TestKill kills a process at work and opens what it left: P12.
func TestKill(t *testing.T) {
	t.Parallel()
	for d := range store.Loose + 1 {
		kvtest.Kill(t, 60, d, openDir)
	}
}

// TestPowerCut (P12) loses what was not synced of the real file.
func TestPowerCut(t *testing.T) {
	for d := range store.Loose + 1 {
		t.Run(fmt.Sprint("setting", int(d)), func(t *testing.T) {
			t.Parallel()
			kvtest.CutFiles(t, 2, 10, d, openDir, nil)
		})
	}
}

func TestFlip(t *testing.T) {
	t.Parallel()
	kvtest.Flip(t, 40, "*.db", openDir)
}

// TestSecondProcess opens a file that this process has open.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	_, close, err := openDir(dir, store.Durable)
	if err != nil {
		t.Fatal(err)
	}
	defer close()
	if got := kvtest.Second(t, dir); !strings.Contains(got, "it is open already") {
		t.Errorf("a second process got %q", got)
	}
}
