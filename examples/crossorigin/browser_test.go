package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// chromium starts a browser to which all hosts are this machine, with any certificate. Without one
// the test fails: it would prove nothing.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the test needs Chromium as \"chromium\" in PATH: run make setup, which installs it on Debian (make test does)")
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"), chromedp.Flag("ignore-certificate-errors", true),
	}
	for _, flag := range []string{"disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage", "disable-extensions"} {
		opts = append(opts, chromedp.Flag(flag, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium (%s) does not start: %v", path, err)
	}
	return ctx
}

// serve serves h by TLS as a host of its own, and gives its origin.
func serve(t *testing.T, host string, h func(origin string) http.Handler) (origin string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	origin = "https://" + host + ":" + port
	s.Config.Handler = h(origin)
	s.StartTLS()
	t.Cleanup(s.Close)
	return origin
}

// A real browser signs in, writes and signs out across origins of one site, and across sites, where
// the cookie needs SameSite=None, and is partitioned: other sites' pages have another or none.
func TestBrowser(t *testing.T) {
	browser := chromium(t)
	for _, tt := range []struct {
		name, page, evil string
		cookie           sojourn.CookieOptions
	}{
		{"one site", "app.shop.test", "blog.shop.test", sojourn.CookieOptions{}},
		{"two sites", "app.other.test", "evil.test", sojourn.CookieOptions{
			SameSite: http.SameSiteNoneMode, InsecureSameSiteNone: "the page is on another site", Partitioned: true,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var apiOrigin string
			page := serve(t, tt.page, func(string) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { web(apiOrigin).ServeHTTP(w, r) })
			})
			evil := serve(t, tt.evil, func(string) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<p>evil") })
			})
			sessions, err := sojourn.New(memstore.New(nil), &sojourn.Options{TrustedOrigins: []string{page}, Cookie: tt.cookie})
			if err != nil {
				t.Fatal(err)
			}
			apiOrigin = serve(t, "api.shop.test", func(string) http.Handler { return api(sessions, page) })

			ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
			defer cancel()
			if err := chromedp.Do(ctx); err != nil { // opens the tab, for as long as ctx
				t.Fatal(err)
			}
			b := &tab{t, ctx}
			b.open(page)
			b.until("nobody is signed in", `document.getElementById("problem").textContent === "Please sign in."`)
			b.send("sign-in", "user", "ada")
			b.until("ada is signed in", `document.getElementById("user").textContent === "ada"`)
			b.send("note", "text", "buy tea")
			b.until("the note is there", `document.getElementById("notes").textContent === "buy tea"`)

			b.open(evil)
			b.until("a foreign script is refused", `fetch("`+apiOrigin+`/notes", {method: "POST", credentials: "include", mode: "no-cors", body: '{"text":"spam"}'})
				.then(() => fetch("`+apiOrigin+`/notes", {credentials: "include"})).then(() => false, () => true)`)

			b.open(page)
			b.until("the session goes on, untouched", `document.getElementById("user").textContent === "ada" && document.getElementById("notes").textContent === "buy tea"`)
			b.run("sign out", chromedp.Click(chromedp.CSS("#sign-out")))
			b.until("ada is signed out", `document.getElementById("user").textContent === ""`)
			b.open(page)
			b.until("and stays so", `document.getElementById("problem").textContent === "Please sign in."`)
		})
	}
}

// tab is one page of a browser whose cookies nobody shares.
type tab struct {
	*testing.T
	ctx context.Context
}

const patience = 30 * time.Second

func (b *tab) run(what string, a chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, a); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

func (b *tab) open(url string) {
	b.Helper()
	b.run("open "+url, chromedp.Navigate(url+"/"))
}

// send fills the one field of a form and sends it.
func (b *tab) send(form, field, text string) {
	b.Helper()
	b.run("fill "+field, chromedp.SendKeys(chromedp.CSS("#"+form+" input[name="+field+"]"), text))
	b.run("send "+form, chromedp.Click(chromedp.CSS("#"+form+" button")))
}

// until asks again and again until the expression, or what it promises, is true in the page.
func (b *tab) until(what, expression string) {
	b.Helper()
	var last error
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-again.C {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression, chromedp.EvalAwaitPromise))
		cancel()
		if ok && err == nil {
			return
		}
		last = err // the page may just be leaving
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	b.Fatalf("%s: it does not happen (%v):\n%s", what, last, strings.TrimSpace(text))
}
