package kvstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Store is a store that has opened its database itself. The packages of databases make it.
type Store struct {
	*driver.Store
	db io.Closer
}

// Close closes the database. The store must not be used any more.
func (s *Store) Close() error { return s.db.Close() }

// Open makes a store over a database that was just opened in the directory dir, for sessions alone.
// The names of its files are durable then, whether the database has seen to that or not. The store
// closes it; so does a failure. Unless opts sets Full, it is [Reserve] with the bytes that a
// database of this kind needs for deletions. Errors: those of [New], and the system's.
func Open(name, dir string, db Driver, closer io.Closer, opts *Options, reserve uint64) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Full == nil {
		o.Full = Reserve(dir, reserve)
	}
	s, err := New(name, db, &o)
	if err == nil {
		err = syncNames(dir)
	}
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	return &Store{s, closer}, nil
}

// MakeDir makes a directory for a database, durably and for its owner alone, and those that lead to
// it, where they are not there. Errors: the system's.
func MakeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err = MakeDir(parent); err == nil {
			err = os.Mkdir(dir, 0o700)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil // what is no directory the database refuses
	}
	if err == nil {
		err = syncNames(filepath.Dir(dir))
	}
	return err
}

// syncNames makes the names in a directory durable.
func syncNames(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// NotOpened is the error of a database that cannot be opened in dir. inUse says that it is open
// already; the error then matches [store.ErrUnavailable].
func NotOpened(name, dir string, err error, inUse bool) error {
	if inUse {
		return fmt.Errorf("%s: open %s: %w: it is open already, and one process at a time may have it: %w",
			name, dir, store.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: open %s: %w", name, dir, err)
}

// Reserve returns an [Options].Full that is true while the file system of dir has less than so many
// bytes free. It asks the system each time, which takes about a microsecond; where the system
// cannot be asked, it is false.
func Reserve(dir string, bytes uint64) func() bool {
	return func() bool {
		left, err := free(dir)
		return err == nil && left < bytes
	}
}
