package sojourn_test

// Ends of sessions from outside, lists and limits: R22 to R26.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// R22
func TestR22RevokeOthers(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		a, b, c := g.signedIn("ada"), g.signedIn("ada"), g.signedIn("ada")
		eve, old := g.signedIn("eve"), a.copy()
		slow := g.browser().start2(g, "ada") // has begun before, ends after
		time.Sleep(time.Second)
		a.ok("others")
		w := slow()
		if w != nil && !errors.Is(w, sojourn.ErrRevoked) {
			t.Error(w)
		}
		if a.cookie == old.cookie {
			t.Error("the current session keeps its token")
		}
		old.wants("user", "") // without grace
		a.wants("user", "ada")
		b.wants("user", "")
		c.wants("user", "")
		eve.wants("user", "eve")
		if n := g.sessions("ada"); n != 1 {
			t.Error(n, "sessions")
		}
	})
}

// start2 begins a sign-in of user whose password check takes until the returned function is called.
func (b *browser) start2(g *site, user string) (finish func() error) {
	begun, check, result := make(chan bool), make(chan bool), make(chan error)
	name := fmt.Sprintf("slowlogin%p", b)
	g.on(name, func(s *sojourn.Session, r *http.Request) (string, error) {
		close(begun)
		<-check
		err := s.Login(r.Context(), user)
		go func() { result <- err }()
		return "", err
	})
	go b.get(name)
	<-begun
	return func() error { close(check); return <-result }
}

// R24: the four races of better-auth #11073: revoke-all against a sign-in, a refresh, a rotation,
// and a lost index.
func TestR24RevokeAllRaces(t *testing.T) {
	revoke := func(g *site) {
		time.Sleep(time.Second)
		if _, err := g.RevokeUser(g.Context(), "ada"); err != nil {
			g.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	dead := func(g *site, bs ...*browser) {
		g.Helper()
		for _, b := range bs {
			b.wants("user", "")
		}
		if n := g.sessions("ada"); n != 0 {
			g.Error(n, "sessions")
		}
	}
	t.Run("sign-in", func(t *testing.T) {
		bubble(t, func(t *testing.T, g *site) {
			b := g.browser()
			finish := b.start2(g, "ada")
			revoke(g)
			if err := finish(); !errors.Is(err, sojourn.ErrRevoked) {
				t.Error(err)
			}
			synctest.Wait()
			dead(g, b)
			b.ok("login?user=ada") // one that begins now is fine
			b.wants("user", "ada")
		})
	})
	t.Run("sign-in begun requests ago", func(t *testing.T) {
		bubble(t, func(t *testing.T, g *site) {
			g.on("second", func(s *sojourn.Session, r *http.Request) (string, error) {
				return "", s.Login(r.Context(), "ada", sojourn.Began(must(time.ParseDuration(r.FormValue("ago")))))
			})
			revoke(g) // a second ago, now
			b := g.browser()
			g.status(b.get("second?ago=2s"), 409)
			g.status(b.get("second?ago=16m"), 409) // longer than any store remembers
			dead(g, b)
			b.ok("second?ago=500ms")
		})
	})
	for _, path := range []string{"user", "renew", "set?k=a"} { // refresh: a touch
		t.Run(path, func(t *testing.T) {
			bubble(t, func(t *testing.T, g *site) {
				b := g.signedIn("ada")
				tab := b.copy()
				time.Sleep(2 * time.Minute)
				finish := tab.start(path)
				revoke(g)
				finish()
				dead(g, b, tab)
			})
		})
	}
	t.Run("no index to lose", func(t *testing.T) {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			g.store.setBefore(fail(store.ErrUnavailable), opUser, opAll)
			revoke(g)
			g.store.heal()
			dead(g, b)
		})
	})
	t.Run("the same request signs in", func(t *testing.T) {
		bubble(t, func(t *testing.T, g *site) {
			g.on("password", func(s *sojourn.Session, r *http.Request) (string, error) {
				time.Sleep(time.Second)
				_, err := g.RevokeUser(r.Context(), "ada")
				return "", errors.Join(err, s.Login(r.Context(), "ada"))
			})
			b := g.signedIn("ada")
			old := b.copy()
			b.ok("password")
			b.wants("user", "ada")
			old.wants("user", "")
		})
	})
}

