// Package kvstore keeps sessions in an ordered key-value database that this process has open, such
// as LevelDB or Pebble. It needs three operations of it, see [Driver]; packages leveldbstore,
// pebblestore and bboltstore have them, ready to use.
//
// # What lies where
//
// All keys begin with [Options.Prefix] and a zero byte, so an application may keep sessions in a
// database of its own. For one prefix there must be one store only: its locks are what makes check
// and write one step. That the process is alone with the database is the engine's business; LevelDB
// and Pebble lock their directory.
//
//	s tag id       → record: lives, user, Meta, and Data up to 1 KiB; CRC-32C
//	d tag id       → longer Data, with the version that it belongs to; CRC-32C
//	e slot tag id  → nothing: the record is to be looked at when slot has come
//	e slot tag     → nothing: likewise the guard
//	g tag          → guard: when the user's records were last revoked; CRC-32C
//	c stripe       → clock: the newest instant written there; CRC-32C
//
// Numbers in keys are big-endian, tags and IDs have a fixed length. A method changes everything in
// one batch. A touch rewrites the record's entry alone and leaves the expiry entry where it is:
// Sweep files anew what it finds alive.
//
// # Durability
//
// Create, Update, Rotate, Delete and Revoke are on disk when they return (if the engine keeps its
// word). A Touch is not, and neither is what Sweep deletes until it returns. [Options.Durability]
// lets changes of data and visitors' records wait for nothing, either. Batches become durable in
// order: the next one that waits takes all before it along.
//
// # Time
//
// The clock is the machine's at [New], and monotonic from there: setting the machine's clock
// meanwhile ends no session and prolongs none. Each write leaves its instant in the database, and a
// clock that was set back between two runs is not believed. In a testing/synctest bubble, make the
// Store inside the bubble.
//
// # Damage
//
// A record that fails its checksum is [store.ErrCorrupt] for Get, Update, Touch, Rotate and Create
// at its key; User and All yield all others first and the error last. It counts in no limit. Delete
// and Revoke remove it: nobody can use it, and a sign-out must not fail for it; so Revoke removes
// all damaged records under the user's tag, whose handles cannot be trusted, and does not count
// them. Sweep removes it when the end has come that it was filed with, and reports it. No copy is
// kept. No checksum finds an entry that the engine lost whole.
//
// A record with a right checksum in a format that is not known here is [store.ErrUnavailable], for
// Revoke too, and stays. Where a walk meets damage of the database itself, it is the same.
package kvstore

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// Driver is an ordered key-value database. Its methods are safe for concurrent use and keep no
// slice that they were given. An error that matches a sentinel of package store is passed on; any
// other means [store.ErrUnavailable] from Get and Walk, and [store.ErrIndeterminate] from Apply. No
// error may show a key or a value.
type Driver interface {
	// Get returns a value that the caller owns. An absent key is no error.
	Get(key []byte) (value []byte, found bool, err error)

	// Apply carries out ops in order, in one atomic step: a crash leaves all or none. If sync is
	// true they are durable when it returns nil, and all batches before them too. Calls that wait
	// for the disk at the same time should share one wait.
	Apply(ops []Op, sync bool) error

	// Walk calls f for each entry with from <= key < to, in the order of the keys' bytes and as all
	// of them were at one instant, until f returns false. Its slices are valid during the call
	// only. f does not call the engine.
	Walk(from, to []byte, f func(key, value []byte) bool) error
}

// Op is one operation of a batch: key is set to Value, or deleted.
type Op struct {
	Key, Value []byte
	Delete     bool
}

// Options are the settings of a store. The zero Options is right for a database that holds nothing
// but sessions.
type Options struct {
	// Prefix begins all keys of the store. Two stores with different prefixes share a database
	// without seeing each other, also where one prefix begins the other. It has at most 255 bytes,
	// none of them zero. The application must not use keys that begin with it and a zero byte.
	Prefix string

	// Full, if not nil, is asked before a write that adds a record or makes one larger; true
	// refuses it with [store.ErrFull]. Ending, shrinking and touching are not refused. It is for
	// disks: engines stop for good where one is really full, so say true while there is still room
	// for deletions (which take room, too). It must be fast and safe for concurrent use.
	Full func() bool

	// Durability says which writes wait for the disk; see [store.Durability].
	Durability store.Durability
}

