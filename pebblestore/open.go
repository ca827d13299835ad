package pebblestore

import (
	"errors"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/sojourn-go/sojourn/kvstore"
)

// logger keeps Pebble's messages to itself; only its last words are said, since the process ends
// with them.
type logger struct{}

func (logger) Infof(string, ...any)           {}
func (logger) Errorf(string, ...any)          {}
func (logger) Fatalf(format string, a ...any) { pebble.DefaultLogger.Fatalf(format, a...) }

// Store is a store that [Open] made.
type Store = kvstore.Store

// Open opens a database for sessions alone in dir, which it makes for its owner alone if need be:
// with bloom filters, an error in place of the process's end where a table is damaged, and, unless
// opts sets Full, 64 MiB of the disk kept free for sign-outs. Close the Store when it is no longer
// used. Errors: [store.ErrUnavailable] if dir is open already, here or in another process; those of
// the system, and of [New].
func Open(dir string, opts *Options) (*Store, error) {
	o := &pebble.Options{Logger: logger{}, EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if err := kvstore.MakeDir(dir); err != nil {
		return nil, kvstore.NotOpened(name, dir, err, false)
	}
	db, err := pebble.Open(dir, o)
	if err != nil {
		inUse := errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held by current process")
		return nil, kvstore.NotOpened(name, dir, err, inUse)
	}
	return kvstore.Open(name, dir, engine{db}, db, opts, 64<<20)
}
