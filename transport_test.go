package sojourn_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

func (g *webRig) bearer(user string) string {
	g.Helper()
	tok, _, err := g.m.IssueBearer(rigRequest("POST"), user)
	rigOK(g, err)
	return tok.Reveal()
}

// R38: the Authorization header and nothing else, exactly as RFC 6750 spells it.
func TestBearerTable(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{Prefix: "acme_"}})
	tok, cookie := g.bearer("ada"), g.login("")
	bare := strings.TrimPrefix(cookie, "__Host-session=")
	for _, tt := range []struct {
		name   string
		auth   []string
		cookie string
		status int
	}{
		{"good", []string{"Bearer " + tok}, "", 200},
		{"scheme in any case", []string{"bEARER " + tok}, "", 200},
		{"many spaces", []string{"Bearer   " + tok}, "", 200},
		{"none", nil, "", 401},
		{"other scheme", []string{"Basic " + tok}, "", 401},
		{"other scheme beside the cookie", []string{"Basic eDp5"}, cookie, 200},
		{"no scheme", []string{tok}, "", 401},
		{"no token", []string{"Bearer"}, "", 401},
		{"empty token", []string{"Bearer "}, "", 401},
		{"tab", []string{"Bearer\t" + tok}, "", 401},
		{"padded", []string{"Bearer " + tok + "="}, "", 401},
		{"two tokens", []string{"Bearer " + tok + " " + tok}, "", 401},
		{"list", []string{"Bearer " + tok + ", Basic eDp5"}, "", 401},
		{"line end inside", []string{"Bearer " + tok[:50] + "\n" + tok[50:]}, "", 401},
		{"quoted", []string{`Bearer "` + tok + `"`}, "", 401},
		{"no prefix", []string{"Bearer " + strings.TrimPrefix(tok, "acme_")}, "", 401},
		{"prefix in another case", []string{"Bearer ACME_" + strings.TrimPrefix(tok, "acme_")}, "", 401},
		{"cut", []string{"Bearer " + tok[:len(tok)-1]}, "", 401},
		{"cookie's token", []string{"Bearer " + bare}, "", 401},
		{"cookie's token with prefix", []string{"Bearer acme_" + bare}, "", 401},
		{"header twice", []string{"Bearer " + tok, "Bearer " + tok}, "", 400},
		{"header twice, one basic", []string{"Basic eDp5", "Bearer " + tok}, "", 400},
		{"with a cookie", []string{"Bearer " + tok}, cookie, 400},
		{"with a cookie that is not ours", []string{"Bearer " + tok}, "__Host-session=junk", 200},
		{"another gateway's with a cookie", []string{"Bearer eyJhbGciOiJub25lIn0.e30."}, cookie, 200},
		{"another gateway's, twice, with a cookie", []string{"Bearer eyJhbGciOiJub25lIn0.e30.", "Basic eDp5"}, cookie, 200},
		{"no prefix with a cookie", []string{"Bearer " + strings.TrimPrefix(tok, "acme_")}, cookie, 200},
		{"ours, though junk, with a cookie", []string{"Bearer acme_junk"}, cookie, 400},
		{"as cookie", nil, "__Host-session=" + tok, 401},
		{"as cookie without prefix", nil, "__Host-session=" + strings.TrimPrefix(tok, "acme_"), 401},
		{"64 KiB", []string{"Bearer " + strings.Repeat("A", 64<<10)}, "", 401},
	} {
		r := rigRequest("POST", tt.cookie)
		r.Header["Authorization"] = tt.auth
		h := g.m.Handler(g.m.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, w.Code, tt.status)
		}
		if c := w.Header()["Set-Cookie"]; c != nil {
			t.Errorf("%s: set %q", tt.name, c)
		}
	}
	// Without a prefix each could be ours.
	plain := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}})
	r := rigRequest("POST", plain.login(""))
	r.Header.Set("Authorization", "Bearer junk")
	plain.serve(r, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := plain.m.Load(r); !errors.Is(err, sojourn.ErrAmbiguous) {
			t.Errorf("junk without a prefix: %v", err)
		}
	})
	// Never from the URL or a form.
	body := strings.NewReader("access_token=" + tok + "&token=" + tok)
	r = httptest.NewRequest("POST", "https://example.com/?access_token="+tok, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
		if s, err := g.m.Load(r); err != nil || s.User() != "" {
			t.Errorf("query or form opened a session: %v", err)
		}
	})
}

