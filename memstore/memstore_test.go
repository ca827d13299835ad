package memstore_test

import (
	"testing"

	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func open(testing.TB) store.Store { return memstore.New(nil) }

func TestStore(t *testing.T) { storetest.Run(t, open, nil) }

// TestBoundedStore has bounds out of reach: the contract holds with them too.
func TestBoundedStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store {
		return memstore.New(&memstore.Options{MaxRecords: 1 << 20, MaxBytes: 1 << 40, EvictAnonymous: true})
	}, nil)
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, open) }
