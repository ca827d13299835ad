package shop

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sojourn-go/sojourn/store"
)

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// TestBrowser does in a real browser what a visitor does.
func TestBrowser(t *testing.T) {
	browser := chromium(t)
	for _, mode := range []string{"memory", "cookie", "disk"} {
		t.Run(mode, func(t *testing.T) {
			where := mode
			if mode == "disk" {
				where += ":" + filepath.Join(t.TempDir(), "sessions")
			}
			sh, base := serveShop(t, where, 4*time.Second)
			newVisit(t, sh, mode, base, browser).all()
		})
	}
}

// visit is one run through the shop. Its steps stand on each other.
type visit struct {
	t          *testing.T
	sh         *shop
	mode, base string
	browser    context.Context
	laptop     *tab
}

func newVisit(t *testing.T, sh *shop, mode, base string, browser context.Context) *visit {
	return &visit{t: t, sh: sh, mode: mode, base: base, browser: browser, laptop: newTab(t, browser, base)}
}

func (v *visit) all() {
	v.leavesNoTrace()
	v.fillsCart()
	v.signsIn()
	v.overlaps()
	v.isRemembered()
	v.endsTheOther()
	v.confirms()
	v.usesToken()
	v.signsOut()
	v.withoutJavaScript()
}

func (b *tab) signIn(user, password string, remember bool) {
	b.t.Helper()
	b.fill("#login [name=user]", user)
	b.fill("#login [name=password]", password)
	if remember {
		run1(b, "tick remember", chromedp.Click(chromedp.CSS("[name=remember]")))
	}
	b.click("#login button")
}

// leavesNoTrace: somebody who only looks costs no record and gets no cookie.
func (v *visit) leavesNoTrace() {
	b := v.laptop
	before := v.records() // of other runs, on a server
	for _, path := range []string{"/", "/cart", "/signin"} {
		if got := b.open(path); got != http.StatusOK {
			v.t.Fatalf("%s: status %d", path, got)
		}
	}
	if n := v.records() - before; b.cookie() != nil || n > 0 {
		v.t.Errorf("a visitor who kept nothing has the cookie %v and left %d records", b.cookie(), n)
	}
	if v.mode == "memory" {
		b.shoot("sign-in", 1280, 800)
		b.shoot("sign-in-phone", 390, 780)
	}
}

func (v *visit) records() (n int) {
	for rec, err := range v.sh.store.All(context.Background()) {
		if err != nil {
			v.t.Fatal(err)
		}
		if rec.Key.Tag != store.Reserved {
			n++
		}
	}
	return n
}

// fillsCart: the message about it is shown once.
func (v *visit) fillsCart() {
	b := v.laptop
	b.open("/")
	b.click("#add-tea")
	b.at("/")
	if got := b.text(".notice"); !strings.Contains(got, "Assam tea") {
		v.t.Errorf("notice %q", got)
	}
	b.open("/")
	if b.count(".notice") != 0 {
		v.t.Error("the notice was shown twice")
	}
	if got := b.text("#incart"); got != "1" {
		v.t.Errorf("%s in the cart", got)
	}
	b.click("#add-candle")
	b.open("/cart")
	b.click("#line-candle form[action='/cart/add'] button")
	b.click("#line-candle form[action='/cart/remove'] button")
	if got := b.text("#line-candle b"); got != "1" {
		v.t.Errorf("%s candles", got)
	}
}

// signsIn: a wrong password does not, the right one leads to where the visitor wanted, with the
// cart and a new token.
func (v *visit) signsIn() {
	b := v.laptop
	before := b.cookie().Value
	b.open("/devices")
	b.at("/signin?next=%2Fdevices")
	b.signIn("ada", "wrong", false)
	if got := b.text(".error"); !strings.Contains(got, "wrong") {
		v.t.Errorf("error %q", got)
	}
	b.open("/signin?next=%2Fdevices")
	b.signIn("ada", "bernoulli", false)
	b.at("/devices")
	if got := b.text("#user"); got != "ada" {
		v.t.Errorf("user %q", got)
	}
	if got := b.text("#incart"); got != "2" {
		v.t.Errorf("%s in the cart after the sign-in", got)
	}
	c := b.cookie()
	if c == nil || !c.Session || !c.HTTPOnly || c.SameSite != "Lax" || c.Value == before {
		v.t.Errorf("cookie %+v", c)
	}
}