// R25
func TestR25List(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		a, eve := g.signedIn("ada"), g.signedIn("eve")
		time.Sleep(time.Minute)
		b := g.browser()
		r := b.request(t.Context(), "login?user=ada")
		r.Header.Set("User-Agent", "Mozilla"+strings.Repeat("x", 1000))
		r.RemoteAddr = "198.51.100.77:1234"
		b.send(r)
		l := g.infos("ada")
		if len(l) != 2 || l[0].Network != "198.51.100.0/24" || len(l[0].Agent) > 256 || l[0].User != "ada" {
			t.Fatalf("%+v", l)
		}
		if s := fmt.Sprintf("%+v", l); strings.Contains(s, a.cookie) || strings.Contains(s, b.cookie) || strings.Contains(s, "198.51.100.77") {
			t.Error("credential or address in the list")
		}
		other := g.infos("eve")[0].Handle
		for _, h := range []store.Handle{other, {}, {1}} { // another's handle is like an unknown one
			if err := g.Revoke(t.Context(), "ada", h); !errors.Is(err, sojourn.ErrNotFound) {
				t.Error(err)
			}
		}
		eve.wants("user", "eve")
		if err := g.Revoke(t.Context(), "ada", l[0].Handle); err != nil {
			t.Error(err)
		}
		b.wants("user", "")
		a.wants("user", "ada")
		if l := must(g.Sessions(t.Context(), "")); len(l) != 0 {
			t.Error("nobody has sessions")
		}
	})
	bubble(t, func(t *testing.T, g *site) { // retention
		b := g.signedIn("ada")
		time.Sleep(2 * time.Minute)
		b.ok("user")
		if in := g.infos("ada")[0]; in.Network != "" || in.Agent != "" {
			t.Error(in)
		}
		b.ok("set?k=a")
		g.store.mutate = func(r *store.Record) {
			if strings.Contains(string(r.Meta), "192.0.2.") {
				t.Error("address still stored")
			}
		}
		b.ok("user")
	}, func(o *sojourn.Options) { o.ClientRetention = time.Minute })
}

// R26: 100 parallel sign-ins, limit 3.
func TestR26Limit(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		g := newSite(t, func(o *sojourn.Options) { o.MaxSessions, o.RefuseAtLimit = 3, refuse })
		browsers, codes := make([]*browser, 100), make([]int, 100)
		var wg sync.WaitGroup
		for i := range browsers {
			browsers[i] = g.browser()
			wg.Go(func() { codes[i] = browsers[i].get("login?user=ada").Code })
		}
		wg.Wait()
		slices.Sort(codes)
		live, in := 0, 0
		for _, b := range browsers {
			if b.ok("user") == "ada" {
				live++
			}
			if b.cookie != "" {
				in++
			}
		}
		want := map[bool][3]int{false: {200, 3, 97}, true: {409, 3, 97}}[refuse]
		if got := [3]int{codes[99], live, g.log.count(sojourn.SessionLimit)}; got != want {
			t.Errorf("RefuseAtLimit %v: %v, want %v", refuse, got, want)
		}
		if in < live || refuse && in != 3 { // one that was evicted before its answer left has no cookie, by L2
			t.Errorf("RefuseAtLimit %v: %d cookies", refuse, in)
		}
	}
}

// R22: a client that cannot be sent a token ends nobody's session halfway.
func TestR22RevokeOthersByBearer(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} })
	g.signedIn("ada")
	r := (&browser{}).request(t.Context(), "others")
	tok, _, err := g.IssueBearer(r, "ada")
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tok.Reveal())
	s := must(g.Open(t.Context(), r))
	if n, err := s.RevokeOthers(t.Context()); !errors.Is(err, sojourn.ErrNoToken) || n != 0 || g.sessions("ada") != 2 {
		t.Error(n, err, g.sessions("ada"))
	}
}

// P0: what is absent is denied. A store that lost everything signs everybody out, without errors
// and for good.
func TestStoreLostEverything(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	g.store.Store = memstore.New(nil)
	for range 3 {
		w := b.get("user")
		g.status(w, 200)
		g.noCookie(w)
	}
	b.ok("login?user=ada")
	b.wants("user", "ada")
}

