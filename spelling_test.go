package sojourn_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// releases are managers of one program, one after the other, that differ in their cookies.
type releases struct {
	testing.TB
	sealed *sojourn.SealedOptions
	store  *faultStore
	keys   *sojourn.KeyRing
	jar    *prefixJar
}

func newReleases(t testing.TB, sealed *sojourn.SealedOptions) *releases {
	f := newFaultStore(memstore.New(nil))
	if sealed != nil && !sealed.AcceptReplayUntilExpiry {
		sealed.Store = f
	}
	return &releases{t, sealed, f, rigKeys(t), newPrefixJar()}
}

func (rs *releases) release(c sojourn.CookieOptions) *webRig {
	rs.Helper()
	o := sojourn.Options{Keys: rs.keys, Cookie: c}
	if rs.sealed != nil {
		return newSealedRig(rs, *rs.sealed, o)
	}
	return newWebRig(rs, rs.store, o)
}

// visit does a request with the browser's cookies, and takes those that come back.
func (rs *releases) visit(g *webRig, f func(*sojourn.Session)) *httptest.ResponseRecorder {
	rs.Helper()
	w := g.do(rs.jar.header(), f)
	if refused := rs.jar.take("shop.example.com", w.Header()); refused != nil {
		rs.Errorf("a browser refuses %q", refused)
	}
	return w
}

func (rs *releases) login(g *webRig, user string, opts ...sojourn.LoginOption) {
	rs.Helper()
	rs.visit(g, func(s *sojourn.Session) { rigOK(rs, s.Login(rs.Context(), user, opts...)) })
}

// wants checks who is signed in, and how many cookies the browser has then.
func (rs *releases) wants(g *webRig, user string, cookies int) {
	rs.Helper()
	rs.visit(g, func(s *sojourn.Session) {
		if s.User() != user {
			rs.Errorf("user %q, want %q", s.User(), user)
		}
	})
	if len(rs.jar.cookies) != cookies {
		rs.Errorf("the browser has %d cookies, want %d: %q", len(rs.jar.cookies), cookies, rs.jar.header())
	}
}

// respelled are pairs of cookies of one name, from one release to the next.
var respelled = map[string][2]sojourn.CookieOptions{
	"domain":    {{Name: "__Secure-s", Domain: "example.com"}, {Name: "__Secure-s", Former: []sojourn.FormerCookie{{Domain: "example.com"}}}},
	"no domain": {{Name: "__Secure-s"}, {Name: "__Secure-s", Domain: "example.com", Former: []sojourn.FormerCookie{{}}}},
	"path":      {{Name: "__Secure-s", Path: "/app"}, {Name: "__Secure-s", Former: []sojourn.FormerCookie{{Path: "/app"}}}},
	"partitioned": {
		{Name: "__Secure-s", SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "test"},
		{Name: "__Secure-s", SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "test", Partitioned: true, Former: []sojourn.FormerCookie{{}}},
	},
}

// sealedModes are the kinds of manager; nil keeps sessions in the store.
func sealedModes() map[string]*sojourn.SealedOptions {
	return map[string]*sojourn.SealedOptions{"stored": nil, "sealed": {Chunks: 2}, "replay": {AcceptReplayUntilExpiry: true, Chunks: 2}}
}

// A browser that has two cookies of one session goes on with it, and has one afterwards.
func TestFormerSpelling(t *testing.T) {
	for mode, sealed := range sealedModes() {
		for name, c := range respelled {
			t.Run(mode+"/"+name, func(t *testing.T) {
				rs := newReleases(t, sealed)
				before, after := rs.release(c[0]), rs.release(c[1])
				big := strings.Repeat("x", 3500) // two chunks, where the session is in its cookies
				chunks := 1
				if sealed != nil {
					chunks = 2
				}
				rs.login(before, "ada")
				for _, note := range []string{"small", big} {
					rs.visit(before, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, big)) })
					rs.wants(after, "ada", chunks) // nothing happens as long as there is one cookie
					rs.visit(after, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())); rigOK(t, rigNote.Set(s, note)) })
					want := 1
					if note == big {
						want = chunks
					}
					if len(rs.jar.cookies) != want {
						t.Errorf("a former cookie is still there: %d, want %d", len(rs.jar.cookies), want)
					}
					before, after = rs.release(c[0]), rs.release(c[1])
				}
				rs.visit(after, func(s *sojourn.Session) {
					if s.User() != "ada" || rigNote.Get(s) != big {
						t.Errorf("user %q, note of %d bytes", s.User(), len(rigNote.Get(s)))
					}
					rigOK(t, s.Logout(t.Context()))
				})
				rs.wants(after, "", 0)
			})
		}
	}
}

