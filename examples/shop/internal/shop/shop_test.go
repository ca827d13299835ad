package shop

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// testLog writes to the test's log.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func newTestShop(t *testing.T, b backend) *shop {
	t.Helper()
	sh, err := newShop(b, t.TempDir(), time.Minute, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	return sh
}

func orders(t *testing.T, sh *shop, user string) []purchase {
	t.Helper()
	_, list, err := sh.ledger.of(user)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func signedIn(t *testing.T, sh *shop) *sojourntest.Client {
	t.Helper()
	c := sojourntest.NewClient(t, sh.routes())
	c.PostForm("/signin", url.Values{"user": {"ada"}, "password": {"bernoulli"}, "next": {"/"}})
	if got := c.Session(sh.web).User(); got != "ada" {
		t.Fatalf("signed in as %q", got)
	}
	return c
}

func TestOutage(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	sh := newTestShop(t, backend{store: st})
	c := signedIn(t, sh)
	st.Fail(store.ErrUnavailable)
	for _, path := range []string{"/", "/cart", "/devices", "/account"} {
		resp := c.Get(path)
		if body := sojourntest.Body(t, resp); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "still signed in") {
			t.Errorf("%s in an outage: %s\n%s", path, resp.Status, body)
		}
		if len(resp.Cookies()) > 0 {
			t.Errorf("%s in an outage sends cookies", path)
		}
	}
	if resp := c.PostForm("/signout", nil); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a sign-out that failed says %s", resp.Status)
	}
	st.Heal()
	if c.Session(sh.web).User() == "" {
		t.Error("the outage signed the user out")
	}
}

func TestOrderOnce(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	sh := newTestShop(t, backend{store: st})
	r := func() *http.Request {
		return sojourntest.Request(t, sh.web, "POST", "/order", nil,
			sojourntest.User("ada"), sojourntest.With(cart, basket{"tea": 2}))
	}
	twice := r()
	for range 2 {
		sojourntest.Serve(sh.routes(), twice.Clone(t.Context()))
	}
	if got := orders(t, sh, "ada"); len(got) != 1 || got[0].Total != 1700 {
		t.Errorf("orders %+v", got)
	}
	fails := r()
	st.Fail(store.ErrUnavailable, sojourntest.OpUpdate)
	resp := sojourntest.Serve(sh.routes(), fails)
	st.Heal()
	if resp.StatusCode != http.StatusServiceUnavailable || len(orders(t, sh, "ada")) != 1 {
		t.Errorf("an order in an outage: %s, %d orders", resp.Status, len(orders(t, sh, "ada")))
	}
	if got := cart.Get(sojourntest.Result(t, sh.web, resp).Session).count(); got != 2 {
		t.Errorf("%d in the cart after it", got)
	}
}

func TestBadForms(t *testing.T) {
	sh := newTestShop(t, backend{store: memstore.New(nil)})
	c := signedIn(t, sh)
	for path, form := range map[string]url.Values{
		"/cart/add":    {"product": {"nothing"}},
		"/devices/end": {"session": {"nothing"}},
	} {
		if got := c.PostForm(path, form).StatusCode; got != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, got)
		}
	}
	body := sojourntest.Body(t, c.PostForm("/devices/end", url.Values{"session": {store.Handle{1}.String()}}))
	if !strings.Contains(body, "already") {
		t.Errorf("ending what is not there:\n%s", body)
	}
	if got := c.Get("/overlap/middle").StatusCode; got != http.StatusNotFound {
		t.Errorf("/overlap/middle: status %d", got)
	}
	r := sojourntest.Request(t, sh.web, "POST", "/cart/add", strings.NewReader("product=tea"), sojourntest.User("ada"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := sojourntest.Serve(sh.routes(), r).StatusCode; got != http.StatusForbidden {
		t.Errorf("a form of another site: status %d", got)
	}
}

func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := newTestShop(t, backend{store: memstore.New(nil)})
		c := signedIn(t, sh)
		if got := c.Get("/account").Request.URL.Path; got != "/account" {
			t.Errorf("a fresh sign-in leads to %s", got)
		}
		time.Sleep(2 * time.Minute)
		resp := c.PostForm("/account/address", url.Values{"address": {"elsewhere"}})
		address, _, _ := sh.ledger.of("ada")
		if got := resp.Request.URL.String(); !strings.HasSuffix(got, "/confirm?next=%2Faccount") || address != "" {
			t.Errorf("a stale sign-in leads to %s, address %q", got, address)
		}
		resp = c.PostForm("/confirm", url.Values{"password": {"bernoulli"}, "next": {"//evil.example"}})
		if got := resp.Request.URL.String(); got != sojourntest.Origin+"/" {
			t.Errorf("a foreign address to go on to leads to %s", got)
		}
		if got := c.Get("/account").Request.URL.Path; got != "/account" {
			t.Errorf("a confirmed sign-in leads to %s", got)
		}
	})
}

