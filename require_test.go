package sojourn_test

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
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// R38: WWW-Authenticate names an error only where a bearer token was sent.
func TestRequireChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name, realm string
			bearer      bool
			send        string // "junk", "cookie", "token" or nothing
			guard       func(*sojourn.Manager, http.Handler) http.Handler
			want        string
		}{
			{"no bearer here", "", false, "", user, ""},
			{"nothing sent", "", true, "", user, "Bearer"},
			{"nothing sent, realm", "api", true, "", user, `Bearer realm="api"`},
			{"junk", "", true, "junk", user, `Bearer error="invalid_token"`},
			{"junk, realm", "api", true, "junk", user, `Bearer realm="api", error="invalid_token"`},
			{"cookie, stale", "api", true, "cookie", fresh, `Bearer realm="api"`},
			{"token, stale", "", true, "token", fresh, `Bearer error="insufficient_user_authentication"`},
			{"token, weak", "", true, "token", level, `Bearer error="insufficient_user_authentication"`},
		} {
			o := sojourn.Options{}
			if tt.bearer {
				o.Bearer = &sojourn.BearerOptions{Realm: tt.realm}
			}
			g := newWebRig(t, nil, o)
			r := rigRequest("GET")
			switch tt.send {
			case "junk":
				r.Header.Set("Authorization", "Bearer junk")
			case "token":
				r.Header.Set("Authorization", "Bearer "+g.bearer("ada"))
			case "cookie":
				r.Header.Set("Cookie", g.login(""))
			}
			time.Sleep(10 * time.Minute)
			w := httptest.NewRecorder()
			g.m.Handler(tt.guard(g.m, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") }))).ServeHTTP(w, r)
			if got := strings.Join(w.Header()["Www-Authenticate"], "|"); w.Code != 401 || got != tt.want || strings.Contains(w.Body.String(), "page") {
				t.Errorf("%s: %d, %q, want %q", tt.name, w.Code, got, tt.want)
			}
		}
	})
}

func user(m *sojourn.Manager, h http.Handler) http.Handler  { return m.RequireUser(h) }
func fresh(m *sojourn.Manager, h http.Handler) http.Handler { return m.RequireFresh(time.Minute, h) }
func level(m *sojourn.Manager, h http.Handler) http.Handler {
	return m.RequireLevel(sojourn.LevelMulti, h)
}

// The program's own answers replace the 401s.
func TestRequireOwnAnswers(t *testing.T) {
	o := sojourn.Options{OnAnonymous: http.RedirectHandler("/login", http.StatusSeeOther), OnStale: http.RedirectHandler("/confirm", http.StatusSeeOther)}
	g := newWebRig(t, nil, o)
	for cookie, want := range map[string]string{"": "/login", g.login(""): "/confirm"} {
		w := httptest.NewRecorder()
		g.m.Handler(g.m.RequireLevel(sojourn.LevelMulti, http.NotFoundHandler())).ServeHTTP(w, rigRequest("GET", cookie))
		if w.Code != 303 || w.Header().Get("Location") != want {
			t.Errorf("%d %q, want %q", w.Code, w.Header().Get("Location"), want)
		}
	}
}

// brokenReads fails every Get with err.
type brokenReads struct {
	*memstore.Store
	err error
}

func (b *brokenReads) Get(ctx context.Context, k store.Key) (store.Record, time.Time, error) {
	if b.err == context.DeadlineExceeded {
		<-ctx.Done()
		return store.Record{}, time.Time{}, ctx.Err()
	}
	if b.err != nil {
		return store.Record{}, time.Time{}, b.err
	}
	return b.Store.Get(ctx, k)
}

// R47: an outage is an outage on every guarded route: 503, generic words, the cookie stays.
func TestRequireOutage(t *testing.T) {
	guards := map[string]func(*sojourn.Manager, http.Handler) http.Handler{
		"loaded": func(m *sojourn.Manager, h http.Handler) http.Handler { return m.RequireLoaded(h) },
		"user":   user, "fresh": fresh, "level": level,
		"csrf": func(m *sojourn.Manager, h http.Handler) http.Handler { return m.RequireCSRFToken(h) },
	}
	synctest.Test(t, func(t *testing.T) {
		for _, cause := range []error{
			fmt.Errorf("%w: dial postgres://root:hunter2@db", store.ErrUnavailable),
			fmt.Errorf("%w: hunter2", store.ErrIndeterminate),
			errors.New("pq: hunter2"), // a store that knows no outcomes
			context.Canceled, context.DeadlineExceeded,
		} {
			for name, guard := range guards {
				st := &brokenReads{Store: memstore.New(nil)}
				g := newWebRig(t, st, sojourn.Options{})
				cookie := g.login("")
				st.err = cause
				ran := false
				w := httptest.NewRecorder()
				g.m.Handler(guard(g.m, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }))).ServeHTTP(w, rigRequest("POST", cookie))
				if ran || w.Code != 503 || w.Header()["Set-Cookie"] != nil || strings.Contains(w.Body.String(), "hunter2") {
					t.Errorf("%v behind %s: ran %v, %d, %v, %q", cause, name, ran, w.Code, w.Header(), w.Body)
				}
				st.err = nil
				time.Sleep(2 * time.Second) // a breaker lets the store rest
				if got := g.user(cookie); got != "ada" {
					t.Errorf("%v behind %s: afterwards user %q", cause, name, got)
				}
				if n, _ := st.Usage(); n != 1 {
					t.Errorf("%v behind %s: %d records", cause, name, n)
				}
			}
		}
	})
}

// A session that was not loaded panics instead of looking like a visitor's.
func TestRequireLoadBeforeUse(t *testing.T) {
	st := &brokenReads{Store: memstore.New(nil)}
	g := newWebRig(t, st, sojourn.Options{})
	cookie := g.login("")
	for name, cause := range map[string]error{"not loaded": nil, "failed": store.ErrUnavailable} {
		st.err = cause
		g.serve(rigRequest("GET", cookie), func(_ http.ResponseWriter, r *http.Request) {
			s := g.m.From(r)
			if cause != nil {
				if _, err := g.m.Load(r); err == nil {
					t.Error("load succeeded")
				}
			}
			for what, f := range map[string]func(){
				"User": func() { s.User() }, "Get": func() { rigNote.Get(s) },
				"Set": func() { _ = rigNote.Set(s, "x") }, "Level": func() { s.Level() }, "CSRFToken": func() { s.CSRFToken() },
				"Clear": s.Clear, "Names": func() { s.Names() }, "Info": func() { s.Info() }, "Token": func() { _, _ = s.Token() },
			} {
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s on a session that is %s did not panic", what, name)
						}
					}()
					f()
				}()
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("From outside Handler did not panic")
		}
	}()
	g.m.From(rigRequest("GET"))
}
