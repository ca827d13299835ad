package sojourn_test

// More defects of other libraries, D16 and above.

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// D16, D29, D36; R8
func TestPeerD16CookielessVisitors(t *testing.T) {
	g := newSite(t)
	for i := range 1000 {
		w := g.browser().get([]string{"none", "user", "names", "get?k=a", "renew", "logout"}[i%6])
		g.status(w, 200)
		g.noCookie(w)
	}
	if n := g.store.count(); n != 0 {
		t.Errorf("%d store calls", n)
	}
}

// D16: a value without a body, one after the first byte, one read in its own request.
func TestPeerD16ValueNeedsNoBody(t *testing.T) {
	g := newSite(t)
	b := g.browser()
	b.ok("set?k=a&v=x")
	g.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
		s := must(g.Load(r))
		io.WriteString(w, "page")
		slot("b").Set(s, "y")
		if slot("b").Get(s) != "y" {
			t.Error("not readable in its own request")
		}
	})
	b.ok("late")
	b.wants("get?k=b", "y")
	// Where a late value would need a new token, the observer is told that it is lost.
	g.browser().ok("late")
	if n := g.log.count(sojourn.ChangeLost); n != 1 || g.records() != 1 {
		t.Errorf("%d events, %d records", n, g.records())
	}
}

// D22: a Sealer needs no more than to undo what it did.
func TestPeerD22OwnCrypto(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) { o.Keys = xor{} })
	b := g.signedIn("ada")
	b.wants("user", "ada")
}

// xor is no cipher, but has the shape of one.
type xor struct{}

func (xor) Seal(dst, plain, aad []byte) ([]byte, error) {
	return append(append(dst, fmt.Sprintf("%x.", aad)...), flip(plain)...), nil
}

func (xor) Open(dst, sealed, aad []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, fmt.Appendf(nil, "%x.", aad))
	if !ok {
		return nil, errors.New("not mine")
	}
	return append(dst, flip(rest)...), nil
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= 0x55
	}
	return b
}

// D23; R21, R47, P2
func TestPeerD23LogoutWithStoreDown(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	g.store.setBefore(fail(store.ErrUnavailable), opRevoke, opRotate)
	w := b.get("logout")
	g.status(w, 503)
	g.noCookie(w)
	b.wants("user", "ada")
	g.store.setBefore(fail(store.ErrUnavailable), opGet)
	mux := http.NewServeMux()
	g.handler = g.Handler(g.RequireUser(mux))
	w = b.get("user") // an outage is not "please sign in"
	g.status(w, 503)
	g.noCookie(w)
	g.store.heal()
	g.handler = g.Handler(g.mux)
	b.wants("user", "ada")
	b.ok("logout")
	b.wants("user", "")
}

// D29; R28
func TestPeerD29CookieAttributes(t *testing.T) {
	g := newSite(t)
	c := g.browser().get("login?user=ada").Result().Cookies()[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
		t.Errorf("%+v", c)
	}
}

// D30, D37; R3, R7: what a client sends is never a key.
func TestPeerD30ClientChosenID(t *testing.T) {
	g := newSite(t)
	for _, id := range []string{"chosen-by-attacker", "session:1", base64.RawURLEncoding.EncodeToString(make([]byte, 93))} {
		attacker := &browser{g: g, cookie: id}
		victim := attacker.copy()
		g.store.reset()
		attacker.ok("names")
		if n := g.store.count(); n != 0 {
			t.Errorf("%q made %d store calls", id, n)
		}
		victim.ok("login?user=victim")
		attacker.wants("user", "")
		if victim.cookie == id {
			t.Errorf("%q adopted", id)
		}
	}
}

// D36
func TestPeerD36OldTokenAfterLogoutOfNew(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	old := b.copy()
	b.ok("renew")
	b.ok("logout")
	old.wants("user", "") // within the grace, but it leads nowhere
	if n := g.sessions("ada"); n != 0 {
		t.Error(n, "sessions")
	}
}

// D20, D21: saves against a revocation leave nothing behind.
func TestPeerD21UnrevocableZombies(t *testing.T) {
	g := newSite(t)
	paths := []string{"append?v=x", "renew", "user", "set?k=a"}
	const rounds = 3000 / 4
	for i := range rounds {
		user := fmt.Sprint("u", i)
		b := g.signedIn(user)
		done := make(chan *browser)
		for _, p := range paths {
			go func() { c := b.copy(); c.get(p); done <- c }()
		}
		if _, err := g.RevokeUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		for range paths {
			(<-done).wants("user", "")
		}
		if n := g.sessions(user); n != 0 {
			t.Fatalf("round %d: %d sessions left", i, n)
		}
	}
}
