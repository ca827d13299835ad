package sqlitestore_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func openAt(t testing.TB, path string, opts *sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB) store.Store {
	return openAt(t, filepath.Join(t.TempDir(), "sessions.db"), &sqlitestore.Options{NoReserve: true})
}

// TestStore runs in fake time: the driver and database/sql take theirs from package time.
func TestStore(t *testing.T) {
	var paths sync.Map
	storetest.Run(t, func(t testing.TB) store.Store {
		path := filepath.Join(t.TempDir(), "sessions.db")
		s := openAt(t, path, &sqlitestore.Options{NoReserve: true})
		paths.Store(s, path)
		return s
	}, &storetest.Options{Tick: time.Microsecond, Damage: func(s store.Store, key store.Key) error {
		path, _ := paths.Load(s)
		db, err := sql.Open("sqlite", "file:"+path.(string))
		if err != nil {
			return err
		}
		_, err = db.Exec("UPDATE sojourn SET meta = 'damaged' WHERE id = ?", key.ID[:])
		return errors.Join(err, db.Close())
	}})
}

// TestOpen has a path that an address would misread, and checks who may read the files.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%25&e.db")
	st := openAt(t, path, &sqlitestore.Options{Readers: 2})
	rec := shareRecord("somebody")
	if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.Get(t.Context(), rec.Key); err != nil {
		t.Errorf("after a second Migrate: %v", err)
	}
	for _, end := range []string{"", "-wal", "-shm", "-reserve"} {
		info, err := os.Stat(path + end)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %q: %v, %v", end, info, err)
		}
	}
	for _, bad := range []*sqlitestore.Options{{Readers: -1}, {MaxBytes: -1}, {Table: "x y"}} {
		if _, err := sqlitestore.Open(path, bad); err == nil {
			t.Errorf("%+v is accepted", *bad)
		}
	}
}

// TestUnmigrated uses a file without tables: an outage, not a sign-out.
func TestUnmigrated(t *testing.T) {
	st, err := sqlitestore.Open(filepath.Join(t.TempDir(), "sessions.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rec := shareRecord("somebody")
	_, _, get := st.Get(t.Context(), rec.Key)
	for what, err := range map[string]error{"get": get, "delete": st.Delete(t.Context(), rec.Key)} {
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "Migrate") {
			t.Errorf("%s without tables: %v", what, err)
		}
	}
}
