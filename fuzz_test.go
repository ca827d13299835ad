package sojourn

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/sojourn-go/sojourn/internal/field"
	"github.com/sojourn-go/sojourn/internal/vectors"
)

func FuzzFlash(f *testing.F) {
	vectors.Seeds(f, "flash", "bytes", true)
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for item := range items(b) {
			if n += field.Size(len(item)); !bytes.HasSuffix(b[:n], item) {
				t.Fatalf("%x: item %x is not where it was", b, item)
			}
		}
	})
}

// R10: the short cut for strings writes and reads what encoding/json does.
func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", `a"b`, `a\b`, "<>&", "é", "\u2028", "\xff", "\x00", "\x7f", "\t", "\x80", `"`, `""`, `"a`, `a"`, `"a"`, "5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		got, err2 := JSON.Append([]byte("x"), &s)
		if err != nil || err2 != nil || string(got[1:]) != string(want) || got[0] != 'x' {
			t.Fatalf("%q: %q, %v; encoding/json: %q, %v", s, got, err2, want, err)
		}
		var back string
		if err := JSON.Decode(want, &back); err != nil || utf8.ValidString(s) && back != s {
			t.Fatalf("%q came back as %q, %v", s, back, err)
		}
		// Decoding s itself: the same result, the same refusals.
		var a, b string
		if e1, e2 := JSON.Decode([]byte(s), &a), json.Unmarshal([]byte(s), &b); (e1 == nil) != (e2 == nil) || a != b {
			t.Fatalf("decode %q: %q, %v; encoding/json: %q, %v", s, a, e1, b, e2)
		}
	})
}

// R10: no codec panics, whatever the store hands back.
func FuzzCodecs(f *testing.F) {
	type deep struct {
		A map[string][]*deep
		B []byte
		C any
	}
	for _, c := range []Codec{JSON, Gob} {
		b, _ := c.Append(nil, &deep{A: map[string][]*deep{"k": {{B: []byte("v")}}}})
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range []Codec{JSON, Gob} {
			var d deep
			var s string
			var m map[string]int
			_, _, _ = c.Decode(b, &d), c.Decode(b, &s), c.Decode(b, &m)
		}
	})
}
