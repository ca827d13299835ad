package sojourn_test

// What trials have reproduced on earlier versions, with the right outcome: lives, levels, lists and
// values. The list is continued from reproduced_edge_test.go.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

const longTime = 24 * time.Hour

// Info.Seen is as exact as TouchEvery also of sessions without idle limit: a bearer token that is
// used daily, a remembered session that is used each minute.
func TestSeenWithoutIdleLimit(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.on("remember", func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.Login(r.Context(), "eve", sojourn.Remember(10*longTime))
		})
		b := g.browser()
		b.ok("remember")
		for range 100 {
			time.Sleep(time.Minute)
			b.wants("user", "eve")
		}
		if ago := time.Since(g.infos("eve")[0].Seen); ago > 90*time.Second {
			t.Errorf("a remembered session used each minute was seen %v ago", ago)
		}
		r := g.browser().request(t.Context(), "user")
		tok, _, err := g.IssueBearer(r, "ada")
		rigOK(t, err)
		r.Header.Set("Authorization", "Bearer "+tok.Reveal())
		for range 30 {
			time.Sleep(longTime)
			if w := g.browser().send(r); w.Body.String() != "ada" {
				t.Fatal(w.Code, w.Body)
			}
			if ago := time.Since(g.infos("ada")[0].Seen); ago > 90*time.Second {
				t.Errorf("a bearer token was seen %v ago, just after its use", ago)
			}
		}
	}, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{Lifetime: 365 * longTime} })
}

