package sojourn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// R37: method x headers x transport.
func TestCrossSiteMatrix(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}, TrustedOrigins: []string{"https://pay.example.com"}})
	cookie, tok := g.login(""), g.bearer("ada")
	headers := []struct {
		site, origin string
		ok           bool
	}{
		{"same-origin", "https://example.com", true},
		{"same-origin", "", true},
		{"none", "", true},
		{"cross-site", "https://evil.example", false},
		{"cross-site", "https://example.com", false}, // fetch metadata decides
		{"same-site", "https://sub.example.com", false},
		{"same-site", "", false},
		{"SAME-ORIGIN", "", false},
		{"junk", "https://example.com", false},
		{"", "https://example.com", true},
		{"", "HTTPS://EXAMPLE.com:443", true}, // as the Fetch standard compares
		{"", "http://example.com", false},     // whoever sits in the network speaks for plain HTTP
		{"", "http://example.com:443", false},
		{"", "https://example.com:80", false},
		{"", "https://example.com:8443", false},
		{"", "https://example.com.", false},
		{"", "https://example.com.evil.example", false},
		{"", "https://evil.example", false},
		{"", "https://sub.example.com", false},
		{"", "null", false},
		{"", "example.com", false},
		{"", "//example.com", false},
		{"", "https:example.com", false},
		{"", "https://example.com/", false},
		{"", "https://example.com?", false},
		{"", "https://example.com#", false},
		{"", "https://example.com@", false},
		{"", "https://a@example.com", false},
		{"", "ftp://example.com", false},
		{"", "https://evil.example@example.com.", false},
		{"", "https://evil.example https://example.com", false},
		{"", "::", false},
		{"cross-site", "https://pay.example.com", true},
		{"", "https://pay.example.com", true},
		{"", "https://PAY.example.com:443", true},
		{"cross-site", "http://pay.example.com", false},
		{"cross-site", "https://pay.example.com.", false},
		{"", "", false}, // net/http's CrossOriginProtection admits it: see below
	}
	methods := map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true,
		"POST": false, "PUT": false, "PATCH": false, "DELETE": false, "CONNECT": false, "get": false, "PROPFIND": false, "": false}
	for method, safe := range methods {
		for _, h := range headers {
			for transport, fill := range map[string]func(*http.Request){
				"cookie":  func(r *http.Request) { r.Header.Set("Cookie", cookie) },
				"junk":    func(r *http.Request) { r.Header.Set("Cookie", "__Host-session=junk") },
				"second":  func(r *http.Request) { r.Header["Cookie"] = []string{"a=b", "c=d; " + cookie} },
				"bearer":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) },
				"visitor": func(r *http.Request) { r.Header.Set("Cookie", "other=1") },
				"both": func(r *http.Request) {
					r.Header.Set("Cookie", "__Host-session=junk")
					r.Header.Set("Authorization", "Bearer "+tok)
				},
			} {
				r := httptest.NewRequest("POST", "https://example.com/", nil)
				r.Method = method
				if h.site != "" {
					r.Header.Set("Sec-Fetch-Site", h.site)
				}
				if h.origin != "" {
					r.Header.Set("Origin", h.origin)
				}
				fill(r)
				ran := false
				w := g.serve(r, func(http.ResponseWriter, *http.Request) { ran = true })
				want := safe || h.ok || transport == "bearer" || transport == "visitor" && h.site+h.origin == ""
				if ran != want || (w.Code == 403) == want {
					t.Errorf("%s %+v %s: ran %v, status %d", method, h, transport, ran, w.Code)
				}
				if _, err := g.m.Open(t.Context(), r); errors.Is(err, sojourn.ErrCrossSite) == want {
					t.Errorf("%s %+v %s: Open: %v", method, h, transport, err)
				}
			}
		}
	}
	if g.seen(sojourn.CrossSiteRefused) == 0 {
		t.Error("no event")
	}
	r := httptest.NewRequest("POST", "https://example.com/", nil)
	if http.NewCrossOriginProtection().Check(r) != nil {
		t.Error("net/http now refuses requests without headers too: say so in site.go")
	}
}