// R38: a bearer session cannot be moved to another token, and no cookie is set for it.
func TestBearerSendsNothing(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}})
	tok := g.bearer("ada")
	r := rigRequest("POST")
	r.Header.Set("Authorization", "Bearer "+tok)
	w := g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		rigOK(t, err)
		for op, err := range map[string]error{"login": s.Login(r.Context(), "eve"), "renew": s.Renew(r.Context())} {
			if !errors.Is(err, sojourn.ErrNoToken) {
				t.Errorf("%s: %v", op, err)
			}
		}
		rigOK(t, rigNote.Set(s, "kept"))
		rigOK(t, s.Logout(r.Context()))
	})
	if w.Header()["Set-Cookie"] != nil || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", w.Header())
	}
	if l, err := g.m.Sessions(t.Context(), "ada"); err != nil || len(l) != 0 {
		t.Errorf("after logout: %v, %v", l, err)
	}
}

// R39
func TestPlainHTTP(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	type req struct {
		tls   bool
		peer  string
		host  string
		proto []string
		ok    bool
	}
	for _, tt := range []struct {
		name string
		opts sojourn.Options
		reqs []req
	}{
		{"default", sojourn.Options{}, []req{
			{true, "192.0.2.1:1", "example.com", nil, true},
			{false, "192.0.2.1:1", "example.com", nil, false},
			{false, "192.0.2.1:1", "example.com", []string{"https"}, false},
			{false, "127.0.0.1:1", "localhost", []string{"https"}, false},
			{true, "192.0.2.1:1", "example.com", []string{"http"}, true}, // the peer's word counts for nothing
		}},
		{"proxies", sojourn.Options{TrustedProxies: proxy}, []req{
			{false, "10.1.2.3:1", "example.com", []string{"https"}, true},
			{false, "10.1.2.3:1", "example.com", []string{"HTTPS"}, true},
			{false, "[fd00::1]:1", "example.com", []string{"https"}, true},
			{false, "[::ffff:10.1.2.3]:1", "example.com", []string{"https"}, true},
			{false, "10.1.2.3:1", "example.com", []string{"http"}, false},
			{true, "10.1.2.3:1", "example.com", []string{"http"}, false}, // TLS ended at the proxy was none
			{true, "10.1.2.3:1", "example.com", nil, true},
			{false, "10.1.2.3:1", "example.com", []string{"https", "http"}, false},
			{false, "10.1.2.3:1", "example.com", []string{"https, http"}, false},
			{false, "10.1.2.3:1", "example.com", nil, false},
			{false, "11.1.2.3:1", "example.com", []string{"https"}, false},
			{false, "", "example.com", []string{"https"}, false},
			{false, "@", "example.com", []string{"https"}, false}, // a Unix socket
		}},
		{"loopback", sojourn.Options{InsecureLoopbackHTTP: true}, []req{
			{false, "127.0.0.1:1", "localhost:8080", nil, true},
			{false, "[::1]:1", "[::1]:8080", nil, true},
			{false, "127.9.9.9:1", "127.0.0.1", nil, true},
			{false, "127.0.0.1:1", "example.com", nil, false}, // a local proxy, or DNS rebinding
			{false, "192.0.2.1:1", "localhost", nil, false},
			{false, "127.0.0.1:1", "localhost.example.com", nil, false},
			{true, "192.0.2.1:1", "example.com", nil, true},
		}},
	} {
		g := newWebRig(t, nil, tt.opts)
		for _, q := range tt.reqs {
			request := func(cookie string) *http.Request {
				r := rigRequest("POST", cookie)
				r.RemoteAddr, r.Host, r.TLS = q.peer, q.host, nil
				if q.tls {
					r.TLS = &tls.ConnectionState{}
				}
				if q.proto != nil {
					r.Header["X-Forwarded-Proto"] = q.proto
				}
				return r
			}
			var err error
			w := g.serve(request(""), func(_ http.ResponseWriter, r *http.Request) { err = g.m.From(r).Login(r.Context(), "ada") })
			if (err == nil) != q.ok || (len(w.Header()["Set-Cookie"]) == 1) != q.ok || err != nil && !errors.Is(err, sojourn.ErrInsecure) {
				t.Errorf("%s: %+v: login %v, set %q", tt.name, q, err, w.Header()["Set-Cookie"])
			}
			if c := strings.Join(w.Header()["Set-Cookie"], ""); q.ok && q.tls != strings.Contains(c, "; Secure") && tt.name == "loopback" {
				t.Errorf("%s: %+v: Secure must follow TLS: %q", tt.name, q, c)
			}
			good := g.login("") // over TLS
			got := "nobody"
			g.serve(request(good), func(_ http.ResponseWriter, r *http.Request) {
				if s, err := g.m.Load(r); err == nil {
					got = s.User()
				}
			})
			if (got == "ada") != q.ok {
				t.Errorf("%s: %+v: cookie accepted for %q", tt.name, q, got)
			}
		}
	}
}

