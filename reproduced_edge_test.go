package sojourn_test

// What trials have reproduced on earlier versions, with the right outcome: the edge of a response.
// The list is continued from reproduced_test.go.

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
)

// A form's CSRF token outlives the renewals of the session's token: the one in the page in which a
// renewal falls due, and one of a form that has been open in another tab all day. It dies with a
// confirmation, another user's sign-in, and the session.
func TestCSRFTokenOutlivesRenewals(t *testing.T) {
	verify := func(g *site, b *browser, tok string) bool {
		w := b.get("verify?token=" + tok)
		return w.Code == http.StatusOK
	}
	for _, sealed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			g := newSiteOf(t, sealed)
			g.onLoaded("form", func(s *sojourn.Session, _ *http.Request) (string, error) { return s.CSRFToken(), nil })
			g.onLoaded("verify", func(s *sojourn.Session, r *http.Request) (string, error) {
				return "", s.VerifyCSRF(r.FormValue("token"))
			})
			b := g.signedIn("ada")
			morning := b.ok("form")
			renewals := 0
			for range 11 * 3 {
				time.Sleep(20 * time.Minute)
				old := b.cookie
				form := b.ok("form")
				if b.cookie != old {
					renewals++
				}
				if !verify(g, b, form) || !verify(g, b, morning) {
					t.Fatalf("a form died after %d renewals", renewals)
				}
			}
			if renewals < 10 {
				t.Errorf("%d renewals in eleven hours", renewals)
			}
			for _, path := range []string{"login?user=ada", "login?user=eve", "logout"} {
				before := b.ok("form")
				if !verify(g, b, before) {
					t.Error("a fresh form is dead")
				}
				if b.ok(path); verify(g, b, before) || verify(g, b, morning) {
					t.Error("a form lives on after", path)
				}
			}
		})
	}
}

// A handler goes on after http.TimeoutHandler has answered for it, and commits. The header belongs
// to the answer by then: the race detector sees who else uses it.
func TestLateCommitBelowTimeoutHandler(t *testing.T) {
	for _, outside := range []bool{true, false} { // Handler around TimeoutHandler, or within
		for _, before := range []string{"", "read", "set.commit", "ada.commit"} {
			for _, after := range []string{"read.commit", "set.commit", "ada.commit", "logout.commit", "renew.commit"} {
				for _, state := range []string{"", aVisitor, "ada"} {
					g := newSite(t)
					b := g.client(state)
					answered, over := make(chan bool), make(chan bool)
					slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(over)
						if before != "" {
							_ = runSteps(g, g.From(r), r, before)
						}
						<-answered
						_ = runSteps(g, g.From(r), r, after)
						w.Header().Set("X-Late", "1")
						w.WriteHeader(http.StatusOK)
					})
					if outside {
						g.handler = g.Handler(http.TimeoutHandler(slow, time.Millisecond, "too slow"))
					} else {
						g.handler = http.TimeoutHandler(g.Handler(slow), time.Millisecond, "too slow")
					}
					w := httptest.NewRecorder()
					g.handler.ServeHTTP(w, b.request(t.Context(), ""))
					close(answered)
					header := w.Header().Clone() // as net/http reads it while it writes the answer
					<-over
					if w.Code != http.StatusServiceUnavailable || w.Body.String() != "too slow" || !maps.EqualFunc(w.Header(), header, slices.Equal) {
						t.Errorf("outside %v, %q, then %s as %q: %d %q, %v, then %v", outside, before, after, state, w.Code, w.Body, header, w.Header())
					}
				}
			}
		}
	}
}

