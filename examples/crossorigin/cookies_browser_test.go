package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// releases are those of one program at one address, one after the other.
type releases struct {
	testing.TB
	store store.Store
	keys  *sojourn.KeyRing
	now   atomic.Pointer[http.Handler]
	at    string // its origin
}

func newReleases(t *testing.T) *releases {
	keys, err := sojourn.NewKeyRing(sojourn.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	rs := &releases{TB: t, store: memstore.New(nil), keys: keys}
	rs.at = serve(t, "shop.test", func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*rs.now.Load()).ServeHTTP(w, r) })
	})
	return rs
}

// deploy puts a release with this cookie in the place of the one before.
func (rs *releases) deploy(c sojourn.CookieOptions) {
	rs.Helper()
	sessions, err := sojourn.New(rs.store, &sojourn.Options{Keys: rs.keys, Cookie: c})
	if err != nil {
		rs.Fatal(err)
	}
	mux := http.NewServeMux()
	act := func(path string, f func(*sojourn.Session, *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s, err := sessions.Load(r)
			if err == nil {
				err = f(s, r)
			}
			if err != nil {
				sojourn.DefaultOnError(w, r, err)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			var names []string // of what the browser has sent
			for _, c := range r.Cookies() {
				names = append(names, c.Name)
			}
			fmt.Fprintf(w, "user=%s cookies=%s made=%d", s.User(), strings.Join(names, ","), s.Info().Created.UnixNano())
		})
	}
	act("GET /{$}", func(*sojourn.Session, *http.Request) error { return nil })
	act("POST /sign-in", func(s *sojourn.Session, r *http.Request) error { return s.Login(r.Context(), r.FormValue("user")) })
	act("POST /renew", func(s *sojourn.Session, r *http.Request) error { return s.Renew(r.Context()) })
	h := sessions.Handler(mux)
	rs.now.Store(&h)
}

// elsewhere signs a user in at the present release, in another browser, and gives its token.
func (rs *releases) elsewhere(user string) (value string) {
	rs.Helper()
	r := httptest.NewRequestWithContext(rs.Context(), http.MethodPost, rs.at+"/sign-in?user="+user, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	(*rs.now.Load()).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			return c.Value
		}
	}
	rs.Fatalf("sign-in of %s: %d, %v", user, w.Code, w.Header())
	return ""
}

// ask lets a script of the page that is open ask the program, and gives the answer's text.
func (b *tab) ask(method, path string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	js := fmt.Sprintf(`fetch(%q, {method: %q}).then(answer => answer.text())`, path, method)
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s %s: %v", method, path, err)
	}
	return text
}

// wants asks who is signed in, and which cookies the browser has sent to find out.
func (b *tab) wants(what, user, cookies string) {
	b.Helper()
	want := "user=" + user + " cookies=" + cookies + " "
	if text := b.ask("GET", "/"); !strings.HasPrefix(text, want) {
		b.Errorf("%s: %q, want %q", what, text, want)
	}
}

// A release changes the domain of its cookie. Browsers that have both go on, and lose the old one.
func TestBrowserCookieDomain(t *testing.T) {
	rs, b := newReleases(t), newTab(t)
	before := sojourn.CookieOptions{Name: "__Secure-s", Domain: "shop.test"}
	forgotten := sojourn.CookieOptions{Name: "__Secure-s"}
	after := sojourn.CookieOptions{Name: "__Secure-s", Former: []sojourn.FormerCookie{{Domain: "shop.test"}}}
	rs.deploy(before)
	b.open(rs.at)
	b.ask("POST", "/sign-in?user=ada")
	b.wants("before", "ada", "__Secure-s")
	rs.deploy(after)
	b.wants("the first page", "ada", "__Secure-s")
	b.ask("POST", "/renew")
	b.wants("after a renewal", "ada", "__Secure-s")
	b.ask("POST", "/sign-in?user=bob")
	b.wants("after another's sign-in", "bob", "__Secure-s")

	rs.deploy(before) // taken back, and deployed again without a word of the former domain
	b.ask("POST", "/sign-in?user=ada")
	rs.deploy(forgotten)
	b.ask("POST", "/renew")
	b.wants("two cookies of one session", "ada", "__Secure-s,__Secure-s")
	b.wants("and again", "ada", "__Secure-s,__Secure-s")
	b.ask("POST", "/sign-in?user=bob")
	b.wants("a dead one beside it", "bob", "__Secure-s,__Secure-s")
	rs.deploy(after)
	b.wants("the last page with both", "bob", "__Secure-s,__Secure-s")
	b.wants("one is left", "bob", "__Secure-s")
}