// The request's own host may be spelled in other ways, too.
func TestCrossSiteHosts(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie := g.login("")
	for _, tt := range []struct {
		host, origin string
		ok           bool
	}{
		{"example.com:443", "https://example.com", true},
		{"EXAMPLE.com", "https://example.com", true},
		{"example.com:8443", "https://example.com:8443", true},
		{"example.com:8443", "https://example.com", false},
		{"[2001:DB8::1]:443", "https://[2001:db8::1]", true},
		{"[2001:db8::1]", "https://[2001:db8::2]", false},
		{"", "https://", false},
		{":443", "https://:443", false},
		{"example.com:port", "https://example.com:port", false},
	} {
		r := httptest.NewRequest("POST", "https://example.com/", nil)
		r.Host = tt.host
		r.Header.Set("Origin", tt.origin)
		r.Header.Set("Cookie", cookie)
		if w := g.serve(r, func(http.ResponseWriter, *http.Request) {}); (w.Code == 200) != tt.ok {
			t.Errorf("host %q, origin %q: status %d", tt.host, tt.origin, w.Code)
		}
	}
}

// A client that is no browser is told which header to send, and that one does it.
func TestCrossSiteOtherClients(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Login(r.Context(), "ada")) })
	mux.HandleFunc("POST /act", func(http.ResponseWriter, *http.Request) {})
	post := func(path, cookie, header string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "https://example.com"+path, nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		g.m.Handler(mux).ServeHTTP(w, r)
		return w
	}
	in := post("/login", "", "")
	cookie := rigCookies(in)
	if in.Code != 200 || cookie == "" {
		t.Fatalf("sign-in: %d", in.Code)
	}
	refused := post("/act", cookie, "")
	_, header, ok := strings.Cut(strings.TrimSpace(refused.Body.String()), "browser sends this header with it: ")
	if refused.Code != 403 || !ok {
		t.Fatalf("second request: %d, %q", refused.Code, refused.Body)
	}
	if w := post("/act", cookie, header); w.Code != 200 {
		t.Errorf("with %q: %d", header, w.Code)
	}
	if w := post("/act", cookie, "Origin: https://example.com"); w.Code != 200 {
		t.Errorf("with Origin: %d", w.Code)
	}
	if w := post("/act", cookie, "Origin: https://evil.example"); w.Code != 403 || strings.Contains(w.Body.String(), "Sec-Fetch") {
		t.Errorf("another site's: %d, %q", w.Code, w.Body)
	}
}

// crossSite is a form post of another site's page.
func crossSite(path string, cookies ...string) *http.Request {
	r := rigRequest("POST", cookies...)
	r.URL.Path = path
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	return r
}

// A form of another site signs nobody in, with or without a cookie.
func TestCrossSiteSignIn(t *testing.T) {
	for _, same := range []http.SameSite{http.SameSiteLaxMode, http.SameSiteStrictMode, http.SameSiteNoneMode} {
		g := newWebRig(t, nil, sojourn.Options{Cookie: sojourn.CookieOptions{SameSite: same, InsecureSameSiteNone: "test"}})
		for _, cookie := range []string{"", g.login("")} {
			w := g.serve(crossSite("/login", cookie), func(_ http.ResponseWriter, r *http.Request) {
				_ = g.m.From(r).Login(r.Context(), "mallory")
			})
			if w.Code != 403 || w.Header()["Set-Cookie"] != nil {
				t.Errorf("SameSite %d, cookie %v: status %d", same, cookie != "", w.Code)
			}
		}
		if l, err := g.m.Sessions(t.Context(), "mallory"); err != nil || len(l) != 0 {
			t.Errorf("SameSite %d: %d sessions, %v", same, len(l), err)
		}
	}
}

