package shop

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/store"
)

// Drivers are what a program can open stores with, by their names: those of the folders in
// examples/shop/with.
type Drivers map[string]Opener

// An Opener opens a store by the path of its file or folder, or by the URL of its server.
type Opener func(where string) (Store, error)

// Store is a store as each Open gives it.
type Store interface {
	store.Store
	Close() error
}

// By makes an Opener of a store's Open. All do it in the same way, but for options.
func By[S Store, O any](open func(string, *O) (S, error), opts *O) Opener {
	return func(where string) (Store, error) {
		st, err := open(where, opts)
		if err != nil {
			return nil, err // and not a nil S, which is no nil
		}
		return st, nil
	}
}

// A kind is what the address of a store begins with.
type kind struct {
	driver string // its name among the Drivers; "" where the store needs none
	kept   string // where sessions are, in words for visitors
	server bool   // the address is the URL of a server, and not the path of a file or folder
}

var kinds = map[string]kind{
	"memory": {kept: "the server's memory"}, // these two have no address at all
	"cookie": {kept: "an encrypted cookie"},

	"disk":    {kept: "files on the server"},
	"leveldb": {driver: "leveldb", kept: "LevelDB"},
	"pebble":  {driver: "pebble", kept: "Pebble"},
	"bbolt":   {driver: "bbolt", kept: "a bbolt file"},
	"sqlite":  {driver: "sqlite", kept: "SQLite"},

	"redis":          {"redis", "Redis", true},
	"rediss":         {"redis", "Redis", true},
	"redis-cluster":  {"redis", "a Redis Cluster", true},
	"redis-sentinel": {"redis", "Redis with Sentinel", true},
	"postgres":       {"postgres", "PostgreSQL", true},
	"postgresql":     {"postgres", "PostgreSQL", true},
	"mysql":          {"mysql", "MySQL", true},
	"mariadb":        {"mysql", "MariaDB", true},
	"cassandra":      {"cassandra", "Cassandra", true},
}

// opener gives what opens stores of the kind, nil where the program has no driver for it.
func (d Drivers) opener(k kind) Opener {
	if k.driver == "" {
		return By(diskstore.Open, nil)
	}
	return d[k.driver]
}

// servers are the kinds that are reached by a URL.
func servers() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if kinds[name].server {
			names = append(names, name)
		}
	}
	return names
}

// ready makes what tables are missing, and says what the server could lose.
func ready(ctx context.Context, st store.Store) error {
	if st, ok := st.(interface{ Migrate(context.Context) error }); ok {
		return st.Migrate(ctx)
	}
	if st, ok := st.(interface {
		Check(context.Context) (warnings []string, err error)
	}); ok {
		warnings, err := st.Check(ctx)
		for _, w := range warnings {
			slog.WarnContext(ctx, w)
		}
		return err
	}
	return nil
}
