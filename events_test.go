package sojourn_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// told lists the events since the last call: name, reason, user, "#" where they name a session and
// "!" where they have an error.
func (g *webRig) told() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, e := range g.ev {
		text := strings.TrimPrefix(string(e.Name), "session_")
		for _, part := range []string{e.Reason, e.User} {
			if part != "" {
				text += " " + part
			}
		}
		if e.Handle != (store.Handle{}) {
			text += " #"
		}
		if e.Err != nil {
			text += " !"
		}
		out = append(out, text)
	}
	g.ev = nil
	return strings.Join(out, ", ")
}

// The events of a session's life: each once, with the session and user where they are known.
func TestEventsOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{MaxSessions: 3, RefuseAtLimit: true, Bearer: &sojourn.BearerOptions{Prefix: "acme_"}})
		want := func(what, want string) {
			t.Helper()
			if got := g.told(); got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		renew := func(cookie string) string {
			return rigCookies(g.do(cookie, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) }))
		}

		g.user("")
		want("a visitor", "")
		visitor := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
		want("a visitor's value", "created #")
		ada := g.login(visitor)
		want("a sign-in", "created ada #")
		g.user(visitor)
		want("the token from before it", "use_after_expire #")
		ada = g.login(ada)
		want("a confirmation", "renewed ada #")
		g.do(ada, func(s *sojourn.Session) { rigOK(t, s.Logout(t.Context())) })
		want("a sign-out", "expired logout ada #")
		g.user(ada)
		want("the token from before it", "use_after_expire ada #")

		ada = g.login("")
		g.told()
		_, err := g.m.RevokeUser(t.Context(), "ada")
		rigOK(t, err)
		want("a revocation", "expired revoked ada")
		g.user(ada)
		want("the token of what was revoked", "use_after_expire")
		g.user(cookieName + "=junk")
		want("a stranger's token", "token_refused cookie")

		time.Sleep(time.Second)
		for range 3 {
			g.login("")
		}
		g.told()
		g.do("", func(s *sojourn.Session) {
			if s.Login(t.Context(), "ada") == nil {
				t.Error("a fourth session")
			}
		})
		want("a sign-in beyond the limit", "limit refused ada")
		g.do("", func(s *sojourn.Session) {
			if s.Login(t.Context(), "eve", sojourn.Began(time.Hour)) == nil {
				t.Error("a sign-in of an hour")
			}
		})
		want("a sign-in that took too long", "")

		// Late, though its answer may be lost: a renewed token ends to lead on, and is then a sign.
		first := g.loginAs("bob", "")
		renew(first)
		g.told()
		for _, tt := range []struct {
			wait time.Duration
			want string
		}{
			{10 * time.Minute, ""}, {time.Nanosecond, "use_after_expire bob #"}, {30*time.Second - time.Nanosecond, "use_after_expire bob #"},
			{time.Nanosecond, "token_reuse bob #"},
		} {
			time.Sleep(tt.wait)
			g.do(first, func(s *sojourn.Session) { s.Peek() })
			want(fmt.Sprint("a renewed token after ", tt.wait), tt.want)
		}
	})
}

// A store that leaves what is expired to a sweeper says nothing of how it expired: the record does.
func TestEventsOfAnExpiredRecord(t *testing.T) {
	for name, tt := range map[string]struct {
		opts sojourn.Options
		late func(*store.Record)
		want string
	}{
		"idle":     {sojourn.Options{}, func(r *store.Record) { r.Seen = r.Seen.Add(-30 * time.Minute) }, "expired idle ada #"},
		"lifetime": {sojourn.Options{}, func(r *store.Record) { r.Created = r.Created.Add(-12 * time.Hour) }, "expired lifetime ada #"},
		"idle, without lifetime": {sojourn.Options{Lifetime: sojourn.Unlimited},
			func(r *store.Record) { r.Created, r.Seen = r.Created.Add(-time.Hour), r.Seen.Add(-30*time.Minute) }, "expired idle ada #"},
		"lifetime, without idle": {sojourn.Options{Idle: sojourn.Unlimited},
			func(r *store.Record) { r.Created = r.Created.Add(-12 * time.Hour) }, "expired lifetime ada #"},
	} {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, tt.opts)
		cookie := g.login("")
		g.told()
		st.mutate = tt.late
		if who := g.user(cookie); who != "" || g.seen(sojourn.SessionExpired) != 1 {
			t.Errorf("%s: user %q", name, who)
		}
		if got := g.told(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A visitor's renewed token that comes back is told, and ends nobody's sessions.
func TestReuseOfAVisitorsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{EndReused: true})
		old := rigCookies(g.do("", func(s *sojourn.Session) { rigOK(t, rigNote.Set(s, "x")) }))
		now := rigCookies(g.do(old, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) }))
		g.user(now)
		time.Sleep(time.Minute)
		g.told()
		st.reset()
		g.user(old)
		if got := g.told(); got != "token_reuse #" || st.count(opRevoke) != 0 {
			t.Errorf("events %q, %d revocations", got, st.count(opRevoke))
		}
		g.serve(rigRequest("GET", now), func(_ http.ResponseWriter, r *http.Request) {
			if s, err := g.m.Load(r); err != nil || !s.Exists() {
				t.Errorf("the session is gone: %v", err)
			}
		})
	})
}
