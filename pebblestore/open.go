package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sojourn-go/sojourn/store"
)

// logger keeps Pebble's messages to itself; only its last words are said, since the process ends with them.
type logger struct{}

func (logger) Infof(string, ...any)           {}
func (logger) Errorf(string, ...any)          {}
func (logger) Fatalf(format string, a ...any) { pebble.DefaultLogger.Fatalf(format, a...) }

// openReserve is the free space below which a database that Open opened takes no new sessions, in bytes.
const openReserve = 64 << 20

// Open opens a database for sessions alone in dir, which it makes if need be: with bloom filters, an error in place of the
// process's end where a table is damaged, and, unless opts sets Full, 64 MiB of the disk kept free for sign-outs. Close the
// closer when the Store is no longer used. Errors: [store.ErrUnavailable] if dir is open already, here or in another
// process; those of the system, and of [New].
func Open(dir string, opts *Options) (*Store, io.Closer, error) {
	po := &pebble.Options{Logger: logger{}, EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(dir, po)
	if errors.Is(err, syscall.EAGAIN) || err != nil && strings.Contains(err.Error(), "lock held by current process") {
		return nil, nil, fmt.Errorf("pebblestore: open %s: %w: it is open already, and one process at a time may have it: %w", dir, store.ErrUnavailable, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("pebblestore: open %s: %w", dir, err)
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Full == nil {
		o.Full = Reserve(vfs.Default, dir, openReserve)
	}
	st, err := New(db, &o)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return st, db, nil
}