// TouchEvery and RenewAfter have bounds within which constant use keeps a session, and a renewal's
// token does not outlive the next renewal.
func TestBoundsOfTouchAndRenewal(t *testing.T) {
	for _, o := range []sojourn.Options{
		{TouchEvery: 15*time.Minute + 1}, {TouchEvery: 29 * time.Minute}, {Idle: time.Hour, TouchEvery: 31 * time.Minute}, {Assurance: sojourn.AAL3, TouchEvery: 8 * time.Minute},
		{RenewAfter: 29 * time.Second}, {RenewAfter: 10 * time.Second, RenewGrace: 11 * time.Second}, {LongestRequest: 16 * time.Minute}, {Idle: 3 * time.Hour, LongestRequest: time.Hour + 1},
	} {
		if _, err := sojourn.New(memstore.New(nil), &o); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []sojourn.Options{
		{TouchEvery: 15 * time.Minute}, {Idle: sojourn.Unlimited, TouchEvery: longTime}, {Idle: time.Second}, {Idle: 2 * time.Millisecond, RenewGrace: time.Second, RenewAfter: time.Second},
		{RenewAfter: 30 * time.Second}, {RenewAfter: 10 * time.Second, RenewGrace: 10 * time.Second}, {Idle: 2 * time.Hour, LongestRequest: time.Hour},
	} {
		if _, err := sojourn.New(memstore.New(nil), &o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, sealed := range []bool{false, true} {
		for _, every := range []time.Duration{time.Minute, 7 * time.Minute, 14*time.Minute + 59*time.Second} {
			synctest.Test(t, func(t *testing.T) { // used every so often, and never idle for long
				g := newSiteOf(t, sealed, func(o *sojourn.Options) { o.TouchEvery, o.RenewAfter = 15*time.Minute, sojourn.Unlimited })
				b := g.signedIn("ada")
				for end := time.Now().Add(11 * time.Hour); time.Now().Before(end); {
					time.Sleep(every)
					b.wants("user", "ada")
				}
				if t.Failed() {
					t.Fatal("sealed", sealed, "used every", every)
				}
			})
		}
	}
	bubble(t, func(t *testing.T, g *site) { // the shorter limit that a session has of its own counts, too
		g.onLoaded("short", func(s *sojourn.Session, _ *http.Request) (string, error) { return "", s.SetIdle(80 * time.Second) })
		b := g.signedIn("ada")
		b.ok("short")
		for range 100 {
			time.Sleep(39 * time.Second)
			b.wants("user", "ada")
		}
	})
}

// Under AAL3 a sign-in has its level for 12 h, and 15 min without use, whatever carries the session;
// after that, until the user signs in again.
func TestLevelIsBoundWhateverCarriesIt(t *testing.T) {
	aal3 := func(o *sojourn.Options) {
		o.Assurance, o.MaxRemember, o.Deviation = sojourn.AAL3, 400*longTime, "remembered, at no level"
		o.Bearer = &sojourn.BearerOptions{Lifetime: 365 * longTime}
	}
	strong := sojourn.AtLevel(sojourn.LevelMulti)
	for name, signIn := range map[string]func(g *site, b *browser) *http.Request{
		"Remember": func(g *site, b *browser) *http.Request { b.ok("remember"); return nil },
		"SetIdle":  func(g *site, b *browser) *http.Request { b.ok("strong"); b.ok("idle"); return nil },
		"bearer": func(g *site, b *browser) *http.Request {
			r := b.request(g.Context(), "level")
			tok, _, err := g.IssueBearer(r, "ada", strong)
			rigOK(g, err)
			r.Header.Set("Authorization", "Bearer "+tok.Reveal())
			return r
		},
		"plain": func(g *site, b *browser) *http.Request { b.ok("strong"); return nil },
	} {
		for _, idle := range []bool{true, false} {
			bubble(t, func(t *testing.T, g *site) {
				g.on("remember", func(s *sojourn.Session, r *http.Request) (string, error) {
					return "", s.Login(r.Context(), "ada", strong, sojourn.Remember(12*time.Hour))
				})
				g.on("strong", func(s *sojourn.Session, r *http.Request) (string, error) {
					return "", s.Login(r.Context(), "ada", strong)
				})
				g.onLoaded("idle", func(s *sojourn.Session, _ *http.Request) (string, error) { return "", s.SetIdle(12 * time.Hour) })
				g.mux.Handle("/level", g.RequireLevel(sojourn.LevelMulti, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
				b := g.browser()
				bearer := signIn(g, b)
				level := func(want int) {
					t.Helper()
					r := bearer
					if r == nil {
						r = b.request(t.Context(), "level")
					}
					if w := b.send(r); w.Code != want {
						t.Errorf("%s, idle %v: status %d, want %d", name, idle, w.Code, want)
					}
				}
				level(200)
				if idle {
					time.Sleep(15*time.Minute + time.Nanosecond)
					level(401)
					time.Sleep(time.Minute)
					level(401) // using it does not bring it back
					b.ok("user")
					level(401)
				} else {
					for range 12*6 - 1 { // in use all the time
						time.Sleep(10 * time.Minute)
						level(200)
					}
					time.Sleep(10*time.Minute + time.Nanosecond)
					level(401)
				}
				if bearer == nil {
					b.ok("strong")
					level(200)
				}
			}, aal3)
		}
	}
}

// Confirming a sign-in leaves its level as it is, unless another one is asked for.
func TestStepUpKeepsTheLevel(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		for name, opts := range map[string][]sojourn.LoginOption{"plain": nil, "weak": {sojourn.AtLevel(sojourn.LevelSingle)}, "strong": {sojourn.AtLevel(sojourn.LevelMulti)}} {
			g.on(name, func(s *sojourn.Session, r *http.Request) (string, error) {
				return "", s.Login(r.Context(), "ada", opts...)
			})
		}
		g.onLoaded("level", func(s *sojourn.Session, _ *http.Request) (string, error) { return fmt.Sprint(s.Level()), nil })
		b := g.browser()
		for _, tt := range []struct{ path, want string }{{"plain", "1"}, {"strong", "2"}, {"plain", "2"}, {"weak", "1"}, {"plain", "1"}, {"strong", "2"}, {"renew", "2"}, {"others", "2"}} {
			b.ok(tt.path)
			b.wants("level", tt.want)
		}
		b.ok("logout")
		time.Sleep(time.Millisecond) // within the tick of RevokeOthers a sign-in is refused
		b.ok("plain")                // another session has its own
		b.wants("level", "1")
	})
}

// New keeps nothing that its caller can still change.
func TestNewClonesItsOptions(t *testing.T) {
	o := sojourn.Options{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, TrustedOrigins: []string{"https://pay.example"},
		ClearSiteData: []string{"cache"}, Bearer: &sojourn.BearerOptions{Prefix: "acme_"},
	}
	custom := &sojourn.CustomTransport{
		Receive: func(*http.Request) string { return "" },
		Send:    func(http.Header, sojourn.Token, time.Duration) error { return nil },
		Delete:  func(http.Header) error { return nil },
	}
	m := must(sojourn.New(memstore.New(nil), &o))
	c := must(sojourn.New(memstore.New(nil), &sojourn.Options{Custom: custom}))
	o.TrustedProxies[0], o.TrustedOrigins[0], o.ClearSiteData[0], o.Bearer.Prefix = netip.MustParsePrefix("192.0.2.0/24"), "https://evil.example", "cookies", "evil_"
	custom.Send, custom.Receive = nil, nil

	serve := func(r *http.Request, f func(s *sojourn.Session)) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(must(m.Load(r))) })).ServeHTTP(w, r)
		return w
	}
	r := rigRequest("POST")
	w := serve(r, func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) })
	cookie := rigCookies(w)
	r = rigRequest("POST", cookie)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	for origin, want := range map[string]int{"https://pay.example": 200, "https://evil.example": 403} {
		r.Header.Set("Origin", origin)
		if w := serve(r, func(*sojourn.Session) {}); w.Code != want {
			t.Errorf("origin %s: %d, want %d", origin, w.Code, want)
		}
	}
	r = rigRequest("POST", cookie) // from 192.0.2.1, which is no proxy
	r.TLS = nil
	r.Header.Set("X-Forwarded-Proto", "https")
	serve(r, func(s *sojourn.Session) {
		if s.User() != "" {
			t.Error("believes a proxy that was not named")
		}
	})
	w = serve(rigRequest("POST", cookie), func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
	if got := w.Header().Get("Clear-Site-Data"); got != `"cache"` {
		t.Errorf("Clear-Site-Data %s", got)
	}
	if tok, _, err := m.IssueBearer(rigRequest("GET"), "ada"); err != nil || !strings.HasPrefix(tok.Reveal(), "acme_") {
		t.Error("another bearer prefix", err)
	}
	w = httptest.NewRecorder()
	c.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { rigOK(t, c.From(r).Login(r.Context(), "ada")) })).ServeHTTP(w, rigRequest("GET"))
	if w.Code != 200 {
		t.Error(w.Code)
	}
}

