package sojourn

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds adds the inputs of the vectors of kind, good and bad.
func seeds(f *testing.F, kind, field string, isHex bool) {
	for _, v := range readVectors(f, kind) {
		b := []byte(v.In[field])
		if isHex {
			b, _ = hex.DecodeString(v.In[field])
		}
		f.Add(b)
	}
}

// R7, R10: a token has one spelling.
func FuzzToken(f *testing.F) {
	seeds(f, "token", "text", false)
	k := testRing(f, 1)
	aad := sealAAD(purposeCookie, "", "__Host-session")
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := openToken(k, aad, string(b)); err != nil {
			return
		}
		raw, err := appendDecode(nil, string(b))
		if err != nil || tokenEncoding.EncodeToString(raw) != string(b) {
			t.Fatalf("%q opens and is not how it would be written", b)
		}
	})
}

// R10: the inside of a sealed session, of which the seal protects us until a key leaks.
func FuzzSealed(f *testing.F) {
	for _, v := range readVectors(f, "sealed") {
		if raw, err := appendDecode(nil, v.In["text"]); err == nil {
			if plain, err := ringOf(f, v.In).Open(nil, raw[1:], sealAAD(purposeSealed, v.In["manager"], v.In["name"])); err == nil {
				f.Add(plain)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, rec, err := decodeSealed(b)
		if err == nil && !bytes.Equal(encodeSealed(&c, &rec), b) {
			t.Fatalf("%x encodes to %x", b, encodeSealed(&c, &rec))
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	seeds(f, "envelope", "bytes", true)
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkEnvelope(b) != nil {
			return
		}
		v := values{data: b}
		v.open()
		if len(v.edit.entries) == 0 {
			if len(b) != 0 {
				t.Fatalf("%x is empty", b)
			}
			return
		}
		var again values
		for i := len(v.edit.entries) - 1; i >= 0; i-- {
			again.set(string(v.edit.entries[i].name), bytes.Clone(v.edit.entries[i].raw))
		}
		if got := again.encode(); !bytes.Equal(got, b) || again.size() != len(b) {
			t.Fatalf("%x encodes to %x", b, got)
		}
		for _, e := range v.edit.entries {
			if raw, ok := (&values{data: b}).get(string(e.name)); !ok || !bytes.Equal(raw, e.raw) {
				t.Fatalf("%x: value %q is not found", b, e.name)
			}
		}
	})
}

func FuzzMeta(f *testing.F) {
	seeds(f, "meta", "bytes", true)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err == nil && !bytes.Equal(m.encode(), b) {
			t.Fatalf("%x encodes to %x", b, m.encode())
		}
	})
}

func FuzzFlash(f *testing.F) {
	seeds(f, "flash", "bytes", true)
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for item := range items(b) {
			if n += fieldSize(len(item)); !bytes.HasSuffix(b[:n], item) {
				t.Fatalf("%x: item %x is not where it was", b, item)
			}
		}
	})
}

func FuzzKeyFile(f *testing.F) {
	seeds(f, "keyfile", "text", false)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKeys(b)
		if err != nil {
			for field := range bytes.FieldsSeq(b) {
				if len(field) >= 16 && strings.Contains(err.Error(), string(field)) {
					t.Fatalf("the error quotes the file: %v", err)
				}
			}
			return
		}
		if sealed, err := k.Seal(nil, []byte("x"), nil); err != nil {
			t.Fatal(err)
		} else if _, err := k.Open(nil, sealed, nil); err != nil {
			t.Fatal(err)
		}
	})
}

// R27, R33: our scan finds what net/http finds, where both read the header.
func FuzzCookieScan(f *testing.F) {
	for _, s := range []string{"s=1", "a=b; s=1; s=2", `s="q"`, " s = 1", "S=1", "s=", ";;s=1;", "s=1\ts=2", "s=a b", "\u2000s=1", "$Version=1; s=1", "s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		var got [maxCandidates]string
		n := cookieValues(h, "s", &got)
		theirs := (&http.Request{Header: h}).CookiesNamed("s")
		if strings.ContainsAny(line, "\"") || strings.Count(line, ";") > 2000 {
			return // they unquote, and give up on floods
		}
		i := 0
		for _, v := range got[:min(n, maxCandidates)] { // what is ours is theirs, in the same order; they are laxer about "s = 1" and "s"
			if strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }) {
				continue // no cookie value, and no token
			}
			for i < len(theirs) && theirs[i].Value != v {
				i++
			}
			if i == len(theirs) {
				t.Fatalf("%q: we have %q, net/http does not: %v", line, v, theirs)
			}
			i++
		}
		for _, v := range got[:min(n, maxCandidates)] {
			if !strings.Contains(line, "s="+v) {
				t.Fatalf("%q: invented %q", line, v)
			}
		}
	})
}

// R10: the short cut for strings writes and reads what encoding/json does.
func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "plain", `a"b`, `a\b`, "<>&", "é", "\u2028", "\xff", "\x00", "\x7f", "\t"} {
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
	for _, c := range []Codec{JSON, Gob, Binary} {
		b, _ := c.Append(nil, &deep{A: map[string][]*deep{"k": {{B: []byte("v")}}}})
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range []Codec{JSON, Gob, Binary} {
			var d deep
			var s string
			var m map[string]int
			_, _, _ = c.Decode(b, &d), c.Decode(b, &s), c.Decode(b, &m)
		}
	})
}
