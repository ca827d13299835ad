package sojourn_test

// R17, amended: how long the token before a renewal leads on.

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// remembered is a browser whose user is signed in for 30 days, an hour ago.
func (g *site) remembered() *browser {
	g.Helper()
	g.on("remember", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", s.Login(r.Context(), "ada", sojourn.Remember(30*24*time.Hour))
	})
	b := g.browser()
	b.ok("remember")
	time.Sleep(time.Hour)
	return b
}

// lose does a request whose answer never arrives.
func (b *browser) lose(path string) { b.g.Helper(); b.copy().ok(path) }

func (g *site) reuses(want int) {
	g.Helper()
	if n := g.log.count(sojourn.SessionReuse); n != want {
		g.Errorf("%d events of reuse, want %d", n, want)
	}
}

// One lost answer of a renewal, and half a minute on a train, sign nobody out.
func TestGraceAfterALostAnswer(t *testing.T) {
	for _, pause := range []time.Duration{31 * time.Second, 10 * time.Minute} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.remembered()
			old := b.cookie
			b.lose("user")
			if g.log.count(sojourn.SessionRenewed) != 1 {
				t.Fatal("no renewal")
			}
			time.Sleep(pause)
			b.wants("user", "ada")
			if b.cookie == old {
				t.Error("the answer does not name the successor")
			}
			b.wants("user", "ada")
			g.reuses(0)
		}, func(o *sojourn.Options) { o.EndReused = true })
	}
}

// Two answers in a row may be lost, also of renewals that were asked for.
func TestGraceAfterLostAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.remembered()
		for range 5 {
			b.lose("renew")
			time.Sleep(time.Minute)
		}
		b.wants("user", "ada")
		if n := g.log.count(sojourn.SessionRenewed); n != 5 {
			t.Error(n, "renewals")
		}
		g.reuses(0)
	})
}

// A token that has not come back yet is not renewed unasked, however short RenewAfter is.
func TestGraceRenewsNoUnseenToken(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.remembered()
		for range 300 {
			b.lose("user")
			time.Sleep(2 * time.Second)
		}
		b.wants("user", "ada")
		if n := g.log.count(sojourn.SessionRenewed); n != 1 {
			t.Error(n, "renewals")
		}
		b.wants("user", "ada") // and now it comes back
		if n := g.log.count(sojourn.SessionRenewed); n != 2 {
			t.Error(n, "renewals after it came back")
		}
	}, func(o *sojourn.Options) { o.RenewAfter, o.RenewGrace = time.Second, time.Second })
}

// The old token leads on until RenewGrace after the successor first came back, to the nanosecond;
// later it is reported, and may end the session.
func TestGraceEndsAfterReceipt(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.remembered()
		old := b.copy()
		b.ok("user")
		time.Sleep(5 * time.Minute) // it has the successor, and does not use it
		old.copy().wants("user", "ada")
		b.ok("user")
		b.ok("user") // only the first time counts
		time.Sleep(20 * time.Second)
		b.ok("user")
		time.Sleep(10 * time.Second)
		old.copy().wants("user", "ada")
		g.reuses(0)
		time.Sleep(time.Nanosecond)
		old.copy().wants("user", "")
		g.reuses(1)
		b.wants("user", "")
	}, func(o *sojourn.Options) { o.EndReused = true })
}

// However late the successor comes back, the old token leads on for no longer than the option says.
// Within RenewGrace it is no theft.
func TestGraceMost(t *testing.T) {
	for most, set := range map[time.Duration]time.Duration{10 * time.Minute: 0, time.Minute: time.Minute, 30 * time.Second: 30 * time.Second} {
		change := func(o *sojourn.Options) { o.RenewGraceMost = set }
		bubble(t, func(t *testing.T, g *site) { // the successor never comes back
			b := g.remembered()
			b.lose("user")
			time.Sleep(most)
			b.copy().wants("user", "ada")
			time.Sleep(time.Nanosecond)
			b.copy().wants("user", "")
			time.Sleep(30*time.Second - time.Nanosecond)
			b.copy().wants("user", "")
			g.reuses(0)
			time.Sleep(time.Nanosecond)
			b.copy().wants("user", "")
			g.reuses(1)
		}, change)
		bubble(t, func(t *testing.T, g *site) { // it comes back late
			b := g.remembered()
			old := b.copy()
			b.ok("user")
			time.Sleep(most + time.Second)
			b.ok("user")
			old.copy().wants("user", "")
			time.Sleep(30 * time.Second)
			old.copy().wants("user", "")
			g.reuses(0)
			time.Sleep(time.Nanosecond)
			old.copy().wants("user", "")
			g.reuses(1)
			b.wants("user", "ada")
		}, change)
	}
}