func TestAPI(t *testing.T) {
	sh := newTestShop(t, backend{store: memstore.New(nil)})
	resp := sojourntest.Serve(sh.routes(), sojourntest.Request(t, sh.api, "GET", "/api/me", nil))
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != `Bearer realm="shop"` {
		t.Errorf("without token: %s, %v", resp.Status, resp.Header)
	}
	r := sojourntest.Request(t, sh.api, "GET", "/api/me", nil)
	token, _, err := sh.api.IssueBearer(r, "ada", sojourn.Label("script"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp = sojourntest.Serve(sh.routes(), r)
	if body := sojourntest.Body(t, resp); !strings.Contains(body, `"user":"ada","token_label":"script"`) {
		t.Errorf("with token: %s\n%s", resp.Status, body)
	}
	both := sojourntest.Request(t, sh.web, "GET", "/api/me", nil, sojourntest.User("grace"))
	both.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp = sojourntest.Serve(sh.routes(), both)
	if body := sojourntest.Body(t, resp); !strings.Contains(body, `"user":"ada"`) {
		t.Errorf("with token, from a browser that is signed in: %s\n%s", resp.Status, body)
	}
}

// What no page takes gets a page of the shop, with the right status and the visitor's menu.
func TestProblems(t *testing.T) {
	sh := newTestShop(t, backend{store: memstore.New(nil), kept: "the moon"})
	c := signedIn(t, sh)
	for _, tt := range []struct {
		method, path string
		form         url.Values
		status       int
		allow        string
	}{
		{"GET", "/nowhere", nil, http.StatusNotFound, ""},
		{"GET", "/overlap/middle", nil, http.StatusNotFound, ""},
		{"GET", "/cart/add", nil, http.StatusMethodNotAllowed, "POST"},
		{"POST", "/account", url.Values{}, http.StatusMethodNotAllowed, "GET, HEAD"},
		{"POST", "/cart/add", url.Values{"product": {"nothing"}}, http.StatusBadRequest, ""},
		{"POST", "/devices/end", url.Values{"session": {"nothing"}}, http.StatusBadRequest, ""},
	} {
		var resp *http.Response
		if tt.method == "GET" {
			resp = c.Get(tt.path)
		} else {
			resp = c.PostForm(tt.path, tt.form)
		}
		body := sojourntest.Body(t, resp)
		if resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %s, Allow %q", tt.method, tt.path, resp.Status, resp.Header.Get("Allow"))
		}
		for _, want := range []string{"<h1>", `id="signout"`, `<span id="kept">the moon</span>`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s %s: no %s in\n%s", tt.method, tt.path, want, body)
			}
		}
	}
	for path, want := range map[string]int{"/api/nothing": http.StatusNotFound, "/api/me": http.StatusMethodNotAllowed} {
		resp := c.PostForm(path, nil)
		if resp.StatusCode != want || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s, %s", path, resp.Status, resp.Header.Get("Content-Type"))
		}
	}
	// A stranger's look at what is not there costs nothing.
	resp := sojourntest.Serve(sh.routes(), sojourntest.Request(t, sh.web, "GET", "/nowhere", nil))
	if resp.StatusCode != http.StatusNotFound || len(resp.Cookies()) > 0 {
		t.Errorf("a visitor: %s, %v", resp.Status, resp.Cookies())
	}
}

