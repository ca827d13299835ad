package leveldbstore

import (
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"

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
		var db *leveldb.DB
		var err error
		outside.Do(func() { db, err = inMemory() })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { outside.Do(func() { db.Close() }) })
		e := outside.Engine(&engine{db: db})
		s, err := kvstore.New(name, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Over(s, e)
	}, &storetest.Options{Damage: d.Damage})
}

func inMemory() (*leveldb.DB, error) {
	return leveldb.Open(storage.NewMemStorage(), nil)
}

// TestIterators leaves walks early, and counts the iterators that are left open.
func TestIterators(t *testing.T) {
	db, s := reopen(t, storage.NewMemStorage())
	defer db.Close()
	for n := range byte(20) {
		rec := record("ada", n+1)
		rec.Idle = 1 // expired by the time of the sweep
		if n < 10 {
			rec.Idle = 0
		}
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
	}
	for range s.All(t.Context()) {
		break
	}
	for range s.User(t.Context(), "ada") {
		break
	}
	walked := 0
	if err := (&engine{db: db}).Walk([]byte{0}, []byte{0xff}, func(_, _ []byte) bool {
		walked++
		return false
	}); walked != 1 || err != nil {
		t.Errorf("walked on for %d entries, %v", walked, err)
	}
	if n, err := s.Sweep(t.Context(), 5); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := s.Sweep(t.Context(), 100); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if r, err := s.Revoke(t.Context(), "ada", store.Selection{}); r.N != 10 || err != nil {
		t.Fatal(r.N, err)
	}
	if n, err := db.GetProperty("leveldb.aliveiters"); n != "0" || err != nil {
		t.Errorf("%s iterators are open: %v", n, err)
	}
}