// R35: what issues a token is never stored, what depends on the session never shared.
func TestCacheHeaders(t *testing.T) {
	nothing := func(*testing.T, *sojourn.Session) {}
	login := func(t *testing.T, s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) }
	logout := func(t *testing.T, s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) }
	for _, tt := range []struct {
		name    string
		in      bool // signed in before
		control string
		act     func(*testing.T, *sojourn.Session)
		want    string
	}{
		{"login", false, "public, max-age=3600", login, "no-store"},
		{"login, weak", false, "private", login, "no-store"},
		{"login, the form that RFC 9111 warns of", false, `no-cache="Set-Cookie"`, login, "no-store"},
		{"logout", true, "public, max-age=3600", logout, "no-store"},
		{"logout, weak", true, "no-cache", logout, "no-store"},
		{"signed in", true, "", nothing, "no-store"},
		{"signed in, public", true, "public, max-age=3600", nothing, "no-store"},
		{"signed in, aged", true, "max-age=3600", nothing, "no-store"},
		{"signed in, private", true, "Private, max-age=60", nothing, "Private, max-age=60"},
		{"signed in, own no-store", true, "no-store, no-transform", nothing, "no-store, no-transform"},
		{"visitor", false, "public, max-age=60", nothing, "public, max-age=60"},
		{"visitor, silent", false, "", nothing, ""},
	} {
		g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}})
		cookie := ""
		if tt.in {
			cookie = g.login("")
		}
		w := g.serve(rigRequest("GET", cookie), func(w http.ResponseWriter, r *http.Request) {
			if tt.control != "" {
				w.Header().Set("Cache-Control", tt.control)
			}
			w.Header().Set("Vary", "Accept-Encoding")
			s, err := g.m.Load(r)
			rigOK(t, err)
			tt.act(t, s)
		})
		if got := strings.Join(w.Header()["Cache-Control"], "|"); got != tt.want {
			t.Errorf("%s: Cache-Control %q, want %q", tt.name, got, tt.want)
		}
		if got := strings.Join(w.Header()["Vary"], "|"); got != "Accept-Encoding|Cookie|Authorization" {
			t.Errorf("%s: Vary %q", tt.name, got)
		}
	}
	// A response that did not ask for the session is anybody's.
	g := newWebRig(t, nil, sojourn.Options{})
	w := g.serve(rigRequest("GET", g.login("")), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public")
	})
	if w.Header()["Vary"] != nil || w.Header().Get("Cache-Control") != "public" {
		t.Errorf("untouched: %v", w.Header())
	}
}

// R36
func TestClearSiteData(t *testing.T) {
	types := []string{"cache", "storage"}
	for _, tt := range []struct {
		name  string
		types []string
		plain bool
		want  string
	}{
		{"chosen", types, false, `"cache", "storage"`},
		{"default", nil, false, ""},
		{"plain HTTP", types, true, ""},
	} {
		g := newWebRig(t, nil, sojourn.Options{ClearSiteData: tt.types, InsecureLoopbackHTTP: tt.plain})
		send := func(cookie string, f rigHandler) *httptest.ResponseRecorder {
			r := rigRequest("POST", cookie)
			if tt.plain {
				r.TLS, r.RemoteAddr, r.Host = nil, "127.0.0.1:1", "localhost"
			}
			return g.serve(r, f)
		}
		in := send("", func(_ http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Login(r.Context(), "ada")) })
		out := send(rigCookies(in), func(_ http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Logout(r.Context())) })
		again := send("", func(_ http.ResponseWriter, r *http.Request) {
			rigOK(t, g.m.From(r).Logout(r.Context()))
			rigOK(t, g.m.From(r).Login(r.Context(), "bob"))
		})
		if got := strings.Join(out.Header()["Clear-Site-Data"], "|"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if in.Header()["Clear-Site-Data"] != nil || again.Header()["Clear-Site-Data"] != nil {
			t.Errorf("%s: sent with a sign-in: %v %v", tt.name, in.Header(), again.Header())
		}
	}
}

