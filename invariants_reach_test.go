package sojourn_test

// The invariants of a session's life, L1 to L3, where something else takes part in the response: a
// revocation of this request's own, another manager, a custom transport, a limit.

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// L3: a sign-in after this request's own revocation makes a new session, also where the old one was
// loaded before: a change of password below RequireUser. So it does whoever signs in, and for each
// way to revoke.
func TestL3RevokeThenLogin(t *testing.T) {
	for _, way := range []string{"user", "handle"} {
		for _, load := range []bool{false, true} {
			for _, user := range []string{"ada", "eve"} {
				for _, sealed := range []bool{false, true} {
					g := newSiteOf(t, sealed)
					g.on("password", func(s *sojourn.Session, r *http.Request) (string, error) {
						if load {
							must(g.Load(r))
							if err := slot("a").Set(s, "x"); err != nil {
								return "", err
							}
						}
						var err error
						if way == "user" {
							_, err = g.RevokeUser(r.Context(), "ada")
						} else {
							err = g.Revoke(r.Context(), "ada", g.infos("ada")[0].Handle)
						}
						if err != nil {
							return "", err
						}
						if err := s.Login(r.Context(), user); err != nil {
							return "", err
						}
						return "", s.Login(r.Context(), user) // the new one is confirmed
					})
					b := g.signedIn("ada")
					before := g.infos("ada")[0].Handle
					b.ok("password")
					b.wants("user", user)
					if l := g.infos(user); len(l) != 1 || l[0].Handle == before {
						t.Errorf("%s, loaded %v, %s, sealed %v: sessions %v", way, load, user, sealed, l)
					}
				}
			}
		}
	}
}

// A session that the request's own RevokeUser has spared is confirmed, and keeps its values.
func TestL3RevokeOthersThenLogin(t *testing.T) {
	g := newSite(t)
	var kept store.Handle
	g.onLoaded("password", func(s *sojourn.Session, r *http.Request) (string, error) {
		kept = s.Handle()
		if _, err := g.RevokeUser(r.Context(), "ada", kept); err != nil {
			return "", err
		}
		return "", s.Login(r.Context(), "ada")
	})
	b := g.signedIn("ada")
	b.ok("set?k=a&v=x")
	b.ok("password")
	b.wants("get?k=a", "x")
	if l := g.infos("ada"); len(l) != 1 || l[0].Handle != kept {
		t.Error(l)
	}
}

// L3: the token of one manager's sign-in reaches the client though the commit of another, around
// it, fails: by the inner one's Handler, and by Open and Save, also for a request that was built by
// hand.
func TestL3BelowAnotherManager(t *testing.T) {
	for _, way := range []string{"Handler", "Open", "by hand"} {
		for _, act := range []string{"login", "logout"} {
			st := newFaultStore(memstore.New(nil))
			in := newWebRig(t, nil, sojourn.Options{Name: "in", Cookie: sojourn.CookieOptions{Name: "__Host-in"}})
			out := newWebRig(t, st, sojourn.Options{Name: "out", Keys: rigKeys(t), Cookie: sojourn.CookieOptions{Name: "__Host-out"}})
			do := func(s *sojourn.Session) error {
				if act == "logout" {
					return s.Logout(t.Context())
				}
				return s.Login(t.Context(), "ada")
			}
			page := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if way == "Handler" {
					rigOK(t, do(in.m.From(r)))
				} else {
					if way == "by hand" {
						r = r.WithContext(t.Context())
					}
					s, err := in.m.Open(r.Context(), r)
					rigOK(t, err)
					rigOK(t, do(s))
					rigOK(t, s.Save(w))
				}
				w.Header().Set("X-Page", "__Host-in=x; Path=/; Secure; HttpOnly; SameSite=Lax")
				w.Header().Add("Set-Cookie", "page=1; Path=/")
			}))
			if way == "Handler" {
				page = in.m.Handler(page)
			}
			before := in.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
			st.setBefore(func(context.Context) error { return store.ErrUnavailable }, opCreate)
			w := out.serve(rigRequest("POST", rigCookies(before)), func(w http.ResponseWriter, r *http.Request) {
				s, err := out.m.Load(r)
				rigOK(t, err)
				rigOK(t, slot("a").Set(s, "x"))
				page.ServeHTTP(w, r)
			})
			if w.Code != 503 || w.Header().Get("X-Page") != "" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: status %d, %v", way, act, w.Code, w.Header())
			}
			lines := w.Header()["Set-Cookie"]
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "__Host-in=") || strings.HasPrefix(lines[0], "__Host-in=;") != (act == "logout") {
				t.Errorf("%s, %s: %d cookies", way, act, len(lines))
			}
			if act == "login" {
				in.do(rigCookies(w), func(s *sojourn.Session) {
					if s.User() != "ada" {
						t.Errorf("%s: user %q", way, s.User())
					}
				})
			}
		}
	}
}

