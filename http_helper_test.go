package sojourn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// webRig is a manager whose handlers are given request by request.
type webRig struct {
	testing.TB
	m  *sojourn.Manager
	mu sync.Mutex
	ev []sojourn.Event
}

// newWebRig makes a manager over st, a new memstore if nil.
func newWebRig(t testing.TB, st store.Store, o sojourn.Options) *webRig {
	t.Helper()
	if st == nil {
		st = memstore.New(nil)
	}
	g := &webRig{TB: t}
	o.Observe = g.observe
	var err error
	if g.m, err = sojourn.New(st, &o); err != nil {
		t.Fatal(err)
	}
	return g
}

// newSealedRig makes a manager of sealed sessions; its keys are random if o has none.
func newSealedRig(t testing.TB, so sojourn.SealedOptions, o sojourn.Options) *webRig {
	t.Helper()
	g := &webRig{TB: t}
	o.Observe = g.observe
	if o.Keys == nil {
		o.Keys = rigKeys(t)
	}
	var err error
	if g.m, err = sojourn.NewSealed(&so, &o); err != nil {
		t.Fatal(err)
	}
	return g
}

func rigKeys(t testing.TB) *sojourn.KeyRing {
	t.Helper()
	k, err := sojourn.NewKeyRing(sojourn.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (g *webRig) observe(_ context.Context, e sojourn.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ev = append(g.ev, e)
}

func (g *webRig) seen(name sojourn.EventName) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, e := range g.ev {
		if e.Name == name {
			n++
		}
	}
	return n
}

// rigRequest is a request over TLS to https://example.com/ with a Cookie header for each of
// cookies.
func rigRequest(method string, cookies ...string) *http.Request {
	r := httptest.NewRequest(method, "https://example.com/", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range cookies {
		if c != "" {
			r.Header.Add("Cookie", c)
		}
	}
	return r
}

type rigHandler = func(w http.ResponseWriter, r *http.Request)

func (g *webRig) serve(r *http.Request, h rigHandler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.m.Handler(http.HandlerFunc(h)).ServeHTTP(w, r)
	return w
}

// do serves a POST with cookie, loads the session and runs f.
func (g *webRig) do(cookie string, f func(s *sojourn.Session)) *httptest.ResponseRecorder {
	g.Helper()
	return g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		if err != nil {
			g.Errorf("load: %v", err)
			return
		}
		if f != nil {
			f(s)
		}
	})
}

// login signs ada in from cookie and gives the new one.
func (g *webRig) login(cookie string, opts ...sojourn.LoginOption) string {
	g.Helper()
	return g.loginAs("ada", cookie, opts...)
}

func (g *webRig) loginAs(user, cookie string, opts ...sojourn.LoginOption) string {
	g.Helper()
	w := g.do(cookie, func(s *sojourn.Session) { rigOK(g, s.Login(g.Context(), user, opts...)) })
	return rigCookies(w)
}

// user tells who is signed in by cookie.
func (g *webRig) user(cookie string) (user string) {
	g.Helper()
	g.serve(rigRequest("GET", cookie), func(w http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		if err != nil {
			g.Errorf("load: %v", err)
			return
		}
		user = s.User()
	})
	return user
}

func rigOK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("unexpected error: %v", err)
	}
}

// rigCookies is the Cookie header that follows from a response.
func rigCookies(w *httptest.ResponseRecorder) string {
	var out []string
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			out = append(out, c.Name+"="+c.Value)
		}
	}
	return strings.Join(out, "; ")
}

// prefixJar is a cookie jar for one host that keeps RFC 6265bis section 5.7: prefixes, Secure,
// Partitioned, size and age.
type prefixJar struct {
	now     func() time.Time
	cookies map[string]*http.Cookie // by name, domain, path, partition
	expires map[string]time.Time
}

func newPrefixJar() *prefixJar {
	return &prefixJar{time.Now, map[string]*http.Cookie{}, map[string]time.Time{}}
}

// take reads the response of https://host/ and names the cookies that it refused.
func (b *prefixJar) take(host string, h http.Header) (refused []string) {
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || !b.accept(host, c) {
			refused = append(refused, line)
			continue
		}
		key := fmt.Sprint(c.Name, " ", c.Domain, " ", c.Path, " ", c.Partitioned)
		delete(b.cookies, key)
		delete(b.expires, key)
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.MaxAge == 0 && !b.now().Before(c.Expires) {
			continue
		}
		b.cookies[key] = c
		if c.MaxAge > 0 {
			b.expires[key] = b.now().Add(min(time.Duration(c.MaxAge)*time.Second, cookie.MaxAge))
		}
	}
	return refused
}

func (b *prefixJar) accept(host string, c *http.Cookie) bool {
	name := strings.ToLower(c.Name)
	is := func(p string) bool { return strings.HasPrefix(name, p) }
	switch {
	case len(c.Name)+len(c.Value) > 4096, len(c.Path) > 1024, len(c.Domain) > 1024:
		return false
	case c.Domain != "" && c.Domain != host && !strings.HasSuffix(host, "."+c.Domain):
		return false
	case (is("__secure-") || is("__host-") || is("__http-")) && !c.Secure:
		return false
	case is("__host-") && (c.Path != "/" || c.Domain != ""):
		return false
	case (is("__http-") || is("__host-http-")) && !c.HttpOnly:
		return false
	case c.SameSite == http.SameSiteNoneMode && !c.Secure, c.Partitioned && !c.Secure:
		return false
	}
	return true
}

// header is the Cookie header for https://host/path.
func (b *prefixJar) header() string {
	var out []string
	for key, c := range b.cookies {
		if e, ok := b.expires[key]; ok && !b.now().Before(e) {
			continue
		}
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "; ")
}
