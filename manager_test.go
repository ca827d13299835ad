package sojourn_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// odd is a Sealer that does what its fields say.
type odd struct {
	*sojourn.KeyRing
	err  error
	more int    // bytes, after what it seals
	open []byte // what it opens everything as
}

func (o odd) Seal(dst, plain, ad []byte) ([]byte, error) {
	if o.err != nil {
		return nil, o.err
	}
	dst, err := o.KeyRing.Seal(dst, plain, ad)
	return append(dst, make([]byte, o.more)...), err
}

func (o odd) Open(dst, sealed, ad []byte) ([]byte, error) {
	if o.open != nil {
		return append(dst, o.open...), nil
	}
	return o.KeyRing.Open(dst, sealed[:len(sealed)-o.more], ad)
}

// Bad input: a Sealer that does not seal fails when the manager is made, not at a sign-in. So does
// a manager without a store.
func TestSealerIsTried(t *testing.T) {
	errVault := errors.New("vault")
	for name, tt := range map[string]struct {
		keys odd
		want error
	}{
		"well": {odd{more: 10}, nil}, "fails": {odd{err: errVault}, errVault}, "opens nothing else": {odd{open: make([]byte, 48)}, sojourn.ErrOptions},
		"opens something short": {odd{open: []byte("x")}, sojourn.ErrOptions}, "too long": {odd{more: 1024}, sojourn.ErrOptions},
	} {
		tt.keys.KeyRing = rigKeys(t)
		m, err := sojourn.New(memstore.New(nil), &sojourn.Options{Keys: tt.keys})
		if (m == nil) != (err != nil) || !errors.Is(err, tt.want) || err != nil && !errors.Is(err, sojourn.ErrOptions) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sojourn.New(nil, &sojourn.Options{Keys: rigKeys(t)}); !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("without a store: %v", err)
	}
}

// slowToRevoke is a store that serves what is revoked for a minute.
type slowToRevoke struct{ store.Store }

func (slowToRevoke) Traits() store.Traits { return store.Traits{Volatile: true, Lag: time.Minute} }

// MaxRevocationLag refuses what is longer.
func TestMaxRevocationLag(t *testing.T) {
	for lag, ok := range map[time.Duration]bool{0: true, time.Minute - 1: false, time.Minute: true, time.Hour: true} {
		_, err := sojourn.New(slowToRevoke{memstore.New(nil)}, &sojourn.Options{MaxRevocationLag: lag})
		if (err == nil) != ok || err != nil && !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%v: %v", lag, err)
		}
	}
}

// Managers of other names share keys and a store, and open nothing of each other's.
func TestNamesTellManagersApart(t *testing.T) {
	keys, st := rigKeys(t), memstore.New(nil)
	rig := func(name string) *webRig {
		return newWebRig(t, st, sojourn.Options{Name: name, Keys: keys, Bearer: &sojourn.BearerOptions{}})
	}
	a, b, again := rig("a"), rig("b"), rig("a")
	cookie, bearer := a.login(""), a.bearer("ada")
	form := ""
	w := a.do("", func(s *sojourn.Session) { form = s.CSRFToken() })
	for _, tt := range []struct {
		g    *webRig
		same bool
	}{{b, false}, {again, true}} {
		if got := tt.g.user(cookie); (got == "ada") != tt.same {
			t.Errorf("the cookie opens for %q, same %t", got, tt.same)
		}
		r := rigRequest("GET")
		r.Header.Set("Authorization", "Bearer "+bearer)
		tt.g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			if s, err := tt.g.m.Load(r); err != nil || (s.User() == "ada") != tt.same {
				t.Errorf("the bearer token opens for %q, %v, same %t", s.User(), err, tt.same)
			}
		})
		tt.g.do(rigCookies(w), func(s *sojourn.Session) {
			if err := s.VerifyCSRF(form); (err == nil) != tt.same {
				t.Errorf("the visitor's form: %v, same %t", err, tt.same)
			}
		})
	}
}

// What an operator can do something about is told with the act that met it.
func TestEventsOfFailedActs(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"full":    {store.ErrFull, "store_failed login !"},
		"corrupt": {store.ErrCorrupt, "store_failed login !"},
		"outage":  {store.ErrUnavailable, "store_failed login !"},
		"limit":   {store.ErrLimit, "limit refused ada"},
		"revoked": {store.ErrRevoked, ""},
	} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{})
		st.setBefore(fail(tt.err), opCreate)
		g.do("", func(s *sojourn.Session) {
			if s.Login(t.Context(), "ada") == nil {
				t.Errorf("%s: signed in", name)
			}
		})
		if got := g.told(); got != tt.want {
			t.Errorf("%s: events %q, want %q", name, got, tt.want)
		}
	}
	g := newWebRig(t, nil, sojourn.Options{InsecureCrossSite: map[string]sojourn.CrossSite{"POST /": sojourn.CrossSiteRead}})
	r := rigRequest("POST")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
		if err := g.m.From(r).Login(r.Context(), "ada"); !errors.Is(err, sojourn.ErrCrossSite) {
			t.Errorf("login from another site: %v", err)
		}
	})
	if len(g.ev) != 1 || g.ev[0].Name != sojourn.CrossSiteRefused || g.ev[0].Reason != "login" || g.ev[0].Hint == "" {
		t.Errorf("events %+v", g.ev)
	}
}