// RevokeEveryone counts sessions, visitors' too, and no tails.
func TestRevokeEveryoneCountsSessions(t *testing.T) {
	g := newSite(t)
	a, b, v := g.client("ada"), g.client("ada"), g.client(aVisitor)
	for _, path := range []string{"renew", "renew", "login?user=ada", "renew"} {
		a.ok(path)
	}
	b.ok("login?user=eve")
	g.client("bob").ok("logout")
	if n, err := g.RevokeEveryone(t.Context()); n != 3 || err != nil {
		t.Errorf("%d ended, %v, want 3", n, err)
	}
	for _, c := range []*browser{a, b, v} {
		c.wants("who", "")
	}
	if n, err := g.RevokeEveryone(t.Context()); n != 0 || err != nil {
		t.Errorf("%d ended once more, %v", n, err)
	}
}

// One session whose metadata are damaged hides none of the others from the list, and can be ended.
func TestOneDamagedMeta(t *testing.T) {
	g := newSite(t)
	good, bad := g.signedIn("ada"), g.signedIn("ada")
	first := g.infos("ada")[0].Handle
	for rec, err := range g.store.Store.User(t.Context(), "ada") {
		rigOK(t, err)
		if rec.Handle != first {
			continue
		}
		whole, _, err := g.store.Store.Get(t.Context(), rec.Key)
		rigOK(t, err)
		whole.Meta = []byte("junk")
		whole.Writer = store.Writer{1}
		rigOK(t, g.store.Store.Update(t.Context(), whole, whole.Version))
	}
	l := g.infos("ada")
	if len(l) != 2 {
		t.Fatalf("%d of 2 sessions", len(l))
	}
	damaged := 0
	for _, in := range l {
		if in.Damaged != (in.Handle == first) || in.User != "ada" || in.Created.IsZero() || in.Seen.IsZero() {
			t.Errorf("%+v", in)
		}
		if in.Damaged {
			damaged++
			rigOK(t, g.Revoke(t.Context(), "ada", in.Handle))
		}
	}
	if damaged != 1 || g.log.count(sojourn.SessionDamaged) == 0 {
		t.Errorf("%d damaged, %d events", damaged, g.log.count(sojourn.SessionDamaged))
	}
	one, two := good.get("user").Body.String(), bad.get("user").Body.String()
	if one+two != "ada" {
		t.Errorf("after the end of the damaged one the browsers are %q and %q", one, two)
	}
}

