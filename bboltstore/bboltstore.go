// Package bboltstore keeps sessions in a bbolt database of this process, by go.etcd.io/bbolt: one
// file, without a server or a background goroutine.
//
//	sessions, err := bboltstore.Open("/var/lib/shop/sessions.db", nil)
//	...
//	defer sessions.Close()
//	manager, err := sojourn.New(sessions, &sojourn.Options{Keys: keys})
//
// [New] takes a database that the program has opened. All that is said of records, keys, time and
// damage in package kvstore holds; the keys are in the bucket "sojourn". One process at a time may
// have the file open.
//
// # Costs
//
// A write rewrites the path to its page and waits for the disk twice; writes that come meanwhile
// share the next such wait. Touches, and what Sweep deletes, wait in memory and are written along
// with the next write, as do changes of data where [Options].Durability lets them: with one that
// waits for the disk, or that comes a second later. A crash of the process loses what waited: a
// thousand entries and 4 MiB at most.
//
// # Damage and a full disk
//
// bbolt has no checksums of its pages. A record that has changed is found by the checksum of its
// own; a page that leads nowhere is [store.ErrCorrupt] for what lies behind it. The file never
// shrinks: room that sessions leave is used for new ones. [Open] keeps 32 MiB of the disk free for
// sign-outs, see [kvstore.Options].Full.
package bboltstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Store is a store that [Open] made.
type Store = kvstore.Store

// Options are those of package kvstore.
type Options = kvstore.Options

const name = "bboltstore"

// Open opens a file for sessions alone, which it makes if need be. Close the Store when it is no
// longer used. Errors: [store.ErrUnavailable] if the file is open already, here or in another
// process; those of the system, and of [New].
func Open(path string, opts *Options) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 50 * time.Millisecond, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, kvstore.NotOpened(name, path, err, errors.Is(err, bbolterrors.ErrTimeout))
	}
	e := &engine{db: db}
	return kvstore.Open(name, filepath.Dir(path), e, e, opts, 32<<20)
}

// New makes a store in a database that the caller has opened, and will close when the store is no
// longer used. There must be one store only for a database and a prefix. What waits to be written
// when the database is closed is lost; [Store.Close] writes it. Errors: those of [kvstore.New].
func New(db *bbolt.DB, opts *Options) (*driver.Store, error) {
	return kvstore.New(name, &engine{db: db}, opts)
}

var bucket = []byte("sojourn")

// What may wait in memory: so many operations, or bytes, and for so long if others come then.
const (
	loose     = 1000
	looseSize = 4 << 20
	looseFor  = time.Second
)

// engine is the [kvstore.Driver] over a database.
type engine struct {
	db   *bbolt.DB
	turn sync.Mutex // of who writes

	mu      sync.RWMutex
	waiting []*batch              // that are to be durable
	loose   map[string]kvstore.Op // that need not be, by key
	size    int                   // of what was added there
	since   time.Time             // the first of them came
	flight  map[string]kvstore.Op // those being written
}

type batch struct {
	ops []kvstore.Op
	err chan error
}

// Get reads one value.
func (e *engine) Get(key []byte) (value []byte, found bool, err error) {
	defer guard(&err, store.ErrCorrupt)()
	e.mu.RLock()
	op, ok := e.loose[string(key)]
	if !ok {
		op, ok = e.flight[string(key)]
	}
	e.mu.RUnlock()
	if ok {
		return bytes.Clone(op.Value), !op.Delete, nil
	}
	err = e.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucket); b != nil {
			value = bytes.Clone(b.Get(key))
		}
		return nil
	})
	return value, value != nil, unavailable(err)
}

// Walk reads a range: the database as it was at one instant, with what waited then laid over it.
func (e *engine) Walk(from, to []byte, f func(key, value []byte) bool) (err error) {
	defer guard(&err, store.ErrCorrupt)()
	e.mu.RLock()
	tx, err := e.db.Begin(false)
	over := e.over(from, to)
	e.mu.RUnlock()
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback()
	next := func() (k, v []byte) { return nil, nil }
	var k, v []byte
	if b := tx.Bucket(bucket); b != nil {
		c := b.Cursor()
		next = c.Next
		k, v = c.Seek(from)
	}
	for {
		if bytes.Compare(k, to) >= 0 {
			k = nil
		}
		switch {
		case len(over) > 0 && (k == nil || bytes.Compare(over[0].Key, k) <= 0):
			op := over[0]
			over = over[1:]
			if bytes.Equal(op.Key, k) {
				k, v = next()
			}
			if !op.Delete && !f(op.Key, op.Value) {
				return nil
			}
		case k == nil:
			return nil
		case !f(k, v):
			return nil
		default:
			k, v = next()
		}
	}
}