// A sign-out with the tokens of several sessions ends all: users' and visitors', whatever else came
// with them; and if one cannot be ended, it says so.
func TestSeveralSessionsEndAtOnce(t *testing.T) {
	for _, failing := range []string{"", opRevoke, opDelete, opGet} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{})
		dead := g.login("")
		g.do(dead, func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
		ada, visitor := g.login(""), rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
		g.serve(rigRequest("POST", dead, ada, visitor, cookieName+"=junk"), func(_ http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			if rigOK(t, err); s.User() != "" || s.Exists() {
				t.Errorf("it is %q's", s.User())
			}
			if failing != "" {
				st.setBefore(fail(store.ErrUnavailable), failing)
			}
			if err := s.Logout(r.Context()); (err == nil) != (failing == "") || err != nil && !errors.Is(err, sojourn.ErrUnavailable) {
				t.Errorf("%s fails: %v", failing, err)
			}
			st.heal()
		})
		left := 0
		for _, c := range []string{ada, visitor} {
			g.do(c, func(s *sojourn.Session) {
				if s.Exists() {
					left++
				}
			})
		}
		if (left == 0) != (failing == "") {
			t.Errorf("%s fails: %d sessions are left", failing, left)
		}
	}
}

// Two sign-ins with one token overlap: what the first has made of the session decides.
func TestSignInsThatOverlap(t *testing.T) {
	confirm := func(g *webRig, c string) { g.login(c) }
	other := func(g *webRig, c string) { g.loginAs("eve", c) }
	revoke := func(g *webRig, _ string) {
		_, err := g.m.RevokeUser(g.Context(), "ada")
		rigOK(g, err)
	}
	for _, tt := range []struct {
		name         string
		in           bool // ada is, before
		meanwhile    func(*webRig, string)
		keep, change bool
		want         error
	}{
		{"two confirmations", true, confirm, false, false, sojourn.ErrConflict},
		{"a confirmation and a revocation", true, revoke, false, false, sojourn.ErrEnded},
		{"two users", false, other, false, false, nil},
		{"two users, keeping", false, other, true, false, sojourn.ErrConflict},
		{"two users, with a change", false, other, false, true, sojourn.ErrConflict},
	} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{})
		cookie := ""
		if tt.in {
			cookie = g.login("")
		}
		w := g.do(cookie, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "tea")) })
		if !tt.in {
			cookie = rigCookies(w)
		}
		st.setBefore(once(func() { tt.meanwhile(g, cookie) }), opRotate)
		g.do(cookie, func(s *sojourn.Session) {
			var opts []sojourn.LoginOption
			if tt.keep {
				opts = append(opts, sojourn.Keep(rigNote))
			}
			if tt.change {
				rigNote.Delete(s)
			}
			if err := s.Login(t.Context(), "ada", opts...); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) ||
				errors.Is(err, sojourn.ErrEnded) && tt.want == sojourn.ErrConflict {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			s.Discard()
		})
	}
}

// Room for a sign-in at the user's limit is made first; where that fails, nothing else is done.
func TestNoRoomIsMade(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{MaxSessions: 2, RefuseAtLimit: true})
	one, two := g.login(""), g.login("")
	st.setBefore(fail(store.ErrUnavailable), opRevoke)
	g.serve(rigRequest("POST", one, two), func(_ http.ResponseWriter, r *http.Request) {
		if err := g.m.From(r).Login(r.Context(), "ada"); !errors.Is(err, sojourn.ErrUnavailable) {
			t.Errorf("login: %v", err)
		}
	})
	if n := st.count(opCreate); n != 2 || g.user(one) != "ada" || g.user(two) != "ada" {
		t.Errorf("%d sign-ins, then %q and %q", n, g.user(one), g.user(two))
	}
	st.heal()
	g.serve(rigRequest("POST", one, two), func(_ http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Login(r.Context(), "ada")) })
	if l, err := g.m.Sessions(t.Context(), "ada"); err != nil || len(l) != 1 {
		t.Errorf("%d sessions, %v", len(l), err)
	}
}

// A Sealer that gives back something else than it got is refused at once.
func TestSealerThatChangesTokens(t *testing.T) {
	for name, wrong := range map[string]func(b []byte){"last": func(b []byte) { b[len(b)-1] ^= 1 }, "first": func(b []byte) { b[1] ^= 1 }} {
		if _, err := sojourn.New(memstore.New(nil), &sojourn.Options{Keys: &changing{rigKeys(t), wrong}}); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%s byte: %v", name, err)
		}
	}
}

// changing is a Sealer that changes what it opens.
type changing struct {
	sojourn.Sealer
	change func([]byte)
}

func (c *changing) Open(dst, sealed, aad []byte) ([]byte, error) {
	plain, err := c.Sealer.Open(dst, sealed, aad)
	if err == nil {
		c.change(plain)
	}
	return plain, err
}
