package kvstore_test

import (
	"testing"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func over(t testing.TB, db kvstore.Driver, opts *kvstore.Options) store.Store {
	t.Helper()
	s, err := kvstore.New("kvstore", db, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB) store.Store { return over(t, new(kvtest.Memory), nil) }

func TestStore(t *testing.T) {
	var d kvtest.Damager
	storetest.Run(t, func(t testing.TB) store.Store {
		db := new(kvtest.Memory)
		return d.Over(over(t, db, nil), db)
	}, &storetest.Options{Damage: d.Damage})
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, open) }
