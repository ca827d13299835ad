package leveldbstore

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/sojourn-go/sojourn/store"
)

// Open opens a database for sessions alone in dir, which it makes if need be, with a bloom filter. Close the
// closer when the Store is no longer used. Errors: [store.ErrUnavailable] if another process has dir open; those
// of the system, and of [New].
func Open(dir string, opts *Options) (*Store, io.Closer, error) {
	db, err := leveldb.OpenFile(dir, &opt.Options{Filter: filter.NewBloomFilter(10)})
	if errors.Is(err, syscall.EAGAIN) {
		return nil, nil, fmt.Errorf("leveldbstore: open %s: %w: it is open already, and one process at a time may have it: %w", dir, store.ErrUnavailable, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("leveldbstore: open %s: %w", dir, err)
	}
	st, err := New(db, opts)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return st, db, nil
}