// overlaps: what two requests at once put into the cart is there; a cookie alone cannot promise
// that.
func (v *visit) overlaps() {
	b := v.laptop
	b.open("/overlap")
	const each = `[...document.querySelectorAll("iframe")].every(f => f.contentDocument.querySelector("%s"))`
	b.until("both frames are there", fmt.Sprintf(each, "button"))
	for _, side := range []string{"left", "right"} {
		run1(b, "press "+side, chromedp.Click(chromedp.CSS("button"), b.frame(side)))
	}
	b.until("both requests overlapped", fmt.Sprintf(each, "#together"))
	if v.mode == "memory" {
		b.shoot("overlap", 1280, 760)
	}
	b.open("/cart")
	want := 2
	if v.mode == "cookie" {
		want = 1 // the last answer's cookie wins, as the page says
	}
	if got := b.count("#line-honey") + b.count("#line-salt"); got != want {
		v.t.Errorf("%d of the two things are in the cart, want %d:\n%s", got, want, b.page())
	}
	if v.mode == "memory" {
		b.shoot("cart", 1280, 800)
	}
}

// isRemembered: the cookie stays when the browser closes.
func (v *visit) isRemembered() {
	b := newTab(v.t, v.browser, v.base)
	b.agent(iphone)
	b.open("/signin")
	b.signIn("ada", "bernoulli", true)
	c := b.cookie()
	if c == nil || c.Session {
		v.t.Fatalf("cookie %+v", c)
	}
	left := time.Until(time.Unix(int64(c.Expires), 0))
	if left < rememberFor-time.Hour || left > rememberFor+time.Hour {
		v.t.Errorf("the cookie lasts %v, want %v", left, rememberFor)
	}
}

// endsTheOther: the list marks this device, and the one that is ended is signed out.
func (v *visit) endsTheOther() {
	other := newTab(v.t, v.browser, v.base)
	other.agent(firefox)
	other.open("/signin")
	other.signIn("ada", "bernoulli", false)

	b := v.laptop
	b.open("/devices")
	if got, marked := b.count(".device"), b.count(".device.this"); got != 3 || marked != 1 {
		v.t.Fatalf("%d devices, %d of them this one, want 3 and 1:\n%s", got, marked, b.page())
	}
	if got := b.text(".device.this h2"); !strings.Contains(got, "Chrome on Linux") {
		v.t.Errorf("this device is called %q", got)
	}
	if v.mode == "memory" {
		b.shoot("devices", 1280, 860)
		b.shoot("devices-phone", 390, 844)
	}
	other.open("/devices")
	if got := other.text(".device.this h2"); !strings.Contains(got, "Firefox on Windows") {
		v.t.Errorf("the other device calls itself %q", got)
	}
	b.open("/devices")
	b.click(".device:nth-child(" + nth(b, "Firefox on Windows") + ") button")
	other.open("/devices")
	other.at("/signin?next=%2Fdevices")

	other.signIn("ada", "bernoulli", false)
	b.open("/devices")
	b.click("#end-others")
	if got := b.count(".device"); got != 1 {
		v.t.Errorf("%d devices after ending all others", got)
	}
	other.open("/devices")
	other.at("/signin?next=%2Fdevices")
	b.open("/devices")
	b.at("/devices")
}

// nth is the place of the device of that name in the list, from 1.
func nth(b *tab, name string) string {
	b.t.Helper()
	for i, n := range []string{"1", "2", "3", "4", "5"} {
		if i < b.count(".device") && strings.Contains(b.text(".device:nth-child("+n+") h2"), name) {
			return n
		}
	}
	b.t.Fatalf("no device is called %s:\n%s", name, b.page())
	return ""
}

