package sojourn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// Each of these failed once, under a program that was written to break the promise which it names.

// keyService is a Sealer that may be out of reach.
type keyService struct {
	sojourn.Sealer
	seals, opens atomic.Pointer[error] // what it fails with
}

func newKeyService(t testing.TB) *keyService { return &keyService{Sealer: rigKeys(t)} }

func (k *keyService) Seal(dst, plain, aad []byte) ([]byte, error) {
	if err := k.seals.Load(); err != nil {
		return nil, *err
	}
	return k.Sealer.Seal(dst, plain, aad)
}

func (k *keyService) Open(dst, sealed, aad []byte) ([]byte, error) {
	if err := k.opens.Load(); err != nil {
		return nil, *err
	}
	return k.Sealer.Open(dst, sealed, aad)
}

var errKeyService = fmt.Errorf("%w: key service: connection refused", sojourn.ErrUnavailable)

// L5: where the key service cannot be reached, a token is no forgery and nobody is signed out.
func TestKeyServiceOutage(t *testing.T) {
	k := newKeyService(t)
	for name, g := range map[string]*webRig{
		"stored": newWebRig(t, nil, sojourn.Options{Keys: k}),
		"sealed": newSealedRig(t, sojourn.SealedOptions{Store: memstore.New(nil)}, sojourn.Options{Keys: k}),
	} {
		k.opens.Store(nil)
		cookie := g.login("")
		k.opens.Store(&errKeyService)
		before := g.seen(sojourn.TokenRefused)
		w := g.serve(rigRequest("GET", cookie), func(w http.ResponseWriter, r *http.Request) {
			if _, err := g.m.Load(r); !errors.Is(err, sojourn.ErrUnavailable) || !sojourn.IsOutage(err) {
				t.Errorf("%s: load: %v", name, err)
			}
			g.m.RequireUser(http.NotFoundHandler()).ServeHTTP(w, r)
		})
		if w.Code != http.StatusServiceUnavailable || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: status %d, cookies %q", name, w.Code, w.Header()["Set-Cookie"])
		}
		if g.seen(sojourn.SealFailed) == 0 || g.seen(sojourn.TokenRefused) > before {
			t.Errorf("%s: %d failures and %d refusals are told", name, g.seen(sojourn.SealFailed), g.seen(sojourn.TokenRefused)-before)
		}
		if k.opens.Store(nil); g.user(cookie) != "ada" {
			t.Errorf("%s: she is signed out", name)
		}
	}
}

// And so it is with the tokens of forms, of a session and of a visitor.
func TestKeyServiceOutageCSRF(t *testing.T) {
	k := newKeyService(t)
	g := newWebRig(t, nil, sojourn.Options{Keys: k})
	for name, cookie := range map[string]string{"user": g.login(""), "visitor": ""} {
		var token string
		w := g.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) { token = must(g.m.Load(r)).CSRFToken() })
		if cookie == "" {
			cookie = rigCookies(w)
		}
		h := g.m.RequireCSRFToken(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		post := func(fails *error) int {
			r := rigRequest("POST", cookie)
			r.Header.Set("X-CSRF-Token", token)
			return g.serve(r, func(w http.ResponseWriter, r *http.Request) {
				must(g.m.Load(r))
				k.opens.Store(fails)
				defer k.opens.Store(nil)
				h.ServeHTTP(w, r)
			}).Code
		}
		other := errors.New("forged")
		if a, b, c := post(&errKeyService), post(&other), post(nil); a != 503 || b != 403 || c != 200 {
			t.Errorf("%s: status %d in an outage, %d for another error, %d", name, a, b, c)
		}
	}
}

