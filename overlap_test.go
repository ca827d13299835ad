package sojourn_test

// Overlapping requests on one session: promises 1 and 2.

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// D1; P4: 64 requests that all load before any commits, and every change survives.
func TestOverlap64(t *testing.T) {
	const n = 64
	list := sojourn.NewValue[[]int]("list")
	flash := sojourn.NewFlash[int]("flash")
	count := sojourn.NewValue[int]("count")
	g := newSite(t)
	var all sync.WaitGroup
	all.Add(n)
	g.onLoaded("change", func(s *sojourn.Session, r *http.Request) (string, error) {
		all.Done()
		all.Wait()
		var i int
		fmt.Sscan(r.FormValue("i"), &i)
		return "", errors.Join(
			slot(fmt.Sprint("k", i)).Set(s, "x"), flash.Add(s, i),
			list.Update(s, func(l *[]int) error { *l = append(*l, i); return nil }),
			count.Update(s, func(c *int) error { *c++; return nil }))
	})
	g.onLoaded("sum", func(s *sojourn.Session, _ *http.Request) (string, error) {
		seen := map[int]bool{}
		for _, i := range list.Get(s) {
			seen[i] = true
		}
		return fmt.Sprint(count.Get(s), len(list.Get(s)), len(seen), len(s.Names()), len(flash.Take(s))), nil
	})
	b := g.signedIn("ada")
	srv := httptest.NewUnstartedServer(g.handler)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			r := must(http.NewRequest("GET", fmt.Sprint(srv.URL, "/change?i=", i), nil))
			r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie})
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
				t.Errorf("%d: %s", resp.StatusCode, body)
			}
		})
	}
	done.Wait()
	b.wants("sum", fmt.Sprint(n, n, n, n+3, n))
}

// R12, R20: 3,000 sign-outs, each against a slow request that overlaps it, at every order of their
// acts.
func TestOverlapLogoutRaces(t *testing.T) {
	slow := []string{"set?k=a", "append?v=x", "touch", "renew", "get?k=a", "login?user=ada"}
	ends := map[string]func(*site, *browser) error{
		"logout":     func(_ *site, b *browser) error { b.ok("logout"); return nil },
		"revoke":     func(g *site, _ *browser) error { _, err := g.RevokeUser(g.Context(), "ada"); return err },
		"revokeOne":  func(g *site, _ *browser) error { return g.Revoke(g.Context(), "ada", g.infos("ada")[0].Handle) },
		"everything": func(g *site, _ *browser) error { _, err := g.RevokeEveryone(g.Context()); return err },
	}
	rounds := 3000 / len(slow) / len(ends)
	for end, f := range ends {
		for _, path := range slow {
			t.Run(end+"/"+path, func(t *testing.T) {
				g := newSite(t, func(o *sojourn.Options) { o.TouchEvery = 1 })
				g.onLoaded("touch", func(s *sojourn.Session, _ *http.Request) (string, error) { return s.User(), nil })
				for range rounds {
					b := g.signedIn("ada")
					slow, thief := b.copy(), b.copy()
					started, done := make(chan bool), make(chan *httptest.ResponseRecorder)
					go func() { close(started); done <- slow.get(path) }()
					<-started
					if err := f(g, b); err != nil && !errors.Is(err, sojourn.ErrNotFound) {
						t.Fatal(err)
					}
					w := <-done
					thief.wants("user", "")
					if path == "login?user=ada" {
						// A sign-in confirmed at the same time may be the later of the two; its end
						// ends it.
						g.RevokeUser(t.Context(), "ada")
					}
					slow.wants("user", "")
					if w.Code >= 500 {
						t.Fatal(w.Code, w.Body)
					}
					if n := g.sessions("ada"); n != 0 {
						t.Fatalf("%d sessions after the end", n)
					}
				}
			})
		}
	}
}

// R12 with barriers: the end comes before or after each store operation of the slow request.
func TestOverlapEndAtEachStep(t *testing.T) {
	for _, path := range []string{"set?k=a", "append?v=x", "renew", "touch", "login?user=ada", "others"} {
		for _, op := range []string{opGet, opUpdate, opTouch, opRotate, opRevoke} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprint(path, " ", op, " ", after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { endAtStep(t, path, op, after) })
				})
			}
		}
	}
}

