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
					if p, ok := m.openToken(text, false); !ok || p.key != c.Key() {
						t.Error("a token does not open")
					}
				}
				if _, ok := m.openToken(text, true); ok {
					t.Error("a cookie's token opens as a bearer's")
				}
				for _, forged := range []string{text + "A", text[:len(text)-1], strings.ToUpper(text), "A" + text[1:], text + "\n"} {
					if _, ok := m.openToken(forged, false); ok && forged != text {
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
	p, ok := m.openToken(text, false)
	if _, known := m.opened.cookie.Find(&sum); !ok || p.text != "" || known {
		t.Error("a foreign Sealer's token was cached")
	}
}
