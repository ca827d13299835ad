package xaes

import (
	"bytes"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

// The two vectors of the C2SP specification are opened, for nobody chooses the nonce of what is
// sealed.
func TestSpecificationVectors(t *testing.T) {
	for _, v := range []struct{ key, aad, sealed string }{
		{"\x01", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{"\x03", "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		key := bytes.Repeat([]byte(v.key), KeySize)
		a, err := New(key)
		if err != nil {
			t.Fatal(err)
		}
		sealed := append([]byte(vectors.Nonce), vectors.Bytes(t, v.sealed)...)
		if got, err := a.Open(nil, sealed, []byte(v.aad)); err != nil || string(got) != "XAES-256-GCM" {
			t.Errorf("key %q: %q, %v", v.key, got, err)
		}
		if got := vectors.XAES(key, []byte(vectors.Nonce), []byte("XAES-256-GCM"), []byte(v.aad)); !bytes.Equal(got, sealed) {
			t.Errorf("key %q: the test's own seals to %x", v.key, got)
		}
	}
}

// Seal makes what the specification says for the nonce that it drew, behind what was in dst, and no
// two nonces are alike in either half.
func TestSealIsTheSpecification(t *testing.T) {
	key := vectors.Key(1)
	a, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for n := range 100 {
		plain, aad := bytes.Repeat([]byte{'p'}, n), bytes.Repeat([]byte{'a'}, 100-n)
		sealed := a.Seal(make([]byte, 3, 3+n), plain, aad)
		if !bytes.Equal(sealed[:3], make([]byte, 3)) {
			t.Fatalf("%d bytes: dst has become %x", n, sealed[:3])
		}
		sealed = sealed[3:]
		if want := vectors.XAES(key, sealed[:NonceSize], plain, aad); !bytes.Equal(sealed, want) {
			t.Fatalf("%d bytes: got %x, want %x", n, sealed, want)
		}
		for _, h := range [][]byte{sealed[:half], sealed[half:NonceSize]} {
			if seen[string(h)] {
				t.Fatalf("%x was drawn before", h)
			}
			seen[string(h)] = true
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := New(make([]byte, 31)); err == nil {
		t.Error("a short key was accepted")
	}
	a, _ := New(bytes.Repeat([]byte{7}, 32))
	sealed := a.Seal(nil, []byte("hello"), []byte("ad"))
	for i := range sealed {
		for bit := range 8 {
			sealed[i] ^= 1 << bit
			if _, err := a.Open(nil, sealed, []byte("ad")); err == nil {
				t.Fatalf("flipped bit %d of byte %d was accepted", bit, i)
			}
			sealed[i] ^= 1 << bit
		}
	}
	for n := range sealed {
		if _, err := a.Open(nil, sealed[:n], []byte("ad")); err == nil {
			t.Fatalf("truncation to %d bytes was accepted", n)
		}
	}
	if _, err := a.Open(nil, sealed, []byte("other")); err == nil {
		t.Error("other associated data was accepted")
	}
}

func BenchmarkSeal(b *testing.B) {
	a, _ := New(bytes.Repeat([]byte{7}, 32))
	plain, buf := make([]byte, 48), make([]byte, 0, 48+Overhead)
	b.ReportAllocs()
	for b.Loop() {
		a.Seal(buf, plain, []byte("ad"))
	}
}

func BenchmarkOpen(b *testing.B) {
	a, _ := New(bytes.Repeat([]byte{7}, 32))
	sealed := a.Seal(nil, make([]byte, 48), []byte("ad"))
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Open(buf, sealed, []byte("ad")); err != nil {
			b.Fatal(err)
		}
	}
}
