package sojourn_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/internal/vectors"
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
	// Renewals leave it valid: forms in another tab go on. After a confirmation, another sign-in or
	// a sign-out it is void. Time stands still, so that only the session can tell the sign-ins
	// apart.
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
			g = newWebRig(t, nil, sojourn.Options{})
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

// form asks for a visitor's token, and gives it with the cookies that the browser then has.
func (g *webRig) form(cookies string) (tok, after string) {
	g.Helper()
	b := newPrefixJar()
	w := g.do(cookies, func(s *sojourn.Session) { tok = s.CSRFToken() })
	if refused := b.take("example.com", w.Header()); refused != nil || w.Header().Get("Cache-Control") != "no-store" {
		g.Errorf("refused %q, header %v", refused, w.Header())
	}
	if c := w.Result().Cookies(); len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode || c[0].MaxAge != 4*3600 {
		g.Errorf("cookies %v", c)
	}
	return tok, b.header()
}

// R37: a visitor's token makes no record, and is bound to a cookie of its own and to 4 hours.
func TestCSRFTokenOfVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{Cookie: sojourn.CookieOptions{SameSite: http.SameSiteStrictMode}})
		verify := func(cookie, tok string) (err error) {
			g.do(cookie, func(s *sojourn.Session) { err = s.VerifyCSRF(tok) })
			return err
		}
		tok, cookie := g.form("")
		other, otherCookie := g.form("")
		if tok == "" || !strings.HasPrefix(cookie, "__Host-session.csrf=") || strings.Contains(cookie, "; ") {
			t.Fatalf("token %q, cookies %q", tok, cookie)
		}
		if n := must(g.m.RevokeEveryone(t.Context())); n != 0 {
			t.Errorf("%d records", n)
		}
		again, cookie2 := g.form(cookie)
		if cookie2 != cookie || again == tok {
			t.Errorf("a second form has cookie %q, want %q", cookie2, cookie)
		}
		flipped := []byte(tok)
		flipped[70] ^= 1
		user := g.login("")
		var note string
		w := g.do(cookie, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) })
		note = rigCookies(w) + "; " + cookie
		for name, tt := range map[string]struct {
			cookie, tok string
			ok          bool
		}{
			"own":                 {cookie, tok, true},
			"the other form's":    {cookie, again, true},
			"no cookie":           {"", tok, false},
			"another visitor's":   {cookie, other, false},
			"to another visitor":  {otherCookie, tok, false},
			"several cookies":     {otherCookie + "; " + cookie, tok, true},
			"junk behind":         {cookie + "!", tok, false},
			"short cookie":        {"__Host-session.csrf=AAAA; " + cookie, tok, true},
			"junk cookie":         {"__Host-session.csrf=x; " + cookie, tok, true},
			"cookie as token":     {cookie, strings.TrimPrefix(cookie, "__Host-session.csrf="), false},
			"empty":               {cookie, "", false},
			"flipped":             {cookie, string(flipped), false},
			"kept a value since":  {note, tok, true},
			"signed in since":     {user + "; " + cookie, tok, false},
			"another manager's":   {cookie, func() string { tok, _ := newWebRig(t, nil, sojourn.Options{}).form(cookie); return tok }(), false},
			"a session's, signed": {cookie, func() (tok string) { g.do(user, func(s *sojourn.Session) { tok = s.CSRFToken() }); return }(), false},
		} {
			if err := verify(tt.cookie, tt.tok); (err == nil) != tt.ok || err != nil && !errors.Is(err, sojourn.ErrCrossSite) {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(4 * time.Hour)
		rigOK(t, verify(cookie, tok))
		time.Sleep(time.Second)
		if verify(cookie, tok) == nil {
			t.Error("valid after its time")
		}
	})
}

