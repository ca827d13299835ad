package field

import (
	"bytes"
	"math"
	"testing"
)

// What Append writes, Cut reads, and nothing else.
func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 300, 1 << 14, 1 << 21} {
		f := bytes.Repeat([]byte{7}, n)
		b := Append([]byte("x"), f)
		if len(b) != 1+Size(n) {
			t.Errorf("%d bytes: a field of %d, Size says %d", n, len(b)-1, Size(n))
		}
		got, rest, ok := Cut(append(b[1:], "rest"...))
		if !ok || !bytes.Equal(got, f) || string(rest) != "rest" {
			t.Errorf("%d bytes: %v, %d bytes, rest %q", n, ok, len(got), rest)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, b := range map[string]string{
		"nothing": "", "cut": "\x02a", "length cut": "\x80", "overlong": "\x81\x00a", "overlong zero": "\x80\x00",
		"huge": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a", "over 64 bits": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02a",
	} {
		if f, _, ok := Cut([]byte(b)); ok {
			t.Errorf("%s: %q", name, f)
		}
	}
}

// Appending to a field leaves the bytes behind it alone.
func TestClipped(t *testing.T) {
	b := []byte("\x01a\x01b")
	f, rest, _ := Cut(b)
	if _ = append(f, 'X'); string(rest) != "\x01b" {
		t.Errorf("the next field is %q", rest)
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte("\x01ab"))
	f.Add([]byte("\x81\x00a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, ok := Cut(b)
		if ok && !bytes.Equal(append(Append(nil, v), rest...), b) {
			t.Fatalf("%x: %x and %x", b, v, rest)
		}
		if ok && (len(v) > math.MaxInt32 || Size(len(v)) != len(b)-len(rest)) {
			t.Fatalf("%x: size %d", b, Size(len(v)))
		}
	})
}