// L1, L2: a token that a custom transport has put into the header, by an earlier Commit, is taken
// back if the session ends before the header leaves. What Send replaced is there again, and other
// lines of the field stay.
func TestL2CustomTakenBack(t *testing.T) {
	for _, add := range []bool{false, true} {
		send := func(h http.Header, token sojourn.Token, _ time.Duration) error {
			if add {
				h.Add("Link", "token="+token.Reveal())
			} else {
				h.Set("Link", "token="+token.Reveal())
			}
			return nil
		}
		g := newWebRig(t, nil, sojourn.Options{Keys: rigKeys(t), Custom: &sojourn.CustomTransport{
			Receive: func(r *http.Request) string { return r.Header.Get("X-Token") },
			Send:    send, Delete: func(h http.Header) error { h.Del("Link"); return nil }, Explicit: true,
		}})
		signIn := g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
		r := rigRequest("POST")
		r.Header.Set("X-Token", strings.TrimPrefix(signIn.Header().Get("Link"), "token="))
		w := g.serve(r, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "before")
			s := g.m.From(r)
			rigOK(t, s.Renew(r.Context()))
			for range 2 {
				must(s.Commit(r.Context()))
			}
			if l := w.Header()["Link"]; !strings.HasPrefix(l[len(l)-1], "token=") {
				t.Errorf("not sent: %q", l)
			}
			w.Header().Add("Link", "after")
			must(g.m.RevokeUser(t.Context(), "ada"))
		})
		if l := w.Header()["Link"]; w.Code != 200 || len(l) != 2 || !slices.Contains(l, "before") || !slices.Contains(l, "after") {
			t.Errorf("add %v: status %d, %q", add, w.Code, l)
		}
	}
}

// L2: of two sign-ins at once, where the limit is one session and the later evicts the earlier
// one's, the earlier answer does not replace the later cookie. Such a sign-in makes one Get for it,
// and none where the limit refuses, or there is none.
func TestL2EvictedSignIn(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		g := newSiteOf(t, sealed, func(o *sojourn.Options) { o.MaxSessions = 1 })
		b := g.browser()
		first := b.start("login?user=ada")
		b.ok("login?user=ada")
		w := first()
		g.status(w, 200)
		g.noCookie(w)
		b.wants("user", "ada")
	}
	for gets, change := range []func(*sojourn.Options){
		func(o *sojourn.Options) { o.MaxSessions, o.RefuseAtLimit = 1, true },
		func(o *sojourn.Options) { o.MaxSessions = 1 },
	} {
		g := newSite(t, change)
		g.signedIn("ada")
		if n := g.store.count(opGet); n != gets || g.store.count() != 1+gets {
			t.Errorf("%d calls, %d of them Get, want %d", g.store.count(), n, gets)
		}
		g.store.reset()
		g.browser().ok("set?k=a&v=x") // a visitor's is nobody's to evict
		if n := g.store.count(opGet); n != 0 {
			t.Errorf("%d calls of Get for a visitor", n)
		}
	}
}

