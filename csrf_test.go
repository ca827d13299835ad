package sojourn_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sojourn-go/sojourn"
)

// R37: the token belongs to one session, and to its present token.
func TestCSRFTokenBinding(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	token := func(cookie string) (tok string) {
		g.do(cookie, func(s *sojourn.Session) { tok = s.CSRFToken() })
		return tok
	}
	verify := func(cookie, tok string) (err error) {
		g.do(cookie, func(s *sojourn.Session) { err = s.VerifyCSRF(tok) })
		return err
	}
	a, b := g.loginAs("ada", ""), g.loginAs("bob", "")
	ta, tb := token(a), token(b)
	if ta == token(a) || len(ta) != 92 {
		t.Errorf("token %q is spelled the same twice, or has not 92 characters", ta)
	}
	if token("") != "" {
		t.Error("a visitor without a record has a token")
	}
	flipped := []byte(ta)
	flipped[80] ^= 1
	for name, tt := range map[string]struct {
		cookie, tok string
		ok          bool
	}{
		"own":           {a, ta, true},
		"other's":       {b, ta, false},
		"mine on other": {a, tb, false},
		"visitor":       {"", ta, false},
		"empty":         {a, "", false},
		"cut":           {a, ta[:84], false},
		"longer":        {a, ta + "AAAA", false},
		"flipped":       {a, string(flipped), false},
		"zeros":         {a, strings.Repeat("A", 86), false},
		"line end":      {a, ta[:40] + "\n" + ta[40:], false},
		"padded":        {a, ta + "==", false},
	} {
		if err := verify(tt.cookie, tt.tok); (err == nil) != tt.ok || err != nil && !errors.Is(err, sojourn.ErrCrossSite) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Renewals leave it valid: forms in another tab go on. After a confirmation, another sign-in or a
	// sign-out it is void. Time stands still, so that only the session can tell the sign-ins apart.
	for name, act := range map[string]func(*sojourn.Session) error{
		"renew":    func(s *sojourn.Session) error { return s.Renew(t.Context()) },
		"others":   func(s *sojourn.Session) error { _, err := s.RevokeOthers(t.Context()); return err },
		"confirm":  func(s *sojourn.Session) error { return s.Login(t.Context(), "ada") },
		"new user": func(s *sojourn.Session) error { return s.Login(t.Context(), "eve") },
		"again": func(s *sojourn.Session) error {
			return errors.Join(s.Logout(t.Context()), s.Login(t.Context(), "ada"))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			outlives := name == "renew" || name == "others"
			old := g.loginAs("ada", "")
			tok := token(old)
			var fresh string
			w := g.do(old, func(s *sojourn.Session) {
				rigOK(t, act(s))
				if (s.VerifyCSRF(tok) == nil) != outlives {
					t.Errorf("%s: old CSRF token in the same request: want valid %v", name, outlives)
				}
				fresh = s.CSRFToken()
				rigOK(t, s.VerifyCSRF(fresh))
			})
			if (verify(rigCookies(w), tok) == nil) != outlives {
				t.Errorf("%s: old CSRF token afterwards: want valid %v", name, outlives)
			}
			rigOK(t, verify(rigCookies(w), fresh))
		})
	}
}

// R37
func TestRequireCSRFToken(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}})
	cookie := g.login("")
	var tok string
	g.do(cookie, func(s *sojourn.Session) { tok = s.CSRFToken() })
	form := "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, method, target, header, body, bearer string
		want                                       int
	}{
		{"safe", "GET", "/", "", "", "", 200},
		{"header", "POST", "/", tok, "", "", 200},
		{"form", "POST", "/", "", "csrf_token=" + tok, "", 200},
		{"none", "POST", "/", "", "", "", 403},
		{"query", "POST", "/?csrf_token=" + tok, "", "", "", 403},
		{"wrong header, good form", "POST", "/", "x", "csrf_token=" + tok, "", 403},
		{"bearer", "POST", "/", "", "", g.bearer("ada"), 200},
		{"junk bearer", "POST", "/", "", "", "junk", 200}, // nobody's session: nothing to forge
	} {
		r := httptest.NewRequest(tt.method, "https://example.com"+tt.target, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", form)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if tt.bearer != "" {
			r.Header.Set("Authorization", "Bearer "+tt.bearer)
		} else {
			r.Header.Set("Cookie", cookie)
		}
		if tt.header != "" {
			r.Header.Set("X-CSRF-Token", tt.header)
		}
		w := httptest.NewRecorder()
		g.m.Handler(g.m.RequireCSRFToken(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}
