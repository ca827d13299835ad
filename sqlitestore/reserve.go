package sqlitestore

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"sync"
)

// reserveBytes is more than the log grows to before it is copied into the file (500 pages of 4
// KiB), so that there is room to copy it, and after that the log's own room is free.
const reserveBytes = 4 << 20

// reserve is a file that only takes up room. Where the disk is full it is deleted, so that sessions
// can still be ended; several processes may share it.
type reserve struct {
	path string
	mu   sync.Mutex
}

// fill makes the file if it is not there. That it cannot is no error: the disk is full, or will be
// reported by the next write.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := os.Stat(r.path); r.path == "" || err == nil {
		return
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	// Random, because some file systems keep no room for zeros.
	_, err = io.CopyN(f, rand.Reader, reserveBytes)
	if err == nil {
		err = f.Sync()
	}
	if f.Close() != nil || err != nil {
		os.Remove(r.path)
	}
}

func (r *reserve) spend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path != "" {
		os.Remove(r.path)
	}
}

// Sweep is that of [sqlite.Store]. It also makes the reserve anew where a full disk had used it up.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	n, err := s.Store.Sweep(ctx, limit)
	if err == nil {
		s.reserve.fill()
	}
	return n, err
}

// Migrate is that of [sqlite.Store]. It also makes the reserve.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.Store.Migrate(ctx)
	if err == nil {
		s.reserve.fill()
	}
	return err
}
