package leveldbstore

import (
	"os"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// BenchmarkStore compares the store with bare goleveldb; KVTEST_LONG=1 adds a sweep beside a
// million sessions.
func BenchmarkStore(b *testing.B) {
	kvtest.Bench(b, os.Getenv("KVTEST_LONG") != "", func(dir string) (store.Store, kvtest.Bare, func() error, error) {
		db, err := leveldb.OpenFile(dir, &opt.Options{Filter: filter.NewBloomFilter(10)})
		if err != nil {
			return nil, kvtest.Bare{}, nil, err
		}
		s, err := New(db, nil)
		return s, kvtest.Bare{
			Get: func(key []byte) ([]byte, error) { return db.Get(key, nil) },
			Put: func(key, value []byte) error { return db.Put(key, value, &opt.WriteOptions{Sync: true}) },
		}, db.Close, err
	})
}

// BenchmarkWriters compares the settings of durability, and one writer with 64.
func BenchmarkWriters(b *testing.B) { kvtest.Writers(b, openDir) }
