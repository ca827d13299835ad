package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/leveldbstore"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/pebblestore"
	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// backend says where sessions are kept.
type backend struct {
	store store.Store
	// sealed keeps the sessions' values in encrypted cookies. The store then has one small record
	// for each signed-in session, so that it can be listed and ended.
	sealed bool
	// keys seal the tokens. A store that outlives the process needs them, in a file beside it.
	keys  sojourn.Sealer
	close func() error
}

const storeUsage = "`where` sessions are kept: memory, cookie, disk:DIR, leveldb:DIR, pebble:DIR or sqlite:FILE"

// openers make the stores that live in a file or folder. Each gives the store and what closes it.
var openers = map[string]func(path string) (store.Store, func() error, error){
	"disk": func(path string) (store.Store, func() error, error) {
		st, err := diskstore.New(path, nil)
		if err != nil {
			return nil, nil, err
		}
		return st, st.Close, nil
	},
	"leveldb": func(path string) (store.Store, func() error, error) {
		st, db, err := leveldbstore.Open(path, nil)
		if err != nil {
			return nil, nil, err
		}
		return st, db.Close, nil
	},
	"pebble": func(path string) (store.Store, func() error, error) {
		st, db, err := pebblestore.Open(path, nil)
		if err != nil {
			return nil, nil, err
		}
		return st, db.Close, nil
	},
	"sqlite": func(path string) (store.Store, func() error, error) {
		st, err := sqlitestore.Open(path, nil)
		if err != nil {
			return nil, nil, err
		}
		return st, st.Close, st.Migrate(context.Background())
	},
}

// openBackend opens what the flag --store names. The caller closes it.
func openBackend(where string) (backend, error) {
	none := func() error { return nil }
	switch where {
	case "memory":
		return backend{store: memstore.New(nil), close: none}, nil
	case "cookie":
		return backend{store: memstore.New(nil), sealed: true, close: none}, nil
	}
	kind, path, _ := strings.Cut(where, ":")
	open := openers[kind]
	if open == nil || path == "" {
		return backend{}, fmt.Errorf("--store %q: it is memory, cookie, disk:DIR, leveldb:DIR, pebble:DIR or sqlite:FILE", where)
	}
	path = filepath.Clean(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return backend{}, err
	}
	keys, err := sojourn.LoadKeys(path + ".keys")
	if err != nil {
		return backend{}, err
	}
	st, closer, err := open(path)
	if err != nil {
		if closer != nil {
			err = errors.Join(err, closer())
		}
		return backend{}, fmt.Errorf("--store %s: %w", where, err)
	}
	return backend{store: st, keys: keys, close: closer}, nil
}

// manager makes the manager of the shop's pages.
func (b backend) manager(opts *sojourn.Options) (*sojourn.Manager, error) {
	if b.sealed {
		return sojourn.NewSealed(&sojourn.SealedOptions{Store: b.store}, opts)
	}
	return sojourn.New(b.store, opts)
}
