// Package pebblestore keeps sessions in a Pebble database of this process, by
// github.com/cockroachdb/pebble/v2:
//
//	db, err := pebble.Open(dir, &pebble.Options{})
//	...
//	defer db.Close()
//	sessions, err := pebblestore.New(db, nil)
//
// For a database of sessions alone, [Open] does both with good settings. All that is said of
// records, keys, time and damage in package kvstore holds. One process at a time may have the
// directory open: for a second one Open fails with the error of the lock, "resource temporarily
// unavailable"; [Open] says it in words.
//
// # A full or damaged disk
//
// Where Pebble cannot write its log it calls Fatalf of its Logger, which ends the process unless
// the application has another one. Nothing acknowledged is lost, but nobody is served either. So
// leave it some room: [kvstore.Reserve] makes an [Options].Full that refuses new sessions with
// [store.ErrFull] while sign-outs still work.
//
// A damaged table ends the process as well, unless the database's options have an EventListener
// with a DataCorruption of its own; then reading what is damaged is [store.ErrCorrupt].
//
// A Create looks whether its key is free, which a bloom filter makes cheap: set FilterPolicy of all
// Levels to bloom.FilterPolicy(10), from package bloom beside Pebble.
//
// Do not set DisableWAL, or nothing that this package says of durability holds.
package pebblestore

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

const name = "pebblestore"

// Options are those of package kvstore.
type Options = kvstore.Options

// New makes a store in a database that the caller has opened, and will close when the store is no
// longer used. There must be one store only for a database and a prefix. Errors: those of
// [kvstore.New].
func New(db *pebble.DB, opts *Options) (*driver.Store, error) {
	return kvstore.New(name, engine{db}, opts)
}

// engine is what kvstore needs of a database.
type engine struct{ db *pebble.DB }

var _ kvstore.Driver = engine{}

// Get reads one value.
func (e engine) Get(key []byte) (value []byte, found bool, err error) {
	defer closed(&err)
	b, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, readError(err)
	}
	value = append([]byte(nil), b...)
	return value, true, closer.Close()
}

// Walk reads a range, with an iterator that sees one instant.
func (e engine) Walk(from, to []byte, f func(key, value []byte) bool) (err error) {
	defer closed(&err)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return readError(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			it.Close()
			return readError(err)
		}
		if !f(it.Key(), value) {
			break
		}
	}
	return readError(it.Close())
}

// Apply writes a batch; Pebble joins those that wait for the disk together.
func (e engine) Apply(ops []kvstore.Op, sync bool) (err error) {
	defer closed(&err)
	b := e.db.NewBatch()
	defer b.Close()
	for _, op := range ops {
		if op.Delete {
			err = b.Delete(op.Key, nil)
		} else {
			err = b.Set(op.Key, op.Value, nil)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
	}
	err = b.Commit(&pebble.WriteOptions{Sync: sync})
	if errors.Is(err, pebble.ErrReadOnly) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// readError hides the text of damage, which may hold keys.
func readError(err error) error {
	if err != nil && pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: a file of the database is damaged", store.ErrCorrupt)
	}
	return err
}

// closed turns Pebble's panic on a closed database into an error; any other goes on.
func closed(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		if !errors.Is(p, pebble.ErrClosed) {
			panic(p)
		}
		*err = fmt.Errorf("%w: %w", store.ErrUnavailable, p)
	default:
		panic(p)
	}
}