// A payment provider's page posts to ours: the browser withholds the session's cookie, and a
// session begun in answer would replace it. Nothing that would send a cookie succeeds, also where
// the route is open to other sites; a sign-in does where that is said.
func TestCrossSitePostReplacesNoCookie(t *testing.T) {
	foreign := []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://pay.example"}}, {"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://pay.example"}}, {"Origin": {"null"}},
	}
	for _, level := range []sojourn.CrossSite{0, sojourn.CrossSiteRead, sojourn.CrossSiteSignIn} {
		for steps, need := range map[string]sojourn.CrossSite{ // what lets it succeed; 9: nothing
			"read": sojourn.CrossSiteRead, "renew": sojourn.CrossSiteRead, "commit": sojourn.CrossSiteRead, "ada": sojourn.CrossSiteSignIn, "keep": sojourn.CrossSiteSignIn,
			"set": 9, "set.commit": 9, "logout.set": 9,
		} {
			for _, headers := range foreign {
				g := newSite(t, func(o *sojourn.Options) {
					if level != 0 {
						o.InsecureCrossSite = map[string]sojourn.CrossSite{"POST /do": level}
					}
				}).chain()
				b := g.browser()
				r := b.request(t.Context(), "do?steps="+steps)
				r.Method = "POST"
				for name, v := range headers {
					r.Header[name] = v
				}
				w := b.send(r)
				who, status := "", http.StatusForbidden
				if level != 0 && level >= need {
					if status = http.StatusOK; need == sojourn.CrossSiteSignIn {
						who = "ada"
					}
				}
				g.status(w, status)
				if got, _ := g.opens(b.cookie); got != who || g.records() != min(1, len(who)) {
					t.Errorf("%v at level %d, %s: the browser is %q, of %d records", headers, level, steps, got, g.records())
				}
			}
		}
	}
	for _, method := range []string{"GET", "POST"} {
		for _, site := range []string{"cross-site", "same-site", "same-origin", "none", ""} {
			g := newSite(t).chain()
			b := g.browser()
			r := b.request(t.Context(), "do?steps=set")
			if r.Method = method; site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			status, who := http.StatusOK, aVisitor // a Lax cookie comes with the GET of a link
			if method == "POST" && strings.HasSuffix(site, "-site") {
				status, who = http.StatusForbidden, ""
			}
			g.status(b.send(r), status)
			if got, _ := g.opens(b.cookie); got != who {
				t.Errorf("%s from %q: the browser is %q", method, site, got)
			}
		}
	}
}

// OnError gets a request like the handler's: its page may say who is signed in.
func TestFromInsideOnError(t *testing.T) {
	var g *site
	calls := 0
	g = newSite(t, func(o *sojourn.Options) {
		o.OnError = func(w http.ResponseWriter, r *http.Request, err error) {
			calls++
			s := g.From(r)
			if loaded, lerr := g.Load(r); lerr == nil {
				w.Header().Set("X-User", loaded.User())
				if loaded != s {
					t.Error("another session than From's")
				}
			}
			if serr := s.Logout(r.Context()); serr != nil && !sojourn.IsOutage(serr) && !errors.Is(serr, sojourn.ErrCrossSite) {
				t.Error(serr)
			}
			sojourn.DefaultOnError(w, r, err)
		}
	}).chain()
	g.mux.Handle("/required", g.RequireUser(http.NotFoundHandler()))
	for name, tt := range map[string]struct {
		path   string
		down   string
		forged bool
		status int
		user   string
	}{
		"cross-site":     {"user", "", true, 403, "ada"},
		"commit":         {"do?steps=set", opUpdate, false, 503, "ada"},
		"fail":           {"do?steps=read.fail", "", false, 503, "ada"},
		"load":           {"required", opGet, false, 503, ""},
		"commit, signed": {"do?steps=ada.set", opUpdate, false, 503, "ada"},
	} {
		b := g.client("ada")
		calls = 0
		r := b.request(t.Context(), tt.path)
		if tt.forged {
			r.Method = "POST"
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		if tt.down != "" {
			g.store.setBefore(failTimes(3, errDown), tt.down)
		}
		w := b.send(r)
		g.store.heal()
		if w.Code != tt.status || calls != 1 || w.Header().Get("X-User") != tt.user {
			t.Errorf("%s: status %d after %d calls, user %q", name, w.Code, calls, w.Header().Get("X-User"))
		}
	}
}

var errDown = errors.Join(sojourn.ErrUnavailable, errors.New("down"))

// Load without Handler would make a session anew each time, and lose what it changes: it panics,
// and says what to do. Open is the way without Handler.
func TestLoadWithoutHandler(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	for name, f := range map[string]func(*http.Request){
		"Load": func(r *http.Request) { g.Load(r) }, "From": func(r *http.Request) { g.From(r) },
		"RequireUser": func(r *http.Request) { g.RequireUser(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r) },
		"another's": func(r *http.Request) {
			g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { newSite(t).From(r) })).ServeHTTP(httptest.NewRecorder(), r)
		},
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "Manager.Handler") || !strings.Contains(text, "Manager.Open") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			f(b.request(t.Context(), ""))
		}()
	}
	s := must(g.Open(t.Context(), b.request(t.Context(), "")))
	rigOK(t, slot("a").Set(s, "x"))
	must(s.Commit(t.Context()))
	b.wants("get?k=a", "x")
}