// loud is a value whose encoding uses the session, as a MarshalText with a lookup in it would.
type loud struct{ Text string }

var useInside func()

func (l loud) MarshalJSON() ([]byte, error) { useInside(); return []byte(`"` + l.Text + `"`), nil }
func (l *loud) UnmarshalJSON(b []byte) error {
	useInside()
	l.Text = strings.Trim(string(b), `"`)
	return nil
}

// A function that the session runs, and that uses the session, would wait for itself for ever: it
// panics with a sentence. Another goroutine of the request waits its turn.
func TestSessionUsedInsideItsOwnUpdate(t *testing.T) {
	a, l := slot("a"), sojourn.NewValue[loud]("loud")
	deep := func(f func()) {
		var down func(n int)
		down = func(n int) {
			if n == 0 {
				f()
				return
			}
			down(n - 1)
		}
		down(300)
	}
	uses := map[string]func(s *sojourn.Session, r *http.Request){
		"Get":    func(s *sojourn.Session, _ *http.Request) { a.Get(s) },
		"Set":    func(s *sojourn.Session, _ *http.Request) { a.Set(s, "x") },
		"User":   func(s *sojourn.Session, _ *http.Request) { s.User() },
		"Commit": func(s *sojourn.Session, r *http.Request) { s.Commit(r.Context()) },
		"Login":  func(s *sojourn.Session, r *http.Request) { s.Login(r.Context(), "ada") },
		"Peek":   func(s *sojourn.Session, _ *http.Request) { s.Peek() },
		"deep":   func(s *sojourn.Session, _ *http.Request) { deep(func() { a.Get(s) }) },
	}
	runs := map[string]func(s *sojourn.Session, f func()){
		"Update":       func(s *sojourn.Session, f func()) { a.Update(s, func(*string) error { f(); return nil }) },
		"a Codec, Set": func(s *sojourn.Session, f func()) { useInside = f; l.Set(s, loud{"x"}) },
		"a Codec, Get": func(s *sojourn.Session, f func()) {
			useInside = func() {}
			l.Set(s, loud{"x"})
			useInside = f
			l.Get(s)
		},
		"a Codec, Take": func(s *sojourn.Session, f func()) {
			useInside = func() {}
			l.Set(s, loud{"x"})
			useInside = f
			l.Take(s)
		},
		"a Flash":       func(s *sojourn.Session, f func()) { useInside = f; sojourn.NewFlash[loud]("f").Add(s, loud{"x"}) },
		"OnDecodeError": func(s *sojourn.Session, f func()) { useInside = f; a.Set(s, "x"); sojourn.NewValue[int]("a").Get(s) },
	}
	for run, inside := range runs {
		for use, f := range uses {
			t.Run(run+"/"+use, func(t *testing.T) {
				g := newSite(t, func(o *sojourn.Options) {
					o.OnDecodeError = func(context.Context, string, []byte, error) ([]byte, error) { useInside(); return nil, nil }
				})
				g.onLoaded("run", func(s *sojourn.Session, r *http.Request) (string, error) {
					func() {
						defer func() {
							if text, _ := recover().(string); !strings.Contains(text, "inside a function given to Update") {
								t.Errorf("panic %q", text)
							}
						}()
						inside(s, func() { f(s, r) })
					}()
					return "", slot("after").Set(s, "x") // and the session is not locked for ever
				})
				b := g.browser()
				b.ok("run")
				b.wants("get?k=after", "x")
			})
		}
	}
	g := newSite(t)
	g.onLoaded("wait", func(s *sojourn.Session, r *http.Request) (string, error) {
		begun, done := make(chan bool), make(chan error)
		go func() {
			<-begun
			done <- slot("b").Set(s, "other")
		}()
		err := a.Update(s, func(x *string) error {
			close(begun)
			for stacks := make([]byte, 1<<20); ; runtime.Gosched() { // until the other goroutine waits for the session
				if strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "sojourn.(*Session).lock(") {
					break
				}
			}
			*x = "mine"
			return nil
		})
		return "", errors.Join(err, <-done)
	})
	b := g.browser()
	b.ok("wait")
	b.wants("get?k=a", "mine")
	b.wants("get?k=b", "other")
}
