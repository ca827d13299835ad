package pebblestore

import (
	"path/filepath"
	"testing"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/disktest"
)

// TestDurable (P12) looks at the system calls: a write that waits is one sync of the log. What need
// not wait is written whenever Pebble likes.
func TestDurable(t *testing.T) {
	t.Parallel()
	disktest.Each(t, disktest.Setup{
		Open: func(dir string, d store.Durability) (store.Store, func() error, error) {
			s, err := Open(filepath.Join(dir, "new", "sessions"), &Options{Durability: d})
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
		InOrder: true,
		Name:    func(path string) string { return filepath.Ext(path) },
		Steps: func(_ string, _ store.Durability, waits bool) string {
			if waits {
				return "write .log, sync .log"
			}
			return ""
		},
	})
}