// R37: a route is exempted by name, at one of two levels.
func TestCrossSiteLevels(t *testing.T) {
	for _, same := range []http.SameSite{http.SameSiteLaxMode, http.SameSiteNoneMode} {
		g := newWebRig(t, nil, sojourn.Options{
			InsecureCrossSite: map[string]sojourn.CrossSite{"POST /paid": sojourn.CrossSiteRead, "/saml/": sojourn.CrossSiteSignIn},
			Cookie:            sojourn.CookieOptions{SameSite: same, InsecureSameSiteNone: "test"},
		})
		cookies := []string{""}
		if same == http.SameSiteNoneMode {
			cookies = append(cookies, g.login(""))
		}
		for _, cookie := range cookies {
			in := cookie != ""
			for act, f := range map[string]func(*sojourn.Session) error{
				"login":  func(s *sojourn.Session) error { return s.Login(t.Context(), "mallory") },
				"renew":  func(s *sojourn.Session) error { return s.Renew(t.Context()) },
				"logout": func(s *sojourn.Session) error { return s.Logout(t.Context()) },
				"others": func(s *sojourn.Session) error { _, err := s.RevokeOthers(t.Context()); return err },
				"set": func(s *sojourn.Session) error {
					rigOK(t, rigNote.Set(s, "x"))
					_, err := s.Commit(t.Context())
					return err
				},
			} {
				for _, path := range []string{"/paid", "/saml/acs"} {
					name := fmt.Sprint("SameSite ", same, " ", path, " ", act, ", signed in ", in)
					ok := act == "login" && path == "/saml/acs" || act == "set" && in
					if !in && (act == "renew" || act == "logout") {
						ok = true // there is nothing to do
					}
					var err error
					ran := false
					w := g.serve(crossSite(path, cookie), func(_ http.ResponseWriter, r *http.Request) {
						ran = true
						s, lerr := g.m.Load(r)
						rigOK(t, lerr)
						if s.SignedIn() != in {
							t.Errorf("%s: user %q", name, s.User())
						}
						err = f(s)
					})
					if !ran || (err == nil) != ok || err != nil && !errors.Is(err, sojourn.ErrCrossSite) && !errors.Is(err, sojourn.ErrNoUser) {
						t.Errorf("%s: ran %v, error %v", name, ran, err)
					}
					if sent := w.Header()["Set-Cookie"] != nil; sent != (act == "login" && ok) {
						t.Errorf("%s: set %q", name, w.Header()["Set-Cookie"])
					}
					if act == "login" && ok {
						if user := g.user(rigCookies(w)); user != "mallory" {
							t.Errorf("%s: the cookie signs %q in", name, user)
						}
						cookie = ""
						if in {
							cookie = g.login("")
						}
					}
				}
			}
		}
	}
}

// Nor is a cookie sent that nobody asked for: the successor of an old token, say.
func TestCrossSiteSendsNothingUnasked(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		o := sojourn.Options{
			InsecureCrossSite: map[string]sojourn.CrossSite{"/": sojourn.CrossSiteSignIn}, RenewAfter: time.Second, RenewGrace: time.Second,
			Cookie: sojourn.CookieOptions{SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "test"}, TouchEvery: 1,
		}
		synctest.Test(t, func(t *testing.T) {
			g := newWebRig(t, nil, o)
			if sealed {
				g = newSealedRig(t, sojourn.SealedOptions{AcceptReplayUntilExpiry: true}, o)
			}
			cookie := g.login("")
			for _, when := range []string{"renewal due", "renewed"} {
				time.Sleep(10 * time.Second)
				w := g.serve(crossSite("/", cookie), func(_ http.ResponseWriter, r *http.Request) {
					if s, err := g.m.Load(r); err != nil || s.User() != "ada" {
						t.Errorf("%s: %v", when, err)
					}
				})
				if w.Code != 200 || w.Header()["Set-Cookie"] != nil {
					t.Errorf("sealed %v, %s: status %d, set %q", sealed, when, w.Code, w.Header()["Set-Cookie"])
				}
				if when == "renewal due" {
					g.do(cookie, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) })
					if sealed {
						break // the old one is dead
					}
				}
			}
		})
	}
}