// stripes is the number of locks. With some 32 writers few wait for another's disk.
const stripes = 256

// engine is the [embedded.Driver] over a database.
type engine struct {
	db   Driver
	root string // of all keys
	full func() bool
	wait store.Durability

	clock *embedded.Clock

	// A lock is a channel, so that a wait for the disk can be given up.
	locks [stripes]chan struct{}
	seed  maphash.Seed

	swept          atomic.Int64 // nothing is filed before
	kept           atomic.Int64 // the clock as it was last written
	loose, settled atomic.Int64 // see settle
}

// New makes a store over an open database, which the caller closes when the store is no longer
// used. It reads the clock that earlier runs left there. name begins the texts of the store's
// errors. Errors: store.ErrInvalid for bad options; store.ErrUnavailable if the database cannot be
// read.
func New(name string, db Driver, opts *Options) (*driver.Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	e := &engine{db: db, root: o.Prefix + "\x00", full: o.Full, wait: o.Durability, seed: maphash.MakeSeed(), clock: embedded.NewClock()}
	s := embedded.New(name, e)
	if len(o.Prefix) > 255 || strings.IndexByte(o.Prefix, 0) >= 0 {
		return nil, s.Fail("new", fmt.Errorf("%w: prefix longer than 255 bytes, or with a zero byte", store.ErrInvalid))
	}
	if e.full == nil {
		e.full = func() bool { return false }
	}
	for i := range e.locks {
		e.locks[i] = make(chan struct{}, 1)
	}
	from, to := e.span(kindClock)
	err := db.Walk(from, to, func(key, value []byte) bool {
		// A damaged one is passed over: the clock that it guarded is in the others, too, but for
		// the last moments, and refusing to start would help nobody.
		if t, ok := decodeInstant(key[len(e.root):], value); ok {
			e.clock.Observe(t)
		}
		return true
	})
	if err != nil {
		return nil, s.Fail("new", class(err, store.ErrUnavailable))
	}
	return s, nil
}

// Traits is part of [embedded.Driver].
func (e *engine) Traits() store.Traits { return store.Traits{} }

// Clock is part of [embedded.Driver].
func (e *engine) Clock(t time.Time) time.Time {
	return instantTime(e.clock.Of(t))
}

func (e *engine) now() int64 { return e.clock.Now() }

func instantTime(t int64) time.Time { return time.Unix(0, t).UTC() }

// never is an end that does not come.
const never = math.MaxInt64

func add(t, d int64) int64 {
	if t > never-d {
		return never
	}
	return t + d
}

// lock waits for the tag's stripe, or for the end of ctx.
func (e *engine) lock(ctx context.Context, tag *store.Tag) (*write, error) {
	n := maphash.Bytes(e.seed, tag[:]) % stripes // seeded: nobody shall choose users that wait for each other
	select {
	case e.locks[n] <- struct{}{}:
	case <-ctx.Done():
		return nil, store.FromContext(ctx)
	}
	if err := store.FromContext(ctx); err != nil {
		<-e.locks[n]
		return nil, err
	}
	return &write{engine: e, tag: *tag, stripe: byte(n), now: e.now()}, nil
}

func (w *write) unlock() { <-w.locks[w.stripe] }

// guardKept is how long a revocation is kept, in nanoseconds.
const guardKept = int64(embedded.GuardKept)

// class makes an error of the database match one sentinel: its own, or else other. It is nil for
// nil.
func class(err, other error) error {
	if err == nil || driver.Known(err) {
		return err
	}
	return fmt.Errorf("%w: %w", other, err)
}