// R34: no option puts more into a header than it says, and none vanishes in silence.
func FuzzHeaderOptions(f *testing.F) {
	for _, s := range []string{"a", "a\r\nX: y", "a;b", "a,b", `a"b`, "a b", "a\x00", "a\x7f", "é", "\u2028", "*", "a\\", "example.com", "/p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, o := range []sojourn.Options{
			{Cookie: sojourn.CookieOptions{Name: s, InsecureName: true}},
			{Cookie: sojourn.CookieOptions{Name: "__Host-" + s}},
			{Cookie: sojourn.CookieOptions{Domain: s}},
			{Cookie: sojourn.CookieOptions{Path: s}},
			{Cookie: sojourn.CookieOptions{Path: "/" + s}},
			{ClearSiteData: []string{s}},
			{Bearer: &sojourn.BearerOptions{Realm: s, Prefix: s}},
			{Bearer: &sojourn.BearerOptions{Realm: s}},
			{TrustedOrigins: []string{"https://" + s}},
		} {
			m, err := sojourn.New(memstore.New(nil), &o)
			if err != nil {
				if !errors.Is(err, sojourn.ErrOptions) {
					t.Fatalf("%+q: %v", s, err)
				}
				continue
			}
			g := &webRig{TB: t, m: m}
			w := g.do("", func(s *sojourn.Session) {
				rigOK(t, s.Logout(t.Context()))
				rigOK(t, s.Login(t.Context(), "ada"))
			})
			cs := w.Result().Cookies()
			if len(cs) != 1 || cs[0].Valid() != nil || strings.Count(w.Header()["Set-Cookie"][0], ";") < 4 {
				t.Fatalf("%+q with %+v: Set-Cookie %q", s, o, w.Header()["Set-Cookie"])
			}
			out := httptest.NewRecorder()
			m.Handler(m.RequireUser(http.NotFoundHandler())).ServeHTTP(out, rigRequest("GET"))
			for _, h := range []http.Header{w.Header(), out.Header()} {
				for name, lines := range h {
					for _, l := range lines {
						if strings.ContainsFunc(l, func(c rune) bool { return c < ' ' || c > '~' }) {
							t.Fatalf("%+q: header %s: %q", s, name, l)
						}
					}
				}
			}
		}
	})
}

// Custom transports get tokens that print nothing, and share the rules of the rest.
func TestCustomTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		c := &sojourn.CustomTransport{
			Receive: func(r *http.Request) string { return r.Header.Get("X-Session") },
			Send: func(h http.Header, tok sojourn.Token, life time.Duration) error {
				left = life
				h.Set("X-Session", tok.Reveal())
				return nil
			},
			Delete: func(h http.Header) error { h.Set("X-Session", ""); return nil },
		}
		g := newWebRig(t, nil, sojourn.Options{Custom: c})
		w := g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
		if left != 30*time.Minute || w.Header()["Set-Cookie"] != nil {
			t.Errorf("life %v, header %v", left, w.Header())
		}
		r := rigRequest("POST")
		r.Header.Set("X-Session", w.Header().Get("X-Session"))
		w = g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			rigOK(t, err)
			if s.User() != "ada" {
				t.Errorf("user %q", s.User())
			}
			rigOK(t, s.Logout(r.Context()))
		})
		if v, ok := w.Header()["X-Session"]; !ok || v[0] != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("logout: %v", w.Header())
		}
		c.Send = func(http.Header, sojourn.Token, time.Duration) error { return errors.New("no") }
		g = newWebRig(t, nil, sojourn.Options{Custom: c})
		w = g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
		if w.Code != 500 {
			t.Errorf("failing Send: status %d", w.Code)
		}
	})
}
