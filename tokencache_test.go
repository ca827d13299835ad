package sojourn

import (
	"strings"
	"sync"
	"testing"

	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// The cache gives what opening gives, however many goroutines and tokens there are, and nothing for other texts.
func TestTokenCache(t *testing.T) {
	m, err := New(memstore.New(nil), &Options{Bearer: &BearerOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				c := newCredential("")
				text, err := sealToken(m.keys, m.aad.cookie, &c)
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					if p, ok := m.open(text, false); !ok || p.key != c.key() {
						t.Error("a token does not open")
					}
				}
				if _, ok := m.open(text, true); ok {
					t.Error("a cookie's token opens as a bearer's")
				}
				for _, forged := range []string{text + "A", text[:len(text)-1], strings.ToUpper(text), "A" + text[1:], text + "\n"} {
					if _, ok := m.open(forged, false); ok && forged != text {
						t.Error("a forged token opens")
					}
				}
				s := &Session{m: m, reading: &reading{}}
				p, _ := m.open(text, false)
				s.cred, s.unopened = p.cred, p.unopened
				if first, again := *s.credential(), *s.credential(); first != c || again != c {
					t.Error("another credential than was sealed")
				}
			}
		})
	}
	wg.Wait()
}

// Full sets lose entries and stay sets of four; a look-up never gives another token's key.
func TestTokenCacheBounded(t *testing.T) {
	var c tokenCache
	sums := make([][32]byte, 64)
	for i := range sums {
		sums[i][2], sums[i][31] = byte(i), byte(i+1) // all in set 0
		c.add(&sums[i], store.Key{ID: sums[i]})
	}
	hits := 0
	for i := range sums {
		if k := c.find(&sums[i]); k != nil {
			hits++
			if k.key.ID != sums[i] {
				t.Error("another token's key")
			}
		}
	}
	if hits != cacheWays {
		t.Errorf("%d of one set's entries are kept, want %d", hits, cacheWays)
	}
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
	c := newCredential("")
	text, err := sealToken(m.keys, m.aad.cookie, &c)
	if err != nil {
		t.Fatal(err)
	}
	m.issued(text, c.key())
	if p, ok := m.open(text, false); !ok || p.unopened != "" || m.known.cookie.table.Load() != nil {
		t.Error("a foreign Sealer's token was cached")
	}
}
