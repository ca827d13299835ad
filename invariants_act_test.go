package sojourn_test

// L3: an act on identity that succeeded reaches the client. The other invariants are in the files
// named so.

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/internal/door"
	"github.com/sojourn-go/sojourn/store"
)

// whole checks that nobody has lost anybody: the browser has a session where it should, and the
// store no session that no browser can open.
func (g *site) whole(b *browser, want ...string) {
	g.Helper()
	who, _ := g.opens(b.cookie)
	if !slices.Contains(want, who) {
		g.Errorf("the browser is %q, want one of %q", who, want)
	}
	has := 1
	if who == "" || who == aVisitor && g.sealed {
		has = 0
	}
	if n, err := g.RevokeEveryone(g.Context()); n != has || err != nil {
		g.Errorf("%d sessions in the store and %d in the browser, %v", n, has, err)
	}
}

// L3: an act on identity reaches the client or has not happened, whatever the store answers.
func TestL3ActsReachTheClient(t *testing.T) {
	eachFault(t, func(t *testing.T, g *site, b *browser, a act, w *httptest.ResponseRecorder) {
		b.take(w)
		want := []string{a.after}
		if w.Code != http.StatusOK {
			want = append(want, a.before)
			if strings.HasPrefix(a.steps, "logout.") {
				want = append(want, "")
			}
		}
		if strings.Contains(t.Name(), "/corrupt/") {
			want = append(want, "", aVisitor) // what was damaged has ended
		}
		g.whole(b, want...)
	})
}

// L3: what succeeded stands, and its token is sent, whatever ends the request then: a commit that
// fails, Fail, or a panic, for whose page the token is in the header.
func TestL3LaterFailures(t *testing.T) {
	down := fail(store.ErrUnavailable)
	for _, sealed := range []bool{false, true} {
		for _, a := range acts {
			if strings.HasSuffix(a.steps, "set") || a.steps == "append" || a.steps == "read" {
				continue // no act on identity, or followed by more
			}
			for _, end := range []struct {
				step   string
				fault  hook
				status int
			}{{"fail", nil, 503}, {"panic", nil, 500}, {"set", down, 503}, {"set", hang, 503}, {"set", fail(store.ErrFull), 503}} {
				if sealed && end.fault != nil || end.fault != nil && strings.HasSuffix(a.steps, "logout") {
					continue // no Update is made
				}
				synctest.Test(t, func(t *testing.T) {
					g := newSiteOf(t, sealed).chain()
					b := g.client(a.before)
					g.store.setBefore(end.fault, opUpdate)
					w := b.get("do?steps=" + a.steps + "." + end.step)
					g.store.heal()
					time.Sleep(2 * time.Second)
					g.status(w, end.status)
					if g.whole(b, a.after); t.Failed() {
						t.Fatalf("sealed %v: %s as %q, then %s", sealed, a.steps, a.before, end.step)
					}
				})
			}
		}
	}
}

// L3: the same for frameworks that are not net/http. The token is in what Commit returns with its
// error, and in the header that Save was given.
func TestL3WithoutHandler(t *testing.T) {
	errOurs := errors.New("no")
	for _, sealed := range []bool{false, true} {
		for _, save := range []bool{false, true} {
			g := newSiteOf(t, sealed)
			b := g.client("")
			s, err := g.Open(t.Context(), b.request(t.Context(), ""))
			if err = errors.Join(err, s.Login(t.Context(), "ada")); err != nil {
				t.Fatal(err)
			}
			door.Fail(s, errOurs)
			w := httptest.NewRecorder()
			if save {
				err = s.Save(w)
			} else {
				var h http.Header
				h, err = s.Commit(t.Context())
				maps.Copy(w.Header(), h)
			}
			if !errors.Is(err, errOurs) {
				t.Errorf("sealed %v, Save %v: %v", sealed, save, err)
			}
			b.take(w)
			g.whole(b, "ada")
		}
	}
}

// L3: where net/http aborts the connection, the header leaves with nobody: a sign-in whose token
// only it has ends, with an event; a renewal is still led to.
func TestL3Abort(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, tt := range []struct {
			steps, before, after string
			lost                 int
		}{
			{"ada", "", "", 1}, {"keep", aVisitor, "", 1}, {"eve", "ada", "", 1}, {"ada", "ada", "", 1}, {"others", "ada", "", 1},
			{"renew", "ada", "ada", 0}, {"set", "ada", "ada", 0}, {"logout", "ada", "", 0}, {"ada.set", "", "", 1}, {"renew.ada", "ada", "", 1},
			{"ada.commit", "", "", 1}, {"eve.commit", "ada", "", 1}, {"ada.commit.renew", "", "", 1}, {"renew.commit", "ada", "ada", 0}, {"set.commit", "", "", 1},
		} {
			synctest.Test(t, func(t *testing.T) {
				g := newSiteOf(t, sealed).chain()
				b := g.client(tt.before)
				if sealed && strings.HasPrefix(tt.steps, "renew") {
					return // the last cookie of a sealed session has all of it, and is lost
				}
				if tt.before == aVisitor && sealed {
					tt.after = aVisitor // whose cookie is all there is
				}
				w := b.get("do?steps=" + tt.steps + ".abort")
				g.status(w, http.StatusTeapot)
				g.whole(b, tt.after)
				if n := g.log.count(sojourn.ChangeLost); n != tt.lost {
					t.Errorf("%d events, want %d", n, tt.lost)
				}
				if t.Failed() {
					t.Fatalf("sealed %v: %s as %q", sealed, tt.steps, tt.before)
				}
			})
		}
	}
}

