package sojourntest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func managers(t *testing.T) map[string]*sojourn.Manager {
	t.Helper()
	all := map[string]*sojourn.Manager{}
	add := func(name string, m *sojourn.Manager, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = m
	}
	m, err := sojourn.New(memstore.New(nil), nil)
	add("stored", m, err)
	m, err = sojourn.NewSealed(&sojourn.SealedOptions{Store: memstore.New(nil)}, nil)
	add("sealed", m, err)
	m, err = sojourn.NewSealed(&sojourn.SealedOptions{Store: memstore.New(nil), Chunks: 3}, nil)
	add("chunked", m, err)
	m, err = sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: sojourn.CookieOptions{Domain: "example.com", Name: "__Secure-s", Persistent: true}})
	add("domain", m, err)
	return all
}

func TestRequest(t *testing.T) {
	for name, m := range managers(t) {
		t.Run(name, func(t *testing.T) {
			items := []string{"salt"}
			if name == "chunked" {
				items = append(items, strings.Repeat("x", 5000))
			}
			r := sojourntest.Request(t, m, "POST", "/cart", strings.NewReader("item=tea"),
				sojourntest.User("ada"), sojourntest.With(cart, items))
			resp := sojourntest.Serve(app(m), r)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("status %s: %s", resp.Status, sojourntest.Body(t, resp))
			}
			got := sojourntest.Result(t, m, resp)
			if c := cart.Get(got.Session); len(c) != len(items)+1 || got.Session.User() != "ada" {
				t.Errorf("user %q, %d items", got.Session.User(), len(c))
			}
			want := sojourntest.Unchanged
			if name == "sealed" || name == "chunked" {
				want = sojourntest.Issued
			}
			if got.Token != want {
				t.Errorf("token %v, want %v", got.Token, want)
			}
		})
	}
}

func TestResult(t *testing.T) {
	for name, m := range managers(t) {
		t.Run(name, func(t *testing.T) {
			h := app(m)
			other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
				http.SetCookie(w, &http.Cookie{Name: "old", MaxAge: -1})
				h.ServeHTTP(w, r)
			})
			visitor := sojourntest.Result(t, m, sojourntest.Serve(other, sojourntest.Request(t, m, "GET", "/", nil)))
			if visitor.Token != sojourntest.Unchanged || visitor.Session.Exists() {
				t.Errorf("a visitor: %v, exists %v", visitor.Token, visitor.Session.Exists())
			}
			login := sojourntest.Serve(other, sojourntest.Request(t, m, "POST", "/login", strings.NewReader("user=ada")))
			if o := sojourntest.Result(t, m, login); o.Token != sojourntest.Issued || o.Session.User() != "ada" {
				t.Errorf("sign-in: %v, user %q", o.Token, o.Session.User())
			}
			logout := sojourntest.Serve(other, sojourntest.Request(t, m, "POST", "/logout", nil, sojourntest.User("ada")))
			if o := sojourntest.Result(t, m, logout); o.Token != sojourntest.Removed || o.Session.User() != "" {
				t.Errorf("sign-out: %v, user %q", o.Token, o.Session.User())
			}
			login.Request = nil
			if o := sojourntest.Result(t, m, login); o.Session.User() != "ada" {
				t.Error("a response without its request was not read")
			}
		})
	}
}