// A release that did not name its former spelling left two cookies of one session, one of them old.
// The next one names it.
func TestFormerSpellingForgotten(t *testing.T) {
	for mode, sealed := range sealedModes() {
		for name, c := range respelled {
			t.Run(mode+"/"+name, func(t *testing.T) {
				rs := newReleases(t, sealed)
				forgot := c[1]
				forgot.Former = nil
				before, between, after := rs.release(c[0]), rs.release(forgot), rs.release(c[1])
				rs.login(before, "ada")
				rs.visit(before, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "old")) })
				rs.visit(between, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "new")); rigOK(t, s.Renew(t.Context())) })
				rs.wants(between, "ada", 2)
				rs.visit(between, func(s *sojourn.Session) {
					if rigNote.Get(s) != "new" {
						t.Errorf("note %q", rigNote.Get(s))
					}
				})
				rs.wants(after, "ada", 1)
				rs.wants(after, "ada", 1)
			})
		}
	}
}

// A session from before the change that has ended does not count, however genuine its token is.
func TestFormerSpellingOfAnEndedSession(t *testing.T) {
	for name, c := range respelled {
		t.Run(name, func(t *testing.T) {
			rs := newReleases(t, nil)
			forgot := c[1]
			forgot.Former = nil
			before, between := rs.release(c[0]), rs.release(forgot)
			rs.login(before, "ada")
			old := rs.jar.header()
			rs.jar = newPrefixJar()
			rs.login(between, "ada")
			if _, err := between.m.RevokeUser(t.Context(), "ada"); err != nil {
				t.Fatal(err)
			}
			rs.login(between, "ada")
			w := between.do(old+"; "+rs.jar.header(), func(s *sojourn.Session) {
				if s.User() != "ada" {
					t.Errorf("user %q", s.User())
				}
			})
			if w.Header()["Set-Cookie"] == nil {
				t.Error("the cookie is not sent again")
			}
		})
	}
}

// R33: of two live sessions neither counts: a sister domain may have planted one. Both are taken
// away, and the next sign-in works.
func TestFormerSpellingOfTwoSessions(t *testing.T) {
	for mode, sealed := range sealedModes() {
		for name, c := range respelled {
			for _, act := range []string{"read", "login", "logout", "keep"} {
				t.Run(mode+"/"+name+"/"+act, func(t *testing.T) {
					rs := newReleases(t, sealed)
					before, after := rs.release(c[0]), rs.release(c[1])
					rs.login(before, "mallory")
					planted := rs.jar
					rs.jar = newPrefixJar()
					rs.login(after, "ada")
					for key, k := range planted.cookies {
						rs.jar.cookies[key] = k
					}
					want, cookies := "", 0
					rs.visit(after, func(s *sojourn.Session) {
						if s.User() != "" || s.Exists() {
							t.Errorf("user %q", s.User())
						}
						switch act {
						case "login":
							want, cookies = "ada", 1
							rigOK(t, s.Login(t.Context(), "ada"))
						case "logout":
							rigOK(t, s.Logout(t.Context()))
						case "keep":
							cookies = 1
							rigOK(t, rigNote.Set(s, "x"))
						}
					})
					rs.wants(after, want, cookies)
					rs.login(after, "bob")
					rs.wants(after, "bob", 1)
				})
			}
		}
	}
}

