package qsldb_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qsldb"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
)

func openDB(t testing.TB) *leveldb.DB {
	t.Helper()
	db, err := leveldb.OpenFile(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newStore(t testing.TB, db *leveldb.DB, prefix string, log io.Writer, keys ...[]byte) *qsess.Store {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{qstest.Key1}
	}
	st, err := qsldb.NewGldbStore(db, []byte(prefix), log, keys...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(st.PruneKill) })
	return st
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestGldbStore(t *testing.T) {
	db, log := openDB(t), &lines{}
	qstest.Run(t, qstest.BackEnd{Open: func(t testing.TB, name string, keys ...[]byte) *qsess.Store {
		return newStore(t, db, name, log, keys...)
	}})
	if s := log.String(); s != "" {
		t.Errorf("without failures the log has %q", s)
	}
}

// rows counts the records that the database holds, expired ones too.
func rows(t testing.TB, db *leveldb.DB) (n int) {
	t.Helper()
	it := db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		if bytes.HasPrefix(it.Key(), []byte("\x00s")) {
			n++
		}
	}
	return n
}

// TestPruned is D18: the old index stopped at the first live session, and lost those saved twice in
// a second.
func TestPruned(t *testing.T) {
	db, log := openDB(t), &lines{}
	qstest.PruneTest(t, newStore(t, db, "", log), func() int { return rows(t, db) })
	if log.String() != "" {
		t.Errorf("log: %s", log)
	}
}

// TestManySurvivors is D21 at the size at which it was found: sessions saved while their user's are
// deleted.
func TestManySurvivors(t *testing.T) {
	st := newStore(t, openDB(t), "", nil)
	const users, each = 30, 10
	sessions := make([]*qsess.Session, users*each)
	for i := range sessions {
		sessions[i] = st.NewSession(fmt.Append(nil, "user", i/each))
	}
	time.Sleep(time.Second) // they look at passwords, say
	for u := range users {
		sessions := sessions[u*each : (u+1)*each]
		revoker := st.NewSession(sessions[0].UserID())
		var wg sync.WaitGroup
		for _, s := range sessions {
			wg.Go(func() { _ = s.Save(httptest.NewRecorder()) })
		}
		wg.Go(func() {
			if err := revoker.DeleteByUserID(nil); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, s := range sessions {
			if _, _, err := s.Token(); err == nil {
				t.Fatal("a session survived DeleteByUserID")
			}
		}
	}
}

// TestDatabaseGone is D23; the pruner says that it failed, too.
func TestDatabaseGone(t *testing.T) {
	db, log := openDB(t), &lines{}
	st := newStore(t, db, "", log)
	qstest.OutageTest(t, st, func() { db.Close() })
	st.PruneInterval <- 1
	for deadline := time.Now().Add(time.Minute); log.String() == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a failing pruner wrote nothing")
		}
	}
	if strings.Contains(log.String(), "ada") {
		t.Errorf("the log names a user: %s", log)
	}
}

// TestKillThenClose: nothing runs after the send to PruneKill has returned.
func TestKillThenClose(t *testing.T) {
	for range 20 {
		db, log := openDB(t), &lines{}
		st, err := qsldb.NewGldbStore(db, nil, log, qstest.Key1)
		if err != nil {
			t.Fatal(err)
		}
		st.PruneInterval <- 1
		st.PruneKill <- 0
		db.Close()
		if log.String() != "" {
			t.Fatalf("log: %s", log)
		}
	}
}

func TestRefused(t *testing.T) {
	db := openDB(t)
	for name, refused := range map[string]func() (*qsess.Store, error){
		"no database": func() (*qsess.Store, error) { return qsldb.NewGldbStore(nil, nil, nil, qstest.Key1) },
		"long prefix": func() (*qsess.Store, error) { return qsldb.NewGldbStore(db, make([]byte, 128), nil, qstest.Key1) },
		"no key":      func() (*qsess.Store, error) { return qsldb.NewGldbStore(db, nil, nil) },
		"short key":   func() (*qsess.Store, error) { return qsldb.NewGldbStore(db, nil, nil, []byte("short")) },
	} {
		if st, err := refused(); st != nil || !errors.Is(err, qsess.ErrConfig) {
			t.Errorf("%s: got %v, %v, want ErrConfig", name, st, err)
		}
	}
	if qsldb.DefaultPruneIntervalSecs != 120 {
		t.Error("sessions are not pruned every two minutes")
	}
}
