package sojourn_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A custom transport is told of a session without limits by 0.
func TestCustomUnlimited(t *testing.T) {
	told := time.Duration(-1)
	g := newWebRig(t, nil, sojourn.Options{Idle: sojourn.Unlimited, Lifetime: sojourn.Unlimited, Custom: &sojourn.CustomTransport{
		Receive: func(*http.Request) string { return "" },
		Send:    func(_ http.Header, _ sojourn.Token, life time.Duration) error { told = life; return nil },
		Delete:  func(http.Header) error { return nil },
	}})
	if g.login(""); told != 0 {
		t.Errorf("life %v", told)
	}
}

// A level that is gone for lack of use is gone in lists, too, and no slow request brings it back.
func TestLapsedLevelStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{Assurance: sojourn.AAL2, Idle: 30 * time.Minute})
		cookie := g.login("", sojourn.AtLevel(sojourn.LevelMulti))
		g.do(cookie, func(s *sojourn.Session) { rigOK(t, s.SetIdle(2*time.Hour)) })
		time.Sleep(115 * time.Minute)
		if l := must(g.m.Sessions(t.Context(), "ada")); len(l) != 1 || l[0].Level != 0 {
			t.Errorf("listed: %+v", l)
		}
		func() {
			defer func() { recover() }()
			g.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) {
				if s := must(g.m.Load(r)); s.Level() != 0 {
					t.Errorf("level %d after 115 minutes", s.Level())
				}
				time.Sleep(8 * time.Minute)
				panic("a fault of the program")
			})
		}()
		g.do(cookie, func(s *sojourn.Session) {
			if s.User() != "ada" || s.Level() != 0 {
				t.Errorf("then user %q at level %d", s.User(), s.Level())
			}
		})
	})
}

// R30: a cookie that the browser keeps is as short as its session, also where that gets shorter
// later.
func TestCookieOfAShorterLife(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie := g.login("", sojourn.Remember(20*24*time.Hour))
	w := g.do(cookie, func(s *sojourn.Session) { rigOK(t, s.SetLifetime(time.Hour)) })
	if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge > 3600 {
		t.Errorf("cookies %v", c)
	}
}

// A limit that no store could keep is refused where it is set, and of a session that is over at
// once the client gets no token.
func TestSetIdleBounds(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Lifetime: sojourn.Unlimited})
	g.do(g.login(""), func(s *sojourn.Session) {
		if err := s.SetIdle(store.MaxLife + 1); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("more than store.MaxLife: %v", err)
		}
		rigOK(t, s.SetIdle(store.MaxLife))
	})
	w := g.do("", func(s *sojourn.Session) {
		rigOK(t, rigNote.Set(s, "x"))
		rigOK(t, s.SetIdle(1))
	})
	if c := rigCookies(w); c != "" {
		t.Errorf("a dead session's token is sent: %q", c)
	}
}

// Nothing is committed where WriteHeader panics for a status that is none.
func TestNoStatus(t *testing.T) {
	for _, status := range []int{0, 99, 1000} {
		g := newWebRig(t, nil, sojourn.Options{})
		cookie := g.login("")
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("status %d: no panic", status)
				}
			}()
			g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
				rigOK(t, rigNote.Set(must(g.m.Load(r)), "x"))
				w.WriteHeader(status)
			})
		}()
		g.do(cookie, func(s *sojourn.Session) {
			if got := rigNote.Get(s); got != "" {
				t.Errorf("status %d: %q was kept", status, got)
			}
		})
	}
}

// Clear-Site-Data, which a sign-out sends, would take the cookie of the sign-in along that follows.
func TestClearSiteDataBeforeASignIn(t *testing.T) {
	for _, commits := range []bool{false, true} {
		g := newWebRig(t, nil, sojourn.Options{ClearSiteData: []string{"cookies"}})
		cookie := g.login("")
		w := g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
			s := g.m.From(r)
			rigOK(t, s.Logout(r.Context()))
			if commits {
				_, err := s.Commit(r.Context())
				rigOK(t, err)
			}
			rigOK(t, s.Login(r.Context(), "bob"))
			_, err := io.WriteString(w, "hello bob")
			rigOK(t, err)
		})
		if h := w.Header(); h["Clear-Site-Data"] != nil || g.user(rigCookies(w)) != "bob" {
			t.Errorf("committed between %v: header %v", commits, h)
		}
	}
}

// A limit of sessions needs a store that counts them.
func TestSealedLimitWithoutAStore(t *testing.T) {
	_, err := sojourn.NewSealed(&sojourn.SealedOptions{AcceptReplayUntilExpiry: true}, &sojourn.Options{MaxSessions: 1})
	if !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("%v", err)
	}
}