// Where a visitor's cookie cannot be sent there is no token that would not be valid anyway.
func TestCSRFTokenWithoutCookie(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{},
		InsecureCrossSite: map[string]sojourn.CrossSite{"/": sojourn.CrossSiteSignIn}})
	for name, change := range map[string]func(*http.Request){
		"bearer":     func(r *http.Request) { r.Header.Set("Authorization", "Bearer junk") },
		"plain":      func(r *http.Request) { r.TLS = nil },
		"cross-site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		r := rigRequest("POST")
		change(r)
		w := g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			rigOK(t, err)
			if tok := s.CSRFToken(); tok != "" {
				t.Errorf("%s: a token", name)
			}
		})
		if w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: set %q", name, w.Header()["Set-Cookie"])
		}
	}
	g.serve(rigRequest("GET"), func(w http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		rigOK(t, err)
		w.WriteHeader(200)
		if s.CSRFToken() != "" || g.seen(sojourn.ChangeLost) != 1 {
			t.Errorf("after the first byte: %d events", g.seen(sojourn.ChangeLost))
		}
	})
	// Without Handler it goes with what Commit returns.
	s, err := g.m.Open(t.Context(), rigRequest("GET"))
	rigOK(t, err)
	s.CSRFToken()
	if h, err := s.Commit(t.Context()); err != nil || len(h["Set-Cookie"]) != 1 {
		t.Errorf("Commit: %v, %v", h, err)
	}
}

// The sign-in form of a visitor, from end to end, also by a link of another site where cookies are
// Strict.
func TestCSRFSignInForm(t *testing.T) {
	for _, same := range []http.SameSite{http.SameSiteLaxMode, http.SameSiteStrictMode} {
		g := newWebRig(t, nil, sojourn.Options{Cookie: sojourn.CookieOptions{SameSite: same}})
		mux := http.NewServeMux()
		mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			rigOK(t, err)
			io.WriteString(w, s.CSRFToken())
		})
		mux.Handle("POST /login", g.m.RequireCSRFToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rigOK(t, g.m.From(r).Login(r.Context(), r.PostFormValue("user")))
		})))
		b := newPrefixJar()
		send := func(method, site, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, "https://example.com/login", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", site)
			if c := b.header(); c != "" {
				r.Header.Set("Cookie", c)
			}
			w := httptest.NewRecorder()
			g.m.Handler(mux).ServeHTTP(w, r)
			b.take("example.com", w.Header())
			return w
		}
		if w := send("POST", "same-origin", "user=ada"); w.Code != 403 {
			t.Errorf("without a token: %d", w.Code)
		}
		tok := send("GET", "cross-site", "").Body.String()
		if w := send("POST", "same-origin", "user=ada&csrf_token="+tok); w.Code != 200 || g.user(b.header()) != "ada" {
			t.Errorf("SameSite %d: status %d", same, w.Code)
		}
		if w := send("POST", "same-origin", "user=ada&csrf_token="+tok); w.Code != 403 {
			t.Errorf("after the sign-in: %d", w.Code)
		}
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

// A visitor's token is good in the request that made it; a second one needs no second cookie, also
// after the first byte.
func TestCSRFTokenTwice(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	var tokens []string
	w := g.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
		s := must(g.m.Load(r))
		tokens = append(tokens, s.CSRFToken(), s.CSRFToken())
		io.WriteString(w, "first")
		tokens = append(tokens, s.CSRFToken())
		for _, tok := range tokens {
			rigOK(t, s.VerifyCSRF(tok))
		}
	})
	g.do(rigCookies(w), func(s *sojourn.Session) {
		for _, tok := range tokens {
			rigOK(t, s.VerifyCSRF(tok))
		}
	})
	// So it is after a sign-out whose removal of the session's cookie is in the header already.
	w = g.do(g.login(""), func(s *sojourn.Session) {
		rigOK(t, s.Logout(t.Context()))
		must(s.Commit(t.Context()))
		tokens = []string{s.CSRFToken()}
	})
	g.do(rigCookies(w), func(s *sojourn.Session) { rigOK(t, s.VerifyCSRF(tokens[0])) })
}

