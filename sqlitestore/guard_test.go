package sqlitestore_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// TestReopened revokes, and looks after a restart, and after damage to what keeps it and the clock.
func TestReopened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	kept := shareRecord("kept")
	revoked := shareRecord("revoked")
	try := func(st *sqlitestore.Store, user string, want error) {
		t.Helper()
		_, err := st.Create(t.Context(), shareRecord(user), store.Admission{Began: time.Now().Add(-time.Minute)})
		if !errors.Is(err, want) {
			t.Errorf("create for %s answers %v, want %v", user, err, want)
		}
	}
	once := func(f func(*sqlitestore.Store)) {
		st, err := sqlitestore.Open(path, nil)
		if err == nil {
			err = st.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		f(st)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once(func(st *sqlitestore.Store) {
		for _, rec := range []store.Record{kept, revoked} {
			if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := st.Revoke(t.Context(), "revoked", store.Selection{}); r.N != 1 || err != nil {
			t.Fatal(r.N, err)
		}
	})
	once(func(st *sqlitestore.Store) {
		try(st, "revoked", store.ErrRevoked)
		try(st, "kept", nil)
	})
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"UPDATE sojourn_guards SET revoked = revoked - 65536", "UPDATE sojourn_clock SET at = at + 4503599627370496"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	once(func(st *sqlitestore.Store) {
		try(st, "revoked", store.ErrRevoked)
		_, now, err := st.Get(t.Context(), kept.Key)
		if err != nil || time.Until(now).Abs() > time.Hour {
			t.Errorf("with a damaged clock, get answers %v at %v", err, now)
		}
		if _, err := st.Revoke(t.Context(), "revoked", store.Selection{}); err != nil {
			t.Errorf("revoke over a damaged revocation: %v", err)
		}
		try(st, "revoked", store.ErrRevoked)
	})
}
