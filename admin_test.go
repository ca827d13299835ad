package sojourn_test

// What the Manager does to sessions from outside a request, and what it says of it.

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// named are the events of a name.
func (l *eventLog) named(name sojourn.EventName) (list []sojourn.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Name == name {
			list = append(list, e)
		}
	}
	return list
}

// What a revocation returns, and the event that tells of it.
func TestRevokeSays(t *testing.T) {
	unknown := store.Handle{1}
	one := func(h *store.Handle) func(*site) (int, error) {
		return func(g *site) (int, error) { return 0, g.Revoke(g.Context(), "ada", *h) }
	}
	all := func(g *site) (int, error) { return g.RevokeUser(g.Context(), "ada") }
	var own store.Handle
	down := func(g *site) { g.store.setBefore(fail(store.ErrUnavailable), opRevoke) }
	downOnce := func(g *site) { g.store.setBefore(failTimes(1, store.ErrUnavailable), opRevoke) }
	lostOnce := func(g *site) { g.store.setAfter(failTimes(1, store.ErrIndeterminate), opRevoke) }
	for name, c := range map[string]struct {
		sessions int
		hurt     func(*site)
		act      func(*site) (int, error)
		n        int
		is       error
		event    bool
		handle   *store.Handle
	}{
		"one":                            {1, nil, one(&own), 0, nil, true, &own},
		"none":                           {1, nil, one(&unknown), 0, sojourn.ErrNotFound, false, nil},
		"none, not reached at first":     {1, downOnce, one(&unknown), 0, sojourn.ErrNotFound, false, nil},
		"one, the answer lost":           {1, lostOnce, one(&own), 0, nil, true, &own},
		"one, down":                      {1, down, one(&own), 0, sojourn.ErrUnavailable, false, nil},
		"user's":                         {2, nil, all, 2, nil, true, &store.Handle{}},
		"of a user who has none":         {0, nil, all, 0, nil, false, nil},
		"of such a user, an answer lost": {0, lostOnce, all, 0, nil, false, nil},
		"user's, down":                   {2, down, all, 0, sojourn.ErrUnavailable, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newSite(t)
			for range c.sessions {
				g.signedIn("ada")
				own = g.infos("ada")[0].Handle
			}
			if c.hurt != nil {
				c.hurt(g)
			}
			n, err := c.act(g)
			if n != c.n || !errors.Is(err, c.is) || (err == nil) != (c.is == nil) || c.is == sojourn.ErrUnavailable && errors.Is(err, sojourn.ErrNotFound) {
				t.Errorf("%d, %v", n, err)
			}
			told := g.log.named(sojourn.SessionExpired)
			if len(told) != map[bool]int{true: 1}[c.event] {
				t.Fatalf("%d events", len(told))
			}
			if c.event && (told[0].Handle != *c.handle || told[0].User != "ada" || told[0].Reason != "revoked") {
				t.Errorf("event %+v", told[0])
			}
		})
	}
}

// A request's own revocation concerns its sign-in where it has succeeded, and has ended its
// session.
func TestRevokeThenLoginOfAnother(t *testing.T) {
	for name, c := range map[string]struct {
		user   string
		revoke func(g *site, r *http.Request, own store.Handle)
		same   bool // session
	}{
		"another's": {"eve", func(g *site, r *http.Request, _ store.Handle) { must(g.RevokeUser(r.Context(), "ada")) }, true},
		"one that failed": {"ada", func(g *site, r *http.Request, own store.Handle) {
			if err := g.Revoke(r.Context(), "ada", own); !sojourn.IsOutage(err) {
				g.Error(err)
			}
		}, true},
		"all that failed": {"ada", func(g *site, r *http.Request, _ store.Handle) {
			if _, err := g.RevokeUser(r.Context(), "ada"); !sojourn.IsOutage(err) {
				g.Error(err)
			}
		}, true},
		"all, then one that is none": {"ada", func(g *site, r *http.Request, _ store.Handle) {
			must(g.RevokeUser(r.Context(), "ada"))
			if err := g.Revoke(r.Context(), "ada", store.Handle{1}); !errors.Is(err, sojourn.ErrNotFound) {
				g.Error(err)
			}
		}, false},
	} {
		bubble(t, func(t *testing.T, g *site) {
			var before, after store.Handle
			g.onLoaded("act", func(s *sojourn.Session, r *http.Request) (string, error) {
				before = s.Handle()
				time.Sleep(time.Second)
				if c.same && c.user == "ada" {
					g.store.setBefore(fail(store.ErrUnavailable), opRevoke)
				}
				c.revoke(g, r, before)
				g.store.heal()
				err := s.Login(r.Context(), c.user)
				after = s.Handle()
				return "", err
			})
			b := g.signedIn(c.user)
			if b.ok("act"); (before == after) != c.same {
				t.Errorf("%s: the session is the same: %v, want %v", name, before == after, c.same)
			}
		})
	}
}

