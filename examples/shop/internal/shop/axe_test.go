package shop

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/sojourn-go/sojourn/memstore"
	testservers "github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// sizes are the screens that pages are looked at on.
var sizes = []struct {
	name          string
	width, height int64
}{{"desktop", 1280, 860}, {"phone", 390, 844}}

// TestPages looks at every page on a large and a small screen, by day and by night: axe finds
// nothing that keeps people out, and nothing stands outside the screen or breaks where it must not.
func TestPages(t *testing.T) {
	_, base := serveShop(t, "memory", time.Hour)
	_, sealed := serveShop(t, "cookie", time.Hour)
	_, strict := serveShop(t, "memory", time.Nanosecond) // each sign-in is too old
	l, browser := newLooker(t), chromium(t)

	visitor := newTab(t, browser, base)
	l.look(visitor, "shelf", "/", http.StatusOK)
	l.look(visitor, "cart-empty", "/cart", http.StatusOK)
	l.look(visitor, "sign-in", "/signin", http.StatusOK)
	l.look(visitor, "goodbye", "/goodbye", http.StatusOK)
	l.look(visitor, "not-found", "/nowhere", http.StatusNotFound)
	l.look(visitor, "wrong-method", "/cart/add", http.StatusMethodNotAllowed)
	visitor.open("/signin")
	visitor.signIn("ada", "wrong", false)
	l.here(visitor, "sign-in-wrong")

	ada := newTab(t, browser, base)
	ada.open("/")
	for _, p := range products {
		ada.click("#add-" + p.ID)
	}
	for range 11 { // sums of four digits
		ada.open("/cart")
		ada.click("#line-honey form[action='/cart/add'] button")
	}
	l.look(ada, "cart-visitor", "/cart", http.StatusOK)
	ada.open("/signin")
	ada.signIn("ada", "bernoulli", true)
	l.here(ada, "shelf-signed-in")
	l.look(ada, "cart", "/cart", http.StatusOK)
	l.look(ada, "account-empty", "/account", http.StatusOK)
	ada.open("/cart")
	ada.click("#order")
	l.here(ada, "ordered")
	l.look(ada, "account", "/account", http.StatusOK)
	l.look(ada, "devices", "/devices", http.StatusOK)
	ada.fill("#newtoken [name=label]", "price watcher")
	ada.click("#newtoken button")
	l.here(ada, "devices-token")
	ada.open("/devices")
	if got := ada.text(".device:nth-child(2) h2"); ada.count(".device") != 2 || !strings.Contains(got, "price watcher") || ada.count("#token") != 0 {
		t.Errorf("after a reload there are %d devices, and the token is shown: %t", ada.count(".device"), ada.count("#token") > 0)
	}
	l.look(ada, "overlap", "/overlap", http.StatusOK)
	l.look(ada, "overlap-frame", "/overlap/left", http.StatusOK)
	l.look(ada, "overlap-frame-done", "/overlap/left?together=yes", http.StatusOK)
	ada.open("/devices")
	run1(ada, "a form that no page has", chromedp.Evaluate[bool](`document.querySelector("#newtoken").action = "/devices/end"; true`))
	ada.click("#newtoken button")
	l.here(ada, "bad-request")

	grace := newTab(t, browser, strict)
	grace.open("/signin")
	grace.signIn("grace", "flow-matic", false)
	l.look(grace, "confirm", "/account", http.StatusOK)
	grace.fill("#confirm [name=password]", "wrong")
	grace.click("#confirm button")
	l.here(grace, "confirm-wrong")

	barbara := newTab(t, browser, sealed)
	barbara.open("/signin")
	barbara.signIn("barbara", "substitute", false)
	l.look(barbara, "overlap-cookie", "/overlap", http.StatusOK)
	if got := barbara.text("#kept"); got != "an encrypted cookie" {
		t.Errorf("sessions are kept in %q", got)
	}
	if got := ada.text("#kept"); got != "the server's memory" {
		t.Errorf("sessions are kept in %q", got)
	}
}

