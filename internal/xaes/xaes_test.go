package xaes

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The two vectors of the C2SP specification.
func TestSpecificationVectors(t *testing.T) {
	for _, v := range []struct{ key, aad, want string }{
		{"\x01", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{"\x03", "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		a, err := New(bytes.Repeat([]byte(v.key), 32))
		if err != nil {
			t.Fatal(err)
		}
		nonce := [NonceSize]byte([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"))
		got := a.seal(nil, &nonce, []byte("XAES-256-GCM"), []byte(v.aad))
		if h := hex.EncodeToString(got[NonceSize:]); h != v.want {
			t.Errorf("key %q: got %s, want %s", v.key, h, v.want)
		}
		back, err := a.Open(nil, got, []byte(v.aad))
		if err != nil || string(back) != "XAES-256-GCM" {
			t.Errorf("open: %q, %v", back, err)
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