// over returns what waits of a range, in order. The lock is held.
func (e *engine) over(from, to []byte) []kvstore.Op {
	all := maps.Clone(e.flight)
	if all == nil {
		all = map[string]kvstore.Op{}
	}
	maps.Copy(all, e.loose)
	maps.DeleteFunc(all, func(key string, _ kvstore.Op) bool { return key < string(from) || key >= string(to) })
	return slices.SortedFunc(maps.Values(all), func(a, b kvstore.Op) int { return bytes.Compare(a.Key, b.Key) })
}

// Apply writes a batch, together with those that wait at the same time: whoever has the turn does
// the work of all.
func (e *engine) Apply(ops []kvstore.Op, sync bool) error {
	b := &batch{ops: ops, err: make(chan error, 1)}
	e.mu.Lock()
	if !sync {
		b.ops = nil
		if e.loose == nil {
			e.loose = map[string]kvstore.Op{}
		}
		if len(e.loose) == 0 {
			e.size, e.since = 0, time.Now()
		}
		for _, op := range ops {
			e.loose[string(op.Key)] = kvstore.Op{Key: bytes.Clone(op.Key), Value: bytes.Clone(op.Value), Delete: op.Delete}
			e.size += len(op.Key) + len(op.Value)
		}
		if len(e.loose) < loose && e.size < looseSize && time.Since(e.since) < looseFor {
			e.mu.Unlock()
			return nil
		}
	}
	e.waiting = append(e.waiting, b)
	e.mu.Unlock()
	e.turn.Lock()
	e.write()
	e.turn.Unlock()
	return <-b.err
}

// write writes all that waits. The turn is the caller's.
func (e *engine) write() {
	e.mu.Lock()
	all := e.waiting
	if len(all) == 0 { // another has done it
		e.mu.Unlock()
		return
	}
	e.waiting, e.flight, e.loose = nil, e.loose, map[string]kvstore.Op{}
	e.mu.Unlock()
	err := e.commit(all)
	e.mu.Lock()
	if err != nil { // what may wait goes on waiting, but for what has come since
		for key, op := range e.flight {
			if _, ok := e.loose[key]; !ok {
				e.loose[key] = op
			}
		}
	}
	e.flight = nil
	e.mu.Unlock()
	for _, b := range all {
		b.err <- err
	}
}

func (e *engine) commit(all []*batch) (err error) {
	defer guard(&err, store.ErrIndeterminate)()
	err = e.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err == nil {
			err = put(b, slices.Collect(maps.Values(e.flight)))
		}
		for i := 0; i < len(all) && err == nil; i++ {
			err = put(b, all[i].ops)
		}
		return unavailable(err)
	})
	var path *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC) && errors.As(err, &path) && path.Op == "write":
		return fmt.Errorf("%w: %w", store.ErrFull, err) // the page that makes it count was not written
	case errors.Is(err, bbolterrors.ErrDatabaseNotOpen), errors.Is(err, bbolterrors.ErrDatabaseReadOnly):
		return unavailable(err)
	}
	return err
}

func put(b *bbolt.Bucket, ops []kvstore.Op) (err error) {
	for i := 0; i < len(ops) && err == nil; i++ {
		if ops[i].Delete {
			err = b.Delete(ops[i].Key)
		} else {
			err = b.Put(ops[i].Key, ops[i].Value)
		}
	}
	return err
}

// Close writes what waits and closes the database.
func (e *engine) Close() error { return errors.Join(e.Apply(nil, true), e.db.Close()) }

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// guard turns what damaged pages do to bbolt, panics and faults, into an error of a class.
func guard(err *error, class error) func() {
	faults := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(faults)
		if p := recover(); p != nil {
			*err = fmt.Errorf("%w: a page of the database is damaged", class)
		}
	}
}
