package qsldb_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"slices"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/sojourn-go/sojourn/compat/qsess/qsldb"
)

func Example() {
	dir, err := os.MkdirTemp("", "qsldb")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := leveldb.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	sessions, err := qsldb.NewGldbStore(db, []byte("sessions"), os.Stderr, []byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	defer func() { sessions.PruneKill <- 1 }() // before the database is closed

	s := sessions.NewSession([]byte("ada"))
	if err := s.Save(httptest.NewRecorder()); err != nil {
		panic(err)
	}
	token, _, _ := s.Token()
	s, ttl, err := sessions.GetTokenSession(token)
	fmt.Printf("%s, for %d s, %v\n", s.UserID(), ttl, err)
	// Output:
	// ada, for 86400 s, <nil>
}

// What the older library has stored stays in the database, in clear, until somebody removes it. Its
// keys begin with the prefix and a byte 1, 2 or 3. Do this when no process of the older version is
// left; a program without a prefix must have no keys of its own that begin with these bytes.
func ExampleNewGldbStore_removeOld() {
	dir, err := os.MkdirTemp("", "qsldb")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := leveldb.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	prefix := []byte("sessions")
	for kind := byte(1); kind <= 3; kind++ { // a session, its expiration, its user
		if err := db.Put(append(slices.Clone(prefix), kind, 'x'), []byte("in clear"), nil); err != nil {
			panic(err)
		}
	}
	sessions, err := qsldb.NewGldbStore(db, prefix, os.Stderr, []byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	defer func() { sessions.PruneKill <- 1 }()
	s := sessions.NewSession([]byte("ada"))
	if err := s.Save(httptest.NewRecorder()); err != nil {
		panic(err)
	}

	removed := 0
	for kind := byte(1); kind <= 3; kind++ {
		it := db.NewIterator(util.BytesPrefix(append(slices.Clone(prefix), kind)), nil)
		for it.Next() {
			if err := db.Delete(it.Key(), nil); err != nil {
				panic(err)
			}
			removed++
		}
		it.Release()
		if err := it.Error(); err != nil {
			panic(err)
		}
	}
	_, ttl, err := s.Token()
	fmt.Println(removed, ttl, err)
	// Output:
	// 3 86400 <nil>
}
