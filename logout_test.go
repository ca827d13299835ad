package sojourn_test

// A sign-out, whatever meets it.

import (
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A sign-out ends the session, by its handle where others change it again and again or there is no
// room to end it where it is, and fails where the store cannot be reached: then nothing has
// happened.
func TestLogoutMeets(t *testing.T) {
	conflict, full, down := fail(store.ErrConflict), fail(store.ErrFull), fail(store.ErrUnavailable)
	for name, c := range map[string]struct {
		user    string
		faults  map[string]hook
		status  int
		byName  int // calls of Revoke
		ends    bool
		atLeast time.Duration
	}{
		"nothing":                         {"ada", nil, 200, 0, true, 0},
		"conflicts":                       {"ada", map[string]hook{opRotate: conflict}, 200, 1, true, 2500 * time.Millisecond},
		"conflicts, as a visitor":         {aVisitor, map[string]hook{opRotate: conflict}, 409, 0, false, 0},
		"an outage":                       {"ada", map[string]hook{opRotate: down}, 503, 0, false, 0},
		"an outage, as a visitor":         {aVisitor, map[string]hook{opRotate: down}, 503, 0, false, 0},
		"no room for a mark":              {"ada", map[string]hook{opRotate: full}, 200, 0, true, 0},
		"no room at all":                  {"ada", map[string]hook{opRotate: full, opUpdate: full}, 200, 1, true, 0},
		"no room at all, as a visitor":    {aVisitor, map[string]hook{opRotate: full, opUpdate: full}, 507, 0, false, 0},
		"no room, and no end by its name": {"ada", map[string]hook{opRotate: full, opUpdate: full, opRevoke: full}, 507, 1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, g *site) {
				b := g.client(c.user)
				for op, h := range c.faults {
					g.store.setBefore(h, op)
				}
				g.store.reset()
				begun := time.Now()
				w := b.copy().get("logout")
				if d := time.Since(begun); d > 5*time.Second || d < c.atLeast {
					t.Errorf("took %v", d)
				}
				if w.Code != c.status && !(c.status == 507 && w.Code >= 500) {
					t.Errorf("status %d, want %d: %s", w.Code, c.status, w.Body)
				}
				if n := g.store.count(opRevoke); n != c.byName {
					t.Errorf("%d calls of Revoke, want %d", n, c.byName)
				}
				g.store.heal()
				time.Sleep(2 * time.Second)
				want := c.user
				if c.ends {
					want = ""
				}
				b.wants("who", want)
				if told := g.log.named(sojourn.SessionExpired); c.ends && (len(told) != 1 || told[0].Reason != "logout" || told[0].User != c.user) || !c.ends && len(told) != 0 {
					t.Errorf("events %+v", told)
				}
			})
		})
	}
}

// A visitor's session that another request has ended meanwhile is what a sign-out wants.
func TestLogoutOfAVisitorMeetsAnother(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.client(aVisitor)
		tab := b.copy()
		g.store.setBefore(once(func() { tab.ok("logout") }), opRotate)
		b.ok("logout")
		b.wants("who", "")
	})
}

// A session without limits, or with very long ones, is as dead as any after a sign-out.
func TestLogoutWithoutLimits(t *testing.T) {
	for _, life := range []time.Duration{sojourn.Unlimited, store.MaxLife} {
		for _, idle := range []time.Duration{sojourn.Unlimited, store.MaxLife} {
			bubble(t, func(t *testing.T, g *site) {
				b := g.signedIn("ada")
				old := b.copy()
				b.ok("logout")
				old.wants("who", "")
				if n, list := g.records(), g.infos("ada"); n != 0 || len(list) != 0 {
					t.Errorf("lifetime %v, idle %v: %d records, %d sessions", life, idle, n, len(list))
				}
			}, func(o *sojourn.Options) { o.Lifetime, o.Idle = life, idle })
		}
	}
}

// What the request has changed before a sign-out is dropped, and begins no session. A sign-in that
// follows a RevokeOthers of this request, and a sign-out, is no sign-in from before it.
func TestLogoutWithinARequest(t *testing.T) {
	for _, user := range []string{"", aVisitor, "ada"} {
		bubble(t, func(t *testing.T, g *site) {
			g.onLoaded("setlogout", func(s *sojourn.Session, r *http.Request) (string, error) {
				rigOK(t, slot("a").Set(s, "x"))
				return "", s.Logout(r.Context())
			})
			b := g.client(user)
			if b.ok("setlogout"); g.records() != 0 {
				t.Errorf("%q: %d records", user, g.records())
			}
		})
	}
	bubble(t, func(t *testing.T, g *site) {
		g.on("again", func(s *sojourn.Session, r *http.Request) (string, error) {
			time.Sleep(time.Second)
			if _, err := s.RevokeOthers(r.Context()); err != nil {
				return "", err
			}
			rigOK(t, s.Logout(r.Context()))
			return "", s.Login(r.Context(), "ada")
		})
		b := g.signedIn("ada")
		b.ok("again")
		b.wants("user", "ada")
	})
}