// TestTroublePages does so with the pages of what went wrong.
func TestTroublePages(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	_, base := serveBackend(t, backend{store: st, close: func() error { return nil }}, time.Hour)
	l, browser := newLooker(t), chromium(t)
	ada := newTab(t, browser, base)
	ada.open("/signin")
	ada.signIn("ada", "bernoulli", false)
	st.Fail(store.ErrUnavailable)
	l.look(ada, "outage", "/cart", http.StatusServiceUnavailable)
	st.Heal()
	st.Fail(store.ErrConflict, sojourntest.OpUpdate, sojourntest.OpRotate)
	ada.open("/")
	ada.click("#add-tea")
	l.here(ada, "conflict")
}

// A looker looks at pages.
type looker struct {
	t   *testing.T
	axe string
}

func newLooker(t *testing.T) *looker {
	t.Helper()
	file, err := testservers.Axe()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return &looker{t, string(script)}
}

func (l *looker) look(b *tab, name, path string, status int) {
	l.t.Helper()
	if got := b.open(path); got != status {
		l.t.Errorf("%s: status %d, want %d", path, got, status)
	}
	l.here(b, name)
}

// here looks at the page that the tab shows.
func (l *looker) here(b *tab, name string) {
	l.t.Helper()
	for _, size := range sizes {
		run1(b, "viewport", chromedp.EmulateViewport(size.width, size.height))
		for _, scheme := range []string{"light", "dark"} {
			call(b, "scheme", emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			for _, fault := range append(l.run(b), l.layout(b, size.width)...) {
				l.t.Errorf("%s on a %s, %s: %s", name, size.name, scheme, fault)
			}
			if scheme == "light" {
				b.shootHere(name + "-" + size.name)
			}
		}
	}
	call(b, "scheme", emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	run1(b, "viewport", chromedp.EmulateViewport(1280, 800))
}

// run gives what axe objects to.
func (l *looker) run(b *tab) []string {
	l.t.Helper()
	const again = `typeof axe == "object"`
	if !run1(b, "axe", chromedp.Evaluate[bool](again)) {
		run1(b, "axe", chromedp.Evaluate[bool](l.axe+";\n"+again))
	}
	const script = `axe.run(document, {resultTypes: ["violations"], iframes: false}).then(r => {
		if (r.passes.length < 5) return ["axe has looked at nothing"];
		return r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replaceAll("\n", " ")));
	})`
	wait := func(p *runtime.EvaluateParams) { yes := true; p.AwaitPromise = &yes }
	return run1(b, "axe.run", chromedp.Evaluate[[]string](script, wait))
}

// layout gives what stands outside the screen, and prices and buttons that break.
func (l *looker) layout(b *tab, width int64) []string {
	l.t.Helper()
	script := fmt.Sprintf(`(() => {
		const faults = [];
		if (document.documentElement.scrollWidth > %d) faults.push("the page is " + document.documentElement.scrollWidth + " wide");
		for (const e of document.querySelectorAll("body *")) {
			const r = e.getBoundingClientRect();
			if (r.width && (r.right > %[1]d + .5 || r.left < -.5)) faults.push(e.tagName + "." + e.className + " stands from " + r.left + " to " + r.right);
		}
		for (const card of document.querySelectorAll(".card")) {
			const c = card.getBoundingClientRect();
			for (const e of card.querySelectorAll("*")) {
				const r = e.getBoundingClientRect();
				if (r.width && r.right > c.right + .5) faults.push(e.tagName + "." + e.className + " stands out of its card: " + e.textContent.trim());
			}
		}
		for (const e of document.querySelectorAll(".num, .price, button, .button, .badge, .tag, .count")) {
			const range = document.createRange();
			range.selectNodeContents(e);
			const texts = [...range.getClientRects()].filter(r => r.width > 0);
			const line = parseFloat(getComputedStyle(e).lineHeight) || 24;
			if (texts.length && Math.max(...texts.map(r => r.bottom)) - Math.min(...texts.map(r => r.top)) > 1.9 * line) faults.push(e.textContent.trim() + " breaks");
		}
		return faults;
	})()`, width)
	return slices.Compact(slices.Sorted(slices.Values(run1(b, "layout", chromedp.Evaluate[[]string](script)))))
}

// shootHere writes a screenshot of the whole page as it is if the environment asks for it.
func (b *tab) shootHere(name string) {
	b.t.Helper()
	if dir := os.Getenv("SHOP_SCREENSHOTS"); dir != "" {
		b.write(dir, name, run1(b, "screenshot", chromedp.FullScreenshot(100)))
	}
}
