// Package vectors reads, runs and writes the test vectors of docs/format.md. It is for tests.
package vectors

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A Case is one case of testdata/vectors. Binary values are in hex.
type Case struct {
	Name string            `json:"name"`
	OK   bool              `json:"ok"` // false: must be refused
	In   map[string]string `json:"in"`
	Out  map[string]string `json:"out,omitempty"`
}

// Good is a case that must be accepted.
func Good(name string, in map[string]string) Case { return Case{Name: name, OK: true, In: in} }

// Bad is a case that must be refused.
func Bad(name string, in map[string]string) Case { return Case{Name: name, In: in} }

// Runner says what the code makes of a case's input; an error is a refusal.
type Runner func(t testing.TB, in map[string]string) (out map[string]string, err error)

// path is a kind's file. Tests run in their package's folder, somewhere below the module's.
func path(kind string) string {
	dir := "testdata"
	for range 3 {
		if _, err := os.Stat(filepath.Join(dir, "vectors")); err == nil {
			break
		}
		dir = filepath.Join("..", dir)
	}
	return filepath.Join(dir, "vectors", kind+".json")
}

// Read reads all cases of a kind.
func Read(t testing.TB, kind string) (all []Case) {
	t.Helper()
	b, err := os.ReadFile(path(kind))
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d vectors, %v", kind, len(all), err)
	}
	return all
}

// Test runs the cases in the file of a kind: the formats are what docs/format.md says, for this and
// any other implementation. Then it holds the file against made, which the test makes from fixed
// keys and nonces. With write it writes the file anew first.
func Test(t *testing.T, write bool, kind string, run Runner, made []Case) {
	t.Helper()
	made = slices.Clone(made)
	good, bad := 0, 0
	for i, v := range made {
		out, err := run(t, v.In)
		if (err == nil) != v.OK {
			t.Errorf("%s: %s: %v", kind, v.Name, err)
		}
		if v.OK {
			made[i].Out = out
			good++
		} else {
			bad++
		}
	}
	if good == 0 || bad == 0 && kind != "successor" { // a successor can be derived from anything
		t.Errorf("%s: %d good and %d bad vectors", kind, good, bad)
	}
	want, err := json.MarshalIndent(made, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if write {
		if err := os.WriteFile(path(kind), want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path(kind)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what this test writes: %v", path(kind), err)
	}
	for _, v := range Read(t, kind) {
		out, err := run(t, v.In)
		switch {
		case (err == nil) != v.OK:
			t.Errorf("%s: %s: %v", kind, v.Name, err)
		case v.OK && !maps.Equal(out, v.Out):
			t.Errorf("%s: %s:\n got %v\nwant %v", kind, v.Name, out, v.Out)
		}
	}
}

// Seeds adds the inputs of the cases of kind, good and bad, to a fuzz target.
func Seeds(f *testing.F, kind, field string, isHex bool) {
	for _, v := range Read(f, kind) {
		b := []byte(v.In[field])
		if isHex {
			b = Bytes(f, v.In[field])
		}
		f.Add(b)
	}
}

// Raw makes cases of a format that is bytes alone, sorted by name, the good ones first.
func Raw(good, bad map[string]string) (all []Case) {
	for _, part := range []struct {
		ok bool
		m  map[string]string
	}{{true, good}, {false, bad}} {
		for _, name := range slices.Sorted(maps.Keys(part.m)) {
			all = append(all, Case{name, part.ok, In(nil, "bytes", Hex([]byte(part.m[name]))), nil})
		}
	}
	return all
}

// In makes an input map of pairs, over a copy of base.
func In(base map[string]string, pairs ...string) map[string]string {
	m := maps.Clone(base)
	if m == nil {
		m = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// Hex spells a binary value.
func Hex(b []byte) string { return hex.EncodeToString(b) }

// Bytes is a binary value of In or Out.
func Bytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Key is a fixed key: n, n+1, n+2 …
func Key(n byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = n + byte(i)
	}
	b[31] = 0xff // no text
	return b
}

// Nonce is the fixed nonce of what Seal makes.
const Nonce = "ABCDEFGHIJKLMNOPQRSTUVWX"

// Seal is the seal of a ring whose active key this is, with a fixed nonce.
func Seal(key, plain, aad []byte) []byte {
	id := sha256.Sum256(append([]byte("sojourn key id v1\x00"), key...))
	return append(id[:4:4], XAES(key, []byte(Nonce), plain, aad)...)
}

// XAES is what XAES-256-GCM makes under a nonce of 24 bytes, which stands in front. It is written
// from its specification, apart from internal/xaes.
func XAES(key, nonce, plain, aad []byte) []byte {
	block, _ := aes.NewCipher(key)
	k1 := make([]byte, 16)
	block.Encrypt(k1, k1)
	msb := k1[0] >> 7
	for i := range 15 {
		k1[i] = k1[i]<<1 | k1[i+1]>>7
	}
	k1[15] = k1[15]<<1 ^ msb*0x87
	var derived []byte
	for i := range byte(2) {
		m := append([]byte{0, i + 1, 'X', 0}, nonce[:12]...)
		subtle.XORBytes(m, m, k1)
		block.Encrypt(m, m)
		derived = append(derived, m...)
	}
	inner, _ := aes.NewCipher(derived)
	var gcm cipher.AEAD
	// FIPS 140-only mode lets nobody choose a nonce, except so.
	fips140.WithoutEnforcement(func() { gcm, _ = cipher.NewGCM(inner) })
	return gcm.Seal(bytes.Clone(nonce), nonce[12:], plain, aad)
}

// Text is sealed bytes as a client carries them.
func Text(version byte, sealed []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{version}, sealed...))
}
