package sojourn_test

// Defects of other libraries, D15 and below, done to this one; docs/promises.md says what each is.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// D1, D10, D15, D28; P4
func TestPeerD01LostUpdate(t *testing.T) {
	for _, second := range []string{"set?k=b", "append?v=b", "renew", "user"} {
		g := newSite(t)
		b := g.signedIn("ada")
		b.ok("set?k=init")
		a := b.start("set?k=a")
		b.ok(second)
		g.status(a(), 200)
		b.wants("user", "ada")
		if names := b.ok("names"); !strings.Contains(names, "a") || !strings.Contains(names, "init") {
			t.Errorf("after %s: %q", second, names)
		}
		if second == "set?k=b" {
			b.wants("names", "a b init")
		}
	}
}

// D2, D11, D15, D20, D28; R12
func TestPeerD02Zombie(t *testing.T) {
	for _, slow := range []string{"set?k=a", "append?v=a", "user", "none", "get?k=a"} {
		t.Run(slow, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newSite(t)
				b := g.signedIn("ada")
				thief, tab := b.copy(), b.copy()
				time.Sleep(2 * time.Minute) // a read has to touch
				finish := tab.start(slow)
				b.ok("logout")
				thief.wants("user", "")
				g.noCookie(finish())
				thief.wants("user", "")
				tab.wants("user", "")
				if n := g.records(); n != 0 {
					t.Errorf("%d records live after logout", n)
				}
			})
		})
	}
}

// D4; P4
func TestPeerD04NoGraceAfterRenewal(t *testing.T) {
	t.Run("renewal", func(t *testing.T) {
		g := newSite(t)
		b := g.signedIn("ada")
		late := b.request(t.Context(), "set?k=a") // sent with the old cookie
		b.ok("renew")
		g.status(b.send(late), 200)
		b.wants("user", "ada")
		b.wants("names", "a")
	})
	// The poller against the sign-in: the token from before is dead, but a late request with it
	// must not put an anonymous cookie over the user's.
	for _, how := range []string{"sign-in", "confirmation"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newSite(t)
				b := g.browser()
				if how == "confirmation" {
					b.ok("login?user=ada")
				}
				b.ok("set?k=init")
				late, never := b.request(t.Context(), "set?k=a"), b.request(t.Context(), "set?k=a")
				b.ok("login?user=ada")
				time.Sleep(time.Second)
				w := b.send(late)
				g.noCookie(w)
				g.status(w, http.StatusConflict)
				b.wants("user", "ada")
				b.wants("names", map[string]string{"sign-in": "", "confirmation": "init"}[how])
				time.Sleep(time.Minute) // not a request under way any more: a visitor like any other
				g.status(g.browser().send(never), 200)
			})
		})
	}
}

// D5; R23
func TestPeerD05RevokeAllWithHashedTokens(t *testing.T) {
	g := newSite(t)
	a, b, eve := g.signedIn("ada"), g.signedIn("ada"), g.signedIn("eve")
	if n, err := g.RevokeUser(t.Context(), "ada"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	a.wants("user", "")
	b.wants("user", "")
	eve.wants("user", "eve")
	if n, err := g.RevokeEveryone(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	eve.wants("user", "")
}

// D6, D16; R48
func TestPeerD06FlushFirst(t *testing.T) {
	flush := map[string]func(w http.ResponseWriter) error{
		"controller": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
		"flusher":    func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		"hijack": func(w http.ResponseWriter) error {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				c.Close()
			}
			return nil // the recorder cannot; what counts is the commit before
		},
		"readfrom": func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
			return err
		},
	}
	for name, f := range flush {
		t.Run(name, func(t *testing.T) {
			g := newSite(t)
			g.mux.HandleFunc("/flush", func(w http.ResponseWriter, r *http.Request) {
				s := must(g.Load(r))
				slot("a").Set(s, "x")
				if err := f(w); err != nil {
					t.Error(err)
				}
			})
			b := g.browser()
			b.get("flush")
			if b.cookie == "" {
				t.Fatal("no cookie reached the client")
			}
			b.wants("get?k=a", "x")
		})
	}
}

// D6: an informational status is not the response.
func TestPeerD06Informational(t *testing.T) {
	g := newSite(t)
	g.mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		s := must(g.Load(r))
		w.WriteHeader(http.StatusEarlyHints)
		slot("a").Set(s, "x")
	})
	srv := httptest.NewTLSServer(g.handler)
	defer srv.Close()
	resp := must(srv.Client().Get(srv.URL + "/early"))
	resp.Body.Close()
	if resp.StatusCode != 200 || len(resp.Cookies()) != 1 || g.records() != 1 {
		t.Error(resp.StatusCode, len(resp.Cookies()), g.records())
	}
}

// D7; P9
func TestPeerD07ClientGone(t *testing.T) {
	for path, check := range map[string]struct{ path, want string }{
		"set?k=a&v=x": {"get?k=a", "x"}, "logout": {"user", ""}, "others": {"user", ""}, "login?user=ada": {"user", ""},
	} {
		g := newSite(t)
		b := g.signedIn("ada")
		old, tab := b.copy(), b.copy()
		ctx, hangUp := context.WithCancel(t.Context())
		gone := false
		g.mux.HandleFunc("/gone/", func(w http.ResponseWriter, r *http.Request) {
			if path[:3] == "set" { // identity acts do not even need the session loaded before
				g.Load(r)
			}
			hangUp()
			gone = true
			r.URL.Path = strings.TrimPrefix(r.URL.Path, "/gone")
			g.mux.ServeHTTP(w, r)
		})
		g.status(tab.send(b.request(ctx, "gone/"+path)), 200)
		if !gone {
			t.Fatal("client did not hang up")
		}
		old.wants(check.path, check.want)
	}
}