// L3, excepted: an answer that is lost after it was sent. The client has what it had before: its
// own session, or none, and never another's. The record that it cannot reach ends unused.
func TestL3LostAnswers(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, a := range acts {
			synctest.Test(t, func(t *testing.T) {
				g := newSiteOf(t, sealed).chain()
				b := g.client(a.before)
				b.copy().ok("do?steps=" + a.steps) // and nobody takes the cookie
				if who, _ := g.opens(b.cookie); who != a.before && who != "" {
					t.Errorf("sealed %v: after the lost answer to %s the browser of %q is %q", sealed, a.steps, a.before, who)
				}
				time.Sleep(31 * time.Minute)
				if n, err := g.RevokeEveryone(t.Context()); n != 0 || err != nil {
					t.Errorf("%d sessions live on unused, %v", n, err)
				}
			})
		}
	}
}

// L3, excepted: answers that come in another order than they were sent. The last to come decides,
// and it is one that this browser's own request got.
func TestL3ReorderedAnswers(t *testing.T) {
	for _, first := range acts {
		for _, second := range acts {
			if first.before != second.before {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				g := newSite(t).chain()
				b := g.client(first.before)
				early := b.copy().get("do?steps=" + first.steps)
				late := b.get("do?steps=" + second.steps)
				b.take(late)
				b.take(early)
				who, _ := g.opens(b.cookie)
				if who != "" && who != first.before && who != first.after && who != second.after {
					t.Errorf("%s, then %s as %q: the browser is %q", first.steps, second.steps, first.before, who)
				}
			})
		}
	}
}

// L3, excepted: a record whose making is in doubt and whose deletion failed as well. Its token was
// never sent, the observer is told, and it ends unused.
func TestL3Orphan(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.store.setAfter(fail(store.ErrIndeterminate), opCreate)
		g.store.setBefore(fail(store.ErrUnavailable), opDelete)
		w := g.browser().get("login?user=ada")
		g.status(w, http.StatusServiceUnavailable)
		g.noCookie(w)
		g.store.heal()
		if n := g.sessions("ada"); n != 1 || g.log.count(sojourn.StoreFailed) == 0 {
			t.Errorf("%d records, %d events", n, g.log.count(sojourn.StoreFailed))
		}
		time.Sleep(31 * time.Minute)
		if n := g.sessions("ada"); n != 0 {
			t.Error(n, "records live on unused")
		}
	})
}

// L3, excepted: a rotation whose answers were all lost, of a store that cannot be read afterwards
// either. Nothing is claimed, and nothing is sent.
func TestL3RotationInDoubt(t *testing.T) {
	for _, steps := range []string{"renew", "ada", "others", "logout"} {
		bubble(t, func(t *testing.T, g *site) {
			g.chain()
			b := g.client("ada")
			g.store.setAfter(func(context.Context) error {
				g.store.setBefore(fail(store.ErrUnavailable), opGet)
				return store.ErrIndeterminate
			}, opRotate)
			w := b.get("do?steps=" + steps)
			g.status(w, http.StatusServiceUnavailable)
			g.noCookie(w)
			g.store.heal()
			time.Sleep(2 * time.Second)
			want := map[string]string{"renew": "ada"}[steps] // its old token leads on
			if who, _ := g.opens(b.cookie); who != want {
				t.Errorf("after %s in doubt the browser is %q, want %q", steps, who, want)
			}
		})
	}
}

// L3: a sign-in that comes too late for the session's values fails, and leaves the session to the
// confirmation that was faster.
func TestSignInTooLateEndsNothing(t *testing.T) {
	for _, opts := range [][]sojourn.LoginOption{nil, {sojourn.KeepAll()}} {
		g := newSite(t).chain()
		b := g.signedIn("bob")
		g.on("late", func(s *sojourn.Session, r *http.Request) (string, error) {
			rigOK(t, steps["set"](g, s, r))
			b.ok("login?user=bob")
			err := s.Login(r.Context(), "ada", opts...)
			if !errors.Is(err, sojourn.ErrConflict) {
				t.Errorf("a sign-in whose session went on: %v", err)
			}
			return "", err
		})
		g.status(b.copy().get("late"), http.StatusConflict)
		b.wants("who", "bob")
		if n := g.sessions("ada"); n != 0 {
			t.Errorf("%d sessions of a sign-in that failed", n)
		}
	}
}
