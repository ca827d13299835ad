package sojourn

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

func testRing(t testing.TB, keys ...byte) *KeyRing {
	t.Helper()
	var ring [][]byte
	for _, k := range keys {
		ring = append(ring, testKey(k))
	}
	k, err := NewKeyRing(ring[0], ring[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// testKey is a fixed key: n, n+1, n+2 …
func testKey(n byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = n + byte(i)
	}
	b[31] = 0xff // no text
	return b
}

// R1, R43: shape and randomness of what leaves the server.
func TestTokenShape(t *testing.T) {
	k := testRing(t, 1)
	aad := sealAAD(purposeCookie, "", "__Host-session")
	seen := make(map[string]bool)
	ones, nonces := [256]int{}, map[string]bool{}
	const n = 4000
	for range n {
		c := newCredential("")
		text, err := sealToken(k, aad, &c)
		if err != nil || len(text) != 124 || seen[text] {
			t.Fatalf("token of %d characters, %v", len(text), err)
		}
		seen[text] = true
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		nonces[string(raw[5:29])] = true
		if bytes.Contains(raw, c.secret[:8]) || bytes.Contains(raw, c.tag[:8]) {
			t.Fatal("secret or tag in the clear")
		}
		for i := range ones {
			ones[i] += int(c.secret[i/8] >> (i % 8) & 1)
		}
	}
	if len(nonces) != n {
		t.Errorf("%d nonces for %d tokens", len(nonces), n)
	}
	for i, k := range ones { // six standard deviations
		if k < n/2-190 || k > n/2+190 {
			t.Errorf("bit %d is set in %d of %d secrets", i, k, n)
		}
	}
}

// R41, R7: whatever is changed, the one answer is errOpen.
func TestTokenTampering(t *testing.T) {
	k := testRing(t, 1, 2)
	aad := sealAAD(purposeCookie, "", "__Host-session")
	c := newCredential("ada")
	text, err := sealToken(k, aad, &c)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what, text string) {
		t.Helper()
		if got, err := openToken(k, aad, text); err != errOpen || got != (credential{}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	raw, _ := tokenEncoding.DecodeString(text)
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			refuse("bit flip", tokenEncoding.EncodeToString(raw))
			raw[i] ^= 1 << bit
		}
	}
	for n := range text {
		refuse("truncation", text[:n])
		for _, c := range "\r\n =.+/\"\x00é" {
			refuse("insertion", text[:n]+string(c)+text[n:])
		}
		refuse("doubling", text[:n]+text[n:n+1]+text[n:])
	}
	for what, s := range map[string]string{
		"padding": text + "=", "zeros": strings.Repeat("A", 124), "64 KiB": strings.Repeat("A", 64<<10),
		"standard alphabet": base64.StdEncoding.EncodeToString(raw), "hex": strings.Repeat("0a", 62),
		"path": "../../../etc/passwd", "command": "x\r\nDEL *\r\n",
	} {
		refuse(what, s)
	}
	if got, err := openToken(k, aad, text); err != nil || got != c {
		t.Errorf("the token itself: %v", err)
	}
}

// R41, R38, R44: bound to purpose, manager, cookie and key.
func TestTokenBinding(t *testing.T) {
	k := testRing(t, 1)
	c := newCredential("ada")
	aads := map[string][]byte{
		"cookie":           sealAAD(purposeCookie, "", "__Host-session"),
		"other name":       sealAAD(purposeCookie, "", "__Host-admin"),
		"name's case":      sealAAD(purposeCookie, "", "__Host-Session"),
		"other manager":    sealAAD(purposeCookie, "admin", "__Host-session"),
		"bearer":           sealAAD(purposeBearer, "", ""),
		"sealed":           sealAAD(purposeSealed, "", "__Host-session"),
		"shifted":          sealAAD(purposeCookie, "\x00__Host-session", ""),
		"manager and name": sealAAD(purposeCookie, "a", "b\x00c"),
		"the same, cut":    sealAAD(purposeCookie, "a\x00b", "c"),
	}
	for from, a := range aads {
		text, err := sealToken(k, a, &c)
		if err != nil {
			t.Fatal(err)
		}
		for to, b := range aads {
			same := from == to || strings.HasPrefix(from+to, "manager and name") && to == "the same, cut" || from == "the same, cut" && to == "manager and name"
			if _, err := openToken(k, b, text); (err == nil) != same {
				t.Errorf("sealed for %s, opened as %s: %v", from, to, err)
			}
		}
	}
	text, _ := sealToken(k, aads["cookie"], &c)
	if _, err := openToken(testRing(t, 2), aads["cookie"], text); err != errOpen {
		t.Errorf("another key: %v", err)
	}
}

// R4, R5: what the store has opens nothing.
func TestTokenKeyIsOneWay(t *testing.T) {
	c := newCredential("ada")
	key := c.key()
	if bytes.Equal(key.ID[:], c.secret[:]) || key.Tag != store.TagOf("ada") {
		t.Error("the key shows the secret, or the tag is not the user's")
	}
	if c2 := (credential{secret: key.ID, tag: key.Tag}); c2.key() == key {
		t.Error("the key opens itself")
	}
	if a, b := newCredential(""), newCredential(""); a.tag == b.tag {
		t.Error("visitors share a tag")
	}
}

// R17: one old secret and one nonce lead to one successor; neither alone does.
func TestSuccessor(t *testing.T) {
	c := newCredential("ada")
	a, b := c.successor([]byte("nonce")), c.successor([]byte("nonce"))
	if a != b || a.secret == c.secret || a.tag != c.tag {
		t.Error("a successor is not determined, or not new")
	}
	d := newCredential("ada")
	if c.successor([]byte("other")) == a || d.successor([]byte("nonce")) == a {
		t.Error("a successor depends on less than secret and nonce")
	}
}

// R2, R9: a random source that repeats itself cannot merge two sessions; crypto/rand has no failure to handle.
func TestCredentialsDiffer(t *testing.T) {
	seen := map[credential]bool{}
	for range 1000 {
		c := newCredential("ada")
		if seen[c] {
			t.Fatal("a credential occurred twice")
		}
		seen[c] = true
	}
}
