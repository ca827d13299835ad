package sojourn_test

// What the Manager does to sessions from outside a request, and what it says of it.

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/memstore"
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

// A request's own revocation concerns its sign-in where it has succeeded, and has ended its session.
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
		var bounds []context.Context
		g.store.setBefore(func(ctx context.Context) error {
			ctx.Done() // the timer starts when somebody waits for it
			bounds = append(bounds, ctx)
			return nil
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

// breakable is a Sealer that can be made to fail.
type breakable struct {
	sojourn.Sealer
	broken bool
}

func (b *breakable) Seal(dst, plain, aad []byte) ([]byte, error) {
	if b.broken {
		return nil, errors.New("the key service is down")
	}
	return b.Sealer.Seal(dst, plain, aad)
}

func (b *breakable) Open(dst, sealed, aad []byte) ([]byte, error) {
	plain, err := b.Sealer.Open(dst, sealed, aad)
	if b.broken {
		err = errors.New("the key service is down")
	}
	return plain, err
}

// How long a bearer token lives, and what is said of it.
func TestBearerLives(t *testing.T) {
	const d = 100 * time.Hour
	for name, c := range map[string]struct {
		bearer     sojourn.BearerOptions
		opts       []sojourn.LoginOption
		life, idle time.Duration
	}{
		"default":    {sojourn.BearerOptions{}, nil, 12 * time.Hour, 0},
		"long":       {sojourn.BearerOptions{Lifetime: d}, nil, d, 0},
		"idle":       {sojourn.BearerOptions{Lifetime: d, Idle: true}, nil, d, 30 * time.Minute},
		"remembered": {sojourn.BearerOptions{Idle: true}, []sojourn.LoginOption{sojourn.Remember(d)}, d, 0},
	} {
		bubble(t, func(t *testing.T, g *site) {
			_, info, err := g.IssueBearer(g.browser().request(t.Context(), ""), "ada", append(c.opts, sojourn.Label("ci"))...)
			rigOK(t, err)
			want := c.life
			if c.idle > 0 {
				want = c.idle
			}
			if left := info.Expires.Sub(info.Created); left != want || !info.Bearer || info.Remembered || info.Label != "ci" || info.User != "ada" {
				t.Errorf("%s: %v, want %v: %+v", name, left, want, info)
			}
			if list := g.infos("ada"); len(list) != 1 || list[0] != info {
				t.Errorf("%s: listed as %+v, issued as %+v", name, list, info)
			}
			if e := g.log.named(sojourn.SessionCreated); len(e) != 1 || e[0].Reason != "bearer" || e[0].Handle != info.Handle || e[0].User != "ada" {
				t.Errorf("%s: events %+v", name, e)
			}
		}, func(o *sojourn.Options) { o.Bearer = &c.bearer })
	}
}

// A bearer token that cannot be made leaves no session.
func TestBearerFails(t *testing.T) {
	keys := &breakable{Sealer: rigKeys(t)}
	g := newSite(t, func(o *sojourn.Options) { o.Bearer, o.Keys = &sojourn.BearerOptions{}, keys })
	r := g.browser().request(t.Context(), "")
	issue := func(user string, want error) {
		t.Helper()
		tok, info, err := g.IssueBearer(r, user)
		if err == nil || want != nil && !errors.Is(err, want) || tok.Reveal() != "" || info != (sojourn.Info{}) {
			t.Errorf("%v, want %v", err, want)
		}
		if n := g.records(); n != 0 {
			t.Errorf("%v: %d records", err, n)
		}
	}
	issue("", sojourn.ErrNoUser)
	keys.broken = true
	issue("ada", nil)
	keys.broken = false
	g.store.setBefore(fail(store.ErrFull), opCreate)
	issue("ada", sojourn.ErrFull)
	if n := g.log.count(sojourn.StoreFailed); n != 1 {
		t.Errorf("%d events of a store that failed", n)
	}
	if _, _, err := newWebRig(t, nil, sojourn.Options{}).m.IssueBearer(r, "ada"); !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("without Options.Bearer: %v", err)
	}
}

// A bearer token that a request asks for is a sign-in that began with the request: who has revoked
// since refuses it, and who has revoked in it does not.
func TestBearerAfterRevocation(t *testing.T) {
	for _, own := range []bool{false, true} {
		bubble(t, func(t *testing.T, g *site) {
			g.on("bearer", func(_ *sojourn.Session, r *http.Request) (string, error) {
				time.Sleep(time.Second)
				ctx := r.Context()
				if !own {
					ctx = t.Context()
				}
				must(g.RevokeUser(ctx, "ada"))
				time.Sleep(time.Second)
				_, _, err := g.IssueBearer(r, "ada")
				return "", err
			})
			g.status(g.browser().get("bearer"), map[bool]int{true: 200, false: 409}[own])
		}, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} })
	}
}

// Sweep deletes all that is expired, however much it is, and nothing else.
func TestSweep(t *testing.T) {
	for n, calls := range map[int]int{0: 1, 1: 1, 999: 1, 1000: 2, 2500: 3} {
		synctest.Test(t, func(t *testing.T) {
			st := newFaultStore(memstore.New(nil))
			m := must(sojourn.New(st, nil))
			for i := range n + 1 {
				rec := store.Record{Handle: store.Handle{byte(i), byte(i >> 8)}, Writer: store.Writer{1}, Lifetime: time.Minute}
				rec.Key.ID = store.ID{byte(i), byte(i >> 8)}
				if i == n {
					rec.Lifetime = time.Hour
				}
				must(st.Create(t.Context(), rec, store.Admission{}))
			}
			time.Sleep(2 * time.Minute)
			if got, err := m.Sweep(t.Context()); got != n || err != nil || st.count(opSweep) != calls {
				t.Errorf("%d records: %d swept in %d calls, want %d; %v", n, got, st.count(opSweep), calls, err)
			}
			if got, err := m.RevokeEveryone(t.Context()); got != 1 || err != nil {
				t.Errorf("%d records are left, %v", got, err)
			}
		})
	}
}

