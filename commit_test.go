package sojourn_test

// What a commit writes, and when: uses, changes, and both together.

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A change that is in the store is not made again by the next commit of the request, whatever came
// between; and no read is made where nothing did.
func TestSecondCommitAddsOnce(t *testing.T) {
	for name, c := range map[string]struct {
		visitor, renewal, meanwhile bool
		gets                        int
		list                        string
	}{
		"change":                         {false, false, false, 1, "xy"},
		"change, another's meanwhile":    {false, false, true, -1, "xzy"},
		"renewal":                        {false, true, false, 1, "xy"},
		"renewal, another's meanwhile":   {false, true, true, -1, "xzy"},
		"visitor":                        {true, false, false, 0, "xy"},
		"visitor's, another's meanwhile": {true, false, true, -1, "xzy"},
	} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.browser()
			if !c.visitor {
				b = g.signedIn("ada")
			}
			if c.renewal {
				time.Sleep(14 * time.Minute)
			}
			add := func(s *sojourn.Session, text string) error {
				return slot("list").Update(s, func(l *string) error { *l += text; return nil })
			}
			g.onLoaded("twice", func(s *sojourn.Session, r *http.Request) (string, error) {
				rigOK(t, add(s, "x"))
				must(s.Commit(r.Context()))
				if c.meanwhile {
					tab := g.browser()
					tab.cookie = must(s.Token()).Reveal()
					tab.ok("append?v=z")
				}
				rigOK(t, add(s, "y"))
				return "", nil
			})
			g.store.reset()
			b.ok("twice")
			if n := g.store.count(opGet); c.gets >= 0 && n != c.gets {
				t.Errorf("%s: %d reads, want %d", name, n, c.gets)
			}
			if n := g.store.count(opRotate); n != map[bool]int{true: 1}[c.renewal] {
				t.Errorf("%s: %d renewals", name, n)
			}
			b.wants("get?k=list", c.list)
			if n := g.log.count(sojourn.StoreFailed); n != 0 {
				t.Errorf("%s: %d events of a store that failed", name, n)
			}
		}, func(o *sojourn.Options) { o.RenewAfter = 10 * time.Minute })
	}
}

// A change and a renewal that is due are one write. Where another request is faster, or has ended
// the session, no store has failed; where there is no room for the renewal the change is written.
func TestChangeWithDueRenewal(t *testing.T) {
	for name, c := range map[string]struct {
		hurt            func(g *site, b *browser)
		status, updates int
		events          int
	}{
		"alone":   {func(*site, *browser) {}, 200, 0, 0},
		"another": {func(g *site, b *browser) { g.store.setBefore(once(func() { b.copy().ok("append?v=y") }), opRotate) }, 200, 1, 0},
		"ended": {func(g *site, _ *browser) {
			g.store.setBefore(once(func() { must(g.RevokeUser(g.Context(), "ada")) }), opRotate)
		}, 409, 0, 0},
		"lost": {func(g *site, _ *browser) {
			g.store.setBefore(func(context.Context) error {
				g.store.setBefore(fail(store.ErrUnavailable), opGet)
				return store.ErrIndeterminate
			}, opRotate)
		}, 503, 0, 1},
		"full": {func(g *site, _ *browser) { g.store.setBefore(fail(store.ErrFull), opRotate) }, 200, 1, 1},
	} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			time.Sleep(14 * time.Minute)
			g.store.reset()
			c.hurt(g, b)
			g.status(b.copy().get("append?v=x"), c.status)
			if n := g.store.count(opUpdate); n != c.updates {
				t.Errorf("%s: %d updates, want %d", name, n, c.updates)
			}
			if n := g.log.count(sojourn.StoreFailed); n != c.events {
				t.Errorf("%s: %d events, want %d", name, n, c.events)
			}
		}, func(o *sojourn.Options) { o.RenewAfter = 10 * time.Minute })
	}
}

// What another request has written already is not written again.
func TestSameChangeTwice(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	finish := b.copy().start("set?k=a&v=x")
	b.ok("set?k=a&v=x")
	g.store.reset()
	g.status(finish(), 200)
	if n := g.store.count(opUpdate); n != 1 { // which met the other's
		t.Errorf("%d updates, want 1", n)
	}
}

// A request that peeks and changes something all the same is no use: neither in the store nor for
// the rest of the request.
func TestPeekThatWrites(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			g := newSiteOf(t, sealed)
			g.onLoaded("peekset", func(s *sojourn.Session, r *http.Request) (string, error) {
				s.Peek()
				rigOK(t, slot("a").Set(s, "x"))
				must(s.Commit(r.Context()))
				if left := s.ExpiresIn(); left != 10*time.Minute {
					t.Errorf("sealed %v: expires in %v after a commit", sealed, left)
				}
				return "", nil
			})
			b := g.signedIn("ada")
			time.Sleep(20 * time.Minute)
			b.ok("peekset")
			b.wants("get?k=a", "x")
			b = g.signedIn("eve")
			time.Sleep(20 * time.Minute)
			b.ok("peekset")
			time.Sleep(10 * time.Minute)
			b.wants("user", "")
		})
	}
}

