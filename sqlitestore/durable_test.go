package sqlitestore_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/disktest"
)

// TestDurable (P12) looks at the system calls: a write is one sync of the log, be it a touch.
func TestDurable(t *testing.T) {
	t.Parallel()
	disktest.Run(t, store.Durable, disktest.Setup{
		Open: func(dir string, _ store.Durability) (store.Store, func() error, error) {
			s, err := sqlitestore.Open(filepath.Join(dir, "sessions.db"), nil)
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, s.Migrate(context.Background())
		},
		// The index of the log is made anew where it is lost, and Sweep makes the reserve anew.
		Spare: func(path string) bool { return strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, "-reserve") },
		Name: func(path string) string {
			_, part, _ := strings.Cut(path, ".")
			return part
		},
		Steps: func(string, store.Durability, bool) string { return "write db-wal, sync db-wal" },
	})
}
