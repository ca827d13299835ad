package sojourn_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
)

// R19: the store's clock was ahead, and is put right. What was made or used meanwhile comes from
// the future: until the clock has caught up it is refused as an outage, and nobody is signed out.
// Signing out and signing in work at once, and end the session from before.
func TestClockPutRight(t *testing.T) {
	const back = 10 * time.Minute
	routes := func(g *site) {
		g.onLoaded("logout-loaded", func(s *sojourn.Session, r *http.Request) (string, error) { return "", s.Logout(r.Context()) })
		g.on("logout-after-all", func(s *sojourn.Session, r *http.Request) (string, error) {
			if _, err := g.Load(r); !sojourn.IsOutage(err) {
				t.Errorf("load of a record from the future: %v", err)
			}
			return "", s.Logout(r.Context())
		})
	}
	signedIn := func(g *site) *browser { return g.signedIn("ada") }
	for name, tt := range map[string]struct {
		before func(*site) *browser
		path   string
		user   string // whom the answer leaves signed in
		names  string
	}{
		"sign-out":                    {signedIn, "logout", "", ""},
		"sign-out after a Load":       {signedIn, "logout-after-all", "", ""},
		"the same user signs in":      {signedIn, "login?user=ada", "ada", ""},
		"another user signs in":       {signedIn, "login?user=bob", "bob", ""},
		"a visitor signs in":          {func(g *site) *browser { b := g.browser(); b.ok("set?k=cart&v=tea"); return b }, "login?user=ada&keep=cart", "ada", "cart"},
		"a visitor signs out":         {func(g *site) *browser { b := g.browser(); b.ok("set?k=cart&v=tea"); return b }, "logout", "", ""},
		"sign-out by a renewed token": {func(g *site) *browser { b := g.signedIn("ada"); b.copy().ok("renew"); return b }, "logout", "", ""},
		"sign-in by a renewed token":  {func(g *site) *browser { b := g.signedIn("ada"); b.copy().ok("renew"); return b }, "login?user=ada", "ada", ""},
	} {
		bubble(t, func(t *testing.T, g *site) {
			routes(g)
			b := tt.before(g)
			other := b.copy()
			g.store.skew = -back
			w := other.get("user")
			g.status(w, http.StatusServiceUnavailable)
			g.noCookie(w)
			g.status(other.get("logout-loaded"), http.StatusServiceUnavailable) // Load has the last word
			b.ok(tt.path)
			if sessions := g.sessions("ada") + g.sessions("bob"); sessions != len(tt.user)/3 {
				t.Errorf("%s: %d sessions are left", name, sessions)
			}
			g.store.heal()
			time.Sleep(time.Minute) // beyond the grace of a renewal
			b.wants("user", tt.user)
			b.wants("names", tt.names)
			if b.cookie != other.cookie || tt.user == "" {
				other.wants("user", "") // the session from before is over
			}
		})
	}
}

// Without a sign-in or sign-out all is well again when the clock has caught up.
func TestClockCatchesUp(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		g.store.skew = -10 * time.Minute
		for _, want := range []int{503, 200} {
			g.status(b.get("user"), want)
			time.Sleep(9 * time.Minute) // and the tolerated minute
		}
		b.wants("user", "ada")
	})
}

// A request that holds its session while the clock is put right goes on.
func TestClockPutRightMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		slow := b.copy()
		finish := slow.start("append?v=1")
		b.ok("append?v=2")
		g.store.skew = -10 * time.Minute
		g.status(finish(), http.StatusOK)
		g.store.heal()
		b.wants("get?k=list", `21`)
	})
}

// A sealed session of a node whose clock is ahead can be left on the others.
func TestClockSealed(t *testing.T) {
	opts := sojourn.Options{Keys: rigKeys(t)}
	so := sojourn.SealedOptions{AcceptReplayUntilExpiry: true}
	var cookie string
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(10 * time.Minute)
		cookie = newSealedRig(t, so, opts).login("")
	})
	synctest.Test(t, func(t *testing.T) { // begins at the same instant, ten minutes earlier
		g := newSealedRig(t, so, opts)
		g.serve(rigRequest("GET", cookie), func(w http.ResponseWriter, r *http.Request) {
			if _, err := g.m.Load(r); !errors.Is(err, sojourn.ErrClock) || !sojourn.IsOutage(err) {
				t.Errorf("load: %v", err)
			}
		})
		w := g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Logout(r.Context())) })
		if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
			t.Errorf("a sign-out sends %v", c)
		}
		w = g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Login(r.Context(), "bob")) })
		if got := g.user(rigCookies(w)); got != "bob" {
			t.Errorf("user %q after a sign-in", got)
		}
	})
}

// A use in the future says the same of the clock, though the session is older than that.
func TestClockPutRightAfterAUse(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		time.Sleep(20 * time.Minute)
		b.wants("user", "ada") // writes the use down
		g.store.skew = -10 * time.Minute
		g.status(b.copy().get("user"), http.StatusServiceUnavailable)
		g.store.heal()
		b.wants("user", "ada")
	})
}
