package sojourn_test

// A store that fails: P2, P5 to P9, R21, R47, R48.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// faults are the ways for an operation to fail.
var faults = map[string]struct {
	before, after hook
	is            error
}{
	"unavailable":          {before: fail(fmt.Errorf("%w: %w", store.ErrUnavailable, errDriver)), is: sojourn.ErrUnavailable},
	"lost, not applied":    {before: fail(fmt.Errorf("%w: %w", store.ErrIndeterminate, errDriver)), is: sojourn.ErrIndeterminate},
	"lost, applied":        {after: fail(fmt.Errorf("%w: %w", store.ErrIndeterminate, errDriver)), is: sojourn.ErrIndeterminate},
	"nameless":             {before: fail(errDriver), is: sojourn.ErrIndeterminate},
	"nameless, applied":    {after: fail(errDriver), is: sojourn.ErrIndeterminate},
	"hangs":                {before: hang, is: sojourn.ErrIndeterminate},
	"hangs after applying": {after: hang, is: sojourn.ErrIndeterminate},
	"full":                 {before: fail(store.ErrFull), is: sojourn.ErrFull},
	"corrupt":              {before: fail(store.ErrCorrupt), is: sojourn.ErrCorrupt},
}

// P2, P7, P8, R21, R47, R48: each operation fails in each way, below each act that uses it. The
// client gets an error page without cause or cookie, and is where it was once the store is back, or
// where it wanted to be.
func TestFaultsOfEachOperation(t *testing.T) {
	acts := []struct{ op, path, user string }{
		{opGet, "user", "ada"}, {opGet, "set?k=x", "ada"}, {opGet, "renew", "ada"}, {opGet, "others", "ada"},
		{opUpdate, "set?k=x", "ada"}, {opUpdate, "append?v=x", "ada"}, {opRotate, "renew", "ada"}, {opRotate, "login?user=ada", "ada"},
		{opRotate, "logout", "ada"}, {opRevoke, "others", "ada"}, {opRotate, "others", "ada"},
		{opCreate, "login?user=eve", "ada"}, {opRotate, "login?user=eve", "ada"},
		{opCreate, "set?k=x", ""}, {opCreate, "login?user=ada", ""},
	}
	for name, f := range faults {
		for _, a := range acts {
			if name == "corrupt" && a.op == opGet {
				continue // no failure: see damage_test.go
			}
			t.Run(name+"/"+a.op+"/"+a.path, func(t *testing.T) {
				bubble(t, func(t *testing.T, g *site) {
					g.store.setBefore(f.before, a.op)
					g.store.setAfter(f.after, a.op)
					faultyAct(t, g, a.op, a.path, a.user)
				})
			})
		}
	}
}

func faultyAct(t *testing.T, g *site, op, path, user string) {
	before, after := g.store.before[op], g.store.after[op]
	g.store.heal()
	b := g.browser()
	if user != "" {
		b.ok("login?user=" + user)
		b.ok("set?k=kept&v=1")
	}
	mine := b.copy()
	users, all := g.sessions("ada"), g.records()
	g.store.setBefore(before, op)
	g.store.setAfter(after, op)
	start := time.Now()
	w := b.get(path)
	if d := time.Since(start); d > 11*time.Second { // at most: the act's timeout, and that of cleaning up
		t.Errorf("took %v", d)
	}
	// A rotation whose answers are lost is found out about; an end has another way where there is
	// no room for a mark.
	applied := after != nil
	ends := path == "logout" || path == "login?user=eve"
	if op == opRotate && (applied || ends && fuller(before)) {
		resolved(t, g, w, mine, path)
		return
	}
	if w.Code < 500 || w.Code > 503 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	g.noCookie(w)
	if s := w.Body.String() + fmt.Sprint(w.Header()); strings.Contains(s, "hunter2") || strings.Contains(s, "ada") {
		t.Error("the answer tells the cause:", s)
	}
	g.store.heal()
	time.Sleep(2 * time.Second) // the breaker closes
	mine.wants("user", user)
	if op == opCreate {
		if g.sessions("ada") != users || g.sessions("eve") != 0 || g.records() != all {
			t.Error("an unseen session is left")
		}
	}
	if op == opUpdate {
		want := ""
		if applied {
			want = "x"
		}
		if strings.HasPrefix(path, "append") {
			mine.wants("get?k=list", want)
		}
		mine.wants("get?k=kept", "1")
	}
	if n := g.sessions("ada"); n > 1 {
		t.Error(n, "sessions")
	}
}