// P14: the lag of revocations is a number, and New refuses one that is too long.
func TestRevocationLag(t *testing.T) {
	for st, ok := range map[store.Store]bool{lagging{newFaultStore(memstore.New(nil)), time.Second}: true, lagging{newFaultStore(memstore.New(nil)), time.Minute}: false} {
		m, err := sojourn.New(st, &sojourn.Options{MaxRevocationLag: 30 * time.Second, Keys: must(sojourn.NewKeyRing(sojourn.NewKey()))})
		if (err == nil) != ok || err != nil && !errors.Is(err, sojourn.ErrOptions) {
			t.Error(err)
		}
		if ok && m.RevocationLag() != time.Second {
			t.Error(m.RevocationLag())
		}
	}
}

type lagging struct {
	*faultStore
	lag time.Duration
}

func (l lagging) Traits() store.Traits { return store.Traits{Lag: l.lag} }

// P15: fields that a newer version has written survive this one's writes and renewals.
func TestRollingDeploy(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	newer := "\xc8\x05newer"
	g.store.mutate = func(r *store.Record) {
		if !strings.Contains(string(r.Meta), newer) {
			r.Meta = append(r.Meta, newer...)
		}
	}
	b.ok("set?k=a")
	g.store.heal()
	for _, path := range []string{"set?k=b", "renew", "set?k=c"} {
		b.ok(path)
		found := false
		for rec := range g.store.Store.User(t.Context(), "ada") {
			found = strings.Contains(string(rec.Meta), newer)
		}
		if !found {
			t.Error("lost at", path)
		}
	}
}

// Sign-out, then a message for the next page; a sign-in, then a renewal: one Set-Cookie each, of
// the last state.
func TestActsInOneRequest(t *testing.T) {
	g := newSite(t)
	flash := sojourn.NewFlash[string]("flash")
	g.on("bye", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", errors.Join(s.Logout(r.Context()), flash.Add(s, "bye"))
	})
	g.on("twice", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", errors.Join(s.Login(r.Context(), "ada"), slot("a").Set(s, "1"), s.Renew(r.Context()), slot("b").Set(s, "2"), s.Login(r.Context(), "ada"))
	})
	g.on("inout", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", errors.Join(s.Login(r.Context(), "ada"), s.Logout(r.Context()))
	})
	b := g.browser()
	for _, c := range []struct{ path, user, names string }{
		{"twice", "ada", "a b"}, {"bye", "", "flash"}, {"twice", "ada", "a b"}, {"inout", "", ""},
	} {
		w := b.get(c.path)
		if n := len(w.Header()["Set-Cookie"]); n != 1 {
			t.Errorf("%s: %d Set-Cookie", c.path, n)
		}
		b.wants("user", c.user)
		b.wants("names", c.names)
	}
	if n := g.sessions("ada"); n != 0 {
		t.Error(n, "sessions")
	}
}

// A sign-in that was committed stands, and its cookie is sent, also when a later commit of the
// request fails.
func TestEarlierCommitStands(t *testing.T) {
	st := &failingUpdates{Store: memstore.New(nil)}
	sessions := ok(sojourn.New(st, &sojourn.Options{Keys: ok(sojourn.NewKeyRing(sojourn.NewKey()))}))
	theme := sojourn.NewValue[string]("theme")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.From(r)
		if err := s.Login(r.Context(), "ada"); err != nil {
			t.Error(err)
		}
		if _, err := s.Commit(r.Context()); err != nil {
			t.Error(err)
		}
		http.SetCookie(w, &http.Cookie{Name: "page", Value: "x"})
		if err := theme.Set(s, "dark"); err != nil {
			t.Error(err)
		}
	})
	mux.Handle("GET /me", sessions.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	b := newVisitor(sessions.Handler(mux))
	if resp := b.do("POST", "/login"); resp.StatusCode != http.StatusServiceUnavailable || len(resp.Cookies()) != 1 {
		t.Errorf("status %d with cookies %v, want 503 and the session's alone", resp.StatusCode, resp.Cookies())
	}
	if status := b.do("GET", "/me").StatusCode; status != http.StatusOK {
		t.Errorf("after it, /me answers %d", status)
	}
}

// failingUpdates is a store that cannot be reached for updates.
type failingUpdates struct{ store.Store }

func (failingUpdates) Update(context.Context, store.Record, uint64) error {
	return store.ErrUnavailable
}
