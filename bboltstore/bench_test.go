package bboltstore

import (
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// BenchmarkStore compares the store with bare bbolt; KVTEST_LONG=1 adds a sweep beside a million
// sessions.
func BenchmarkStore(b *testing.B) {
	kvtest.Bench(b, os.Getenv("KVTEST_LONG") != "", func(dir string) (store.Store, kvtest.Bare, func() error, error) {
		db, err := bbolt.Open(filepath.Join(dir, "sessions.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return nil, kvtest.Bare{}, nil, err
		}
		s, err := New(db, nil)
		return s, kvtest.Bare{
			Get: func(key []byte) (value []byte, err error) {
				err = db.View(func(tx *bbolt.Tx) error {
					value = append(value, tx.Bucket([]byte("bare")).Get(key)...)
					return nil
				})
				return value, err
			},
			Put: func(key, value []byte) error {
				return db.Batch(func(tx *bbolt.Tx) error {
					b, err := tx.CreateBucketIfNotExists([]byte("bare"))
					if err != nil {
						return err
					}
					return b.Put(key, value)
				})
			},
		}, db.Close, err
	})
}

// BenchmarkWriters compares the settings of durability, and one writer with 64.
func BenchmarkWriters(b *testing.B) { kvtest.Writers(b, openDir) }
