package qctx_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// site is a page behind MwRequireSess and a client of it.
type site struct {
	st     *qsess.Store
	kept   *sojourntest.Faulty
	page   http.Handler
	served int
	cookie *http.Cookie
}

func newSite(t testing.TB) *site {
	s := &site{kept: &sojourntest.Faulty{Store: memstore.New(nil)}}
	var err error
	if s.st, err = qsess.NewStoreOver(s.kept, qstest.Key1); err != nil {
		t.Fatal(err)
	}
	s.page = qctx.MwStack(qctx.MwRequireSess(s.st)).Handle(func(c *qctx.Ctx) {
		s.served++
		if string(c.Sess.UserID()) != "ada" {
			t.Errorf("c.Sess is of %q", c.Sess.UserID())
		}
	})
	return s
}

func (s *site) signIn(t testing.TB, minRefresh int) *qsess.Session {
	t.Helper()
	sess := s.st.NewSession([]byte("ada"))
	sess.MaxAgeSecs, sess.MinRefreshSecs = 100, minRefresh
	w := httptest.NewRecorder()
	if err := sess.Save(w); err != nil {
		t.Fatal(err)
	}
	s.cookie = w.Result().Cookies()[0]
	return sess
}

func (s *site) get(t testing.TB, code int) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	if s.cookie != nil {
		r.AddCookie(s.cookie)
	}
	before := s.served
	s.page.ServeHTTP(w, r)
	if w.Code != code || (s.served > before) != (code == 200) {
		t.Errorf("status %d, want %d; served: %v", w.Code, code, s.served > before)
	}
	return w
}

func TestRequireSess(t *testing.T) {
	s := newSite(t)
	s.get(t, 401)
	sess := s.signIn(t, 50)
	s.get(t, 200)
	if err := sess.Delete(httptest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	s.get(t, 401)
}

// TestMinRefresh: a session is saved when more than MinRefreshSecs of its life are gone, and never
// if that is negative.
func TestMinRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.signIn(t, 50)
		signedIn := s.kept.Calls(sojourntest.OpUpdate)
		touches := func() int { return s.kept.Calls(sojourntest.OpTouch) }
		for _, c := range []struct {
			wait    time.Duration
			refresh bool
		}{{40 * time.Second, false}, {10 * time.Second, false}, {time.Second, true}, {50 * time.Second, false}, {40 * time.Second, true}} {
			time.Sleep(c.wait)
			before := touches()
			w := s.get(t, 200)
			if got := touches() > before; got != c.refresh || got != (len(w.Result().Cookies()) == 1) {
				t.Errorf("after %v more: refreshed %v, cookies %v", c.wait, got, w.Result().Cookies())
			}
		}
		if s.kept.Calls(sojourntest.OpUpdate) != signedIn {
			t.Error("a refresh wrote data")
		}
		before := touches()
		for name, minRefresh := range map[string]int{"never": -1, "always": 0} {
			s.signIn(t, minRefresh)
			for range 3 {
				time.Sleep(30 * time.Second)
				s.get(t, 200)
			}
			if refreshed := touches() > before; refreshed != (minRefresh == 0) {
				t.Errorf("%s: refreshed %v", name, refreshed)
			}
			before = touches()
		}
	})
}

// TestOutageIsNotSignedOut is D23: an outage used to be a 401.
func TestOutageIsNotSignedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.signIn(t, 0)
		for _, kind := range []error{store.ErrUnavailable, store.ErrIndeterminate} {
			s.kept.Fail(kind)
			w := s.get(t, 503)
			if w.Header().Get("Set-Cookie") != "" || w.Header().Get("Retry-After") == "" {
				t.Errorf("in an outage the client is told %v", w.Header())
			}
			s.kept.Heal()
			time.Sleep(2 * time.Second)
			s.get(t, 200)
		}
		time.Sleep(10 * time.Second)
		s.kept.Fail(store.ErrUnavailable, sojourntest.OpTouch)
		if w := s.get(t, 200); w.Header().Get("Set-Cookie") != "" { // seen to be signed in, though not refreshed
			t.Errorf("after a failed refresh the client is told %v", w.Header())
		}
	})
}

// TestUnreadable: data that does not decode any more lets the user sign in again.
func TestUnreadable(t *testing.T) {
	s := newSite(t)
	s.signIn(t, 0)
	s.st.NewSessData = func() qsess.SessData { return unreadable{} }
	s.get(t, 401)
	s.cookie = nil
	s.st.AuthType = 9
	s.get(t, 500) // a mistake of the program's is no sign-out either
}

type unreadable struct{}

func (unreadable) Marshal() ([]byte, error) { return nil, nil }
func (unreadable) Unmarshal([]byte) error   { return store.ErrInvalid }
