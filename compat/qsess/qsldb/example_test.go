package qsldb_test

import (
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/syndtr/goleveldb/leveldb"

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