// fuller reports whether a fault is the store's refusal to write, which is no outage.
func fuller(before hook) bool {
	if before == nil {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // a hook that hangs waits for no longer
	err := before(ctx)
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrCorrupt)
}

// resolved checks what a rotation left that was applied though its answers were lost, or that was
// done in another way.
func resolved(t *testing.T, g *site, w *httptest.ResponseRecorder, old *browser, path string) {
	g.status(w, 200)
	b := g.browser()
	b.take(w)
	g.store.heal()
	time.Sleep(2 * time.Second)
	want := map[string]string{"logout": "", "login?user=eve": "eve"}
	user, ended := want[path]
	if !ended {
		user = "ada"
	}
	b.wants("user", user)
	if old.wants("user", map[bool]string{true: "ada"}[path == "renew"]); g.sessions("ada")+g.sessions("eve") != min(1, len(user)) {
		t.Errorf("%s: %d sessions of ada, %d of eve", path, g.sessions("ada"), g.sessions("eve"))
	}
}

// What each failure is to the program: a sentinel, in an error that names the act.
func TestFaultSentinels(t *testing.T) {
	for name, f := range faults {
		if name == "corrupt" {
			continue // no failure of a load or a list: see damage_test.go
		}
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			g.store.setBefore(f.before, opGet, opRevoke, opUser)
			g.store.setAfter(f.after, opGet, opRevoke, opUser)
			_, load := g.Open(t.Context(), b.request(t.Context(), ""))
			_, revoke := g.RevokeUser(t.Context(), "ada")
			time.Sleep(2 * time.Second)
			_, list := g.Sessions(t.Context(), "ada")
			for op, err := range map[string]error{"load": load, "revoke": revoke, "list": list} {
				if !errors.Is(err, f.is) || !strings.HasPrefix(err.Error(), "sojourn: "+op+": ") {
					t.Errorf("%s of %s: %v", name, op, err)
				}
			}
		})
	}
}

// P6: each act has one timeout, retries included, and few retries.
func TestFaultBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSite(t)
		b := g.signedIn("ada")
		g.store.setBefore(hang, opGet)
		start := time.Now()
		g.status(b.get("user"), 503)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("a hanging read took %v, not Timeout", d)
		}
		g.store.heal()
		for n, want := range map[int]int{1: 200, 2: 200, 3: 503} {
			g.store.setBefore(failTimes(n, store.ErrUnavailable), opGet)
			g.store.reset()
			g.status(b.get("user"), want)
			if k := g.store.count(opGet); k > 3 {
				t.Errorf("%d tries", k)
			}
		}
	})
}

// P8: an Update whose answer is lost is sent again and applied once.
func TestFaultLostAnswers(t *testing.T) {
	for _, path := range []string{"append?v=x", "login?user=ada", "renew", "others", "logout"} {
		g := newSite(t)
		b := g.signedIn("ada")
		g.store.setAfter(failTimes(1, store.ErrIndeterminate), opUpdate, opRotate, opCreate, opRevoke)
		g.status(b.get(path), 200)
		if path == "logout" {
			b.wants("user", "")
			continue
		}
		b.wants("user", "ada")
		if path == "append?v=x" {
			b.wants("get?k=list", "x")
		}
		if n := g.sessions("ada"); n != 1 {
			t.Error(path, n, "sessions")
		}
	}
}

