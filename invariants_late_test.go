package sojourn_test

// The invariants of a session's life, L8 and L9: slow requests, and acts that come too late for
// their answer.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
)

// L8: use counts from a request's arrival. A request that begins before the session would expire
// for lack of use, and ends after that, has kept it; one that peeks has not, and nothing moves the
// absolute end.
func TestL8SlowNearTheEnd(t *testing.T) {
	for _, tt := range []struct {
		path        string
		begin, last time.Duration
		status      int
	}{
		{"append?v=x", 28 * time.Minute, 3 * time.Minute, 200},
		{"append?v=x", 30*time.Minute - 1, 10 * time.Minute, 200},
		{"append?v=x", 20 * time.Minute, 10 * time.Minute, 200},   // just as long as requests can last
		{"append?v=x", 20*time.Minute + 1, 38 * time.Minute, 409}, // longer
		{"user", 28 * time.Minute, 3 * time.Minute, 200},
		{"peeked?v=x", 28 * time.Minute, 3 * time.Minute, 409},
		{"append?v=x", 28 * time.Minute, time.Minute, 200},
	} {
		for _, sealed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				if sealed && tt.begin == 30*time.Minute-1 {
					return // judged by two clocks that read a little apart
				}
				g := newSiteOf(t, sealed)
				g.onLoaded("peeked", func(s *sojourn.Session, r *http.Request) (string, error) {
					s.Peek()
					return "", slot("list").Set(s, r.FormValue("v"))
				})
				b := g.signedIn("ada")
				time.Sleep(tt.begin)
				finish := b.start(tt.path)
				time.Sleep(tt.last)
				g.status(finish(), tt.status)
				if lives := tt.status == 200; (b.ok("user") == "ada") != lives || (b.ok("get?k=list") == "x") != (lives && tt.path != "user") {
					t.Errorf("the session lives: %v, want %v; list %q", !lives, lives, b.ok("get?k=list"))
				}
				if t.Failed() {
					t.Fatalf("sealed %v: %s from %v for %v", sealed, tt.path, tt.begin, tt.last)
				}
			})
		}
	}
	bubble(t, func(t *testing.T, g *site) { // the absolute end
		b := g.signedIn("ada")
		for range 12*4 - 1 {
			time.Sleep(15 * time.Minute)
			b.ok("user")
		}
		time.Sleep(13 * time.Minute)
		finish := b.start("append?v=x")
		time.Sleep(3 * time.Minute)
		w := finish()
		g.status(w, http.StatusConflict)
		g.noCookie(w)
		b.wants("user", "")
	}, func(o *sojourn.Options) { o.RenewAfter = sojourn.Unlimited })
}

// L8: a session whose idle limit is shorter than requests can last outlives a slow one, which it
// had from the start or made so itself, and no longer; and the store may fail meanwhile.
func TestL8SlowWithShortIdle(t *testing.T) {
	for _, tt := range []struct {
		path   string
		last   time.Duration
		status int
	}{
		{"append?v=x", 3 * time.Minute, 200},
		{"append?v=x", 10*time.Minute - time.Second, 200},
		{"append?v=x", 12 * time.Minute, 409},
		{"shorten", 3 * time.Minute, 200},
	} {
		for _, down := range []bool{false, true} {
			bubble(t, func(t *testing.T, g *site) {
				g.onLoaded("shorten", func(s *sojourn.Session, r *http.Request) (string, error) {
					if err := s.SetIdle(time.Minute); err != nil {
						return "", err
					}
					_, err := s.Commit(r.Context())
					return "", errors.Join(err, slot("list").Set(s, "x"))
				})
				b := g.signedIn("ada")
				if tt.path != "shorten" {
					b.ok("shorten")
					b.ok("append?v=y")
				}
				time.Sleep(5 * time.Second)
				finish := b.start(tt.path)
				if down {
					g.store.setBefore(failTimes(4, errDriver), opTouch) // the three tries of an act, and one
				}
				time.Sleep(tt.last)
				g.status(finish(), tt.status)
				if lives := b.ok("user") == "ada"; lives != (tt.status == 200) {
					t.Errorf("the session lives: %v", lives)
				}
				if t.Failed() {
					t.Fatalf("%+v, store down %v", tt, down)
				}
			})
		}
	}
}

