package qsess_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/store"
)

func withCookies(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

// cookies are those that w has been told to set so far.
func cookies(w http.ResponseWriter) []*http.Cookie {
	return (&http.Response{Header: w.Header()}).Cookies()
}

func TestCookie(t *testing.T) {
	st := newMap(t)
	w := httptest.NewRecorder()
	s := st.NewSession([]byte("ada"))
	for range 2 {
		if err := s.Save(w); err != nil {
			t.Fatal(err)
		}
	}
	c := cookies(w)
	if len(c) != 1 || c[0].Name != "qsess_session" || c[0].Path != "/" || c[0].Domain != "" || c[0].Secure || !c[0].HttpOnly || c[0].SameSite != 0 || c[0].MaxAge != 86400 {
		t.Errorf("two Saves set %v", c)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("a cache may hand the cookie to others")
	}
	w.Header()["Set-Cookie"] = append([]string{"other=1"}, w.Header()["Set-Cookie"]...)
	if err := s.Delete(w); err != nil {
		t.Fatal(err)
	}
	if c := cookies(w); len(c) != 2 || c[1].MaxAge >= 0 || c[1].Value != "" || c[0].Name != "other" {
		t.Errorf("Delete left %v", c)
	}

	st = newMap(t)
	st.CookieName, st.CookieDomain, st.CookiePath = "sid", "example.com", "/app"
	st.CookieSecure, st.CookieHTTPOnly, st.CookieSameSite = true, false, http.SameSiteStrictMode
	s = st.NewSession(nil)
	s.MaxAgeSecs = 5
	got, _ := save(t, s)
	if got == nil || got.Name != "sid" || got.Domain != "example.com" || got.Path != "/app" || !got.Secure || got.HttpOnly || got.SameSite != http.SameSiteStrictMode || got.MaxAge != 5 {
		t.Errorf("Save set %v", got)
	}
	st.CookieName = "no good"
	if err := st.NewSession(nil).Save(httptest.NewRecorder()); !errors.Is(err, qsess.ErrConfig) {
		t.Errorf("a cookie that net/http drops gave %v", err)
	}
}

func TestGetSessionByCookie(t *testing.T) {
	st := newMap(t)
	ada, _ := save(t, st.NewSession([]byte("ada")))
	bob, _ := save(t, st.NewSession([]byte("bob")))
	alien := &http.Cookie{Name: "qsess_session", Value: "planted"}
	for name, c := range map[string]struct {
		r    *http.Request
		user string
		err  error
	}{
		"one":                {withCookies(ada), "ada", nil},
		"the same twice":     {withCookies(ada, ada), "ada", nil},
		"a planted one too":  {withCookies(alien, ada), "ada", nil},
		"none":               {withCookies(), "", qsess.ErrNoSession},
		"a planted one":      {withCookies(alien), "", qsess.ErrNoSession},
		"two of ours":        {withCookies(ada, bob), "", sojourn.ErrAmbiguous},
		"of another name":    {withCookies(&http.Cookie{Name: "x", Value: ada.Value}), "", qsess.ErrNoSession},
		"an empty one":       {withCookies(&http.Cookie{Name: "qsess_session"}), "", qsess.ErrNoSession},
		"a header of tokens": {bearer("Bearer " + ada.Value), "", qsess.ErrNoSession},
	} {
		s, ttl, err := st.GetSession(httptest.NewRecorder(), c.r)
		if !errors.Is(err, c.err) || (err == nil) != (s != nil) || (err == nil) != (ttl == 86400) {
			t.Errorf("%s: got %v, %d, %v, want %v", name, s, ttl, err, c.err)
		}
		if s != nil && string(s.UserID()) != c.user {
			t.Errorf("%s: of %q", name, s.UserID())
		}
	}
}

// TestClientHangsUp: the request's context bounds reading, and a client that has gone cancels no
// write (D34: there were no contexts).
func TestClientHangsUp(t *testing.T) {
	st := newMap(t)
	cookie, token := save(t, st.NewSession([]byte("ada")))
	ctx, hangUp := context.WithCancel(t.Context())
	r := withCookies(cookie).WithContext(ctx)
	s, _, err := st.GetSession(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	hangUp()
	if _, _, err := st.GetSession(nil, r); !errors.Is(err, context.Canceled) || !sojourn.IsOutage(err) || errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("GetSession for a client that has gone gave %v", err)
	}
	vars(s)["x"] = 1
	if err := s.Save(httptest.NewRecorder()); err != nil {
		t.Errorf("Save for a client that has gone: %v", err)
	}
	if got, _ := load(t, st, token); vars(got)["x"] != 1 {
		t.Error("what was saved for a client that has gone is lost")
	}
	if err := s.Delete(httptest.NewRecorder()); err != nil {
		t.Errorf("Delete for a client that has gone: %v", err)
	}
	wantNone(t, st, token)
}

func bearer(lines ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://example.com/", nil)
	for _, l := range lines {
		r.Header.Add("Authorization", l)
	}
	return r
}

func TestGetSessionByToken(t *testing.T) {
	st := newMap(t)
	st.AuthType = qsess.TokenAuth
	cookie, token := save(t, st.NewSession([]byte("ada")))
	if cookie != nil {
		t.Errorf("with tokens Save set %v", cookie)
	}
	for line, want := range map[string]error{
		"Bearer " + token: nil, "bearer " + token: nil, "BEARER  " + token: nil,
		"Basic " + token: qsess.ErrNoSession, token: qsess.ErrNoSession, "Bearer": qsess.ErrNoSession, "Bearer ": qsess.ErrNoSession,
	} {
		if _, _, err := st.GetSession(nil, bearer(line)); !errors.Is(err, want) {
			t.Errorf("Authorization of %d bytes: got %v, want %v", len(line), err, want)
		}
	}
	if _, _, err := st.GetSession(nil, bearer()); !errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("without a header: %v", err)
	}
	if _, _, err := st.GetSession(nil, bearer("Bearer "+token, "Bearer x")); !errors.Is(err, sojourn.ErrAmbiguous) {
		t.Errorf("two headers: %v", err)
	}
}