// A sign-in and a sign-out end both: the next sign-in works though a cookie stays that nobody can
// remove.
func TestSeveralSessionsEnd(t *testing.T) {
	for mode, sealed := range sealedModes() {
		if mode == "replay" {
			continue // no record, no end
		}
		for _, act := range []string{"login", "logout"} {
			rs := newReleases(t, sealed)
			before := rs.release(sojourn.CookieOptions{Name: "__Secure-s", Domain: "example.com"})
			after := rs.release(sojourn.CookieOptions{Name: "__Secure-s"}) // which does not know that spelling
			rs.login(before, "mallory")
			planted := rs.jar
			rs.jar = newPrefixJar()
			rs.login(after, "eve")
			for key, k := range planted.cookies {
				rs.jar.cookies[key] = k
			}
			run := func(s *sojourn.Session) error {
				if act == "login" {
					return s.Login(t.Context(), "ada")
				}
				return s.Logout(t.Context())
			}
			rs.visit(after, func(s *sojourn.Session) {
				rs.store.setBefore(fail(store.ErrUnavailable), opRevoke)
				if err := run(s); !sojourn.IsOutage(err) || s.Exists() {
					t.Errorf("%s, %s: the planted one lives on: %v", mode, act, err)
				}
				rs.store.heal()
				rigOK(t, run(s))
			})
			for _, user := range []string{"mallory", "eve"} {
				if n := len(must(after.m.Sessions(t.Context(), user))); n != 0 {
					t.Errorf("%s, %s: %s has %d sessions", mode, act, user, n)
				}
			}
			rs.login(after, "ada")
			rs.wants(after, "ada", 2)
		}
	}
}

// Nobody asked for that removal, so no error page carries it, and Clear-Site-Data is for sign-outs.
func TestFormerSpellingRemovalIsUnasked(t *testing.T) {
	f := newFaultStore(memstore.New(nil))
	g := newWebRig(t, f, sojourn.Options{ClearSiteData: []string{"cache"}})
	two := g.loginAs("ada", "") + "; " + g.loginAs("eve", "")
	w := g.do(two, nil)
	if len(w.Header()["Set-Cookie"]) != 1 || w.Header()["Clear-Site-Data"] != nil {
		t.Errorf("header %v", w.Header())
	}
	f.setBefore(fail(store.ErrFull), opCreate)
	w = g.do(two, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) })
	if w.Code != 503 || w.Header()["Set-Cookie"] != nil {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
}

// If one of several records cannot be read, nobody's wins. From a clock that was wrong a sign-out
// and a sign-in find their way.
func TestFormerSpellingAndOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, whose := range []string{"ada", "eve"} {
			for fault, f := range map[string]func(*store.Record){
				"another version": func(r *store.Record) { r.Meta = []byte("other") },
				"a clock":         func(r *store.Record) { r.Created = r.Created.Add(time.Hour) },
				"damage":          func(r *store.Record) { r.Meta = r.Meta[:len(r.Meta)-1] },
			} {
				for _, act := range []string{"read", "login", "logout"} {
					rs := newReleases(t, nil)
					g := rs.release(sojourn.CookieOptions{})
					two := g.loginAs("ada", "") + "; " + g.loginAs("eve", "")
					rs.store.mutate = func(r *store.Record) {
						if r.User == whose {
							f(r)
						}
					}
					var err error
					w := g.serve(rigRequest("POST", two), func(_ http.ResponseWriter, r *http.Request) {
						switch s := g.m.From(r); act {
						case "read":
							if s, err = g.m.Load(r); err == nil && s.User() != "" {
								t.Errorf("%s of %s: user %q", fault, whose, s.User())
							}
						case "login":
							err = s.Login(r.Context(), "bob")
						case "logout":
							err = s.Logout(r.Context())
						}
					})
					outage := fault == "another version" || fault == "a clock" && act == "read"
					if cookies := w.Header()["Set-Cookie"]; sojourn.IsOutage(err) != outage || len(cookies) == 0 != outage {
						t.Errorf("%s of %s, %s: %v, set %q", fault, whose, act, err, cookies)
					}
					rs.store.heal()
					for _, user := range []string{"ada", "eve"} {
						want := 1
						if !outage && (act != "read" || user == whose) {
							want = 0
						}
						if n := len(must(g.m.Sessions(t.Context(), user))); n != want {
							t.Errorf("%s of %s, %s: %s has %d sessions", fault, whose, act, user, n)
						}
					}
				}
			}
		}
		rs := newReleases(t, nil)
		g := rs.release(sojourn.CookieOptions{})
		two := g.loginAs("ada", "") + "; " + g.loginAs("eve", "")
		reads := 0
		rs.store.setBefore(func(context.Context) error {
			if reads++; reads > 1 {
				return store.ErrUnavailable
			}
			return nil
		}, opGet)
		g.serve(rigRequest("GET", two), func(w http.ResponseWriter, r *http.Request) {
			if _, err := g.m.Load(r); !sojourn.IsOutage(err) {
				t.Errorf("outage at the second: %v", err)
			}
		})
	})
}