// A form may come from a page that a node made whose clock is ahead, by as much as clocks may
// differ and a second for the rounding.
func TestCSRFTokenOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, id := vectors.Key(1), vectors.Key(2)[:16]
		g := newWebRig(t, nil, sojourn.Options{Keys: ringOf(t, key)})
		cookie := "__Host-session.csrf=" + token.Encoding.EncodeToString(id)
		for age, ok := range map[time.Duration]bool{
			4 * time.Hour: true, 4*time.Hour + time.Second: false, -61 * time.Second: true, -62 * time.Second: false,
		} {
			plain := binary.BigEndian.AppendUint64(bytes.Clone(id), uint64(time.Now().Add(-age).Unix()))
			tok := vectors.Text(1, vectors.Seal(key, plain, token.AAD(token.Form, "", "__Host-session")))
			g.do(cookie, func(s *sojourn.Session) {
				if err := s.VerifyCSRF(tok); (err == nil) != ok {
					t.Errorf("made %v ago: %v", age, err)
				}
			})
		}
	})
}

// Explicit transports need no token, others do; the cookie of the form is as the session's, which
// other sites' pages may embed.
func TestCSRFTokenByTransport(t *testing.T) {
	custom := func(explicit bool) sojourn.Options {
		return sojourn.Options{Custom: &sojourn.CustomTransport{
			Receive:  func(r *http.Request) string { return r.Header.Get("X-Token") },
			Send:     func(http.Header, sojourn.Token, time.Duration) error { return nil },
			Delete:   func(http.Header) error { return nil },
			Explicit: explicit,
		}}
	}
	for name, c := range map[string]struct {
		o    sojourn.Options
		ok   bool
		same http.SameSite
	}{
		"explicit": {custom(true), false, 0},
		"custom":   {custom(false), true, http.SameSiteLaxMode},
		"embedded": {sojourn.Options{Cookie: sojourn.CookieOptions{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "embedded"}}, true, http.SameSiteNoneMode},
	} {
		var tok string
		w := newWebRig(t, nil, c.o).do("", func(s *sojourn.Session) { tok = s.CSRFToken() })
		cookies := w.Result().Cookies()
		if (tok != "") != c.ok || (len(cookies) == 1) != c.ok || c.ok && cookies[0].SameSite != c.same {
			t.Errorf("%s: token %q, cookies %v", name, tok, cookies)
		}
	}
}

// A Sealer that fails gives no token, and whatever it returns beside an error is not believed.
func TestCSRFTokenOfABadSealer(t *testing.T) {
	keys := &breakable{Sealer: rigKeys(t)}
	g := newWebRig(t, nil, sojourn.Options{Keys: keys})
	form, cookie := g.form("")
	user := g.login("")
	var tok string
	g.do(user, func(s *sojourn.Session) { tok = s.CSRFToken() })
	for cookies, text := range map[string]string{user: tok, cookie: form} {
		keys.broken = false
		g.do(cookies, func(s *sojourn.Session) {
			keys.broken = true
			if err := s.VerifyCSRF(text); !errors.Is(err, sojourn.ErrCrossSite) {
				t.Errorf("what the Sealer refuses is accepted: %v", err)
			}
			if got := s.CSRFToken(); got != "" {
				t.Errorf("token %q", got)
			}
		})
	}
	if n := g.seen(sojourn.SealFailed); n != 2 {
		t.Errorf("%d events", n)
	}
	// It is not asked about what is no token, or too long for one.
	keys.broken = false
	for cookies, text := range map[string]string{user: tok, cookie: form} {
		g.do(cookies, func(s *sojourn.Session) {
			keys.opened = 0
			for _, text := range []string{"", "A", strings.Repeat(text, 40)} {
				if err := s.VerifyCSRF(text); !errors.Is(err, sojourn.ErrCrossSite) || keys.opened > 0 {
					t.Errorf("%d bytes: %v, after %d calls of the Sealer", len(text), err, keys.opened)
				}
			}
		})
	}
}