// D7b; R48, P7
func TestPeerD07bFailedCommitSendsNoPage(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	g.mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		slot("a").Set(must(g.Load(r)), "x")
		w.Header().Set("Content-Type", "application/pdf")
		_, err := io.WriteString(w, "the handler's page")
		if err == nil {
			t.Error("Write after a failed commit gives no error")
		}
	})
	g.store.setBefore(fail(store.ErrUnavailable), opUpdate)
	w := b.get("page")
	g.status(w, 503)
	g.noCookie(w)
	if strings.Contains(w.Body.String(), "handler's") || w.Header().Get("Content-Type") == "application/pdf" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	g.store.heal()
	b.wants("names", "")
}

// A commit that failed is not made up for after the client was told so.
func TestPeerD07bFailedCommitStaysFailed(t *testing.T) {
	for _, lost := range []bool{false, true} {
		g := newSite(t)
		b := g.signedIn("ada")
		outage := failTimes(3, store.ErrUnavailable) // the retry budget of one act
		if lost {
			g.store.setAfter(failTimes(3, store.ErrIndeterminate), opUpdate)
		} else {
			g.store.setBefore(outage, opUpdate)
		}
		g.status(b.get("append?v=x"), 503)
		want := map[bool]string{false: "", true: "x"}[lost] // lost answers: applied, once
		b.wants("get?k=list", want)
	}
}

// D11
func TestPeerD11IDNotReusedAfterLogout(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	dead := b.copy()
	g.on("switch", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", errors.Join(s.Logout(r.Context()), s.Login(r.Context(), "eve"))
	})
	w := b.get("switch")
	g.status(w, 200)
	if len(w.Header()["Set-Cookie"]) != 1 || b.cookie == dead.cookie {
		t.Error("not exactly one new token")
	}
	dead.wants("user", "")
	b.wants("user", "eve")
	b.ok("logout")
	b.cookie = dead.cookie // the program ignores the removal
	b.ok("login?user=bob")
	if b.cookie == dead.cookie {
		t.Error("id reused")
	}
}

// D12: what does not fit the cookie fits the store.
func TestPeerD12LargeData(t *testing.T) {
	g := newSite(t)
	b := g.browser()
	g.onLoaded("large", func(s *sojourn.Session, _ *http.Request) (string, error) {
		return "", slot("large").Set(s, strings.Repeat("x", 100_000))
	})
	b.ok("large")
	if n := len(b.ok("get?k=large")); n != 100_000 {
		t.Error(n)
	}
	if len(b.cookie) > 128 {
		t.Errorf("cookie of %d bytes", len(b.cookie))
	}
}

// D13, D31: a life set for one session holds on the server, in the cookie and at the next requests.
func TestPeerD13RememberedLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSite(t)
		g.on("remember", func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.Login(r.Context(), "ada", sojourn.Remember(720*time.Hour))
		})
		b := g.browser()
		age := func(w *httptest.ResponseRecorder) int { return w.Result().Cookies()[0].MaxAge }
		if n := age(b.get("remember")); n != 720*3600 {
			t.Errorf("Max-Age %d", n)
		}
		time.Sleep(700 * time.Hour)
		w := b.get("user") // renews the token
		if w.Body.String() != "ada" || age(w) != 20*3600 {
			t.Error(w.Body, age(w))
		}
		time.Sleep(20*time.Hour - 1)
		b.wants("user", "ada")
		time.Sleep(time.Nanosecond)
		b.wants("user", "")
	})
}

// D14, D19, D32: two managers in one request, with one key, are two.
func TestPeerD14TwoManagers(t *testing.T) {
	ring := must(sojourn.NewKeyRing(sojourn.NewKey()))
	one := newSite(t, func(o *sojourn.Options) { o.Keys = ring })
	two := newSite(t, func(o *sojourn.Options) {
		o.Keys, o.Name = ring, "two"
		o.Cookie.Name = "__Host-two"
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) {
		err := errors.Join(one.From(r).Login(r.Context(), "ada"), two.From(r).Login(r.Context(), "eve"))
		fmt.Fprintln(w, err, one.From(r).User(), two.From(r).User())
	})
	w := httptest.NewRecorder()
	one.Handler(two.Handler(mux)).ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/both", nil))
	if w.Body.String() != "<nil> ada eve\n" {
		t.Error(w.Body)
	}
	tokens := map[string]string{}
	for _, c := range w.Result().Cookies() {
		tokens[c.Name] = c.Value
	}
	if len(tokens) != 2 {
		t.Fatal(tokens)
	}
	(&browser{g: one, cookie: tokens[cookieName]}).wants("user", "ada")
	(&browser{g: one, cookie: tokens["__Host-two"]}).wants("user", "")
	one.store.reset()
	// Even one store and one cookie name do not make tokens cross over.
	three := must(sojourn.New(one.store, &sojourn.Options{Keys: ring, Name: "three"}))
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: tokens[cookieName]})
	if s := must(three.Open(t.Context(), r)); s.User() != "" || one.store.count() != 0 {
		t.Error("token of another manager accepted")
	}
}
