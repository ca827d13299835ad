package sojourn

import (
	"strings"
	"sync"
	"testing"

	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/memstore"
)

// The cache gives what opening gives, however many goroutines and tokens there are, and nothing for
// other texts.
func TestTokenCache(t *testing.T) {
	m, err := New(memstore.New(nil), &Options{Bearer: &BearerOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				c := token.New("")
				text, err := token.Seal(m.keys, m.aad.cookie, &c)
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					if p, err := m.openToken(text, false); err != nil || p.key != c.Key() {
						t.Error("a token does not open")
					}
				}
				if _, err := m.openToken(text, true); err == nil {
					t.Error("a cookie's token opens as a bearer's")
				}
				for _, forged := range []string{text + "A", text[:len(text)-1], strings.ToUpper(text), "A" + text[1:], text + "\n"} {
					if _, err := m.openToken(forged, false); err == nil && forged != text {
						t.Error("a forged token opens")
					}
				}
				p, _ := m.openToken(text, false)
				if first, again := m.credential(p), m.credential(p); first != c || again != c {
					t.Error("another credential than was sealed")
				}
			}
		})
	}
	wg.Wait()
}

// What a foreign Sealer opens is its own affair each time: its keys may change.
func TestTokenCacheForeignSealer(t *testing.T) {
	ring, err := NewKeyRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(memstore.New(nil), &Options{Keys: struct{ Sealer }{ring}})
	if err != nil {
		t.Fatal(err)
	}
	fresh := newTicket(token.New(""))
	text, err := m.sealToken(fresh)
	if err != nil {
		t.Fatal(err)
	}
	sum := token.Sum(text)
	p, err := m.openToken(text, false)
	if _, known := m.opened.cookie.Find(&sum); err != nil || p.text != "" || known {
		t.Error("a foreign Sealer's token was cached")
	}
}

// What was opened, or sealed for a client, is remembered, of cookies and of bearers apart, and
// leads to the same credential and successor.
func TestOpenedTokensAreRemembered(t *testing.T) {
	m, err := New(memstore.New(nil), &Options{Bearer: &BearerOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bearer := range []bool{false, true} {
		aad, cache := m.aad.cookie, &m.opened.cookie
		if bearer {
			aad, cache = m.aad.bearer, &m.opened.bearer
		}
		c := token.New("")
		text, err := token.Seal(m.keys, aad, &c)
		if err != nil {
			t.Fatal(err)
		}
		sum := token.Sum(text)
		if _, ok := cache.Find(&sum); ok {
			t.Errorf("bearer %t: remembered before it was opened", bearer)
		}
		first, _ := m.openToken(text, bearer)
		if key, ok := cache.Find(&sum); !ok || key != c.Key() {
			t.Errorf("bearer %t: not remembered", bearer)
		}
		again, _ := m.openToken(text, bearer)
		for _, p := range []ticket{first, again} {
			if m.credential(p) != c || m.successor(p, make([]byte, 16)).bearer != bearer || p.bearer != bearer {
				t.Errorf("bearer %t: another credential or successor", bearer)
			}
		}
	}
	c := token.New("")
	text, err := m.sealToken(newTicket(c))
	sum := token.Sum(text)
	if key, ok := m.opened.cookie.Find(&sum); err != nil || !ok || key != c.Key() {
		t.Error("the token that is sent is not remembered")
	}
}