// L8, excepted: by Open nobody says when the request is over. A Commit before slow work is a use.
func TestL8SlowByOpen(t *testing.T) {
	for _, first := range []bool{false, true} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			time.Sleep(28 * time.Minute)
			r := b.request(context.Background(), "x")
			s := must(g.Open(r.Context(), r))
			if first {
				must(s.Commit(r.Context()))
			}
			time.Sleep(3 * time.Minute)
			g.must(slot("list").Set(s, "x"))
			if _, err := s.Commit(r.Context()); (err == nil) != first || err != nil && !errors.Is(err, sojourn.ErrEnded) {
				t.Errorf("commit after 3 minutes, and before them %v: %v", first, err)
			}
		}, func(o *sojourn.Options) { o.RenewAfter = sojourn.Unlimited })
	}
}

// L8: the clock that keeps a session alive stops with its request, however that ends.
func TestL8NobodyIsKeptAlive(t *testing.T) {
	for _, path := range []string{"user", "do?steps=read.panic", "do?steps=read.abort", "do?steps=read.logout", "do?steps=read.fail"} {
		bubble(t, func(t *testing.T, g *site) {
			g.chain()
			b := g.signedIn("ada")
			time.Sleep(28 * time.Minute)
			g.store.setBefore(fail(errDriver), opTouch) // not by the commit, either
			b.copy().get(path)
			g.store.heal()
			g.store.reset()
			time.Sleep(3 * time.Minute)
			if n := g.store.count(); n != 0 {
				t.Errorf("%d calls after %s was over", n, path)
			}
			b.wants("who", "")
		})
	}
}

// L8: a request that had the session goes on with it through renewals for as long as requests can
// last; through a confirmation or a sign-in it does not, and says so.
func TestL8SlowThroughRenewals(t *testing.T) {
	for _, longest := range []time.Duration{0, time.Minute, 10 * time.Minute, time.Hour} {
		bubble(t, func(t *testing.T, g *site) {
			last := longest
			if last == 0 {
				last = 10 * time.Minute // the default
			}
			b := g.signedIn("ada")
			finish, confirmed := b.copy().start("append?v=x"), g.signedIn("bob")
			tooLate := confirmed.copy().start("append?v=x")
			b.ok("renew")
			confirmed.ok("login?user=bob")
			time.Sleep(last / 2)
			b.ok("renew")
			time.Sleep(last / 2)
			g.status(finish(), 200)
			b.wants("get?k=list", "x")
			w := tooLate()
			g.status(w, http.StatusConflict)
			g.noCookie(w)
			confirmed.wants("user", "bob")
			confirmed.wants("get?k=list", "")
		}, func(o *sojourn.Options) { o.Idle, o.LongestRequest = 3*time.Hour, longest })
	}
	bubble(t, func(t *testing.T, g *site) { // also where the engine's clock is another node's by then
		b := g.signedIn("ada")
		finish := b.copy().start("append?v=x")
		b.ok("renew")
		g.store.skew = 59 * time.Second
		g.status(finish(), 200)
		g.store.heal()
		b.wants("get?k=list", "x")
	})
	for n, status := range map[int]int{1: 200, 4: 200, 5: 200, 16: 200, 17: 409} { // in a row
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			old := b.copy()
			finish := b.copy().start("append?v=x")
			for range n {
				b.ok("renew")
			}
			w := finish()
			g.status(w, status)
			if g.status(old.get("user"), status); t.Failed() {
				t.Fatal(n, "renewals")
			}
			b.wants("user", "ada")
		})
	}
}

