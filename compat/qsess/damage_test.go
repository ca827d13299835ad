package qsess_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/diskstore"
)

// A damaged record is no session any more, and no outage: the user signs in again, and other
// sessions go on. The log tells.
func TestDamagedRecord(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	dir := filepath.Join(t.TempDir(), "sessions")
	keep, err := diskstore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	st, err := qsess.NewStoreOver(keep, qstest.Key1)
	if err != nil {
		t.Fatal(err)
	}
	cookie, token := save(t, st.NewSession([]byte("ada")))
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || len(e.Name()) != 64 {
			return err
		}
		b, err := os.ReadFile(path)
		b[20] ^= 1
		return errors.Join(err, os.WriteFile(path, b, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, other := save(t, st.NewSession([]byte("ada")))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	w := httptest.NewRecorder()
	qctx.MwStack(qctx.MwRequireSess(st)).Handle(func(*qctx.Ctx) { t.Error("the handler runs") }).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
	if _, _, err := st.GetSession(httptest.NewRecorder(), r); !errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("with a damaged record: %v", err)
	}
	wantNone(t, st, token)
	load(t, st, other)
	_, again := save(t, st.NewSession([]byte("ada")))
	load(t, st, again)
	if !strings.Contains(log.String(), "session_damaged") {
		t.Errorf("the log has %q", &log)
	}
}