// A list is in the order of use, whole after an answer that was cut off, and says when its sessions
// were authenticated.
func TestSessionsList(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		var browsers []*browser
		for range 4 {
			browsers = append(browsers, g.signedIn("ada"))
			time.Sleep(2 * time.Minute)
		}
		begun := g.infos("ada")[3].Created
		browsers[1].ok("user")
		time.Sleep(2 * time.Minute)
		browsers[0].ok("user")
		g.store.setAfter(failTimes(1, store.ErrUnavailable), opUser)
		list := g.infos("ada")
		if len(list) != 4 || !slices.IsSortedFunc(list, func(a, b sojourn.Info) int { return b.Seen.Compare(a.Seen) }) {
			t.Errorf("%d sessions: %+v", len(list), list)
		}
		if in := list[0]; !in.Created.Equal(begun) || !in.AuthTime.Equal(begun) {
			t.Errorf("signed in at %v: created %v, authenticated %v", begun, in.Created, in.AuthTime)
		}
		if n := g.log.count(sojourn.StoreFailed); n != 0 {
			t.Errorf("%d events of a list that succeeded", n)
		}
		g.onLoaded("info", func(s *sojourn.Session, _ *http.Request) (string, error) {
			if in := s.Info(); !in.AuthTime.IsZero() || in.User != "" {
				t.Errorf("a visitor: %+v", in)
			}
			return "", nil
		})
		g.client(aVisitor).ok("info")
	})
}

// Everyone's sessions end, each user's at once and as with RevokeUser.
func TestRevokeEveryone(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		slow := g.browser().start2(g, "ada")
		time.Sleep(time.Second)
		for _, user := range []string{"ada", "eve", "ada"} {
			g.signedIn(user).ok("renew") // leaves a tail, which is no session
		}
		g.client(aVisitor)
		rec := store.Record{Key: store.Key{ID: store.ID{1}}, Handle: store.Handle{1}, Writer: store.Writer{1}, Lifetime: time.Hour}
		tail := meta.Meta{Tail: []byte{1}}
		rec.Meta = append(tail.Encode(), 0) // a visitor's session with damage
		must(g.store.Create(t.Context(), rec, store.Admission{}))
		g.store.reset()
		n, err := g.RevokeEveryone(t.Context())
		if n != 5 || err != nil || g.records() != 0 {
			t.Errorf("%d ended, %v, %d left", n, err, g.records())
		}
		if users, visitors := g.store.count(opRevoke), g.store.count(opDelete); users != 2 || visitors != 2 {
			t.Errorf("%d calls of Revoke and %d of Delete, want 2 of each", users, visitors)
		}
		if err := slow(); !errors.Is(err, sojourn.ErrRevoked) {
			t.Errorf("a sign-in that began before: %v", err)
		}
	})
}

// What fails ends RevokeEveryone, which says so and what it has done.
func TestRevokeEveryoneFails(t *testing.T) {
	for name, c := range map[string]struct {
		after bool
		op    string
		err   error
		n     int
	}{
		"the list":               {false, opAll, store.ErrUnavailable, 0},
		"the list, in the end":   {true, opAll, store.ErrCorrupt, 2},
		"a user's end":           {false, opRevoke, store.ErrUnavailable, 0},
		"the end of a visitor's": {false, opDelete, store.ErrUnavailable, 0},
	} {
		g := newSite(t)
		if name != "the end of a visitor's" {
			g.signedIn("ada")
		}
		if name != "a user's end" {
			g.client(aVisitor)
		}
		if c.after {
			g.store.setAfter(fail(c.err), c.op)
		} else {
			g.store.setBefore(fail(c.err), c.op)
		}
		if n, err := g.RevokeEveryone(t.Context()); n != c.n || !errors.Is(err, c.err) {
			t.Errorf("%s: %d ended, %v", name, n, err)
		}
	}
}

// Without a store nothing can be listed or revoked, and nothing is swept.
func TestSealedWithoutStoreIsUnmanaged(t *testing.T) {
	m := newSealedRig(t, noReplayGuard, sojourn.Options{}).m
	_, list := m.Sessions(t.Context(), "ada")
	_, user := m.RevokeUser(t.Context(), "ada")
	_, everyone := m.RevokeEveryone(t.Context())
	for name, err := range map[string]error{"list": list, "one": m.Revoke(t.Context(), "ada", store.Handle{1}), "user": user, "everyone": everyone} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := m.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	rigOK(t, m.CheckKeys(t.Context()))
}

