package token

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/internal/keys"
	"github.com/sojourn-go/sojourn/internal/vectors"
	"github.com/sojourn-go/sojourn/store"
)

func testRing(t testing.TB, ids ...byte) *keys.Ring {
	t.Helper()
	var ring [][]byte
	for _, n := range ids {
		ring = append(ring, vectors.Key(n))
	}
	k, err := keys.New(ring[0], ring[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// R1, R43: shape and randomness of what leaves the server.
func TestTokenShape(t *testing.T) {
	k := testRing(t, 1)
	aad := AAD(Cookie, "", "__Host-session")
	seen := make(map[string]bool)
	ones, nonces := [256]int{}, map[string]bool{}
	const n = 4000
	for range n {
		c := New("")
		text, err := Seal(k, aad, &c)
		if err != nil || len(text) != 124 || seen[text] {
			t.Fatalf("token of %d characters, %v", len(text), err)
		}
		seen[text] = true
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		nonces[string(raw[5:29])] = true
		if bytes.Contains(raw, c.Secret[:8]) || bytes.Contains(raw, c.Tag[:8]) {
			t.Fatal("secret or tag in the clear")
		}
		for i := range ones {
			ones[i] += int(c.Secret[i/8] >> (i % 8) & 1)
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

// R41, R7: whatever is changed, the one answer is ErrOpen.
func TestTokenTampering(t *testing.T) {
	k := testRing(t, 1, 2)
	aad := AAD(Cookie, "", "__Host-session")
	c := New("ada")
	text := ""
	for !strings.ContainsAny(text, "-_") { // in one of 50 the two alphabets spell alike
		var err error
		if text, err = Seal(k, aad, &c); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func(what, text string) {
		t.Helper()
		if got, err := Open(k, aad, text); err != ErrOpen || got != (Credential{}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	raw, _ := Encoding.DecodeString(text)
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			refuse("bit flip", Encoding.EncodeToString(raw))
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
	if got, err := Open(k, aad, text); err != nil || got != c {
		t.Errorf("the token itself: %v", err)
	}
}

// R41, R38, R44: bound to purpose, manager, cookie and key.
func TestTokenBinding(t *testing.T) {
	k := testRing(t, 1)
	c := New("ada")
	aads := map[string][]byte{
		"cookie":           AAD(Cookie, "", "__Host-session"),
		"other name":       AAD(Cookie, "", "__Host-admin"),
		"name's case":      AAD(Cookie, "", "__Host-Session"),
		"other manager":    AAD(Cookie, "admin", "__Host-session"),
		"bearer":           AAD(Bearer, "", ""),
		"sealed":           AAD(Sealed, "", "__Host-session"),
		"shifted":          AAD(Cookie, "\x00__Host-session", ""),
		"manager and name": AAD(Cookie, "a", "b\x00c"),
		"the same, cut":    AAD(Cookie, "a\x00b", "c"),
	}
	for from, a := range aads {
		text, err := Seal(k, a, &c)
		if err != nil {
			t.Fatal(err)
		}
		for to, b := range aads {
			same := from == to || strings.HasPrefix(from+to, "manager and name") && to == "the same, cut" || from == "the same, cut" && to == "manager and name"
			if _, err := Open(k, b, text); (err == nil) != same {
				t.Errorf("sealed for %s, opened as %s: %v", from, to, err)
			}
		}
	}
	text, _ := Seal(k, aads["cookie"], &c)
	if _, err := Open(testRing(t, 2), aads["cookie"], text); err != ErrOpen {
		t.Errorf("another key: %v", err)
	}
}

// R4, R5: what the store has opens nothing.
func TestTokenKeyIsOneWay(t *testing.T) {
	c := New("ada")
	key := c.Key()
	if bytes.Equal(key.ID[:], c.Secret[:]) || key.Tag != store.TagOf("ada") {
		t.Error("the key shows the secret, or the tag is not the user's")
	}
	if c2 := (Credential{Secret: key.ID, Tag: key.Tag}); c2.Key() == key {
		t.Error("the key opens itself")
	}
	if a, b := New(""), New(""); a.Tag == b.Tag {
		t.Error("visitors share a tag")
	}
}

// R17: one old secret and one nonce lead to one successor; neither alone does.
func TestSuccessor(t *testing.T) {
	c := New("ada")
	a, b := c.Successor([]byte("nonce")), c.Successor([]byte("nonce"))
	if a != b || a.Secret == c.Secret || a.Tag != c.Tag {
		t.Error("a successor is not determined, or not new")
	}
	d := New("ada")
	if c.Successor([]byte("other")) == a || d.Successor([]byte("nonce")) == a {
		t.Error("a successor depends on less than secret and nonce")
	}
}

// R2, R9: a random source that repeats itself cannot merge two sessions; crypto/rand has no failure
// to handle.
func TestCredentialsDiffer(t *testing.T) {
	seen := map[Credential]bool{}
	for range 1000 {
		c := New("ada")
		if seen[c] {
			t.Fatal("a Credential occurred twice")
		}
		seen[c] = true
	}
}

// R7, R10: a token has one spelling.
func FuzzToken(f *testing.F) {
	vectors.Seeds(f, "token", "text", false)
	k := testRing(f, 1)
	aad := AAD(Cookie, "", "__Host-session")
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Open(k, aad, string(b)); err != nil {
			return
		}
		raw, err := AppendDecode(nil, string(b))
		if err != nil || Encoding.EncodeToString(raw) != string(b) {
			t.Fatalf("%q opens and is not how it would be written", b)
		}
	})
}