// L8: a visitor's slow request begins no session over the one that its browser has signed in with.
func TestL8SlowVisitor(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.client(aVisitor)
		loaded, never := b.copy().start("append?v=x"), b.copy().start("none")
		b.ok("login?user=ada")
		time.Sleep(10 * time.Minute)
		w := loaded()
		g.status(w, http.StatusConflict)
		g.noCookie(w)
		g.noCookie(never())
		b.wants("user", "ada")
	})
}

// late is a request whose answer has begun, by a cookie of state.
func (g *site) late(state string, f func(s *sojourn.Session, r *http.Request, w http.ResponseWriter)) *browser {
	b := g.client(state)
	g.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
		s := must(g.Load(r))
		io.WriteString(w, "first")
		f(s, r, w)
	})
	old := b.cookie
	b.ok("late")
	if b.cookie != old {
		g.Error("a cookie after the first byte")
	}
	return b
}

// L9: after the first byte an act that needs a new token fails, and nothing has happened; one that
// does not need any succeeds.
func TestL9AfterTheFirstByte(t *testing.T) {
	commit := func(s *sojourn.Session, r *http.Request, _ http.ResponseWriter) error {
		_, err := s.Commit(r.Context())
		return err
	}
	save := func(s *sojourn.Session, _ *http.Request, w http.ResponseWriter) error { return s.Save(w) }
	for name, write := range map[string]func(*sojourn.Session, *http.Request, http.ResponseWriter) error{"Commit": commit, "Save": save} {
		for _, tt := range []struct {
			steps, state string
			sealed       bool
			want         error  // of the act, or of writing it
			who, x       string // afterwards
		}{
			{"ada", "", false, sojourn.ErrNoToken, "", ""}, {"eve", "ada", false, sojourn.ErrNoToken, "ada", ""}, {"ada", "ada", false, sojourn.ErrNoToken, "ada", ""},
			{"keep", aVisitor, false, sojourn.ErrNoToken, aVisitor, ""}, {"renew", "ada", false, sojourn.ErrNoToken, "ada", ""}, {"others", "ada", false, sojourn.ErrNoToken, "ada", ""},
			{"set", "", false, sojourn.ErrNoToken, "", ""}, {"set", "ada", false, nil, "ada", "x"}, {"set", aVisitor, false, nil, aVisitor, "x"}, {"logout", "ada", false, nil, "", ""},
			{"set", "", true, sojourn.ErrNoToken, "", ""}, {"set", "ada", true, sojourn.ErrNoToken, "ada", ""}, {"set", aVisitor, true, sojourn.ErrNoToken, aVisitor, ""},
			{"logout", "ada", true, nil, "", ""}, {"logout", aVisitor, true, sojourn.ErrNoToken, aVisitor, ""}, {"renew", "ada", true, sojourn.ErrNoToken, "ada", ""},
			{"eve", "ada", true, sojourn.ErrNoToken, "ada", ""}, {"others", "ada", true, sojourn.ErrNoToken, "ada", ""}, {"logout.set", "ada", false, sojourn.ErrNoToken, "", ""},
		} {
			synctest.Test(t, func(t *testing.T) {
				g := newSiteOf(t, tt.sealed)
				g.signedIn("ada")
				time.Sleep(2 * time.Hour) // a renewal is due, too
				other := g.signedIn("ada")
				b := g.late(tt.state, func(s *sojourn.Session, r *http.Request, w http.ResponseWriter) {
					err := errors.Join(runSteps(g, s, r, tt.steps), write(s, r, w))
					if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
						t.Errorf("%v, want %v", err, tt.want)
					}
				})
				b.wants("who", tt.who)
				b.wants("get?k=x", tt.x)
				other.wants("user", "ada")
				if n := g.log.count(sojourn.ChangeLost); n != 0 {
					t.Errorf("%d events of what was told already", n)
				}
				if t.Failed() {
					t.Fatalf("sealed %v: %s as %q, then %s", tt.sealed, tt.steps, tt.state, name)
				}
			})
		}
	}
}

