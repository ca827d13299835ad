// Package leveldbstore keeps sessions in a LevelDB database of this process, by
// github.com/syndtr/goleveldb:
//
//	db, err := leveldb.OpenFile(dir, nil)
//	...
//	defer db.Close()
//	sessions, err := leveldbstore.New(db, nil)
//
// For a database of sessions alone, [Open] does both with good settings. All that is said of
// records, keys, time and damage in package kvstore holds. One process at a time may have the
// directory open: for a second one OpenFile fails with the error of the lock, "resource temporarily
// unavailable"; [Open] says it in words.
//
// # Should you use it?
//
// goleveldb works and is fast, but upstream is quiet: its last release is of 2019 and its last
// commit, which this module requires, of July 2022. Nobody mends it. Use it where an application
// has such a database already; package pebblestore does the same over an engine that is cared for.
//
// # When a write fails
//
// goleveldb cannot go on safely after a failed write: what it wrote half may come to life at the
// next opening and outweigh what came after. So after the first one the Store refuses all writes,
// deletions too, with [store.ErrUnavailable], until the database has been closed and opened again;
// reading goes on. A full disk shows as [store.ErrFull] once and then in this way. To keep
// sign-outs working, set [kvstore.Options].Full so that it says true while some MiB are left:
// [kvstore.Reserve] makes one, and [Open] sets it.
//
// After a power cut goleveldb passes over a damaged part of its log and reads on behind it. Where
// writes do not wait for the disk ([store.Relaxed], [store.Loose]) and the disk kept a later one of
// them and lost an earlier, a session may so be found without its data: that is [store.ErrCorrupt],
// and ends it. What was acknowledged as durable is not touched by that.
//
// A power cut while a database is made may leave a directory that goleveldb refuses ("database
// entry point either missing or corrupted"). It holds nothing that was acknowledged: remove it.
//
// A Create looks whether its key is free, which a bloom filter makes cheap: open the database with
// filter.NewBloomFilter(10) as Filter. Do not set NoSync in the database's options, or nothing that
// this package says of durability holds.
package leveldbstore

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"syscall"

	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

const name = "leveldbstore"

// Options are those of package kvstore.
type Options = kvstore.Options

// New makes a store in a database that the caller has opened, and will close when the store is no
// longer used. There must be one store only for a database and a prefix. Errors: those of
// [kvstore.New].
func New(db *leveldb.DB, opts *Options) (*driver.Store, error) {
	return kvstore.New(name, &engine{db: db}, opts)
}

// engine is what kvstore needs of a database.
type engine struct {
	db     *leveldb.DB
	failed atomic.Bool // a write failed
}

var _ kvstore.Driver = (*engine)(nil)

// Get reads one value.
func (e *engine) Get(key []byte) (value []byte, found bool, err error) {
	value, err = e.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, false, nil
	}
	return value, err == nil, readError(err)
}

// Walk reads a range, with an iterator that sees one instant.
func (e *engine) Walk(from, to []byte, f func(key, value []byte) bool) error {
	it := e.db.NewIterator(&util.Range{Start: from, Limit: to}, nil)
	defer it.Release()
	for it.Next() {
		if !f(it.Key(), it.Value()) {
			return nil
		}
	}
	return readError(it.Error())
}

// readError hides the text of damage, which may hold keys.
func readError(err error) error {
	if err != nil && ldberrors.IsCorrupted(err) {
		return fmt.Errorf("%w: a file of the database is damaged", store.ErrCorrupt)
	}
	return err
}

// Apply writes a batch; goleveldb joins those that wait for the disk together.
func (e *engine) Apply(ops []kvstore.Op, sync bool) error {
	if e.failed.Load() {
		return fmt.Errorf("%w: an earlier write failed; close the database and open it again", store.ErrUnavailable)
	}
	var b leveldb.Batch
	for _, op := range ops {
		if op.Delete {
			b.Delete(op.Key)
		} else {
			b.Put(op.Key, op.Value)
		}
	}
	err := e.db.Write(&b, &opt.WriteOptions{Sync: sync})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, leveldb.ErrClosed), errors.Is(err, leveldb.ErrReadOnly):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	e.failed.Store(true)
	if e.torn(ops, err) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return readError(err)
}

// torn reports whether err means that the disk was full in the middle of the batch, which is then
// surely not applied: a batch that lacks its end is dropped at the next opening. An error that came
// later, of a sync or of making room for the next batch, proves nothing.
func (e *engine) torn(ops []kvstore.Op, err error) bool {
	var path *fs.PathError
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &path) || path.Op != "write" {
		return false
	}
	last := ops[len(ops)-1]
	value, _, err := e.Get(last.Key)
	return err == nil && string(value) != string(last.Value)
}