// L4: a read does not fail because its session's token could not be renewed or sealed again, by the
// key service or by the program's own transport; somebody hears of it.
func TestUnaskedFailsNoRead(t *testing.T) {
	k := newKeyService(t)
	fails := errors.New("connection refused")
	header, sends := "", true
	custom := &sojourn.CustomTransport{
		Receive: func(r *http.Request) string { return r.Header.Get("X-Token") },
		Send: func(_ http.Header, token sojourn.Token, _ time.Duration) error {
			if !sends {
				return fails
			}
			header = token.Reveal()
			return nil
		},
		Delete: func(http.Header) error { return nil }, Explicit: true,
	}
	for name, rig := range map[string]func() *webRig{
		"renewed": func() *webRig { return newWebRig(t, nil, sojourn.Options{Keys: k, Idle: 5 * time.Hour}) },
		"sealed": func() *webRig {
			return newSealedRig(t, sojourn.SealedOptions{Store: memstore.New(nil)}, sojourn.Options{Keys: k, Idle: 5 * time.Hour})
		},
		"custom": func() *webRig { return newWebRig(t, nil, sojourn.Options{Custom: custom, Idle: 5 * time.Hour}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			k.seals.Store(nil)
			sends = true
			g := rig()
			cookie := g.login("")
			time.Sleep(2 * time.Hour)
			k.seals.Store(&fails)
			sends = false
			for i := range 3 {
				r := rigRequest("GET", cookie)
				r.Header.Set("X-Token", header)
				w := g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
					if s := must(g.m.Load(r)); s.User() != "ada" {
						t.Errorf("%s: user %q", name, s.User())
					}
				})
				if w.Code != http.StatusOK {
					t.Errorf("%s: read %d: status %d", name, i, w.Code)
				}
				time.Sleep(2 * time.Minute)
			}
			if g.seen(sojourn.SealFailed) == 0 || g.seen(sojourn.ChangeLost)+g.seen(sojourn.StoreFailed) > 0 {
				t.Errorf("%s: %d failures are told, %d changes lost", name, g.seen(sojourn.SealFailed), g.seen(sojourn.ChangeLost))
			}
			if name == "custom" {
				return // what it cannot send leads on for a while only
			}
			time.Sleep(time.Hour)
			if k.seals.Store(nil); g.user(cookie) != "ada" {
				t.Errorf("%s: she is signed out", name)
			}
		})
	}
}

// So it is where a sealed session that fills its cookie gets a longer name.
func TestFullSealedSessionUnderALongerName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, keys := memstore.New(nil), rigKeys(t)
		old := newSealedRig(t, sojourn.SealedOptions{Store: st}, sojourn.Options{Keys: keys, Cookie: sojourn.CookieOptions{Name: "sid", InsecureName: true}})
		cookie := old.login("")
		cookie = rigCookies(old.do(cookie, func(s *sojourn.Session) {
			for n := 2000; rigNote.Set(s, strings.Repeat("x", n)) == nil; n++ {
			}
		}))
		name := sojourn.CookieOptions{
			Name:   "__Host-" + strings.Repeat("long", 8),
			Former: []sojourn.FormerCookie{{Name: "sid", Until: time.Now().Add(24 * time.Hour)}},
		}
		g := newSealedRig(t, sojourn.SealedOptions{Store: st}, sojourn.Options{Keys: keys, Cookie: name})
		for range 3 {
			w := g.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) {
				if s := must(g.m.Load(r)); s.User() != "ada" {
					t.Errorf("user %q", s.User())
				}
			})
			if w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// L3: a manager whose tokens are carried some other way leaves the cookie of another one alone.
func TestCustomBesideACookie(t *testing.T) {
	web := newWebRig(t, nil, sojourn.Options{Name: "web"})
	api := newWebRig(t, nil, sojourn.Options{Name: "api", Custom: &sojourn.CustomTransport{
		Receive: func(r *http.Request) string { return r.Header.Get("X-Token") },
		Send: func(h http.Header, token sojourn.Token, _ time.Duration) error {
			h.Set("X-Token", token.Reveal())
			return nil
		},
		Delete:   func(h http.Header) error { h.Del("X-Token"); return nil },
		Explicit: true,
	}})
	both := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		rigOK(t, web.m.From(r).Login(r.Context(), "ada"))
		rigOK(t, api.m.From(r).Login(r.Context(), "ada"))
		_, err := api.m.From(r).Commit(r.Context())
		rigOK(t, err)
	})
	for order, h := range map[string]http.Handler{"api outside": api.m.Handler(web.m.Handler(both)), "api inside": web.m.Handler(api.m.Handler(both))} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, rigRequest("POST"))
		if len(w.Result().Cookies()) != 1 || w.Header().Get("X-Token") == "" {
			t.Errorf("%s: header %q", order, w.Header())
		}
	}
}

