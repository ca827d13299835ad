// Package qstest tests back-ends of package qsess: the four tests of the older library by their old
// names, and [Run], which adds what that library got wrong. A test of a back-end is a few lines:
//
//	func TestStore(t *testing.T) {
//		qstest.Run(t, qstest.BackEnd{Open: func(t testing.TB, name string, keys ...[]byte) *qsess.Store { ... }})
//	}
//
// In a testing/synctest bubble the tests take no time, where the back-end lives in this process.
package qstest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/compat/qsess"
)

// TestNothing does nothing. The older library has it, for packages whose only tests are benchmarks.
func TestNothing(*testing.T) {}

// save saves s and gives a request with its cookie.
func save(t testing.TB, st *qsess.Store, s *qsess.Session) *http.Request {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Save(w); err != nil {
		t.Fatalf("Save: %v", err)
	}
	return request(t, st, w)
}

// request carries the cookie that w has set.
func request(t testing.TB, st *qsess.Store, w *httptest.ResponseRecorder) *http.Request {
	t.Helper()
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != st.CookieName {
		t.Fatalf("Save set %d cookies, want one called %s", len(cookies), st.CookieName)
	}
	r.AddCookie(cookies[0])
	return r
}

func get(t testing.TB, st *qsess.Store, r *http.Request) *qsess.Session {
	t.Helper()
	s, _, err := st.GetSession(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatalf("GetSession: %v", err)
	}
	return s
}

func vars(t testing.TB, s *qsess.Session) map[any]any {
	t.Helper()
	m, ok := s.Data.(*qsess.VarMap)
	if !ok {
		t.Fatalf("Data is %T: the test needs a Store with VarMap", s.Data)
	}
	return m.Vars
}

// SanityTest saves a session, reads it back and looks whether everything is there. store has VarMap
// and cookies, as a new one has.
func SanityTest(t *testing.T, store *qsess.Store) {
	s := store.NewSession([]byte("grace"))
	s.MaxAgeSecs, s.MinRefreshSecs = 600, 60
	vars(t, s)["note"] = "kept by the server"
	r := save(t, store, s)

	back, ttl, err := store.GetSession(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatalf("GetSession: %v", err)
	}
	if string(back.UserID()) != "grace" {
		t.Errorf("the user id came back as %q", back.UserID())
	}
	if back.MaxAgeSecs != 600 || back.MinRefreshSecs != 60 || ttl < 1 || ttl > 600 {
		t.Errorf("MaxAgeSecs %d, MinRefreshSecs %d and a life of %d s, want 600, 60 and about 600", back.MaxAgeSecs, back.MinRefreshSecs, ttl)
	}
	if vars(t, back)["note"] != "kept by the server" {
		t.Errorf("the data came back as %v", vars(t, back))
	}
	if err := back.Delete(httptest.NewRecorder()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, _, err := store.GetSession(httptest.NewRecorder(), r); err == nil {
		t.Error("a deleted session is still there")
	}
}

// ExpirationTest waits for a session to end, some seconds, and looks that a session's own
// MaxAgeSecs counts and not the Store's.
func ExpirationTest(t *testing.T, store *qsess.Store) {
	st := *store
	st.AuthType = qsess.TokenAuth
	st.MaxAgeSecs, st.MinRefreshSecs = 900, -1
	s := st.NewSession([]byte("linus"))
	s.MaxAgeSecs, s.MinRefreshSecs = 3, -1
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Fatalf("Save: %v", err)
	}
	saved := time.Now()
	token, _, err := s.Token()
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	for range 2 {
		_, ttl, err := st.GetSession(httptest.NewRecorder(), r)
		switch {
		case time.Since(saved) > 2900*time.Millisecond:
			t.Log("the machine is too slow to see the session alive")
		case err != nil:
			t.Fatalf("GetSession before the session's end: %v", err)
		case ttl > 3:
			t.Errorf("a session of 3 s has %d s to live", ttl)
		}
		time.Sleep(time.Second)
	}
	time.Sleep(3 * time.Second)
	if _, _, err := st.GetSession(httptest.NewRecorder(), r); err == nil {
		t.Fatal("the session is alive after its end")
	}
}

// DeleteByUserIDTest ends the sessions of one user among several. With noZombies, which every
// back-end of this module passes, saving one of them afterwards must fail and bring nothing back.
func DeleteByUserIDTest(t *testing.T, store *qsess.Store, noZombies bool) {
	users := []string{"eve", "ada", "eve", "bob", "eve"}
	sessions := make([]*qsess.Session, len(users))
	requests := make([]*http.Request, len(users))
	for i, user := range users {
		sessions[i] = store.NewSession([]byte(user))
		vars(t, sessions[i])["note"] = i
		requests[i] = save(t, store, sessions[i])
	}
	if err := sessions[0].DeleteByUserID(httptest.NewRecorder()); err != nil {
		t.Fatalf("DeleteByUserID: %v", err)
	}
	for i, user := range users {
		_, _, err := store.GetSession(httptest.NewRecorder(), requests[i])
		if user == "eve" && err == nil {
			t.Errorf("session %d, of %s, is still there", i, user)
		}
		if user != "eve" && err != nil {
			t.Errorf("session %d, of %s, is gone: %v", i, user, err)
		}
	}
	if !noZombies {
		return
	}
	if err := sessions[0].Save(httptest.NewRecorder()); err == nil {
		t.Error("saving a deleted session succeeded")
	}
	if _, _, err := store.GetSession(httptest.NewRecorder(), requests[0]); err == nil {
		t.Error("saving a deleted session brought it back")
	}
}

// NoSessDataTest keeps a session that has no data but its user id.
func NoSessDataTest(t *testing.T, store *qsess.Store) {
	st := *store
	st.NewSessData = nil
	s := st.NewSession([]byte("grace"))
	back := get(t, &st, save(t, &st, s))
	if string(back.UserID()) != "grace" {
		t.Errorf("the user id came back as %q", back.UserID())
	}
	if err := back.Delete(httptest.NewRecorder()); err != nil {
		t.Errorf("Delete: %v", err)
	}
}