func TestResultBearer(t *testing.T) {
	m, err := sojourn.New(memstore.New(nil), &sojourn.Options{Bearer: &sojourn.BearerOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	r := sojourntest.Request(t, m, "GET", "/", nil)
	token, _, err := m.IssueBearer(r, "ada")
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	o := sojourntest.Result(t, m, sojourntest.Serve(app(m), r))
	if o.Token != sojourntest.Unchanged || o.Session.User() != "ada" {
		t.Errorf("bearer: %v, user %q", o.Token, o.Session.User())
	}
}

func TestClient(t *testing.T) {
	for name, m := range managers(t) {
		t.Run(name, func(t *testing.T) {
			c := sojourntest.NewClient(t, app(m))
			c.NoFollow = true
			if o := sojourntest.Result(t, m, c.PostForm("/login", url.Values{"user": {"ada"}})); o.Token != sojourntest.Issued {
				t.Errorf("sign-in: %v", o.Token)
			}
			for _, item := range []string{"tea", "salt"} {
				c.PostForm("/cart", url.Values{"item": {item}})
			}
			if got := cart.Get(c.Session(m)); len(got) != 2 {
				t.Errorf("cart %v", got)
			}
			c.Restart()
			if got, want := c.Session(m).User() != "", name == "domain"; got != want {
				t.Errorf("signed in after a restart: %v, want %v", got, want)
			}
			c.PostForm("/login", url.Values{"user": {"ada"}, "keep": {"on"}})
			c.Restart()
			if c.Session(m).User() == "" {
				t.Error("a remembered session ended with the browser")
			}
			c.PostForm("/logout", nil)
			if c.Session(m).User() != "" {
				t.Error("signed in after signing out")
			}
		})
	}
}

func TestClientHeader(t *testing.T) {
	var seen http.Header
	c := sojourntest.NewClient(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
	c.Header.Set("User-Agent", "Firefox")
	c.Get("/")
	if seen.Get("User-Agent") != "Firefox" || seen.Get("Sec-Fetch-Site") != "same-origin" {
		t.Errorf("header %v", seen)
	}
}

func TestClientCookieRules(t *testing.T) {
	tests := []struct {
		url, line string
		kept      bool
	}{
		{"/", "a=1", true},
		{"/", "a=1; Secure", true},
		{"http://example.com/", "a=1; Secure", false},
		{"http://example.com/", "a=1", true},
		{"/", "__Host-a=1; Path=/; Secure", true},
		{"/", "__Host-a=1; Path=/", false},
		{"/", "__Host-a=1; Secure; Path=/x", false},
		{"/", "__host-a=1; Secure", false},
		{"/", "__Host-a=1; Secure; Path=/; Domain=example.com", false},
		{"/", "__Secure-a=1; Secure", true},
		{"/", "__Secure-a=1", false},
		{"/", "__Http-a=1; Secure", false},
		{"/", "__Host-Http-a=1; Secure; HttpOnly; Path=/", true},
		{"/", "a=" + strings.Repeat("x", 4096), false},
		{"/", "a=1; Max-Age=0", false},
		{"/", "a=1; Domain=example.org", false},
	}
	for _, tt := range tests {
		var got string
		c := sojourntest.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Cookie")
			w.Header().Set("Set-Cookie", tt.line)
		}))
		c.Get(tt.url)
		c.Get(tt.url)
		if kept := got != ""; kept != tt.kept {
			t.Errorf("%s from %s: kept %v, want %v", tt.line, tt.url, kept, tt.kept)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	m, err := sojourn.New(memstore.New(nil), &sojourn.Options{InsecureLoopbackHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	c := sojourntest.NewClient(t, app(m))
	c.PostForm("http://localhost:8080/login", url.Values{"user": {"ada"}})
	if got := c.Get("http://localhost:8080/").StatusCode; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
}

// fatalT notes a failure and ends its goroutine, as testing.T does.
type fatalT struct {
	exampleT
	failed string
}

func (f *fatalT) Fatalf(format string, args ...any) {
	f.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func failure(run func(testing.TB)) string {
	f := &fatalT{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(f)
	}()
	<-done
	return f.failed
}

func TestFailures(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	m, err := sojourn.New(st, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := func(context.Context, *sojourn.Session) error { return errors.New("broken") }
	nothing := func(context.Context, *sojourn.Session) error { return nil }
	for want, run := range map[string]func(testing.TB){
		"broken":       func(t testing.TB) { sojourntest.Request(t, m, "GET", "/", nil, broken) },
		"keep nothing": func(t testing.TB) { sojourntest.Request(t, m, "GET", "/", nil, nothing) },
		"no user":      func(t testing.TB) { sojourntest.Request(t, m, "GET", "/", nil, sojourntest.User("")) },
		"parse":        func(t testing.TB) { sojourntest.Request(t, m, "GET", "http://[", nil) },
		"method":       func(t testing.TB) { sojourntest.Request(t, m, "no method", "/", nil) },
		"redirects": func(t testing.TB) {
			sojourntest.NewClient(t, http.RedirectHandler("/", http.StatusSeeOther)).Get("/")
		},
		"status 503": func(t testing.TB) {
			st.Fail(store.ErrUnavailable, sojourntest.OpCreate)
			defer st.Heal()
			sojourntest.Request(t, m, "GET", "/", nil, sojourntest.With(cart, []string{"tea"}))
		},
		"unavailable": func(t testing.TB) {
			r := sojourntest.Request(t, m, "GET", "/", nil, sojourntest.User("ada"))
			st.Fail(store.ErrUnavailable, sojourntest.OpGet)
			defer st.Heal()
			sojourntest.Result(t, m, sojourntest.Serve(app(m), r))
		},
	} {
		if got := failure(run); !strings.Contains(got, want) {
			t.Errorf("failed with %q, want %q in it", got, want)
		}
	}
}

func TestFaulty(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	m, err := sojourn.New(st, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := sojourntest.NewClient(t, app(m))
	c.NoFollow = true
	c.PostForm("/login", url.Values{"user": {"ada"}})

	st.Fail(store.ErrUnavailable, sojourntest.OpUpdate)
	if got := c.PostForm("/cart", url.Values{"item": {"tea"}}).StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("an update that fails: status %d", got)
	}
	st.Heal()
	if got := cart.Get(c.Session(m)); len(got) != 0 {
		t.Errorf("an update that failed before it was done left %v", got)
	}
	st.FailAfter(store.ErrIndeterminate, sojourntest.OpUpdate)
	if got := c.PostForm("/cart", url.Values{"item": {"tea"}}).StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("a lost answer: status %d", got)
	}
	st.Heal()
	if got := cart.Get(c.Session(m)); len(got) != 1 {
		t.Errorf("an update whose answer was lost left %v", got)
	}
	before := st.Calls()
	c.Get("/nothing")
	if got := st.Calls() - before; got != 0 {
		t.Errorf("a page without session made %d calls", got)
	}
	if st.Calls(sojourntest.OpCreate) != 1 {
		t.Errorf("%d creates", st.Calls(sojourntest.OpCreate))
	}
}

func TestFaultyWalks(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	m, err := sojourn.New(st, nil)
	if err != nil {
		t.Fatal(err)
	}
	sojourntest.Request(t, m, "GET", "/", nil, sojourntest.User("ada"))
	walk := func() (n int, err error) {
		for _, e := range st.All(t.Context()) {
			if err = e; err == nil {
				n++
			}
		}
		return n, err
	}
	if n, err := walk(); n != 1 || err != nil {
		t.Errorf("walk: %d, %v", n, err)
	}
	st.Fail(store.ErrUnavailable)
	if n, err := walk(); n != 0 || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("walk that fails: %d, %v", n, err)
	}
	if _, err := m.Sessions(t.Context(), "ada"); !errors.Is(err, sojourn.ErrUnavailable) {
		t.Errorf("list: %v", err)
	}
	st.Heal()
	st.FailAfter(store.ErrUnavailable)
	if n, err := walk(); n != 1 || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("walk that breaks off: %d, %v", n, err)
	}
}

// A healthy Faulty is a store like any other.
func TestFaultyKit(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store { return &sojourntest.Faulty{Store: memstore.New(nil)} }, nil)
}

// durable is a store that is not volatile, and may lag.
type durable struct{ store.Store }

func (durable) Traits() store.Traits { return store.Traits{Lag: time.Second} }

func TestFaultyForwards(t *testing.T) {
	if got := (&sojourntest.Faulty{Store: durable{memstore.New(nil)}}).Traits(); got != (store.Traits{Lag: time.Second}) {
		t.Errorf("traits became %+v", got)
	}
	if _, err := sojourn.New(&sojourntest.Faulty{Store: durable{memstore.New(nil)}}, nil); !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("New without keys: %v", err)
	}
}
