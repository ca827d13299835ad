package shop

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// chromium starts one browser for the test. Without one the test fails: it would prove nothing.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the shop's browser test needs Chromium as \"chromium\" in PATH: run make setup, which installs it on Debian (make test does)")
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless, chromedp.UserDataDir(t.TempDir()),
	}
	for _, flag := range []string{
		"disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
		"disable-sync", "disable-dev-shm-usage", "disable-extensions", "no-default-browser-check",
	} {
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

// tab is one page of a browser whose cookies nobody shares.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// newTab opens a tab in a new browser context: another device, as far as cookies go.
func newTab(t *testing.T, browser context.Context, base string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t, ctx, base}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800)); err != nil {
		t.Fatal(err)
	}
	return b
}

const patience = 20 * time.Second

func run1[T any](b *tab, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatalf("%s: %v\nat %s:\n%s", what, err, b.path(), b.page())
	}
	return v
}

// path is where the tab is now.
func (b *tab) path() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	return strings.TrimPrefix(at, b.base)
}

// page is the text of the page, for messages.
func (b *tab) page() string {
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	return text
}

// open goes to a page of the shop and gives its status.
func (b *tab) open(path string) int {
	b.t.Helper()
	resp := run1(b, "open "+path, chromedp.NavigateResponse(b.base+path))
	return int(resp.Status)
}

// click presses what leads to another page, and waits for that page.
func (b *tab) click(sel string) {
	b.t.Helper()
	run1(b, "click "+sel, func(ctx context.Context, _ *chromedp.Target) (*network.Response, error) {
		return chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(sel)))
	})
}

func (b *tab) fill(sel, text string) {
	b.t.Helper()
	run1(b, "fill "+sel, chromedp.SendKeys(chromedp.CSS(sel), text))
}

func (b *tab) text(sel string) string {
	b.t.Helper()
	return strings.TrimSpace(run1(b, "text of "+sel, chromedp.TextContent(chromedp.CSS(sel))))
}

// count tells how many elements match now.
func (b *tab) count(sel string) int {
	b.t.Helper()
	return len(run1(b, "find "+sel, chromedp.Nodes(chromedp.CSSAll(sel), chromedp.AtLeast(0))))
}

func (b *tab) at(path string) {
	b.t.Helper()
	if got := b.path(); got != path {
		b.t.Fatalf("the browser is at %s, want %s:\n%s", got, path, b.page())
	}
}

// cookie is the session's cookie, nil if there is none.
func (b *tab) cookie() *network.Cookie {
	b.t.Helper()
	got := run1(b, "cookies", func(ctx context.Context, t *chromedp.Target) (network.GetCookiesResult, error) {
		return cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base}})
	})
	for _, c := range got.Cookies {
		if c.Name == "session" {
			return c
		}
	}
	return nil
}

func call[P, R any](b *tab, what string, c cdp.Command[P, R], params P) {
	b.t.Helper()
	run1(b, what, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, c, params) })
}

func (b *tab) agent(name string) {
	b.t.Helper()
	call(b, "user agent", emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: name})
}

func (b *tab) disableJavaScript() {
	b.t.Helper()
	call(b, "disable JavaScript", emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// frame is the iframe of this name.
func (b *tab) frame(name string) chromedp.QueryOption {
	b.t.Helper()
	return chromedp.FromNode(run1(b, "frame "+name, chromedp.Nodes(chromedp.CSS("iframe[name="+name+"]")))[0])
}

// until asks again and again until the expression is true in the page.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-again.C {
		if run1(b, what, chromedp.Evaluate[bool](expression)) {
			return
		}
	}
	b.t.Fatalf("%s: it does not happen:\n%s", what, b.page())
}

// shoot writes a screenshot of the page if the environment asks for it.
func (b *tab) shoot(name string, width, height int64) {
	b.t.Helper()
	dir := os.Getenv("SHOP_SCREENSHOTS")
	if dir == "" {
		return
	}
	run1(b, "viewport", chromedp.EmulateViewport(width, height))
	b.write(dir, name, run1(b, "screenshot", chromedp.CaptureScreenshot()))
	run1(b, "viewport", chromedp.EmulateViewport(1280, 800))
}

func (b *tab) write(dir, name string, png []byte) {
	b.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// serveShop runs the shop as main does, on a port of its own, and gives its URL.
func serveShop(t *testing.T, mode string, fresh time.Duration) (*shop, string) {
	t.Helper()
	b, err := all.open(t.Context(), mode, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return serveBackend(t, b, fresh)
}

func serveBackend(t *testing.T, b backend, fresh time.Duration) (*shop, string) {
	t.Helper()
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	sh, err := newShop(b, t.TempDir(), fresh, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, sh) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return sh, "http://localhost:" + port
}

// status asks for a page without a browser and follows nothing.
func status(t *testing.T, url, header, value string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(header, value)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