func endAtStep(t *testing.T, path, op string, after bool) {
	g := newSite(t)
	g.onLoaded("touch", func(s *sojourn.Session, _ *http.Request) (string, error) { return s.User(), nil })
	b := g.signedIn("ada")
	thief := b.copy()
	time.Sleep(2 * time.Minute)
	ended := false
	h := once(func() {
		time.Sleep(time.Millisecond) // or else the request began at the instant of its end
		// Past the wrapper, as another process would.
		r, err := g.store.Store.Revoke(t.Context(), "ada", store.Selection{})
		if ended = true; r.N != 1 || err != nil {
			t.Error(r.N, err)
		}
	})
	if after {
		g.store.setAfter(h, op)
	} else {
		g.store.setBefore(h, op)
	}
	w := b.get(path)
	if !ended {
		return // the request makes no such call
	}
	thief.wants("user", "")
	b.wants("user", "")
	if n := g.sessions("ada"); n != 0 {
		t.Errorf("%d sessions; status %d", n, w.Code)
	}
}

// R12 (c): random acts of 64 goroutines; what was acknowledged as ended stays so.
func TestOverlapHistory(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) { o.TouchEvery = 1 })
	paths := []string{"set?k=a", "append?v=x", "renew", "user", "login?user=ada", "others", "names"}
	for round := range 20 {
		b := g.signedIn("ada")
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				c := b.copy()
				for j := range 3 {
					if w := c.get(paths[(i*3+j*5+round)%len(paths)]); w.Code >= 500 {
						t.Error(w.Code, w.Body)
					}
				}
			})
		}
		wg.Wait()
		if _, err := g.RevokeUser(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		b.wants("user", "")
		if n := g.sessions("ada"); n != 0 {
			t.Fatal(n, "sessions")
		}
	}
}

// A value that is taken is had once; the loser writes nothing, not even with a second commit.
func TestOverlapTake(t *testing.T) {
	g := newSite(t)
	g.onLoaded("take", func(s *sojourn.Session, r *http.Request) (string, error) {
		slot("before").Set(s, "x")
		code, _ := slot("code").Take(s)
		slot("after").Set(s, "x")
		return code, nil
	})
	b := g.signedIn("ada")
	b.ok("set?k=code&v=123")
	first := b.start("take")
	g.status(b.get("take"), 200)
	b.ok("set?k=before&v=won")
	g.status(first(), http.StatusConflict)
	b.wants("get?k=before", "won")
	b.wants("names", "after before")

	// The same with explicit commits, after which the handler goes on.
	g.onLoaded("again", func(s *sojourn.Session, r *http.Request) (string, error) {
		slot("half").Set(s, "x")
		slot("code").Take(s)
		b.ok("set?k=code&v=other")
		if _, err := s.Commit(r.Context()); !errors.Is(err, sojourn.ErrConflict) {
			t.Error(err)
		}
		if slot("half").Has(s) || slot("code").Get(s) != "other" {
			t.Error("view after a failed replay is not the stored state")
		}
		return "", nil
	})
	b.ok("set?k=code&v=456")
	b.ok("again")
	b.wants("names", "after before code")
}

// Sets of one value: the later commit wins. Deletes and Clear replay. Flash messages are all kept,
// and taken ones leave once.
func TestOverlapReplay(t *testing.T) {
	flash := sojourn.NewFlash[string]("flash")
	g := newSite(t)
	g.onLoaded("flash", func(s *sojourn.Session, r *http.Request) (string, error) { return "", flash.Add(s, r.FormValue("v")) })
	g.onLoaded("show", func(s *sojourn.Session, _ *http.Request) (string, error) {
		return strings.Join(flash.Take(s), " "), nil
	})
	g.onLoaded("delete", func(s *sojourn.Session, r *http.Request) (string, error) {
		slot(r.FormValue("k")).Delete(s)
		return "", nil
	})
	g.onLoaded("clear", func(s *sojourn.Session, _ *http.Request) (string, error) { s.Clear(); return "", nil })
	for _, c := range []struct{ before, slow, fast, path, want string }{
		{"set?k=a&v=0", "set?k=a&v=slow", "set?k=a&v=fast", "get?k=a", "slow"},
		{"set?k=a&v=0", "delete?k=a", "set?k=b&v=1", "names", "b"},
		{"set?k=a&v=0", "clear", "set?k=b&v=1", "names", ""},
		{"set?k=a&v=0", "set?k=b&v=1", "clear", "names", "b"},
		{"flash?v=one", "flash?v=slow", "flash?v=fast", "show", "one fast slow"},
		{"flash?v=one", "show", "flash?v=two", "show", "two"},
		{"flash?v=one", "flash?v=two", "show", "show", "two"},
		{"set?k=a&v=0", "set?k=b&v=1", "delete?k=a", "names", "b"},
	} {
		b := g.signedIn("ada")
		b.ok(c.before)
		finish := b.start(c.slow)
		b.ok(c.fast)
		g.status(finish(), 200)
		b.wants(c.path, c.want)
	}
}