// What is kept of the client stays for its time, also through changes.
func TestClientIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		for _, c := range []struct {
			after time.Duration
			kept  bool
		}{{0, true}, {10 * time.Minute, true}, {time.Nanosecond, false}} {
			time.Sleep(c.after)
			b.ok("append?v=x")
			g.store.mutate = func(r *store.Record) {
				if got := containsText(r.Meta, "192.0.2."); got != c.kept {
					t.Errorf("after %v more the address is stored: %v", c.after, got)
				}
			}
			b.ok("peek")
			g.store.mutate = nil
		}
	}, func(o *sojourn.Options) { o.ClientRetention = 10 * time.Minute })
}

func containsText(b []byte, text string) bool { return contains([]string{string(b)}, text) }

// A sign-in by Open is one call of the store, however seldom or often uses are noted.
func TestTokenIsAUse(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) { o.TouchEvery = 1 })
	s := must(g.Open(t.Context(), httptest.NewRequest("GET", "https://shop.example/", nil)))
	rigOK(t, s.Login(t.Context(), "ada"))
	must(s.Commit(t.Context()))
	if calls := g.store.count(); calls != 1 {
		t.Errorf("%d calls of the store", calls)
	}
}

// Which requests touch: one whose use is new to the store by TouchEvery or more, and no other.
func TestTouches(t *testing.T) {
	outage := func(g *site, s *sojourn.Session, r *http.Request) {
		g.store.setBefore(fail(store.ErrUnavailable), opRevoke)
		if _, err := s.RevokeOthers(r.Context()); !sojourn.IsOutage(err) {
			t.Error(err)
		}
		g.store.heal()
	}
	for name, c := range map[string]struct {
		sealed bool
		idle   time.Duration // before the request
		do     func(g *site, s *sojourn.Session, w http.ResponseWriter, r *http.Request)
		want   int
	}{
		"not yet":         {false, 90*time.Second - 1, nil, 0},
		"due":             {false, 90 * time.Second, nil, 1},
		"due, sealed":     {true, 90 * time.Second, nil, 1},
		"not yet, sealed": {true, 90*time.Second - 1, nil, 0},
		"after the first byte": {false, 2 * time.Minute, func(_ *site, _ *sojourn.Session, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
		}, 1},
		"after a commit of this request": {false, 2 * time.Minute, func(_ *site, s *sojourn.Session, _ http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			rigOK(t, slot("a").Set(s, "x"))
			must(s.Commit(r.Context()))
			time.Sleep(2 * time.Minute)
		}, 0},
		"peek": {false, 2 * time.Minute, func(_ *site, s *sojourn.Session, _ http.ResponseWriter, _ *http.Request) { s.Peek() }, 0},
		"right after an outage": {false, 2 * time.Minute, func(g *site, s *sojourn.Session, _ http.ResponseWriter, r *http.Request) {
			outage(g, s, r)
		}, 0},
		"long after an outage": {false, 2 * time.Minute, func(g *site, s *sojourn.Session, _ http.ResponseWriter, r *http.Request) {
			outage(g, s, r)
			time.Sleep(5 * time.Second)
		}, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newSiteOf(t, c.sealed)
			b := g.signedIn("ada")
			g.mux.HandleFunc("/act", func(w http.ResponseWriter, r *http.Request) {
				s := must(g.Load(r))
				if c.do != nil {
					c.do(g, s, w, r)
				}
			})
			time.Sleep(c.idle)
			g.store.reset()
			g.status(b.get("act"), 200)
			if n := g.store.count(opTouch); n != c.want {
				t.Errorf("%s: %d touches, want %d", name, n, c.want)
			}
		})
	}
	// A sealed session whose cookie can be sent no more is not touched.
	synctest.Test(t, func(t *testing.T) {
		g := newSiteOf(t, true)
		b := g.signedIn("ada")
		g.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			must(g.Load(r))
		})
		time.Sleep(2 * time.Minute)
		g.store.reset()
		if b.get("late"); g.store.count(opTouch) != 0 {
			t.Errorf("%d touches", g.store.count(opTouch))
		}
	})
	// By Open each commit is a use.
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		s := must(g.Open(t.Context(), b.request(t.Context(), "")))
		for range 3 {
			time.Sleep(2 * time.Minute)
			must(s.Commit(t.Context()))
		}
		if n := g.store.count(opTouch); n != 3 {
			t.Errorf("%d touches by Open, want 3", n)
		}
	})
}

