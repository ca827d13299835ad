package pebblestore

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// TestStore runs the kit in fake time over a database that lives in real time.
func TestStore(t *testing.T) {
	outside := kvtest.NewOutside()
	var d kvtest.Damager
	storetest.Run(t, func(t testing.TB) store.Store {
		var db *pebble.DB
		var err error
		outside.Do(func() { db, err = inMemory() })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { outside.Do(func() { db.Close() }) })
		e := outside.Engine(engine{db})
		s, err := kvstore.New(name, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Over(s, e)
	}, &storetest.Options{Damage: d.Damage})
}

func inMemory() (*pebble.DB, error) {
	return pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Logger: quiet{}})
}

// quiet keeps Pebble's reports out of the tests' output.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic("pebble gave up: " + fmt.Sprintf(format, args...))
}
