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

// Reserve gives an [Options].Full that is true while the file system of dir has less than bytes free. Where the
// system cannot be asked, it is false. A reserve should hold several of the database's tables and logs, say 32 MiB or more.
func Reserve(dir string, bytes uint64) func() bool {
	return func() bool {
		left, err := free(dir)
		return err == nil && left < bytes
	}
}

// openReserve is the free space below which a database that Open opened takes no new sessions, in bytes.
const openReserve = 32 << 20

// Open opens a database for sessions alone in dir, which it makes if need be, with a bloom filter and, unless opts
// sets Full, 32 MiB of the disk kept free for sign-outs. Close the
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
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Full == nil {
		o.Full = Reserve(dir, openReserve)
	}
	st, err := New(db, &o)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return st, db, nil
}