// A touch that fails is told, and no touch is tried of a session that has ended meanwhile.
func TestTouchFails(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		time.Sleep(2 * time.Minute)
		g.store.setBefore(fail(store.ErrUnavailable), opTouch)
		b.ok("user")
		if e := g.log.named(sojourn.StoreFailed); len(e) != 1 || e[0].Reason != "touch" || !errors.Is(e[0].Err, store.ErrUnavailable) {
			t.Errorf("events %+v", e)
		}
	})
	for op, idle := range map[string]time.Duration{opTouch: 2 * time.Minute, opRotate: 14 * time.Minute} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			time.Sleep(idle)
			g.store.reset()
			g.store.setBefore(once(func() { must(g.RevokeUser(t.Context(), "ada")) }), op)
			w := b.copy().get("user")
			g.status(w, 200)
			g.noCookie(w)
			if n := g.store.count(opTouch, opRotate); n != 1 || g.log.count(sojourn.StoreFailed) != 0 {
				t.Errorf("%s meets the end: %d calls, %d events", op, n, g.log.count(sojourn.StoreFailed))
			}
		}, func(o *sojourn.Options) { o.RenewAfter = 10 * time.Minute })
	}
}

// What is noted of a renewal's token that came back is written for a peek, too; where that fails,
// the peek is no use all the same.
func TestPeekOfARenewedToken(t *testing.T) {
	for _, err := range []error{nil, store.ErrFull, store.ErrUnavailable} {
		for _, path := range []string{"peek", "user"} {
			bubble(t, func(t *testing.T, g *site) {
				b := g.signedIn("ada")
				b.ok("renew")
				time.Sleep(5 * time.Minute)
				g.store.reset()
				if err != nil {
					g.store.setBefore(fail(err), opUpdate)
				}
				b.wants(path, "ada")
				want := map[bool]int{true: 1}[err == store.ErrFull && path == "user"] // the use needs no room
				if n := g.store.count(opTouch); n != want {
					t.Errorf("%s with %v: %d touches, want %d", path, err, n, want)
				}
				told := map[error]int{nil: 0, store.ErrFull: 2, store.ErrUnavailable: 1}[err] // a page has two commits
				if n := g.log.count(sojourn.StoreFailed); n != told {
					t.Errorf("%s with %v: %d events", path, err, n)
				}
			})
		}
	}
}

// A visitor's session is told when it begins; what may have been made and cannot be taken back is,
// too.
func TestVisitorBegins(t *testing.T) {
	for _, erased := range []bool{true, false} {
		bubble(t, func(t *testing.T, g *site) {
			g.client(aVisitor)
			if n := g.log.count(sojourn.SessionCreated); n != 1 {
				t.Errorf("%d events of one session", n)
			}
			g.store.setAfter(fail(store.ErrIndeterminate), opCreate)
			if !erased {
				g.store.setBefore(fail(store.ErrFull), opDelete)
			}
			g.status(g.browser().get("set?k=a&v=x"), 503)
			told := map[string]int{}
			for _, e := range g.log.named(sojourn.StoreFailed) {
				told[e.Reason]++
			}
			if told["erase"] != map[bool]int{false: 1}[erased] || told["commit"] != 1 || g.log.count(sojourn.SessionCreated) != 1 {
				t.Errorf("erased %v: failures told %v", erased, told)
			}
		})
	}
}

// A sign-in that begins right after a revocation by another process is accepted, however long its
// record takes to a store that has one clock.
func TestSlowSignInAfterRevocation(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		other := openSite(t, g.store, false, g.opts)
		must(other.RevokeUser(t.Context(), "ada"))
		time.Sleep(time.Millisecond)
		g.store.setAfter(func(context.Context) error { time.Sleep(time.Second); return nil }, opCreate)
		b := g.signedIn("ada")
		b.wants("user", "ada")
	})
}

// Commit returns no header where there is nothing to say, and Save below Handler writes into the
// response's, whatever it is given.
func TestCommitHeader(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	s := must(g.m.Open(t.Context(), rigRequest("GET")))
	w := httptest.NewRecorder()
	if s.CSRFToken(); len(must(s.Commit(t.Context()))) == 0 {
		t.Error("no header with a cookie")
	}
	never := must(newWebRig(t, nil, sojourn.Options{Custom: quiet}).m.Open(t.Context(), rigRequest("GET")))
	if h := must(never.Commit(t.Context())); h != nil {
		t.Errorf("header %v", h)
	}
	page := g.do("", func(s *sojourn.Session) {
		rigOK(t, s.Login(t.Context(), "ada"))
		rigOK(t, s.Save(w))
	})
	if len(w.Header()) != 0 || g.user(rigCookies(page)) != "ada" {
		t.Errorf("Save below Handler: %v", w.Header())
	}
}

// quiet is a transport that says nothing.
var quiet = &sojourn.CustomTransport{
	Receive: func(*http.Request) string { return "" },
	Send:    func(http.Header, sojourn.Token, time.Duration) error { return nil },
	Delete:  func(http.Header) error { return nil }, Explicit: true,
}

// A look at what a late answer can no longer tell is not taken.
func TestLateLoadLooksOnce(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		old := b.copy()
		b.ok("renew")
		g.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			must(g.Load(r))
		})
		g.store.reset()
		if old.get("late"); g.store.count(opGet) != 2 { // the tail and the session
			t.Errorf("%d reads", g.store.count(opGet))
		}
	})
}
