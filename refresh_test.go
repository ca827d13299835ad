package sojourn_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
	"github.com/sojourn-go/sojourn/store"
)

// A visitor's session is persistent too where Cookie.Persistent says so, its cookie as old as
// Cookie.MaxAge allows; Refresh sends it again and counts as use below Peek.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{
			Idle: time.Hour, Lifetime: sojourn.Unlimited,
			Cookie: sojourn.CookieOptions{Persistent: true, MaxAge: 10 * time.Minute},
		})
		w := g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) })
		cookie := rigCookies(w)
		if got := w.Result().Cookies()[0].MaxAge; got != 600 {
			t.Fatalf("Max-Age %d, want 600", got)
		}
		for range 5 {
			time.Sleep(40 * time.Minute)
			w = g.do(cookie, func(s *sojourn.Session) { s.Peek(); door.Refresh(s) })
			if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge != 600 {
				t.Fatalf("refresh sent %v, want the cookie for 600 s", c)
			}
		}
		time.Sleep(40 * time.Minute)
		w = g.do(cookie, func(s *sojourn.Session) { s.Peek() })
		if got := w.Result().Cookies(); len(got) != 0 {
			t.Errorf("a request without Refresh sent %v", got)
		}
		time.Sleep(40 * time.Minute)
		g.do(cookie, func(s *sojourn.Session) {
			if s.Exists() {
				t.Error("a peek has kept the session alive")
			}
			if door.Refresh(s); s.Exists() {
				t.Error("Refresh brought an ended session back")
			}
		})
		if w = g.do("", func(s *sojourn.Session) { door.Refresh(s) }); len(w.Result().Cookies()) != 0 {
			t.Error("Refresh made a session for a visitor who keeps nothing")
		}
	})
	// A cookie that goes with the browser is not sent again.
	g := newWebRig(t, nil, sojourn.Options{})
	if w := g.do(g.login(""), func(s *sojourn.Session) { door.Refresh(s) }); len(w.Result().Cookies()) != 0 {
		t.Errorf("Refresh sent %v", w.Result().Cookies())
	}
	for _, d := range []time.Duration{-1, 401 * 24 * time.Hour} {
		if _, err := sojourn.New(newFaultStore(nil), &sojourn.Options{Keys: rigKeys(t), Cookie: sojourn.CookieOptions{MaxAge: d}}); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("MaxAge %v: %v", d, err)
		}
	}
}

// Fail keeps a request's changes out of the store and its page from the client.
func TestFail(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "old")) }))
	w := g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		rigOK(t, err)
		rigOK(t, rigNote.Set(s, "new"))
		door.Fail(s, sojourn.ErrTooLarge)
		door.Fail(s, io.EOF)
		io.WriteString(w, "page")
	})
	if w.Code != http.StatusRequestEntityTooLarge || strings.Contains(w.Body.String(), "page") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	g.do(cookie, func(s *sojourn.Session) {
		if got := rigNote.Get(s); got != "old" {
			t.Errorf("value %q, want old", got)
		}
		door.Fail(s, io.EOF)
		if _, err := s.Commit(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("commit: %v", err)
		}
		rigOK(t, rigNote.Set(s, "third")) // the failure went with the changes it was for
		door.Fail(s, io.EOF)
		s.Discard()
		rigOK(t, rigNote.Set(s, "fourth"))
	})
	g.do(cookie, func(s *sojourn.Session) {
		if got := rigNote.Get(s); got != "fourth" {
			t.Errorf("value %q, want fourth", got)
		}
	})
}

// Cookie.Persistent says how long browsers keep the cookie, and nothing of the session: no list
// names it remembered, and a confirmation gives it the limits of a sign-in.
func TestPersistentIsNotRemembered(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Cookie: sojourn.CookieOptions{Persistent: true}})
	g.do(g.login(""), func(s *sojourn.Session) {
		if s.Info().Remembered {
			t.Error("a session that nobody asked to remember is listed as remembered")
		}
		rigOK(t, s.SetLifetime(time.Hour))
		rigOK(t, s.SetIdle(time.Minute))
		_, err := s.Commit(t.Context())
		rigOK(t, err)
		rigOK(t, s.Login(t.Context(), "ada"))
		if left := s.ExpiresIn(); left < 29*time.Minute {
			t.Errorf("the confirmed session ends in %v, want after Options.Idle", left)
		}
		rigOK(t, s.Login(t.Context(), "ada", sojourn.Remember(48*time.Hour)))
		rigOK(t, s.Login(t.Context(), "ada"))
		if in := s.Info(); !in.Remembered || s.ExpiresIn() < 47*time.Hour {
			t.Errorf("a confirmation has forgotten that the session is remembered: %v left", s.ExpiresIn())
		}
	})
}

// P8: a renewal that takes a change along loses its answers, and is carried out only after the
// store was asked whether it had been: the change is not made twice.
func TestFaultRenewalComesLate(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		for range 2 {
			time.Sleep(25 * time.Minute)
			b.ok("user")
		}
		time.Sleep(25 * time.Minute) // a renewal is due
		g.store.setBefore(fail(store.ErrIndeterminate), opRotate)
		came := false
		g.store.setBefore(func(ctx context.Context) error {
			if came {
				return nil
			}
			came = true
			g.store.setBefore(nil, opRotate)
			g.store.mu.Lock()
			last := g.store.seen[len(g.store.seen)-3:] // the renewal, its tail, and the update
			g.store.mu.Unlock()
			return g.store.Store.Rotate(ctx, last[1].Key, last[0].Version, last[0], &last[1])
		}, opUpdate)
		b.ok("append?v=x")
		if !came {
			t.Error("no update came after the renewal")
		}
		b.wants("get?k=list", "x")
	})
	// Nor does a request that cannot write after it say that nothing was written.
	for _, then := range []error{store.ErrUnavailable, store.ErrFull} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			for range 2 {
				time.Sleep(25 * time.Minute)
				b.ok("user")
			}
			time.Sleep(25 * time.Minute)
			g.store.setBefore(fail(store.ErrIndeterminate), opRotate)
			g.store.setBefore(fail(then), opUpdate)
			s := must(g.Open(t.Context(), b.request(t.Context(), "")))
			rigOK(t, slot("a").Set(s, "x"))
			if _, err := s.Commit(t.Context()); !errors.Is(err, sojourn.ErrIndeterminate) {
				t.Errorf("then %v: %v, want %v", then, err, sojourn.ErrIndeterminate)
			}
		})
	}
}