// What a program asks for is done, whether or not its client waits for it.
func TestActsOutliveTheirClient(t *testing.T) {
	for name, c := range map[string]struct {
		op  string
		act func(g *site, r *http.Request) error
	}{
		"Revoke":     {opRevoke, func(g *site, r *http.Request) error { return g.Revoke(r.Context(), "ada", g.infos("ada")[0].Handle) }},
		"RevokeUser": {opRevoke, func(g *site, r *http.Request) error { _, err := g.RevokeUser(r.Context(), "ada"); return err }},
		"IssueBearer": {opCreate, func(g *site, r *http.Request) error {
			_, _, err := g.IssueBearer(r, "ada")
			return err
		}},
		"a visitor's first value": {opCreate, func(g *site, r *http.Request) error {
			s, err := g.Load(r)
			if err == nil {
				err = slot("a").Set(s, "x")
			}
			if err == nil {
				_, err = s.Commit(r.Context())
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newSite(t, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} })
			g.signedIn("ada")
			g.on("act", func(_ *sojourn.Session, r *http.Request) (string, error) { return "", c.act(g, r) })
			ctx, hangUp := context.WithCancel(t.Context())
			hung := false
			g.store.setBefore(func(ctx context.Context) error {
				hangUp()
				hung = true
				return store.FromContext(ctx)
			}, c.op)
			b := g.browser()
			if g.status(b.send(b.request(ctx, "act")), 200); !hung {
				t.Error("the store was not called")
			}
		})
	}
}

// Every act frees what bounds its time when it is over.
func TestActsFreeTheirTime(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		var mu sync.Mutex
		var bounds []context.Context
		g.store.setBefore(func(ctx context.Context) error {
			ctx.Done() // the timer starts when somebody waits for it
			mu.Lock()
			defer mu.Unlock()
			bounds = append(bounds, ctx)
			return store.FromContext(ctx)
		}, slices.Concat(allOps, []string{opUser, opAll, opSweep})...)
		g.on("bearer", func(_ *sojourn.Session, r *http.Request) (string, error) {
			_, _, err := g.IssueBearer(r, "ada")
			return "", err
		})
		g.onLoaded("commit", func(s *sojourn.Session, r *http.Request) (string, error) {
			must(s.Commit(r.Context()))
			return "", slot("a").Set(s, "y")
		})
		over := func(what string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			for _, ctx := range bounds {
				if ctx.Err() == nil {
					t.Errorf("%s: a timer goes on", what)
				}
			}
			if len(bounds) == 0 {
				t.Errorf("%s: the store was not called", what)
			}
			bounds = nil
		}
		b := g.browser()
		for _, path := range []string{
			"login?user=ada", "user", "set?k=a&v=x", "commit", "renew", "user", "login?user=ada", "others", "login?user=eve", "logout", "set?k=a&v=x", "logout", "bearer",
		} {
			b.ok(path)
			over(path)
			time.Sleep(time.Second)
		}
		b = g.signedIn("ada")
		s := must(g.Open(t.Context(), b.request(t.Context(), "")))
		rigOK(t, slot("a").Set(s, "z"))
		must(s.Commit(t.Context()))
		over("Commit without Handler")
		time.Sleep(5 * time.Minute)
		b.ok("user") // a touch
		over("touch")
		time.Sleep(20 * time.Minute)
		b.ok("user")
		time.Sleep(25 * time.Minute)
		b.ok("user")
		time.Sleep(20 * time.Minute)
		b.ok("user") // a renewal that is due
		over("renewal")
		time.Sleep(25 * time.Minute)
		finish := b.copy().start("user")
		time.Sleep(5 * time.Minute)
		over("a slow request")
		finish()
		g.store.mutate = func(r *store.Record) { r.Meta = badMeta }
		b.copy().ok("user")
		over("damage")
		g.store.mutate = nil
		must(g.Sessions(t.Context(), "ada"))
		must(g.RevokeUser(t.Context(), "ada"))
		must(g.RevokeEveryone(t.Context()))
		bounds = slices.DeleteFunc(bounds, func(ctx context.Context) bool { return ctx == t.Context() }) // of All
		must(g.Sweep(t.Context()))
		over("administration")
	}, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} })
}

// IsOutage is for what says nothing of the session.
func TestIsOutage(t *testing.T) {
	for err, want := range map[error]bool{
		sojourn.ErrUnavailable: true, sojourn.ErrIndeterminate: true, errors.Join(sojourn.ErrUnavailable, sojourn.ErrClock): true,
		errors.Join(sojourn.ErrEnded, sojourn.ErrIndeterminate): false, sojourn.ErrEnded: false, sojourn.ErrConflict: false,
		sojourn.ErrFull: false, sojourn.ErrCorrupt: false, sojourn.ErrNotFound: false, errDriver: false, nil: false,
	} {
		if got := sojourn.IsOutage(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