// L3: a sign-in that ends sessions that its tokens do not reach, the one that went on by a
// confirmation whose answer was lost, or those of several cookies, does not count them: it is not
// refused for them, and evicts nobody else's.
func TestL3LostConfirmationAtLimit(t *testing.T) {
	for _, refuse := range []bool{true, false} {
		bubble(t, func(t *testing.T, g *site) {
			phone, b := g.signedIn("ada"), g.signedIn("ada")
			b.copy().ok("login?user=ada") // b never gets the answer
			time.Sleep(2 * time.Minute)
			b.ok("login?user=ada")
			b.wants("user", "ada")
			phone.wants("user", "ada")
			if n := g.sessions("ada"); n != 2 {
				t.Errorf("RefuseAtLimit %v: %d sessions", refuse, n)
			}
		}, func(o *sojourn.Options) { o.MaxSessions, o.RefuseAtLimit = 2, refuse })
	}
}

// L3, as before, with the cookies of two sessions.
func TestL3TornAtLimit(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{
		MaxSessions: 1, RefuseAtLimit: true, Cookie: sojourn.CookieOptions{Name: "__Secure-s"},
	})
	var cookies []string
	for _, user := range []string{"ada", "eve"} {
		w := g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), user)) })
		cookies = append(cookies, rigCookies(w))
	}
	r := rigRequest("POST", cookies...)
	w := g.serve(r, func(w http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Login(r.Context(), "ada")) })
	g.do(rigCookies(w), func(s *sojourn.Session) {
		if s.User() != "ada" {
			t.Errorf("user %q", s.User())
		}
	})
	for user, want := range map[string]int{"ada": 1, "eve": 0} {
		if l := must(g.m.Sessions(t.Context(), user)); len(l) != want {
			t.Errorf("%s has %d sessions, want %d", user, len(l), want)
		}
	}
}

// Clear-Site-Data follows a sign-out also where a message for the next page begins a visitor's
// session, and not where somebody has signed in since.
func TestClearSiteDataAfterSignOut(t *testing.T) {
	bye := sojourn.NewFlash[string]("bye")
	for then, want := range map[string]string{"": `"cache", "storage"`, "flash": `"cache", "storage"`, "login": ""} {
		g := newWebRig(t, nil, sojourn.Options{ClearSiteData: []string{"cache", "storage"}})
		in := g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
		w := g.do(rigCookies(in), func(s *sojourn.Session) {
			rigOK(t, s.Logout(t.Context()))
			switch then {
			case "flash":
				rigOK(t, bye.Add(s, "bye"))
			case "login":
				rigOK(t, s.Login(t.Context(), "eve"))
			}
		})
		if got := w.Header().Get("Clear-Site-Data"); w.Code != 200 || got != want {
			t.Errorf("then %q: status %d, %q, want %q", then, w.Code, got, want)
		}
		if w := g.do(rigCookies(in), nil); w.Header().Get("Clear-Site-Data") != "" {
			t.Error("sent to one who has not signed out")
		}
	}
}

// L1: SetLifetime may end the session at once. Its token is not renewed then, and one that this
// request has made by Renew is not sent.
func TestL1LifetimeEnds(t *testing.T) {
	for _, age := range []time.Duration{30 * time.Minute, 61 * time.Minute} { // the latter is due for renewal
		for _, renew := range []bool{false, true} {
			bubble(t, func(t *testing.T, g *site) {
				g.onLoaded("end", func(s *sojourn.Session, r *http.Request) (string, error) {
					if renew {
						if err := s.Renew(r.Context()); err != nil {
							return "", err
						}
					}
					return "", s.SetLifetime(time.Minute)
				})
				b := g.signedIn("ada")
				time.Sleep(age)
				w := b.get("end")
				g.status(w, 200)
				g.noCookie(w)
				b.wants("user", "")
				if n := len(g.infos("ada")); n > 0 {
					t.Errorf("age %v, renew %v: %d sessions", age, renew, n)
				}
			}, func(o *sojourn.Options) { o.Idle = 2 * time.Hour })
		}
	}
}