// confirms: a page that wants a fresh sign-in asks for the password again, and the cart stays.
func (v *visit) confirms() {
	b := v.laptop
	inCart := b.text("#incart")
	b.waitUntilStale()
	b.at("/confirm?next=%2Faccount")
	b.fill("#confirm [name=password]", "wrong")
	b.click("#confirm button")
	b.confirm()
	b.at("/account")
	if got := b.text("#incart"); got != inCart {
		v.t.Errorf("%s in the cart after the confirmation, %s before", got, inCart)
	}
	const address = "1 Analytical Row"
	for end := time.Now().Add(patience); b.text("#address textarea") != address && time.Now().Before(end); b.confirm() {
		b.fill("#address textarea", address)
		b.click("#address button")
	}
	b.at("/account")
	if got := b.text("#address textarea"); got != address {
		v.t.Errorf("address %q", got)
	}
	b.open("/cart")
	b.click("#order")
	if b.count("#cart") != 0 || len(orders(v.t, v.sh, "ada")) != 1 {
		v.t.Errorf("an order left the cart, or made %d orders", len(orders(v.t, v.sh, "ada")))
	}
}

// confirm enters the password until another page comes: on a slow machine the sign-in can be stale
// again before its page is there.
func (b *tab) confirm() {
	b.t.Helper()
	for end := time.Now().Add(patience); strings.HasPrefix(b.path(), "/confirm") && time.Now().Before(end); {
		b.fill("#confirm [name=password]", "bernoulli")
		b.click("#confirm button")
	}
}

// waitUntilStale asks for the account until the shop wants the password again.
func (b *tab) waitUntilStale() {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if b.open("/account"); b.path() != "/account" {
			return
		}
	}
	b.t.Fatal("the sign-in stays fresh for ever")
}

// usesToken: a program gets in with it until it is ended in the list.
func (v *visit) usesToken() {
	b := v.laptop
	b.open("/devices")
	b.fill("#newtoken [name=label]", "price watcher")
	b.click("#newtoken button")
	token := b.text("#token")
	get := func() int { return status(v.t, v.base+"/api/me", "Authorization", "Bearer "+token) }
	if got := get(); !strings.HasPrefix(token, "shop_") || got != http.StatusOK {
		v.t.Fatalf("the token opens the API with status %d", got)
	}
	if got := status(v.t, v.base+"/devices", "Authorization", "Bearer "+token); got != http.StatusSeeOther {
		v.t.Errorf("the token opens the pages with status %d", got)
	}
	b.open("/devices")
	if b.count("#token") != 0 {
		v.t.Error("the token was shown twice")
	}
	b.click(".device:nth-child(" + nth(b, "price watcher") + ") button")
	if got := get(); got != http.StatusUnauthorized {
		v.t.Errorf("an ended token opens the API with status %d", got)
	}
}

// signsOut: the cookie is gone, and a copy of it opens nothing.
func (v *visit) signsOut() {
	b := v.laptop
	old := b.cookie()
	header := old.Name + "=" + old.Value
	if got := status(v.t, v.base+"/devices", "Cookie", header); got != http.StatusOK {
		v.t.Fatalf("a copy of the cookie gets status %d before the sign-out", got)
	}
	b.click("#signout")
	b.at("/goodbye")
	if b.cookie() != nil {
		v.t.Error("the browser still has the cookie")
	}
	if got := status(v.t, v.base+"/devices", "Cookie", header); got != http.StatusSeeOther {
		v.t.Errorf("a copy of the cookie gets status %d after the sign-out", got)
	}
}

// withoutJavaScript goes the main path once more.
func (v *visit) withoutJavaScript() {
	b := newTab(v.t, v.browser, v.base)
	b.disableJavaScript()
	b.open("/")
	b.click("#add-bread")
	if got := b.text(".notice"); !strings.Contains(got, "Rye bread") {
		v.t.Errorf("notice %q", got)
	}
	b.click("#signin")
	b.signIn("grace", "flow-matic", true)
	b.open("/devices")
	if b.count(".device") != 1 {
		v.t.Errorf("devices:\n%s", b.page())
	}
	b.open("/cart")
	b.click("#order")
	if got := b.text(".notice"); !strings.Contains(got, "Thank you") {
		v.t.Errorf("notice %q", got)
	}
	b.open("/account")
	b.click("#signout")
	b.at("/goodbye")
}
