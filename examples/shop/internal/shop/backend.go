package shop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/address"
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

const storeUsage = "`where` sessions are kept: memory, cookie, disk:DIR, leveldb:DIR, pebble:DIR, bbolt:FILE, sqlite:FILE, or the URL of a server: redis://, redis-cluster://, redis-sentinel://, postgres://, mysql://, cassandra://"

// open opens what the flag --store names; keys for sessions on a server are in the folder data. The
// caller closes it.
func (d Drivers) open(ctx context.Context, where, data string) (backend, error) {
	name, path, _ := strings.Cut(where, ":")
	k, known := kinds[name]
	b, keys := backend{name: where, kept: k.kept}, ""
	if where == "memory" || where == "cookie" {
		b.store, b.sealed, b.close = memstore.New(nil), where == "cookie", func() error { return nil }
		return b, nil
	}
	switch server := strings.HasPrefix(path, "//"); {
	case !known || path == "" || server != k.server || name == "memory" || name == "cookie":
		return backend{}, fmt.Errorf("--store %q: it is memory, cookie, disk:DIR, leveldb:DIR, pebble:DIR, bbolt:FILE, sqlite:FILE, or a URL that begins with one of %s",
			name, strings.Join(servers(), ", "))
	case d.opener(k) == nil:
		return backend{}, fmt.Errorf("--store %s: this program has no driver for it: run examples/shop/with/%s in place of it, as make demo ARGS=--store=%s:… does", name, k.driver, name)
	case server:
		a, err := address.Parse(where)
		if err != nil {
			return backend{}, fmt.Errorf("--store %s: %w", name, err)
		}
		b.name, keys, path = a.Redacted(), filepath.Join(data, "keys"), where
	default:
		path = filepath.Clean(path)
		keys = path + ".keys"
	}
	if err := os.MkdirAll(filepath.Dir(keys), 0o700); err != nil {
		return backend{}, err
	}
	var err error
	if b.keys, err = openKeys(keys); err != nil {
		return backend{}, err
	}
	st, err := d.opener(k)(path)
	if err != nil {
		return backend{}, fmt.Errorf("--store %s: %w", b.name, err)
	}
	if err := ready(ctx, st); err != nil {
		return backend{}, fmt.Errorf("--store %s: %w", b.name, errors.Join(err, st.Close()))
	}
	b.store, b.close = st, st.Close
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
