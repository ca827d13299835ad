package sojourn_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// L7: a form that is sent twice signs in once, also where the user may have one session only: the
// second sign-in, which fails, ends nothing.
func TestSignInTwiceAtTheLimit(t *testing.T) {
	for _, most := range []int{0, 1} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{MaxSessions: most})
		visitor := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "tea")) }))
		var first string
		st.setBefore(once(func() { // both have read the visitor's session
			st.heal()
			first = g.login(visitor, sojourn.Keep(rigNote))
		}), opCreate)
		w := g.do(visitor, func(s *sojourn.Session) {
			if err := s.Login(t.Context(), "ada", sojourn.Keep(rigNote)); !errors.Is(err, sojourn.ErrConflict) {
				t.Errorf("at most %d: %v", most, err)
			}
		})
		if c := rigCookies(w); c != "" {
			t.Errorf("at most %d: the sign-in that failed sends %q", most, c)
		}
		g.do(first, func(s *sojourn.Session) {
			if s.User() != "ada" || rigNote.Get(s) != "tea" {
				t.Errorf("at most %d: user %q with %q", most, s.User(), rigNote.Get(s))
			}
		})
	}
}

// L7: a sign-in that fails in an outage ends no other session of the user.
func TestSignInFailsAtTheLimit(t *testing.T) {
	for name, ops := range map[string][]string{"before the end": {opRotate, opUpdate}, "all along": {opRotate, opUpdate, opCreate}} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{MaxSessions: 1, Timeout: 200 * time.Millisecond})
		phone := g.login("")
		laptop := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
		st.setBefore(fail(store.ErrUnavailable), ops...)
		w := g.serve(rigRequest("POST", laptop), func(w http.ResponseWriter, r *http.Request) {
			sojourn.DefaultOnError(w, r, g.m.From(r).Login(r.Context(), "ada"))
		})
		st.heal()
		if w.Code != http.StatusServiceUnavailable || g.user(phone) != "ada" {
			t.Errorf("%s: status %d, and the phone's user is %q", name, w.Code, g.user(phone))
		}
		g.do(laptop, func(s *sojourn.Session) {
			if rigNote.Get(s) != "x" {
				t.Errorf("%s: the visitor has %q", name, rigNote.Get(s))
			}
		})
	}
}

// A sign-in that has another session end takes along what the visitor's has by then, and leaves
// one.
func TestSignInAtTheLimitKeeps(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{MaxSessions: 1})
	phone := g.login("")
	laptop := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
	st.setBefore(once(func() {
		st.heal()
		g.do(laptop, func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "newer")) })
	}), opRotate)
	now := g.login(laptop, sojourn.KeepAll())
	g.do(now, func(s *sojourn.Session) {
		if s.User() != "ada" || rigNote.Get(s) != "newer" {
			t.Errorf("user %q with %q", s.User(), rigNote.Get(s))
		}
	})
	if n := len(must(g.m.Sessions(t.Context(), "ada"))); n != 1 || g.user(phone) != "" || g.user(laptop) != "" {
		t.Errorf("%d sessions; the phone's user is %q", n, g.user(phone))
	}
}

// L7: nor does it where the request's own token leads to a session that goes on without it, another
// user's.
func TestSignInFailsBesideAnotherUsers(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{MaxSessions: 1, Timeout: 200 * time.Millisecond})
	phone := g.login("")
	bob := g.loginAs("bob", "")
	g.loginAs("bob", bob) // confirms, and the old token leads nowhere
	st.setBefore(fail(store.ErrUnavailable), opRevoke)
	g.do(bob, func(s *sojourn.Session) {
		if err := s.Login(t.Context(), "ada"); !sojourn.IsOutage(err) {
			t.Errorf("sign-in: %v", err)
		}
	})
	st.heal()
	if g.user(phone) != "ada" {
		t.Error("the phone is signed out")
	}
}

// Where the store fails after the visitor's session has ended, that one is gone, as
// Options.RefuseAtLimit says, and none of the user's is.
func TestSignInFailsHalfwayAtTheLimit(t *testing.T) {
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{MaxSessions: 1, Timeout: 200 * time.Millisecond})
	phone := g.login("")
	laptop := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
	st.setAfter(once(func() { st.setBefore(fail(store.ErrUnavailable), opCreate) }), opRotate)
	g.do(laptop, func(s *sojourn.Session) {
		if err := s.Login(t.Context(), "ada"); !sojourn.IsOutage(err) || s.Exists() {
			t.Errorf("sign-in: %v; there is a session: %v", err, s.Exists())
		}
	})
	if g.seen(sojourn.StoreFailed) == 0 {
		t.Error("nobody hears")
	}
	st.heal()
	if n := len(must(g.m.Sessions(t.Context(), "ada"))); n != 1 || g.user(phone) != "ada" {
		t.Errorf("%d sessions; the phone's user is %q", n, g.user(phone))
	}
}
