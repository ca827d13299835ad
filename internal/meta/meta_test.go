package meta

import (
	"bytes"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

// A rolling deploy: what a later version wrote survives a change by this one.
func TestKeepsUnknown(t *testing.T) {
	later := []byte("\x01\x03\x01\x01\x04\x01\x05\x0c\x03new\x80\x01x")
	m, err := Decode(later)
	if err != nil || !m.Remembered || m.Bearer {
		t.Fatalf("%+v, %v", m, err)
	}
	m.Level, m.Bearer = 2, true
	if got, want := m.Encode(), []byte("\x01\x03\x01\x02\x04\x01\x07\x0c\x03new\x80\x01x"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// DecodeFacts accepts what Decode does, and gives the facts, the tail and its user.
func TestDecodeFacts(t *testing.T) {
	for _, v := range vectors.Read(t, "meta") {
		b := vectors.Bytes(t, v.In["bytes"])
		all, err := Decode(b)
		few, err2 := DecodeFacts(b)
		if (err == nil) != (err2 == nil) {
			t.Errorf("%s: %v and %v", v.Name, err, err2)
		}
		if err == nil && (few.Facts != all.Facts || !bytes.Equal(few.Tail, all.Tail) || few.User != all.User) {
			t.Errorf("%s: %+v, want of %+v", v.Name, few, all)
		}
	}
}

// Every request decodes the facts of its session.
func TestDecodeFactsAllocatesNothing(t *testing.T) {
	m := Meta{Facts: Facts{Issued: 1, Auth: 2, Level: 1, Remembered: true}, Label: "l", Addr: "192.0.2.0/24", Agent: "curl"}
	b := m.Encode()
	if n := testing.AllocsPerRun(100, func() { _, _ = DecodeFacts(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzMeta(f *testing.F) {
	vectors.Seeds(f, "meta", "bytes", true)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err == nil && !bytes.Equal(m.Encode(), b) {
			t.Fatalf("%x encodes to %x", b, m.Encode())
		}
		if _, err2 := DecodeFacts(b); (err == nil) != (err2 == nil) {
			t.Fatalf("%x: %v and %v", b, err, err2)
		}
	})
}