// R38: what Token returns of a bearer's session is that bearer token, and no cookie.
func TestTokenOfABearer(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{Prefix: "acme_"}})
	issued, _, err := g.m.IssueBearer(rigRequest("POST"), "ada")
	rigOK(t, err)
	text := issued.Reveal()
	for range 2 {
		r := httptest.NewRequest("GET", "https://example.com/", nil)
		r.Header.Set("Authorization", "Bearer "+text)
		g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			s := must(g.m.Load(r))
			if s.User() != "ada" {
				t.Errorf("user %q", s.User())
			}
			text = must(s.Token()).Reveal()
		})
	}
	if u := g.user("__Host-session=" + strings.TrimPrefix(text, "acme_")); u != "" {
		t.Errorf("as a cookie it opens the session of %q", u)
	}
}

// P4: who hangs up keeps nobody from hearing of an outage that lost changes.
func TestOutageAfterHangingUp(t *testing.T) {
	for _, hangsUp := range []bool{false, true} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{})
		r := rigRequest("POST", g.login(""))
		ctx, hangUp := context.WithCancel(r.Context())
		defer hangUp()
		g.serve(r.WithContext(ctx), func(_ http.ResponseWriter, r *http.Request) {
			rigOK(t, rigNote.Set(must(g.m.Load(r)), "x"))
			st.setBefore(fail(store.ErrUnavailable), opUpdate, opRotate)
			if hangsUp {
				hangUp()
			}
		})
		if n := g.seen(sojourn.StoreFailed); n != 1 {
			t.Errorf("hung up %v: %d events", hangsUp, n)
		}
	}
}

// cursor walks as an engine does whose cursor follows keys: it misses what is renewed meanwhile.
type cursor struct {
	store.Store
	before    func() // after a walk has its keys
	meanwhile func() // after its first record
}

func (c *cursor) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var keys []store.Key
		for rec, err := range c.Store.All(ctx) {
			if err != nil {
				yield(rec, err)
				return
			}
			keys = append(keys, rec.Key)
		}
		if c.before != nil {
			c.before()
		}
		for _, k := range keys {
			rec, _, err := c.Get(ctx, k)
			if !errors.Is(err, store.ErrNotFound) && !yield(rec, err) {
				return
			}
			if c.meanwhile != nil {
				c.meanwhile()
				c.meanwhile = nil
			}
		}
	}
}

// RevokeEveryone ends also those sessions that are renewed while it walks, and visitors' too.
func TestRevokeEveryoneAmongRenewals(t *testing.T) {
	st := &cursor{Store: memstore.New(nil)}
	g := newWebRig(t, st, sojourn.Options{})
	var cookies []string
	for i := range 10 {
		cookies = append(cookies, g.loginAs(fmt.Sprint("user", i), ""), rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) })))
	}
	st.meanwhile = func() {
		for i, c := range cookies {
			w := g.do(c, func(s *sojourn.Session) {
				if s.Exists() {
					rigOK(t, s.Renew(t.Context()))
				}
			})
			cookies[i] = rigCookies(w)
		}
	}
	n, err := g.m.RevokeEveryone(t.Context())
	rigOK(t, err)
	for i, c := range cookies {
		g.do(c, func(s *sojourn.Session) {
			if s.Exists() {
				t.Errorf("after %d sessions ended number %d lives", n, i)
			}
		})
	}
}

// L2: a renewal that cannot be sealed leaves the cookie of the former name where it is, and the
// session alive.
func TestFormerNameDuringAnOutage(t *testing.T) {
	fails := errors.New("connection refused")
	for name, rig := range map[string]func(sojourn.Options) *webRig{
		"stored": func(o sojourn.Options) *webRig { return newWebRig(t, memstoreOf(t), o) },
		"sealed": func(o sojourn.Options) *webRig {
			return newSealedRig(t, sojourn.SealedOptions{Store: memstoreOf(t)}, o)
		},
	} {
		k := newKeyService(t)
		old := sojourn.CookieOptions{Name: "sid", InsecureName: true}
		now := sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "sid", Until: time.Now().Add(time.Hour)}}}
		cookie := rig(sojourn.Options{Keys: k, Cookie: old}).login("")
		g := rig(sojourn.Options{Keys: k, Cookie: now})
		k.seals.Store(&fails)
		w := g.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) {
			if s := must(g.m.Load(r)); s.User() != "ada" {
				t.Errorf("%s: user %q", name, s.User())
			}
		})
		if w.Code != http.StatusOK || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: status %d, cookies %q", name, w.Code, w.Header()["Set-Cookie"])
		}
		k.seals.Store(nil)
		if g.user(cookie) != "ada" {
			t.Errorf("%s: she is signed out", name)
		}
	}
}