// A renewal that is asked for does not open the way of a token that was closed already.
func TestGraceStaysClosed(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.remembered()
		first := b.copy()
		b.ok("user")
		b.ok("user")
		time.Sleep(time.Minute)
		second := b.copy()
		b.ok("renew")
		second.copy().wants("user", "ada")
		first.wants("user", "")
		g.reuses(1)
	})
}

// A visitor whose session has ended begins a new one, whatever token of it comes.
func TestGraceOfAnEndedSession(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.remembered()
		b.lose("user")
		time.Sleep(5 * time.Minute)
		if _, err := g.RevokeUser(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		b.ok("set?k=a&v=x")
		b.wants("get?k=a", "x")
	})
}

// Promise 7: that the successor came back is written once, with whatever else is written, or by
// itself.
func TestGraceCost(t *testing.T) {
	for _, path := range []string{"user", "peek", "set?k=a&v=x"} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.remembered()
			old := b.copy()
			b.ok("user")
			g.store.reset()
			old.copy().ok("user") // it is not the successor's coming back
			if n := g.store.writes(); n != 0 {
				t.Errorf("%s: %d writes by the old token", path, n)
			}
			g.store.reset()
			b.ok(path)
			if n, all := g.store.count(opUpdate), g.store.count(); n != 1 || all != 2 {
				t.Errorf("%s: %d updates in %d calls, want 1 in 2", path, n, all)
			}
			g.store.reset()
			b.ok("user")
			b.ok("user")
			if n := g.store.writes(); n != 0 {
				t.Errorf("%s: %d writes afterwards", path, n)
			}
			time.Sleep(31 * time.Second)
			old.wants("user", "")
		})
	}
	for _, path := range []string{"login?user=ada", "others"} { // these leave no token that leads on
		bubble(t, func(t *testing.T, g *site) {
			b := g.remembered()
			time.Sleep(time.Minute)
			b.ok(path)
			g.store.reset()
			b.ok("user")
			if n := g.store.writes(); n != 0 {
				t.Errorf("%s: %d writes", path, n)
			}
		})
	}
}

// L4: noticing it never fails a request, and the next one tries again.
func TestGraceWriteFails(t *testing.T) {
	for _, fault := range []error{store.ErrUnavailable, store.ErrIndeterminate, store.ErrFull, store.ErrConflict, errors.New("odd")} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.remembered()
			old := b.copy()
			b.ok("user")
			g.store.setBefore(fail(fault), opUpdate)
			b.wants("user", "ada")
			if n := g.log.count(sojourn.StoreFailed); (n == 0) != (fault == store.ErrConflict) { // which is another request's having done it
				t.Errorf("%v: %d events of failure", fault, n)
			}
			g.store.heal()
			time.Sleep(5 * time.Minute)
			old.copy().wants("user", "ada")
			b.wants("user", "ada")
			time.Sleep(31 * time.Second)
			old.wants("user", "")
		})
	}
}

// A client that never takes the answer of a renewal is never refused for it, also where another
// request of its comes between.
func TestRenewWithoutTakingTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.remembered()
		for i := range 40 {
			g.store.setBefore(failNth(1, func(context.Context) error {
				if i%3 == 0 {
					b.lose("renew")
				}
				return nil
			}), opRotate)
			old := b.copy()
			if old.ok("renew"); old.cookie == b.cookie {
				t.Fatalf("the answer of renewal %d has no token", i)
			}
			b.lose("set?k=a&v=" + strconv.Itoa(i))
			b.copy().wants("get?k=a", strconv.Itoa(i))
		}
		b.ok("renew")
		g.store.reset()
		if b.wants("user", "ada"); g.store.count(opGet) != 1 {
			t.Error("the answer of the last renewal names no present token")
		}
		before := b.cookie
		if b.ok("renew"); b.cookie == before {
			t.Error("the token that has come back is not renewed")
		}
	})
}

// … nor where each of its requests renews more than once: a request's own renewals count.
func TestRenewsWithoutTakingTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.onLoaded("renews", func(s *sojourn.Session, r *http.Request) (string, error) {
			for range 2 {
				if err := s.Renew(r.Context()); err != nil {
					return "", err
				}
			}
			return "", s.Renew(r.Context())
		})
		b := g.remembered()
		for range 12 {
			b.lose("renews")
		}
		b.wants("user", "ada")
	})
}

// Each of several tokens has a way of its own to the present one: the ways do not add up.
func TestRenewByTwoOldTokens(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	old := []string{g.login("")}
	for range 10 {
		w := g.do(old[len(old)-1], func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) })
		old = append(old, rigCookies(w))
	}
	for _, cookies := range []string{old[0] + "; " + old[1], old[1] + "; " + old[0]} {
		before := g.seen(sojourn.SessionRenewed)
		w := g.do(cookies, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) })
		if n := g.seen(sojourn.SessionRenewed) - before; n != 1 || rigCookies(w) == old[10] {
			t.Errorf("after ways of 10 and 9 renewals: %d more", n)
		}
	}
}