func TestTokenCallbacks(t *testing.T) {
	st := newMap(t)
	st.AuthType = qsess.TokenAuth
	var problem error
	st.SendToken = func(token string, ttl int, w http.ResponseWriter) error {
		if ttl != 86400 {
			t.Errorf("the token is sent with %d s to live", ttl)
		}
		w.Header().Set("X-Token", token)
		return problem
	}
	st.DeleteToken = func(w http.ResponseWriter) error { w.Header().Set("X-Token", "gone"); return problem }
	st.GetToken = func(_ http.ResponseWriter, r *http.Request) (string, error) { return r.Header.Get("X-Token"), problem }

	w := httptest.NewRecorder()
	s := st.NewSession([]byte("ada"))
	if err := s.Save(w); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	if _, _, err := st.GetSession(w, r); !errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("no token: %v", err)
	}
	r.Header.Set("X-Token", w.Header().Get("X-Token"))
	if got, _, err := st.GetSession(w, r); err != nil || string(got.UserID()) != "ada" {
		t.Fatalf("GetSession: %v", err)
	}
	problem = errors.New("odd")
	if _, _, err := st.GetSession(w, r); !errors.Is(err, qsess.ErrNoSession) || !errors.Is(err, problem) {
		t.Errorf("GetToken failed: %v", err)
	}
	if err := s.Save(w); !errors.Is(err, problem) {
		t.Errorf("SendToken failed: %v", err)
	}
	problem = store.ErrUnavailable
	if _, _, err := st.GetSession(w, r); !sojourn.IsOutage(err) || errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("GetToken had an outage: %v", err)
	}
	problem = nil
	if err := s.Delete(w); err != nil || w.Header().Get("X-Token") != "gone" {
		t.Errorf("Delete: %v", err)
	}
	if _, _, err := st.GetSession(w, r); !errors.Is(err, qsess.ErrNoSession) {
		t.Errorf("after Delete: %v", err)
	}
	problem = errors.New("odd")
	_, token := "", ""
	st.SendToken = nil
	s = st.NewSession([]byte("ada"))
	_, token = save(t, s)
	if err := s.DeleteByUserID(w); !errors.Is(err, problem) {
		t.Errorf("DeleteToken failed: %v", err)
	}
	wantNone(t, st, token) // on the server it is gone all the same
}

// FuzzCookies: of what may be a token, the same is found as by net/http.
func FuzzCookies(f *testing.F) {
	for _, line := range []string{
		"", "a=1", "a=1; a=2", "a=1;a=1", " a = 1 ; b=a=2", `a="1"; a=" 2"`, "a", "a=", "=a", "b; a=x=y", "a=\x00", "A=1", "a=1; a=2; a=3; a=4; a=5", "\ta=1\t", `a="`,
	} {
		f.Add(line, "a")
	}
	f.Add("x=1", "")
	f.Fuzz(func(t *testing.T, line, name string) {
		r := withCookies()
		r.Header["Cookie"] = []string{line}
		var want []string
		for _, c := range r.CookiesNamed(name) {
			if !slices.Contains(want, c.Value) {
				want = append(want, c.Value)
			}
		}
		got := qsess.CookieValues(r.Header, name)
		for _, v := range want {
			if v != "" && !slices.Contains(got, v) && len(got) < 4 {
				t.Errorf("%q: %q, want %q", line, got, want)
			}
		}
		for _, v := range got {
			if !slices.Contains(want, v) && strings.Trim(v, tokenLetters) == "" && v != "" && (&http.Cookie{Name: name, Value: v}).Valid() == nil {
				t.Errorf("%q: %q, want %q", line, got, want)
			}
		}
	})
}

const tokenLetters = "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