// An older token of the session that the same request names as it is now is no thief's.
func TestFormerSpellingIsNoReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, order := range []bool{false, true} {
			g := newWebRig(t, nil, sojourn.Options{EndReused: true})
			old := g.login("")
			now := rigCookies(g.do(old, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) }))
			g.do(now, nil)
			time.Sleep(5 * time.Minute)
			both := old + "; " + now
			if order {
				both = now + "; " + old
			}
			for range 2 {
				if user := g.user(both); user != "ada" || g.seen(sojourn.SessionReuse) != 0 {
					t.Errorf("user %q, %d events of reuse", user, g.seen(sojourn.SessionReuse))
				}
			}
			other := g.loginAs("eve", "")
			if user := g.user(old + "; " + other); user != "eve" || g.seen(sojourn.SessionReuse) != 1 {
				t.Errorf("beside another's: user %q, %d events of reuse", user, g.seen(sojourn.SessionReuse))
			}
		}
	})
}

// What a handler itself says of cookies of this name elsewhere goes out, before and beside ours.
func TestHandlersOwnRemoval(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Cookie: sojourn.CookieOptions{Name: "__Secure-s"}})
	for _, own := range []http.Cookie{
		{Domain: "example.com", Path: "/"}, {Path: "/app"}, {Path: "/", Partitioned: true, SameSite: http.SameSiteNoneMode},
	} {
		own.Name, own.MaxAge, own.Secure = "__Secure-s", -1, true
		w := g.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &own)
			http.SetCookie(w, &http.Cookie{Name: "__Secure-s", Value: "x", Path: "/", Secure: true}) // ours takes its place
			rigOK(t, g.m.From(r).Login(r.Context(), "ada"))
		})
		if lines := w.Header()["Set-Cookie"]; len(lines) != 2 || lines[0] != own.String() || g.user(rigCookies(w)) != "ada" {
			t.Errorf("%v: set %q", &own, lines)
		}
	}
}

// The page that tells of a failure has the removals of an earlier commit, and not the handler's; a
// token that is dead when the header leaves is taken back, and the handler's removal is not.
func TestFormerSpellingOnErrorPages(t *testing.T) {
	rs := newReleases(t, nil)
	g := rs.release(sojourn.CookieOptions{Name: "__Secure-s", Former: []sojourn.FormerCookie{
		{Domain: "example.com"}, {Name: "__Secure-old", Until: time.Now().Add(month)},
	}})
	own := (&http.Cookie{Name: "__Secure-s", Path: "/app", MaxAge: -1, Secure: true}).String()
	w := g.serve(rigRequest("POST", g.login("")), func(w http.ResponseWriter, r *http.Request) {
		s := g.m.From(r)
		rigOK(t, s.Logout(r.Context()))
		_, err := s.Commit(r.Context())
		rigOK(t, err)
		w.Header().Add("Set-Cookie", own)
		rs.store.setBefore(fail(store.ErrFull), opCreate)
		rigOK(t, rigNote.Set(s, "x"))
	})
	if lines := w.Header()["Set-Cookie"]; w.Code != 503 || len(lines) != 3 || slices.Contains(lines, own) {
		t.Errorf("status %d, set %q", w.Code, lines)
	}
	rs.store.heal()
	w = g.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
		s := g.m.From(r)
		rigOK(t, s.Login(r.Context(), "ada"))
		_, err := s.Commit(r.Context())
		rigOK(t, err)
		w.Header().Add("Set-Cookie", own)
		must(rs.store.Store.Revoke(t.Context(), "ada", store.Selection{})) // by another process
		if err := s.Renew(r.Context()); !errors.Is(err, sojourn.ErrEnded) {
			t.Errorf("renewed: %v", err)
		}
	})
	if lines := w.Header()["Set-Cookie"]; !slices.Contains(lines, own) || strings.Contains(strings.Join(lines, "\n"), "__Secure-s=A") {
		t.Errorf("set %q", lines)
	}
}