var shared sync.Map // a store for each test and its rigs

// memstoreOf returns the store that all rigs of a test share.
func memstoreOf(t *testing.T) store.Store {
	st, _ := shared.LoadOrStore(t.Name(), memstore.New(nil))
	return st.(store.Store)
}

// L6: nobody is told of a sign-out that the key service's outage has kept from ending anything.
func TestSignOutOfSeveralDuringAnOutage(t *testing.T) {
	k := newKeyService(t)
	g := newWebRig(t, nil, sojourn.Options{Keys: k})
	two := g.loginAs("ada", "") + "; " + g.loginAs("eve", "")
	g.serve(rigRequest("POST", two), func(_ http.ResponseWriter, r *http.Request) {
		s := must(g.m.Load(r))
		k.opens.Store(&errKeyService)
		defer k.opens.Store(nil)
		if err := s.Logout(r.Context()); !sojourn.IsOutage(err) {
			t.Errorf("sign-out: %v", err)
		}
		if g.seen(sojourn.SealFailed) != 1 || g.seen(sojourn.StoreFailed) != 0 {
			t.Errorf("%d failures to open are told, and %d of the store", g.seen(sojourn.SealFailed), g.seen(sojourn.StoreFailed))
		}
	})
	for _, user := range []string{"ada", "eve"} {
		if n := len(must(g.m.Sessions(t.Context(), user))); n != 1 {
			t.Errorf("%s has %d sessions", user, n)
		}
	}
}

// A sign-in whose token the key service does not seal is no failure of the store.
func TestSignInThatIsNotSealed(t *testing.T) {
	k := newKeyService(t)
	g := newWebRig(t, nil, sojourn.Options{Keys: k})
	k.seals.Store(&errKeyService)
	w := g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
	if w.Code != http.StatusServiceUnavailable || g.seen(sojourn.SealFailed) == 0 || g.seen(sojourn.StoreFailed) > 0 {
		t.Errorf("status %d; %d failures to seal and %d of the store are told", w.Code, g.seen(sojourn.SealFailed), g.seen(sojourn.StoreFailed))
	}
	if n := len(must(g.m.Sessions(t.Context(), "ada"))); n > 0 {
		t.Errorf("%d sessions that nobody can open", n)
	}
}

// RevokeEveryone walks again for a visitor alone who has renewed, and ends where new ones come all
// the time.
func TestRevokeEveryoneEnds(t *testing.T) {
	st := &cursor{Store: memstore.New(nil)}
	g := newWebRig(t, st, sojourn.Options{})
	visitor := func() string {
		return rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
	}
	cookie := visitor()
	st.before = func() {
		st.before = nil
		cookie = rigCookies(g.do(cookie, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) }))
	}
	n, err := g.m.RevokeEveryone(t.Context())
	rigOK(t, err)
	g.do(cookie, func(s *sojourn.Session) {
		if s.Exists() {
			t.Errorf("after %d sessions ended the visitor's lives", n)
		}
	})
	walks := 0
	st.before = func() {
		walks++
		g.login(visitor(), sojourn.KeepAll()) // leaves the mark of a visitor's session
		visitor()
	}
	if _, err := g.m.RevokeEveryone(t.Context()); err != nil || walks > 5 {
		t.Errorf("%d walks, %v", walks, err)
	}
}

// A key service that cannot be reached when the manager is made is named as the cause.
func TestKeyServiceOutageAtStart(t *testing.T) {
	k := newKeyService(t)
	k.opens.Store(&errKeyService)
	_, err := sojourn.New(memstore.New(nil), &sojourn.Options{Keys: k})
	if !errors.Is(err, sojourn.ErrOptions) || !errors.Is(err, sojourn.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