// P8: when another write came on top of the one whose answer was lost, the outcome is unknown, and
// nothing is done twice.
func TestFaultLostAnswerThenConflict(t *testing.T) {
	for _, commits := range []int{1, 2} {
		g := newSite(t)
		b := g.signedIn("ada")
		tab := b.copy()
		g.onLoaded("twice", func(s *sojourn.Session, r *http.Request) (string, error) {
			err := slot("list").Update(s, func(l *string) error { *l += "x"; return nil })
			for range commits - 1 {
				if _, err := s.Commit(r.Context()); !errors.Is(err, sojourn.ErrIndeterminate) {
					t.Error(err)
				}
			}
			return "", err
		})
		lose := failTimes(1, store.ErrIndeterminate)
		g.store.setAfter(func(ctx context.Context) error {
			err := lose(ctx)
			if err != nil {
				tab.ok("append?v=y")
			}
			return err
		}, opUpdate)
		b.get("twice")
		b.wants("get?k=list", "xy")
	}
}

// P8: a try that may have been applied makes the whole act indeterminate, even if the store is then
// surely down.
func TestFaultLostThenDown(t *testing.T) {
	g := newSite(t)
	lose := failTimes(1, store.ErrIndeterminate)
	g.store.setAfter(func(ctx context.Context) error {
		if err := lose(ctx); err != nil {
			g.store.setBefore(failTimes(2, store.ErrUnavailable), opCreate)
			return err
		}
		return nil
	}, opCreate)
	b := g.browser()
	w := b.get("login?user=ada")
	g.status(w, 503)
	g.noCookie(w)
	if n := g.records(); n != 0 {
		t.Error("an unseen session is left")
	}
}

// P5: a touch or an unasked renewal that fails does not fail the read.
func TestFaultOfTouchAndRenewal(t *testing.T) {
	for name, f := range faults {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			for range 3 {
				time.Sleep(25 * time.Minute)
				g.store.setBefore(f.before, opTouch)
				g.store.setAfter(f.after, opTouch)
				b.wants("user", "ada")
				g.store.heal()
				time.Sleep(2 * time.Second)
				b.ok("user")
			}
			if name == "corrupt" || name == "full" {
				return // not what a Rotate of a renewal answers
			}
			g.store.setBefore(f.before, opRotate)
			g.store.setAfter(f.after, opRotate)
			g.store.reset()
			for range 3 {
				time.Sleep(25 * time.Minute)
				b.wants("user", "ada")
			}
			if g.store.count(opRotate) == 0 {
				t.Error("no renewal was tried")
			}
		})
	}
}

// An engine that has lost a write in a failover may hold another user's record, such as a tail,
// under the version that a request has seen: its renewal and its confirmation of a sign-in are
// behind, and begin again.
func TestRotateFindsAnotherUser(t *testing.T) {
	for _, path := range []string{"renew", "login?user=ada"} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			refusals := 0
			g.store.setBefore(func(context.Context) error {
				if refusals++; refusals > 1 {
					return nil
				}
				return fmt.Errorf("%w: another user", store.ErrInvalid)
			}, opRotate)
			b.ok(path)
			if refusals != 2 {
				t.Errorf("%s: %d tries, want 2", path, refusals)
			}
			b.wants("user", "ada")
		})
	}
}

// P9: the client hangs up while a commit or an end is under way.
func TestFaultClientHangsUp(t *testing.T) {
	for path, op := range map[string]string{"logout": opRotate, "set?k=a&v=x": opUpdate, "login?user=eve": opCreate, "renew": opRotate, "others": opRevoke} {
		g := newSite(t)
		b := g.signedIn("ada")
		ctx, hangUp := context.WithCancel(t.Context())
		done := false
		g.store.setBefore(func(ctx context.Context) error {
			hangUp()
			done = true
			return store.FromContext(ctx)
		}, op)
		g.status(b.send(b.request(ctx, path)), 200)
		if !done {
			t.Error(path, "made no", op)
		}
	}
	// A client that hangs up before its session was read gets nothing, and says nothing about the
	// store.
	g := newSite(t)
	b := g.signedIn("ada")
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	for range 20 {
		if _, err := g.Open(ctx, b.request(ctx, "")); !errors.Is(err, context.Canceled) || !errors.Is(err, sojourn.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	b.wants("user", "ada")
}

// P6: the breaker spares a store that is down, and closes again by itself.
func TestFaultBreaker(t *testing.T) {
	for name, down := range map[string]error{"unavailable": store.ErrUnavailable, "timeout": context.DeadlineExceeded, "nameless": errDriver} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			g.store.setBefore(fail(down), opGet)
			for range 10 {
				g.status(b.get("user"), 503)
			}
			g.store.reset()
			for range 100 {
				g.status(b.get("user"), 503)
			}
			if n := g.store.count(); n != 0 {
				t.Errorf("%s: %d calls through an open breaker", name, n)
			}
			time.Sleep(time.Second)
			for range 100 {
				b.get("user")
			}
			if n := g.store.count(); n < 1 || n > 3 {
				t.Errorf("%s: %d calls of one probe", name, n)
			}
			g.store.heal()
			time.Sleep(time.Second)
			b.wants("user", "ada")
			b.wants("user", "ada")
		})
	}
}

