package qsess_test

import (
	"testing"
	"testing/synctest"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/memstore"
)

func newMap(t testing.TB, keys ...[]byte) *qsess.Store {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{qstest.Key1}
	}
	st, err := qsess.NewMapStore(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestMapStore(t *testing.T) {
	t.Parallel()
	qstest.Run(t, qstest.BackEnd{Unshared: true, Open: func(t testing.TB, _ string, keys ...[]byte) *qsess.Store { return newMap(t, keys...) }})
}

// TestSharedMemory is several Stores over one store: what two processes do with a database.
func TestSharedMemory(t *testing.T) {
	t.Parallel()
	kept := map[string]*memstore.Store{}
	qstest.Run(t, qstest.BackEnd{Open: func(t testing.TB, name string, keys ...[]byte) *qsess.Store {
		if kept[name] == nil {
			kept[name] = memstore.New(nil)
		}
		st, err := qsess.NewStoreOver(kept[name], keys...)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}})
}

func TestExpirationInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { qstest.ExpirationTest(t, newMap(t)) })
}
