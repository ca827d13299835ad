package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/sojourn-go/sojourn/bboltstore"
	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/leveldbstore"
	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/pebblestore"
	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// closable is a store as each Open gives it.
type closable interface {
	store.Store
	Close() error
}

// openers open the store of each kind: a file or folder, or a server by its URL. All do it in the
// same way, but for options.
var openers = map[string]func(where string) (closable, error){
	"disk":    by(diskstore.Open, nil),
	"leveldb": by(leveldbstore.Open, nil),
	"pebble":  by(pebblestore.Open, nil),
	"bbolt":   by(bboltstore.Open, nil),
	"sqlite":  by(sqlitestore.Open, nil),

	"redis":          by(redisstore.Open, nil),
	"rediss":         by(redisstore.Open, nil),
	"redis-cluster":  by(redisstore.Open, nil),
	"redis-sentinel": by(redisstore.Open, nil),
	"postgres":       by(pgxstore.Open, nil),
	"postgresql":     by(pgxstore.Open, nil),
	"mysql":          by(mysqlstore.Open, nil),
	"mariadb":        by(mysqlstore.Open, nil),
	"cassandra":      by(cqlstore.Open, &cqlstore.Options{ReplicationFactor: 1}), // for trying out; the URL may say more
}

// by gives the openers one type.
func by[S closable, O any](open func(string, *O) (S, error), opts *O) func(string) (closable, error) {
	return func(where string) (closable, error) {
		st, err := open(where, opts)
		if err != nil {
			return nil, err // and not a nil S, which is no nil
		}
		return st, nil
	}
}

// files are the kinds whose stores live in a file or folder of this machine.
var files = map[string]bool{"disk": true, "leveldb": true, "pebble": true, "bbolt": true, "sqlite": true}

// servers are the other kinds.
func servers() (kinds []string) {
	for _, kind := range slices.Sorted(maps.Keys(openers)) {
		if !files[kind] {
			kinds = append(kinds, kind)
		}
	}
	return kinds
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