// A sign-out and an explicit commit, and then a handler that lets everybody cache its page: not the
// one that takes a cookie away.
func TestCacheControlAfterCommit(t *testing.T) {
	for steps, state := range map[string]string{"logout.commit": "ada", "ada.commit": "", "set.commit": "", "renew.commit": "ada", "eve.commit": "ada", "logout": "ada"} {
		for _, sealed := range []bool{false, true} {
			g := newSiteOf(t, sealed)
			g.mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
				rigOK(t, runSteps(g, g.From(r), r, steps))
				w.Header().Set("Cache-Control", "public, max-age=3600")
				io.WriteString(w, "page")
			})
			w := g.client(state).get("page")
			if got := w.Result().Header["Cache-Control"]; len(got) != 1 || got[0] != "no-store" || w.Result().Header["Set-Cookie"] == nil {
				t.Errorf("sealed %v, %s as %q: %v", sealed, steps, state, w.Result().Header)
			}
		}
	}
}

// A goroutine that outlives its handler is told that its changes come too late, and the observer
// too. Nothing of them is written, and no one-time value counts as taken.
func TestChangesAfterTheEnd(t *testing.T) {
	flash := sojourn.NewFlash[string]("flash")
	for _, sealed := range []bool{false, true} {
		g := newSiteOf(t, sealed)
		var s *sojourn.Session
		g.onLoaded("keep", func(kept *sojourn.Session, _ *http.Request) (string, error) { s = kept; return "", nil })
		g.onLoaded("flash", func(s *sojourn.Session, _ *http.Request) (string, error) { return "", flash.Add(s, "hello") })
		b := g.client("ada")
		b.ok("set?k=code&v=secret")
		b.ok("flash")
		b.ok("keep")
		g.store.reset()
		for name, err := range map[string]error{
			"Set": slot("a").Set(s, "x"), "Update": slot("a").Update(s, func(v *string) error { *v = "x"; return nil }),
			"Add": flash.Add(s, "m"), "SetIdle": s.SetIdle(time.Minute), "SetLifetime": s.SetLifetime(time.Minute),
		} {
			if !errors.Is(err, sojourn.ErrOver) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := g.log.count(sojourn.ChangeLost); n != 5 {
			t.Errorf("%d events, want 5", n)
		}
		if code, ok := slot("code").Take(s); ok || code != "" {
			t.Errorf("took %q, and it is there for the next", code)
		}
		if m := flash.Take(s); len(m) != 0 {
			t.Errorf("took %q, and it is there for the next", m)
		}
		slot("cart").Delete(s)
		s.Clear()
		if n := g.log.count(sojourn.ChangeLost); n != 9 {
			t.Errorf("%d events, want 9", n)
		}
		if h, err := s.Commit(t.Context()); err != nil || len(h) != 0 {
			t.Errorf("commit of nothing: %v, %v", h, err)
		}
		if n := g.store.writes(); n != 0 || s.User() != "ada" || slot("cart").Get(s) != "tea" {
			t.Errorf("%d writes; reading gives %q and %q", n, s.User(), slot("cart").Get(s))
		}
		b.wants("get?k=code", "secret")
	}
}