// R47, P13: the outage is seen in one place; getters without a successful Load panic and never say
// "nobody".
func TestFaultUnloadedSessionPanics(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	g.store.setBefore(fail(store.ErrUnavailable), opGet)
	s, err := g.Open(t.Context(), b.request(t.Context(), ""))
	if !errors.Is(err, sojourn.ErrUnavailable) {
		t.Fatal(err)
	}
	for i, get := range []func(){
		func() { s.User() }, func() { slot("a").Get(s) }, func() { slot("a").Set(s, "") }, func() { s.Names() }, func() { s.Level() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(i, "does not panic")
				}
			}()
			get()
		}()
	}
}

// R48, L3: a sign-in whose request then fails to commit leaves no session that nobody can open: its
// token goes with the error page.
func TestFaultCommitAfterLogin(t *testing.T) {
	g := newSite(t)
	g.on("both", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", errors.Join(s.Login(r.Context(), "ada"), slot("a").Set(s, "x"))
	})
	for _, b := range []*browser{g.browser(), g.signedIn("ada"), g.signedIn("eve")} {
		g.store.setBefore(fail(store.ErrUnavailable), opUpdate)
		w := b.get("both")
		g.status(w, 503)
		g.store.heal()
		b.wants("user", "ada")
		b.wants("names", "")
	}
	if n := g.sessions("ada"); n != 3 {
		t.Error(n, "sessions, want 3")
	}
	// A renewal's old token still leads to the session.
	g.on("renewset", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", errors.Join(s.Renew(r.Context()), slot("a").Set(s, "x"))
	})
	b := g.signedIn("ada")
	g.store.setBefore(fail(store.ErrUnavailable), opUpdate)
	g.status(b.get("renewset"), 503)
	g.store.heal()
	b.wants("user", "ada")
}

// R48: a panic commits nothing.
func TestPanicCommitsNothing(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	g.onLoaded("panic", func(s *sojourn.Session, _ *http.Request) (string, error) {
		slot("a").Set(s, "x")
		panic(http.ErrAbortHandler)
	})
	g.store.reset()
	func() {
		defer func() { recover() }()
		b.get("panic")
	}()
	if n := g.store.writes(); n != 0 {
		t.Error(n, "writes")
	}
}

// A store that answers a re-read with another user's record does not make this request that user's.
func TestFaultForeignRecordOnConflict(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	finish := b.copy().start("set?k=a")
	b.ok("set?k=b")
	g.store.mutate = func(r *store.Record) { r.User = "eve" }
	w := finish()
	g.status(w, http.StatusConflict)
	g.noCookie(w)
	g.store.heal()
	b.wants("names", "b")
}

// Options.Timeout bounds an act with all that it takes, and what a request does unasked as well: a
// store that hangs after the session was read holds a page for that long, not for several times.
func TestTimeoutBoundsRequests(t *testing.T) {
	for _, path := range []string{"user", "none", "append?v=x", "login?user=ada", "renew", "logout"} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			time.Sleep(14 * time.Minute)
			reads := 0
			g.store.setBefore(hang, opUpdate, opTouch, opRotate, opDelete, opRevoke, opCreate)
			g.store.setBefore(func(ctx context.Context) error {
				if reads++; reads == 1 {
					return nil
				}
				return hang(ctx)
			}, opGet)
			begun := time.Now()
			w := b.get(path)
			if d := time.Since(begun); d > 6*time.Second {
				t.Errorf("%s took %v with a Timeout of 5 s, status %d", path, d, w.Code)
			}
		}, due)
	}
}
