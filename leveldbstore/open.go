package leveldbstore

import (
	"errors"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/sojourn-go/sojourn/kvstore"
)

// Store is a store that [Open] made.
type Store = kvstore.Store

// reserve is what LevelDB may need of the disk for a while, beside what it stores: a compaction of
// level 0 writes its tables (12 of 4 MiB at most) and those of level 1 (10 MiB) anew before it
// removes the old ones, any other one 25 tables of 2 MiB; a journal and a table go on meanwhile.
// Without that room LevelDB refuses all writes, sign-outs too, until it is opened again.
const reserve = 96 << 20

// Open opens a database for sessions alone in dir, which it makes for its owner alone if need be,
// with a bloom filter and, unless opts sets Full, 96 MiB of the disk kept free for sign-outs. Close
// the Store when it is no longer used. Errors: [store.ErrUnavailable] if dir is open already, here
// or in another process; those of the system, and of [New].
//
// [store.ErrUnavailable]: https://pkg.go.dev/github.com/sojourn-go/sojourn/store#ErrUnavailable
func Open(dir string, opts *Options) (*Store, error) {
	if err := kvstore.MakeDir(dir); err != nil {
		return nil, kvstore.NotOpened(name, dir, err, false)
	}
	db, err := leveldb.OpenFile(dir, &opt.Options{Filter: filter.NewBloomFilter(10)})
	if err != nil {
		return nil, kvstore.NotOpened(name, dir, err, errors.Is(err, syscall.EAGAIN))
	}
	return kvstore.Open(name, dir, &engine{db: db}, db, opts, reserve)
}