// A cookie is renamed to __Host-: people stay signed in, in sessions as old as before, and what a
// sister domain writes under the former name is nothing any more.
func TestBrowserCookieRenamed(t *testing.T) {
	rs, b := newReleases(t), newTab(t)
	before := sojourn.CookieOptions{Name: "sid", InsecureName: true, Domain: "shop.test"}
	rs.deploy(before)
	planted := rs.elsewhere("mallory")
	sister := serve(t, "blog.shop.test", func(string) http.Handler { return plants("sid", planted) })
	b.open(rs.at)
	b.ask("POST", "/sign-in?user=ada")
	made := b.ask("GET", "/")
	rs.deploy(sojourn.CookieOptions{Former: []sojourn.FormerCookie{{Name: "sid", Domain: "shop.test", Until: time.Now().Add(24 * time.Hour)}}})
	if text := b.ask("GET", "/"); text != made || !strings.HasPrefix(text, "user=ada cookies=sid ") {
		t.Errorf("the first page: %q, before it %q", text, made)
	}
	b.wants("the second page", "ada", "__Host-session")
	if text := b.ask("GET", "/"); strings.TrimPrefix(text, "user=ada cookies=__Host-session") != strings.TrimPrefix(made, "user=ada cookies=sid") {
		t.Errorf("the session's age: %q, before %q", text, made)
	}
	b.open(sister)
	b.open(rs.at)
	if text := b.ask("GET", "/"); !strings.HasPrefix(text, "user=ada ") || !strings.Contains(text, "sid") {
		t.Errorf("with a planted cookie under the former name: %q", text)
	}
	b.ask("POST", "/renew")
	b.wants("after a renewal", "ada", "__Host-session")
}

// plants is a page that sets a cookie for all hosts of the domain, as any page of a host there can.
func plants(name, value string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Domain: "shop.test", Path: "/", Secure: true})
	})
}

// A sister domain plants a session of its own beside the user's. Nobody is signed in then, the
// planted one is not used, and the next sign-in works: there is no loop, also where the spelling is
// not known.
func TestBrowserTwoSessions(t *testing.T) {
	for name, former := range map[string][]sojourn.FormerCookie{"known": {{Domain: "shop.test"}}, "unknown": nil} {
		t.Run(name, func(t *testing.T) {
			rs, b := newReleases(t), newTab(t)
			rs.deploy(sojourn.CookieOptions{Name: "__Secure-s", Former: former})
			planted := rs.elsewhere("mallory")
			sister := serve(t, "blog.shop.test", func(string) http.Handler { return plants("__Secure-s", planted) })
			form := rs.at + "/sign-in?form" // a page that reads no session
			b.open(rs.at)
			b.ask("POST", "/sign-in?user=ada")
			b.wants("before", "ada", "__Secure-s")
			b.open(sister)
			b.run("open the sign-in", chromedp.Navigate(form))
			after := "__Secure-s"
			if former == nil {
				after = "__Secure-s,__Secure-s" // one leads nowhere any more
			} else {
				b.wants("with two sessions", "", "__Secure-s,__Secure-s")
				b.wants("both are taken away", "", "")
			}
			b.ask("POST", "/sign-in?user=ada")
			b.wants("after the sign-in", "ada", after)
			b.open(rs.at)
			b.wants("and then", "ada", after)
		})
	}
}
