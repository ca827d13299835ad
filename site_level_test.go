package sojourn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

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
						if (s.User() != "") != in {
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

// After a sign-in at that level the request may do all that others may; after one that failed,
// nothing.
func TestCrossSiteAfterSignIn(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{
		InsecureCrossSite: map[string]sojourn.CrossSite{"/acs": sojourn.CrossSiteSignIn}, MaxSessions: 1, RefuseAtLimit: true,
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

// Where the browser withholds the cookie, nothing may take its place: from trusted origins, and to
// Strict cookies also by a link.
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

// A custom transport that browsers send by themselves is checked as the cookie is; one that they do
// not send needs no check.
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
