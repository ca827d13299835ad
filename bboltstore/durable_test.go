package bboltstore

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/disktest"
)

// TestDurable (P12) looks at the system calls. How many there are depends on whether the file
// grows.
func TestDurable(t *testing.T) {
	t.Parallel()
	disktest.Each(t, disktest.Setup{
		Open: func(dir string, d store.Durability) (store.Store, func() error, error) {
			s, err := Open(filepath.Join(dir, "sessions.db"), &Options{Durability: d})
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
		InOrder: true,
	})
}

// TestBound looks at how long what need not be durable waits: for a second, a thousand entries, or
// 4 MiB, and for the database's end.
func TestBound(t *testing.T) {
	var path string
	var db *bbolt.DB
	var e *engine
	open := func() {
		var err error
		if db, err = bbolt.Open(path, 0o600, nil); err != nil {
			t.Fatal(err)
		}
		e = &engine{db: db}
	}
	put := func(key string, size int) {
		t.Helper()
		if err := e.Apply([]kvstore.Op{{Key: []byte(key), Value: make([]byte, size)}}, false); err != nil {
			t.Fatal(err)
		}
	}
	written := func(key string) bool {
		found := false
		if err := db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket)
			found = b != nil && b.Get([]byte(key)) != nil
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	for name, bound := range map[string]func(){
		"a second": func() {
			put("late", 1)
			time.Sleep(time.Second - 1)
			put("later", 1)
			if written("late") {
				t.Error("written at once")
			}
			time.Sleep(time.Nanosecond)
			put("last", 1)
		},
		"a thousand entries": func() {
			for i := range 999 {
				put(fmt.Sprint("late", i), 1)
			}
			put("late0", 1)
			if written("late0") {
				t.Error("999 entries are written")
			}
			put("late", 1)
		},
		"4 MiB": func() {
			put("late", 4<<20-100)
			if written("late") {
				t.Error("less is written")
			}
			put("later", 100)
		},
		"the end": func() {
			put("late", 1)
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			path = filepath.Join(t.TempDir(), "sessions.db")
			open()
			synctest.Test(t, func(*testing.T) { bound() })
			if !written("late") {
				t.Error("still waits")
			}
			db.Close()
		})
	}
}
