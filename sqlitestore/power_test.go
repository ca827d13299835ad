package sqlitestore_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// TestPowerCut (P12) loses what was not synced of the real files. The driver's own way to put a
// file system under SQLite reads only, so what reached the disk is told by the system calls.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	kvtest.CutFiles(t, 2, 20, store.Durable, func(dir string, _ store.Durability) (store.Store, func() error, error) {
		s, err := sqlitestore.Open(filepath.Join(dir, "sessions.db"), nil)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, s.Migrate(context.Background())
	}, &kvtest.Files{Shared: func(path string) bool { return strings.HasSuffix(path, "-shm") }})
}
