package qstest

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
)

// OutageTest calls fail, which makes store's database unreachable, and looks that every method says
// so: an outage is not "not signed in", a sign-out that failed is an error, and the client keeps
// what it has (D23).
func OutageTest(t *testing.T, store *qsess.Store, fail func()) {
	s, token := start(t, store, "ada")
	fail()
	w := httptest.NewRecorder()
	_, _, errGet := store.GetTokenSession(token)
	_, _, errToken := s.Token()
	for op, err := range map[string]error{
		"GetTokenSession": errGet, "Token": errToken, "Save": s.Save(w), "Save of a new one": store.NewSession([]byte("ada")).Save(w),
		"Delete": s.Delete(w), "DeleteByUserID": s.DeleteByUserID(w),
	} {
		if !sojourn.IsOutage(err) || errors.Is(err, qsess.ErrNoSession) {
			t.Errorf("%s in an outage gave %v", op, err)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "ada") || strings.Contains(text, token) {
			t.Errorf("%s tells too much: %s", op, text)
		}
	}
	if len(w.Header()) != 0 {
		t.Errorf("in an outage the client is told %v", w.Header())
	}
}

// PruneTest looks that store's pruner deletes what has expired, also what was saved twice in a
// second, and leaves alone what lives (D18, D33). rows counts what the database holds of store's.
func PruneTest(t *testing.T, store *qsess.Store, rows func() int) {
	live := make([]string, 10)
	for i := range live {
		_, live[i] = start(t, store, fmt.Sprint("live", i))
	}
	if n := rows(); n != len(live) {
		t.Fatalf("the database holds %d rows, want %d", n, len(live))
	}
	for i := range 30 {
		s := store.NewSession(fmt.Append(nil, "short", i))
		s.MaxAgeSecs = 1
		for range 2 {
			// On a slow machine it ends before it is saved again.
			if err := s.Save(httptest.NewRecorder()); err != nil && !errors.Is(err, qsess.ErrNoSession) {
				t.Fatalf("Save: %v", err)
			}
		}
	}
	store.PruneInterval <- 1
	for deadline := time.Now().Add(2 * time.Minute); rows() != len(live); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d rows are left, want %d", rows(), len(live))
		}
	}
	for _, token := range live {
		if !alive(t, store, token) {
			t.Error("a live session was pruned")
		}
	}
}
