package qsldb_test

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qsldb"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
)

func token(t testing.TB, st *qsess.Store, user string) string {
	t.Helper()
	s := st.NewSession([]byte(user))
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	text, _, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func lives(t testing.TB, st *qsess.Store, token string) bool {
	t.Helper()
	_, _, err := st.GetTokenSession(token)
	if err != nil && !errors.Is(err, qsess.ErrNoSession) {
		t.Fatal(err)
	}
	return err == nil
}

// TestNumberedTables: programs number their tables, from zero on. What lies in the program's own
// tables is left alone, and its walks over them find nothing else.
func TestNumberedTables(t *testing.T) {
	db := openDB(t)
	own := map[string]string{}
	for table := byte(0); table < 8; table++ {
		for _, key := range []string{"", "a", "\x00", "\x00s", "\x01", "sada", "\xff"} {
			own[string(table)+key] = "the program's"
		}
	}
	for k, v := range own {
		if err := db.Put([]byte(k), []byte(v), nil); err != nil {
			t.Fatal(err)
		}
	}
	prefixes := [][]byte{{0}, {1}, {2}, {3}, {0, 0}, {0, 0, 0, 7}, {0, 1}, {1, 0}, {0xfd}, {0xfd, 0xfd}, {0xfd, 0x80}, {0xff, 0}}
	stores, tokens := make([]*qsess.Store, len(prefixes)), make([]string, len(prefixes))
	for i, p := range prefixes {
		stores[i] = newStore(t, db, string(p), nil)
		tokens[i] = token(t, stores[i], "ada")
	}
	for _, p := range prefixes { // where the older library's keys are: whoever removes them shall hit nothing else
		if bytes.Equal(p, []byte{0xfd, 0x80}) {
			continue // it would meet table {0, 1}, but no program has both
		}
		for kind := byte(1); kind <= 3; kind++ {
			it := db.NewIterator(util.BytesPrefix(append(slices.Clone(p), kind)), nil)
			for it.Next() {
				if own[string(it.Key())] == "" {
					t.Errorf("key %x is ours, and would be the older library's under prefix %x", it.Key(), p)
				}
			}
			it.Release()
		}
	}
	for i, st := range stores {
		for j, text := range tokens {
			if got := lives(t, st, text); got != (j == i) {
				t.Errorf("the token of prefix %x in the Store of prefix %x: %v", prefixes[j], prefixes[i], got)
			}
		}
		if err := st.NewSession([]byte("ada")).DeleteByUserID(nil); err != nil {
			t.Fatal(err)
		}
		for j := range stores {
			if got := lives(t, stores[j], tokens[j]); got != (j > i) {
				t.Errorf("after DeleteByUserID under prefix %x the session under prefix %x lives: %v", prefixes[i], prefixes[j], got)
			}
		}
	}
	for k, v := range own {
		if got, err := db.Get([]byte(k), nil); err != nil || string(got) != v {
			t.Errorf("the program's key %x: %q, %v", k, got, err)
		}
	}
}

// FuzzPrefix: Stores of two prefixes never see each other.
func FuzzPrefix(f *testing.F) {
	f.Add([]byte{0}, []byte{})
	f.Add([]byte{0}, []byte{0, 0})
	f.Add([]byte{0xfd, 0x80}, []byte{0})
	f.Add([]byte{0xfd}, []byte{0xfd, 0xfd})
	f.Add([]byte("a"), []byte("a\x00s"))
	f.Add(bytes.Repeat([]byte{0}, 127), bytes.Repeat([]byte{0}, 128))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		db, err := leveldb.Open(storage.NewMemStorage(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var stores []*qsess.Store
		for _, p := range [][]byte{one, two} {
			st, err := qsldb.NewGldbStore(db, p, nil, qstest.Key1)
			if err != nil {
				if !errors.Is(err, qsess.ErrConfig) || len(p) < 128 {
					t.Errorf("prefix %x: %v", p, err)
				}
				return
			}
			defer close(st.PruneKill)
			stores = append(stores, st)
		}
		if bytes.Equal(one, two) {
			return
		}
		a, b := token(t, stores[0], "ada"), token(t, stores[1], "ada")
		if lives(t, stores[1], a) || lives(t, stores[0], b) {
			t.Errorf("prefixes %x and %x: one opens the other's", one, two)
		}
		if err := stores[0].NewSession([]byte("ada")).DeleteByUserID(nil); err != nil {
			t.Fatal(err)
		}
		if !lives(t, stores[1], b) || lives(t, stores[0], a) {
			t.Errorf("prefixes %x and %x: one ends the other's", one, two)
		}
	})
}
