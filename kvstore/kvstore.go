// Package kvstore keeps sessions in an ordered key-value database that this
// process has open, such as LevelDB or Pebble. It needs four operations of it, see [Engine];
// packages leveldbstore and pebblestore are such engines, ready to use.
//
// # What lies where
//
// All keys begin with [Options.Prefix] and a zero byte, so an application may keep
// sessions in a database of its own. For one prefix there must be one [Store] only: its
// locks are what makes check and write one step. That the process is alone with the
// database is the engine's business; LevelDB and Pebble lock their directory.
//
//	s tag id       → record: lives, user, Meta, and Data up to 1 KiB; CRC-32C
//	d tag id       → longer Data, with the version that it belongs to; CRC-32C
//	e slot tag id  → nothing: the record is to be looked at when slot has come
//	e slot tag     → nothing: likewise the guard
//	g tag          → guard: when the user's records were last revoked; CRC-32C
//	c stripe       → clock: the newest instant written there; CRC-32C
//
// Numbers in keys are big-endian, tags and IDs have a fixed length. A method changes
// everything in one batch. A touch rewrites the record's entry alone and leaves the
// expiry entry where it is: [Store.Sweep] files anew what it finds alive.
//
// # Durability
//
// Create, Update, Rotate, Delete and Revoke are on disk when they return (if the
// engine keeps its word). A Touch is not, and neither is what Sweep deletes until it returns.
//
// # Time
//
// The clock is the machine's at [New], and monotonic from there: setting the machine's clock
// meanwhile ends no session and prolongs none. Each write leaves its instant in the
// database, and a clock that was set back between two runs is not believed. In a
// testing/synctest bubble, make the Store inside the bubble.
//
// # Damage
//
// A record that fails its checksum is [store.ErrCorrupt] for Get, Update, Touch, Rotate and Create at its
// key; User and All yield all others first and the error last. It counts in no limit. Delete and Revoke
// remove it: nobody can use it, and a sign-out must not fail for it; so Revoke removes
// all damaged records under the user's tag, whose handles cannot be trusted, and does not count
// them. Sweep keeps it, and reports it once a day. No checksum finds an entry that the engine lost whole.
package kvstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Engine is an ordered key-value database. Its methods are safe for concurrent
// use and keep no slice that they were given. An error that matches a sentinel of package store
// is passed on; any other means [store.ErrUnavailable] from Get and Walk, and
// [store.ErrIndeterminate] from Apply. No error may show a key or a value.
type Engine interface {
	// Get returns a value that the caller owns. An absent key is no error.
	Get(key []byte) (value []byte, found bool, err error)

	// Apply carries out ops in order, in one atomic step: a crash leaves all or
	// none. If sync is true they are durable when it returns nil, and all
	// batches before them too. Calls that wait for the disk at the same time should share
	// one wait.
	Apply(ops []Op, sync bool) error

	// Walk calls f for each entry with from <= key < to, in the order of the keys'
	// bytes and as all of them were at one instant, until f returns false. Its slices
	// are valid during the call only. f does not call the engine.
	Walk(from, to []byte, f func(key, value []byte) bool) error
}

// Op is one operation of a batch: key is set to Value, or deleted.
type Op struct {
	Key, Value []byte
	Delete     bool
}

// Options are the settings of a [Store]. The zero Options is right for a database
// that holds nothing but sessions.
type Options struct {
	// Prefix begins all keys of the store. Two stores with different prefixes
	// share a database without seeing each other, also where one prefix begins
	// the other. It has at most 255 bytes, none of them zero. The
	// application must not use keys that begin with it and a zero byte.
	Prefix string

	// Full, if not nil, is asked before a write that adds a record or makes one larger;
	// true refuses it with [store.ErrFull]. Ending, shrinking and touching are not
	// refused. It is for disks: engines stop for good where one is really full, so say true while
	// there is still room for deletions (which take room, too). It must be fast and safe for concurrent use.
	Full func() bool
}