// L9: sealed sessions without a store end in the response only, or not at all.
func TestL9SealedWithoutStore(t *testing.T) {
	g := newSealedRig(t, noReplayGuard, sojourn.Options{})
	cookie := g.login("")
	w := g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first")
		s := must(g.m.Load(r))
		if err := s.Logout(r.Context()); !errors.Is(err, sojourn.ErrNoToken) {
			t.Errorf("a late sign-out: %v", err)
		}
		if s.User() != "ada" {
			t.Error("signed out here, and nowhere else")
		}
	})
	if w.Header()["Set-Cookie"] != nil || g.user(cookie) != "ada" {
		t.Error("something has happened")
	}
}

// L9: a bearer's client is sent no token.
func TestL9Bearer(t *testing.T) {
	for steps, want := range map[string]error{
		"ada": sojourn.ErrNoToken, "eve": sojourn.ErrNoToken, "renew": sojourn.ErrNoToken, "others": sojourn.ErrNoToken, "set": nil, "append": nil, "logout": nil,
		"logout.set": sojourn.ErrNoToken,
	} {
		g := newSite(t, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} }).chain()
		g.signedIn("ada")
		r := g.browser().request(t.Context(), "")
		tok, _, err := g.IssueBearer(r, "ada")
		rigOK(t, err)
		r.Header.Set("Authorization", "Bearer "+tok.Reveal())
		w := httptest.NewRecorder()
		g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s := must(g.Load(r))
			err := runSteps(g, s, r, steps)
			if err == nil {
				_, err = s.Commit(r.Context())
			}
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", steps, err, want)
			}
		})).ServeHTTP(w, r)
		g.noCookie(w)
		left := 2
		if steps == "logout" || steps == "logout.set" {
			left--
		}
		if l := g.infos("ada"); len(l) != left {
			t.Errorf("%s: %d sessions are left, want %d", steps, len(l), left)
		}
	}
}

// L9: nor is anybody after an error page has begun, or the handler has returned.
func TestL9ErrorPageAndAfter(t *testing.T) {
	var page, after []error
	acts := func(g *site, s *sojourn.Session, ctx context.Context) []error {
		_, others := s.RevokeOthers(ctx)
		return []error{s.Login(ctx, "ada"), s.Login(ctx, "eve"), s.Renew(ctx), others}
	}
	var g *site
	g = newSite(t, func(o *sojourn.Options) {
		o.OnError = func(w http.ResponseWriter, r *http.Request, err error) {
			page = acts(g, g.From(r), r.Context())
			sojourn.DefaultOnError(w, r, err)
		}
	}).chain()
	b := g.client("ada")
	g.signedIn("ada")
	g.status(b.get("do?steps=read.fail"), 503)
	var kept *sojourn.Session
	g.onLoaded("keep", func(s *sojourn.Session, _ *http.Request) (string, error) { kept = s; return "", nil })
	b.ok("keep")
	after = acts(g, kept, t.Context())
	for _, errs := range [][]error{page, after} {
		if len(errs) != 4 {
			t.Fatal("not called")
		}
		for i, err := range errs {
			if !errors.Is(err, sojourn.ErrNoToken) {
				t.Errorf("act %d: %v", i, err)
			}
		}
	}
	b.wants("user", "ada")
	if n := g.sessions("ada"); n != 2 {
		t.Error(n, "sessions")
	}
}

// L9: where the connection is taken over, whether the header leaves is not known: what is owed must
// be told before.
func TestL9Upgrade(t *testing.T) {
	for steps, want := range map[string]error{
		"ada": sojourn.ErrNoToken, "set": sojourn.ErrNoToken, "ada.commit": nil, "set.commit": nil, "read": nil, "": nil,
	} {
		g := newSite(t).chain()
		w := &hijackRecorder{ResponseRecorder: httptest.NewRecorder()}
		g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if steps != "" {
				rigOK(t, runSteps(g, g.From(r), r, steps))
			}
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, want) {
				t.Errorf("Hijack after %q: %v, want %v", steps, err, want)
			}
		})).ServeHTTP(w, g.browser().request(t.Context(), ""))
	}
}