// After a sign-in at that level the request may do all that others may; after one that failed, nothing.
func TestCrossSiteAfterSignIn(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{
		InsecureCrossSite: map[string]sojourn.CrossSite{"/acs": sojourn.CrossSiteSignIn}, MaxSessions: 1, AtLimit: sojourn.RefuseNew,
	})
	g.loginAs("full", "")
	w := g.serve(crossSite("/acs"), func(w http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		rigOK(t, err)
		if err := s.Login(r.Context(), "full"); !errors.Is(err, sojourn.ErrLimit) {
			t.Errorf("sign-in at the limit: %v", err)
		}
		rigOK(t, rigNote.Set(s, "before"))
		if _, err := s.Commit(r.Context()); !errors.Is(err, sojourn.ErrCrossSite) {
			t.Errorf("commit before the sign-in: %v", err)
		}
		rigOK(t, s.Login(r.Context(), "ada"))
		rigOK(t, rigNote.Set(s, "after"))
		rigOK(t, s.Save(w))
		rigOK(t, s.Renew(r.Context()))
	})
	g.do(rigCookies(w), func(s *sojourn.Session) {
		if s.User() != "ada" || rigNote.Get(s) != "after" {
			t.Errorf("user %q, note %q", s.User(), rigNote.Get(s))
		}
	})
}

// A pattern exempts what a ServeMux would serve by it, and not what it would only redirect to it.
func TestCrossSitePatterns(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{InsecureCrossSite: map[string]sojourn.CrossSite{
		"POST /hook/": sojourn.CrossSiteRead, "/a/{id}/b": sojourn.CrossSiteRead, "pay.example.com/": sojourn.CrossSiteRead,
	}})
	for _, tt := range []struct {
		method, host, path string
		want               int
	}{
		{"POST", "example.com", "/hook/", 200},
		{"POST", "example.com", "/hook/x", 200},
		{"POST", "example.com", "/hook", 403},
		{"POST", "example.com", "/x/../hook/", 403},
		{"POST", "example.com", "//hook/", 403},
		{"PUT", "example.com", "/hook/", 403},
		{"PUT", "example.com", "/a/1/b", 200},
		{"POST", "example.com", "/a/1/c", 403},
		{"POST", "pay.example.com", "/", 200},
		{"POST", "example.com", "/", 403},
	} {
		r := crossSite(tt.path)
		r.Method, r.Host = tt.method, tt.host
		if w := g.serve(r, func(http.ResponseWriter, *http.Request) {}); w.Code != tt.want {
			t.Errorf("%+v: status %d", tt, w.Code)
		}
	}
	for _, routes := range []map[string]sojourn.CrossSite{
		{"": 1}, {"GET": 1}, {"/{": 1}, {"/a/{x}": 1, "/a/{y}": 1}, {"/": 0}, {"/": 3}, {"/": -1},
	} {
		if _, err := sojourn.New(memstore.New(nil), &sojourn.Options{InsecureCrossSite: routes}); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%v: %v", routes, err)
		}
	}
}