// sweeps answers Sweep by a script.
type sweeps struct {
	store.Store
	answers []swept
}

type swept struct {
	n   int
	err error
}

func (s *sweeps) Sweep(_ context.Context, limit int) (int, error) {
	a := s.answers[0]
	s.answers = s.answers[1:]
	if a.n < 0 {
		return limit, a.err
	}
	return a.n, a.err
}

// Damage does not keep Sweep from what comes after it, and is told in the end; an outage does.
func TestSweepFails(t *testing.T) {
	const full = -1
	damage, down := store.ErrCorrupt, store.ErrUnavailable
	for name, c := range map[string]struct {
		answers []swept
		n       int
		is      error
	}{
		"damage at first":    {[]swept{{full, damage}, {full, nil}, {5, nil}}, 2005, damage},
		"damage at last":     {[]swept{{full, nil}, {3, damage}}, 1003, damage},
		"down":               {[]swept{{0, down}, {0, down}, {0, down}}, 0, down},
		"down, then not":     {[]swept{{0, down}, {4, nil}}, 4, nil},
		"down after a part":  {[]swept{{full, nil}, {0, down}, {0, down}, {0, down}}, 1000, down},
		"damage, then down":  {[]swept{{full, damage}, {0, down}, {0, down}, {0, down}}, 1000, down},
		"nothing is deleted": {[]swept{{full, nil}, {0, nil}}, 1000, nil},
	} {
		st := &sweeps{memstore.New(nil), c.answers}
		n, err := must(sojourn.New(st, nil)).Sweep(t.Context())
		if n != c.n || !errors.Is(err, c.is) || (err == nil) != (c.is == nil) || len(st.answers) != 0 {
			t.Errorf("%s: %d swept, %v, %d answers left", name, n, err, len(st.answers))
		}
	}
}

// RunSweeper sweeps about every so often, goes on after a failure, which it tells, and returns when
// it is told to stop.
func TestRunSweeper(t *testing.T) {
	for _, c := range []struct{ every, counts time.Duration }{
		{time.Hour, time.Hour}, {time.Second, time.Second}, {0, time.Second}, {-time.Hour, time.Second}, {time.Millisecond, time.Second},
	} {
		for _, err := range []error{nil, store.ErrFull, store.ErrCorrupt} {
			bubble(t, func(t *testing.T, g *site) {
				ctx, stop := context.WithCancel(t.Context())
				var ended error
				done := make(chan struct{})
				begun := time.Now()
				var first time.Duration
				g.store.setBefore(func(context.Context) error {
					if first == 0 {
						first = time.Since(begun)
					}
					return err
				}, opSweep)
				go func() { ended = g.RunSweeper(ctx, c.every); close(done) }()
				time.Sleep(100*c.counts + 1)
				stop()
				<-done
				if !errors.Is(ended, context.Canceled) {
					t.Errorf("RunSweeper returned %v", ended)
				}
				n := g.store.count(opSweep)
				if n < 66 || n > 200 || first < c.counts/2 { // each pause is half of it to one and a half
					t.Errorf("every %v: %d sweeps in 100 times %v, the first after %v", c.every, n, c.counts, first)
				}
				told := g.log.named(sojourn.StoreFailed)
				if want := map[bool]int{true: n}[err != nil]; len(told) != want || want > 0 && (told[0].Reason != "sweep" || !errors.Is(told[0].Err, err)) {
					t.Errorf("%d events of %d sweeps", len(told), n)
				}
			})
		}
	}
}

// A sweep that is cut off since the program stops is no failure.
func TestRunSweeperStops(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		ctx, stop := context.WithCancel(t.Context())
		g.store.setBefore(func(ctx context.Context) error {
			stop()
			return store.FromContext(ctx)
		}, opSweep)
		if err := g.RunSweeper(ctx, time.Minute); !errors.Is(err, context.Canceled) || g.store.count(opSweep) == 0 {
			t.Errorf("%v", err)
		}
		if n := g.log.count(sojourn.StoreFailed); n != 0 {
			t.Errorf("%d events", n)
		}
	})
}

// RunSweeper compares the keys as well, and says where it could not.
func TestRunSweeperChecksKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFaultStore(durable{memstore.New(nil)})
		g := node(t, st, rigKeys(t))
		ctx, stop := context.WithCancel(t.Context())
		st.setBefore(fail(store.ErrFull), opCreate)
		go g.m.RunSweeper(ctx, time.Hour)
		synctest.Wait()
		if e := g.ev; len(e) != 1 || e[0].Name != sojourn.StoreFailed || e[0].Reason != "keys" {
			t.Errorf("events %+v", e)
		}
		st.heal()
		time.Sleep(time.Hour)
		if n := st.count(opGet); n < 10 || n > 30 {
			t.Errorf("%d checks in an hour", n)
		}
		st.setBefore(func(ctx context.Context) error {
			stop()
			return store.FromContext(ctx)
		}, opGet)
		time.Sleep(time.Hour)
		if g.seen(sojourn.StoreFailed) != 1 {
			t.Error("a check that was cut off since the program stops is told")
		}
	})
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