// A form that makes a token leads to a page that shows it once; looking again makes no other.
func TestTokenIsShownOnce(t *testing.T) {
	sh := newTestShop(t, backend{store: memstore.New(nil)})
	c := signedIn(t, sh)
	resp := c.PostForm("/devices/token", url.Values{"label": {"script"}})
	pages := []*http.Response{resp, c.Get("/devices")} // the first is where the answer led
	if at := resp.Request; at.Method != "GET" || at.URL.Path != "/devices" {
		t.Errorf("the form is answered by %s %s", at.Method, at.URL)
	}
	for i, resp := range pages {
		body := sojourntest.Body(t, resp)
		if shown := strings.Contains(body, `id="token">shop_`); shown != (i == 0) || strings.Count(body, "script") != 1 {
			t.Errorf("look %d: the token is shown: %t; script stands there %d times", i+1, shown, strings.Count(body, "script"))
		}
	}
	for rec, err := range sh.store.All(t.Context()) {
		full, _, getErr := sh.store.Get(t.Context(), rec.Key)
		if err != nil || getErr != nil || strings.Contains(string(full.Data), "shop_") {
			t.Errorf("a record holds the token, or %v, %v", err, getErr)
		}
	}
}

func TestRendezvous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := rendezvous{t.TempDir()}
		results := make(chan bool, 2)
		go func() { results <- v.wait(t.Context(), "x", "left", time.Minute) }()
		synctest.Wait()
		if !v.wait(t.Context(), "x", "right", time.Minute) || !<-results {
			t.Error("two sides did not meet")
		}
		if v.wait(t.Context(), "x", "left", time.Minute) {
			t.Error("somebody met nobody")
		}
		go func() { results <- v.wait(t.Context(), "x", "left", time.Minute) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if v.wait(ctx, "x", "left", time.Hour) || <-results {
			t.Error("one side met itself")
		}
		if left, err := os.ReadDir(v.dir); len(left) != 0 || err != nil {
			t.Errorf("%d guests are left, %v", len(left), err)
		}
	})
}

func TestBrowserName(t *testing.T) {
	for agent, want := range map[string]string{
		firefox: "Firefox on Windows",
		iphone:  "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge on macOS",
		"Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                        "Chrome on Android",
		"curl/8.14.1": "curl",
		"":            "Unknown browser",
		"X11; Linux":  "A browser on Linux",
	} {
		if got := browserName(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 3 * time.Hour: "3 hours ago", 72 * time.Hour: "3 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 4 * time.Second: "4 seconds", 2 * time.Minute: "2 minutes", time.Hour: "1 hour", 90 * time.Minute: "1 hour", 720 * time.Hour: "30 days",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// Each store has a name for visitors.
func TestKept(t *testing.T) {
	for name, k := range kinds {
		if k.kept == "" {
			t.Errorf("the pages cannot say where %s keeps sessions", name)
		}
	}
	for _, kind := range files() {
		b, err := all.open(t.Context(), kind+":"+filepath.Join(t.TempDir(), "sessions"), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if b.kept != kinds[kind].kept {
			t.Errorf("%s: %q", kind, b.kept)
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLocal(t *testing.T) {
	for next, want := range map[string]string{
		"/cart": "/cart", "/a?b=c": "/a?b=c", "": "/", "//evil": "/", "https://evil": "/", `/\evil`: "/", "/\t/evil": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// output is a writer that tells when a line has come.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line chan string
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	if s := o.buf.String(); strings.HasSuffix(s, "\n") {
		o.line <- s
	}
	return len(p), nil
}

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir()) // by default the shop keeps its data where it runs
	ctx, cancel := context.WithCancel(t.Context())
	out := &output{line: make(chan string, 10)}
	done := make(chan error, 1)
	go func() { done <- all.run(ctx, []string{"--addr", "localhost:0", "--store=cookie"}, out, t.Output()) }()
	select {
	case line := <-out.line:
		_, address, _ := strings.Cut(line, "http://")
		address, _, _ = strings.Cut(address, " ")
		if got := status(t, "http://"+address+"/", "Accept", "*/*"); got != http.StatusOK {
			t.Errorf("%s: status %d", line, got)
		}
	case err := <-done:
		t.Fatalf("the shop closed: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("closing: %v", err)
	}
	for _, args := range [][]string{{"--store", "tape"}, {"--nothing"}, {"--addr", "nowhere"}} {
		if err := all.run(t.Context(), args, out, t.Output()); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