// Keep carries over what another request adds to the visitor's session while its owner signs in.
func TestOverlapLoginKeep(t *testing.T) {
	for _, op := range []string{opCreate, opRotate} {
		g := newSite(t)
		b := g.browser()
		b.ok("set?k=list&v=a")
		tab := b.copy()
		g.store.setBefore(once(func() { tab.ok("append?v=b") }), op)
		g.status(b.get("login?user=ada&keep=list"), 200)
		b.wants("user", "ada")
		b.wants("get?k=list", "ab")
		tab.wants("user", "")
		if n := g.sessions("ada"); n != 1 {
			t.Error(n, "sessions")
		}
	}
}

// A visitor's late change, against a sign-in that took all: it fails loudly and leaves the user's
// cookie alone.
func TestOverlapVisitorAgainstLogin(t *testing.T) {
	g := newSite(t)
	b := g.browser()
	b.ok("set?k=list&v=a")
	finish := b.copy().start("append?v=b")
	b.ok("login?user=ada&keep=list")
	w := finish()
	g.status(w, http.StatusConflict)
	g.noCookie(w)
	b.wants("get?k=list", "a")
}

// Confirming a sign-in keeps what an overlapping request changes, and the older token is dead.
func TestOverlapConfirm(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	b.ok("set?k=a&v=1")
	tab := b.copy()
	g.store.setBefore(once(func() { tab.ok("set?k=b&v=2") }), opRotate)
	old := b.copy()
	b.ok("login?user=ada")
	b.wants("names", "a b")
	old.wants("user", "")
	if n := g.sessions("ada"); n != 1 {
		t.Error(n, "sessions")
	}
}

// A request that is slower than the grace loses nothing to a renewal: it had the session before.
func TestOverlapRenewalSlowerThanGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSite(t)
		b := g.signedIn("ada")
		stale := b.copy()
		finish := b.copy().start("append?v=slow")
		b.ok("renew")
		time.Sleep(2 * time.Minute)
		g.status(finish(), 200)
		b.wants("get?k=list", "slow")
		time.Sleep(31 * time.Second)
		stale.wants("user", "") // but the token itself is no good any more
	})
}

// A tail of several renewals is followed; changes under way come along.
func TestOverlapSeveralRenewals(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	first := b.copy()
	finish := b.copy().start("append?v=slow")
	b.ok("renew")
	b.ok("renew")
	b.ok("renew")
	g.status(finish(), 200)
	first.wants("get?k=list", "slow")
	first.wants("user", "ada")
	if n := g.sessions("ada"); n != 1 {
		t.Error(n, "sessions")
	}
}

// A change after the first byte, on top of another request's renewal, is kept and not reported as
// lost.
func TestOverlapLateChange(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	tab := b.copy()
	g.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
		s := must(g.Load(r))
		io.WriteString(w, "page")
		slot("late").Set(s, "x")
		tab.ok("renew")
	})
	b.ok("late")
	tab.wants("get?k=late", "x")
	if g.log.count(sojourn.ChangeLost) != 0 {
		t.Error("reported as lost")
	}
}

// Several goroutines of one request share its session.
func TestOverlapGoroutinesOfOneRequest(t *testing.T) {
	g := newSite(t)
	g.onLoaded("many", func(s *sojourn.Session, r *http.Request) (string, error) {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				slot("list").Update(s, func(l *string) error { *l += "x"; return nil })
				s.User()
				s.Names()
				s.Commit(r.Context())
			})
		}
		wg.Wait()
		return "", nil
	})
	b := g.signedIn("ada")
	b.ok("many")
	b.wants("get?k=list", strings.Repeat("x", 16))
}
