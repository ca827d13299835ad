package pebblestore

import (
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// BenchmarkStore compares the store with bare Pebble; KVTEST_LONG=1 adds a sweep beside a million
// sessions.
func BenchmarkStore(b *testing.B) {
	kvtest.Bench(b, os.Getenv("KVTEST_LONG") != "", func(dir string) (store.Store, kvtest.Bare, func() error, error) {
		db, err := pebble.Open(dir, withFilters(&pebble.Options{Logger: quiet{}}))
		if err != nil {
			return nil, kvtest.Bare{}, nil, err
		}
		s, err := New(db, nil)
		return s, kvtest.Bare{
			Get: func(key []byte) ([]byte, error) {
				v, closer, err := db.Get(key)
				if err != nil {
					return nil, err
				}
				return append([]byte(nil), v...), closer.Close()
			},
			Put: func(key, value []byte) error { return db.Set(key, value, pebble.Sync) },
		}, db.Close, err
	})
}

// withFilters is what the package's comment recommends.
func withFilters(o *pebble.Options) *pebble.Options {
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// BenchmarkWriters compares the settings of durability, and one writer with 64.
func BenchmarkWriters(b *testing.B) { kvtest.Writers(b, openDir) }