// Where the browser withholds the cookie, nothing may take its place: from trusted origins, and to Strict cookies also by a link.
func TestCrossSiteWithheld(t *testing.T) {
	for _, tt := range []struct {
		name, method, site, origin string
		same                       http.SameSite
		ok                         bool
	}{
		{"trusted", "POST", "cross-site", "https://pay.example.org", http.SameSiteLaxMode, false},
		{"trusted, None", "POST", "cross-site", "https://pay.example.org", http.SameSiteNoneMode, true},
		{"trusted sister", "POST", "same-site", "https://pay.example.org", http.SameSiteLaxMode, true},
		{"trusted, old browser", "POST", "", "https://pay.example.org", http.SameSiteLaxMode, false},
		{"link", "GET", "cross-site", "", http.SameSiteLaxMode, true},
		{"link to Strict", "GET", "cross-site", "", http.SameSiteStrictMode, false},
		{"sister's link to Strict", "GET", "same-site", "", http.SameSiteStrictMode, true},
		{"own link to Strict", "GET", "same-origin", "", http.SameSiteStrictMode, true},
		{"no browser, Strict", "GET", "", "", http.SameSiteStrictMode, true},
	} {
		for _, exempt := range []bool{false, true} {
			o := sojourn.Options{
				TrustedOrigins: []string{"https://pay.example.org"},
				Cookie:         sojourn.CookieOptions{SameSite: tt.same, InsecureSameSiteNone: "test"},
			}
			if exempt {
				o.InsecureCrossSite = map[string]sojourn.CrossSite{"/": sojourn.CrossSiteSignIn}
			}
			g := newWebRig(t, nil, o)
			r := httptest.NewRequest(tt.method, "https://example.com/", nil)
			r.Header.Set("Sec-Fetch-Site", tt.site)
			r.Header.Set("Origin", tt.origin)
			if tt.site == "" {
				r.Header.Del("Sec-Fetch-Site")
			}
			if tt.origin == "" {
				r.Header.Del("Origin")
			}
			with := r.Clone(r.Context())
			with.Header.Set("Cookie", g.login(""))
			login := func(r *http.Request) (err error) {
				w := g.serve(r, func(_ http.ResponseWriter, r *http.Request) { err = g.m.From(r).Login(r.Context(), "bob") })
				if (w.Header()["Set-Cookie"] != nil) != (err == nil) {
					t.Errorf("%s: set %q after %v", tt.name, w.Header()["Set-Cookie"], err)
				}
				return err
			}
			if err := login(r); (err == nil) != (tt.ok || exempt) || err != nil && !errors.Is(err, sojourn.ErrCrossSite) {
				t.Errorf("%s, exempt %v, without cookie: %v", tt.name, exempt, err)
			}
			if err := login(with); err != nil {
				t.Errorf("%s, exempt %v, with cookie: %v", tt.name, exempt, err)
			}
		}
	}
}

// A custom transport that browsers send by themselves is checked as the cookie is; one that they do not send needs no check.
func TestCrossSiteCustom(t *testing.T) {
	for _, explicit := range []bool{false, true} {
		g := newWebRig(t, nil, sojourn.Options{Custom: &sojourn.CustomTransport{
			Receive: func(r *http.Request) string { return r.Header.Get("X-Session") },
			Send: func(h http.Header, tok sojourn.Token, _ time.Duration) error {
				h.Set("X-Session", tok.Reveal())
				return nil
			},
			Delete:   func(h http.Header) error { h.Set("X-Session", ""); return nil },
			Explicit: explicit,
		}})
		tok := g.serve(rigRequest("POST"), func(_ http.ResponseWriter, r *http.Request) {
			rigOK(t, g.m.From(r).Login(r.Context(), "ada"))
		}).Header().Get("X-Session")
		for _, tt := range []struct {
			name string
			tok  string
			site string
			want int
		}{
			{"own", tok, "same-origin", 200}, {"other", tok, "cross-site", 403}, {"sister", tok, "same-site", 403},
			{"other without token", "", "cross-site", 403}, {"no browser", tok, "", 403}, {"no browser, no token", "", "", 200},
		} {
			r := rigRequest("POST")
			r.Header.Set("Sec-Fetch-Site", tt.site)
			if tt.site == "" {
				r.Header.Del("Sec-Fetch-Site")
			}
			if tt.tok != "" {
				r.Header.Set("X-Session", tt.tok)
			}
			if explicit {
				tt.want = 200
			}
			if w := g.serve(r, func(http.ResponseWriter, *http.Request) {}); w.Code != tt.want {
				t.Errorf("%s, explicit %v: status %d, want %d", tt.name, explicit, w.Code, tt.want)
			}
		}
	}
}