// stripes is the number of locks. With some 32 writers few wait for another's disk.
const stripes = 256

// Store is a [store.Store] over an [Engine]. Make it with [New].
type Store struct {
	db   Engine
	root string // of all keys
	full func() bool

	base  int64     // nanoseconds since 1970, at start
	start time.Time // for its monotonic reading

	// A lock is a channel, so that a wait for the disk can be given up.
	locks [stripes]chan struct{}
	seed  maphash.Seed

	swept          atomic.Int64 // nothing is filed before
	kept           atomic.Int64 // the clock as it was last written
	loose, settled atomic.Int64 // see settle
}

var _ store.Store = (*Store)(nil)

// New makes a Store over an open database, which the caller closes when the Store is no longer
// used. It reads the clock that earlier runs left there. Errors: store.ErrInvalid
// for bad options; store.ErrUnavailable if the engine cannot be read.
func New(db Engine, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if len(o.Prefix) > 255 || strings.IndexByte(o.Prefix, 0) >= 0 {
		return nil, fail("new", fmt.Errorf("%w: prefix longer than 255 bytes, or with a zero byte", store.ErrInvalid))
	}
	s := &Store{db: db, root: o.Prefix + "\x00", full: o.Full, seed: maphash.MakeSeed(), start: time.Now()}
	if s.full == nil {
		s.full = func() bool { return false }
	}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	s.base = s.start.UnixNano()
	from, to := s.span(kindClock)
	err := db.Walk(from, to, func(key, value []byte) bool {
		// A damaged one is passed over: the clock that it guarded is in the others, too, but for
		// the last moments, and refusing to start would help nobody.
		if t, ok := decodeInstant(key[len(s.root):], value); ok {
			s.base = max(s.base, t)
		}
		return true
	})
	if err != nil {
		return nil, fail("new", class(err, store.ErrUnavailable))
	}
	return s, nil
}

// now must be read under the lock wherever it decides on a write: an instant from before the
// wait could find a record live that was seen expired since.
func (s *Store) now() int64 { return s.base + int64(time.Since(s.start)) }

func instantTime(t int64) time.Time { return time.Unix(0, t).UTC() }

// instant takes a caller's time: now at the latest, and now for zero. Times more
// than 146 years back are taken for that, so that differences fit.
func instant(t time.Time, now int64) int64 {
	if t.IsZero() {
		return now
	}
	return now + min(max(int64(t.Sub(time.Unix(0, now))), -1<<62), 0)
}

// never is an end that does not come.
const never = math.MaxInt64

func add(t, d int64) int64 {
	if t > never-d {
		return never
	}
	return t + d
}

// lock waits for the tag's stripe, or for the end of ctx.
func (s *Store) lock(ctx context.Context, tag *store.Tag) (*change, error) {
	n := maphash.Bytes(s.seed, tag[:]) % stripes // seeded: nobody shall choose users that wait for each other
	select {
	case s.locks[n] <- struct{}{}:
	case <-ctx.Done():
		return nil, store.FromContext(ctx)
	}
	if err := store.FromContext(ctx); err != nil {
		<-s.locks[n]
		return nil, err
	}
	return &change{s: s, stripe: byte(n), now: s.now()}, nil
}

func (c *change) unlock() { <-c.s.locks[c.stripe] }

// settle makes durable what a successful answer without a write would rely on: a batch whose sync
// failed may be visible all the same, and what Sweep deleted is not synced at once.
func (c *change) settle() error {
	s := c.s
	n := s.loose.Load()
	if n == s.settled.Load() {
		return nil
	}
	if err := c.commit(true); err != nil {
		return err
	}
	s.settled.Store(n)
	return nil
}

// class makes err match one sentinel: that of the engine, or else other.
func class(err, other error) error {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", other, err)
}

var sentinels = []error{store.ErrUnavailable, store.ErrIndeterminate, store.ErrFull, store.ErrCorrupt}

func fail(op string, err error) error { return fmt.Errorf("kvstore: %s: %w", op, err) }
