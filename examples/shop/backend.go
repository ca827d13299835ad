package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	name  string // for people: without password
	kept  string // where, in words for visitors
	store store.Store
	// sealed keeps the sessions' values in encrypted cookies. The store then has one small record
	// for each signed-in session, so that it can be listed and ended.
	sealed bool
	// keys seal the tokens. A store that outlives the process needs them, in a file.
	keys  sojourn.Sealer
	close func() error
}

// keptIn is how the shop's pages call what an address begins with.
var keptIn = map[string]string{
	"memory": "the server's memory", "cookie": "an encrypted cookie", "disk": "files on the server", "leveldb": "LevelDB", "pebble": "Pebble",
	"sqlite": "SQLite", "redis": "Redis", "rediss": "Redis", "redis-cluster": "a Redis Cluster", "redis-sentinel": "Redis with Sentinel",
	"postgres": "PostgreSQL", "postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "cassandra": "Cassandra",
}

const storeUsage = "`where` sessions are kept: memory, cookie, disk:DIR, leveldb:DIR, pebble:DIR, sqlite:FILE, or the URL of a server: redis://, redis-cluster://, redis-sentinel://, postgres://, mysql://, cassandra://"

// openers make the stores that live in a file or folder. Each gives the store and what closes it.
var openers = map[string]func(path string) (store.Store, func() error, error){
	"disk": func(path string) (store.Store, func() error, error) {
		return closing(diskstore.Open(path, nil))
	},
	"leveldb": func(path string) (store.Store, func() error, error) {
		return closing(leveldbstore.Open(path, nil))
	},
	"pebble": func(path string) (store.Store, func() error, error) {
		return closing(pebblestore.Open(path, nil))
	},
	"sqlite": func(path string) (store.Store, func() error, error) {
		st, err := sqlitestore.Open(path, nil)
		if err != nil {
			return nil, nil, err
		}
		return st, st.Close, st.Migrate(context.Background())
	},
}

// closing returns a store and what closes it.
func closing[S interface {
	store.Store
	Close() error
}](st S, err error) (store.Store, func() error, error) {
	if err != nil {
		return nil, nil, err
	}
	return st, st.Close, nil
}

// openBackend opens what the flag --store names; keys for sessions on a server are in the folder data. The
// caller closes it.
func openBackend(ctx context.Context, where, data string) (backend, error) {
	none := func() error { return nil }
	switch where {
	case "memory":
		return backend{name: where, kept: keptIn[where], store: memstore.New(nil), close: none}, nil
	case "cookie":
		return backend{name: where, kept: keptIn[where], store: memstore.New(nil), sealed: true, close: none}, nil
	}
	kind, path, _ := strings.Cut(where, ":")
	b, keys := backend{name: where, kept: keptIn[kind]}, ""
	var open func() (store.Store, func() error, error)
	if connect := servers[kind]; connect != nil && strings.HasPrefix(path, "//") {
		a, err := parseAddress(where)
		if err != nil {
			return backend{}, fmt.Errorf("--store: %w", err)
		}
		b.name, keys = a.shown(), filepath.Join(data, "keys")
		open = func() (store.Store, func() error, error) { return connect(ctx, a) }
	} else if file := openers[kind]; file != nil && path != "" {
		path = filepath.Clean(path)
		keys = path + ".keys"
		open = func() (store.Store, func() error, error) { return file(path) }
	} else {
		return backend{}, fmt.Errorf("--store %q: it is memory, cookie, disk:DIR, leveldb:DIR, pebble:DIR, sqlite:FILE, or a URL that begins with one of %s",
			kind, strings.Join(slices.Sorted(maps.Keys(servers)), ", "))
	}
	if err := os.MkdirAll(filepath.Dir(keys), 0o700); err != nil {
		return backend{}, err
	}
	var err error
	if b.keys, err = openKeys(keys); err != nil {
		return backend{}, err
	}
	if b.store, b.close, err = open(); err != nil {
		if b.close != nil {
			err = errors.Join(err, b.close())
		}
		return backend{}, fmt.Errorf("--store %s: %w", b.name, err)
	}
	return b, nil
}

// openKeys reads the file of keys and makes it when the shop opens for the first time. Several
// processes on one server share their folder of data, and so the file; on machines of their own
// they would each get a copy of it.
func openKeys(path string) (*sojourn.KeyRing, error) {
	if err := sojourn.CreateKeys(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return sojourn.LoadKeys(path)
}

// manager makes the manager of the shop's pages.
func (b backend) manager(opts *sojourn.Options) (*sojourn.Manager, error) {
	if b.sealed {
		return sojourn.NewSealed(&sojourn.SealedOptions{Store: b.store}, opts)
	}
	return sojourn.New(b.store, opts)
}
