package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

// R46: keys that cannot be random are refused, without being quoted.
func TestWeakKeys(t *testing.T) {
	good := vectors.Key(1)
	for name, b := range map[string][]byte{
		"nil": nil, "16 bytes": good[:16], "31 bytes": good[:31], "33 bytes": append(bytes.Clone(good), 1),
		"zeros": make([]byte, 32), "one byte": bytes.Repeat([]byte{0xa5}, 32),
		"passphrase": []byte("correct horse battery staple 123"), "hex": []byte(hex.EncodeToString(good[:16])),
		"base64": []byte(base64.StdEncoding.EncodeToString(good)[:32]), "lines": []byte("0123456789abcdef\n0123456789abcd\n"),
		"tabs": []byte("correct\thorse\tbattery\tstaple 123"), "tilde": []byte("~orrect horse battery staple 123"),
	} {
		for where, err := range map[string]error{
			"active": second(New(b)), "other": second(New(good, b)),
		} {
			if !refused(err) {
				t.Errorf("%s as %s: %v", name, where, err)
			} else {
				leaks(t, err.Error(), b)
			}
		}
	}
	if err := second(New(good, vectors.Key(2), good)); !refused(err) {
		t.Errorf("a key twice: %v", err)
	}
	// Values that look strange and may well be random.
	for _, b := range [][]byte{append(make([]byte, 31), 1), append(bytes.Repeat([]byte("a"), 31), 0x80)} {
		if err := second(New(b)); err != nil {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// refused reports whether err is about the keys or their file, not the operating system's.
func refused(err error) bool {
	var r *Refused
	return errors.As(err, &r)
}

func second[T any](_ T, err error) error { return err }

// leaks fails when text shows 8 characters of the key in a usual spelling.
func leaks(t *testing.T, text string, key []byte) {
	t.Helper()
	for _, s := range []string{string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key)} {
		for i := 0; i+8 <= len(s); i++ {
			if strings.Contains(text, s[i:i+8]) {
				t.Errorf("%q quotes the key", text)
				return
			}
		}
	}
}

func testRing(t testing.TB, ids ...byte) *Ring {
	t.Helper()
	var ring [][]byte
	for _, n := range ids {
		ring = append(ring, vectors.Key(n))
	}
	k, err := New(ring[0], ring[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The ring copies, and nil or empty rings are errors instead of panics.
func TestKeyRingEdges(t *testing.T) {
	key := vectors.Key(1)
	k, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := k.Seal([]byte("front"), []byte("plain"), []byte("aad"))
	clear(key)
	if back, err := testRing(t, 1).Open([]byte("x"), sealed[5:], []byte("aad")); err != nil || string(back) != "xplain" || !bytes.HasPrefix(sealed, []byte("front")) {
		t.Errorf("%q, %v", back, err)
	}
	for _, k := range []*Ring{nil, {}} {
		if _, err := k.Seal(nil, nil, nil); err == nil {
			t.Error("an empty ring seals")
		}
		if _, err := k.Open(nil, sealed, nil); err == nil {
			t.Error("an empty ring opens")
		}
		if ids := k.IDs(); ids != nil {
			t.Errorf("an empty ring has keys %q", ids)
		}
	}
}

// The names of a ring's keys: that of the active one, then the others', in order.
func TestIDs(t *testing.T) {
	id := func(n byte) string { id := IDOf(vectors.Key(n)); return hex.EncodeToString(id[:]) }
	var others []string
	for n := range byte(20) {
		others = append(others, id(n+2))
	}
	slices.Sort(others)
	ring := testRing(t, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)
	if got := ring.IDs(); !slices.Equal(got, append([]string{id(1)}, others...)) {
		t.Errorf("%q", got)
	}
}

// R44: three nodes take the stages of a key change one by one, in every order; no read ever fails.
func TestKeyRollout(t *testing.T) {
	line := func(state string, n byte) string {
		return state + " " + base64.StdEncoding.EncodeToString(vectors.Key(n)) + "\n"
	}
	stages := []string{
		line("active", 1),
		line("active", 1) + line("prepared", 2),
		line("retired", 1) + line("active", 2),
		line("active", 2),
	}
	parse := func(s string) *Ring {
		k, err := Parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	aad := []byte("aad")
	for _, order := range orders {
		nodes := []*Ring{parse(stages[0]), parse(stages[0]), parse(stages[0])}
		var live [][]byte // sealed by anybody since the last complete stage
		check := func(when string) {
			for i, n := range nodes {
				b, err := n.Seal(nil, []byte("session"), aad)
				if err != nil {
					t.Fatal(err)
				}
				live = append(live, b)
				for j, reader := range nodes {
					for _, b := range live {
						if _, err := reader.Open(nil, b, aad); err != nil {
							t.Fatalf("order %v, %s: node %d cannot read what node %d (or one before) wrote", order, when, j, i)
						}
					}
				}
			}
		}
		for s := 1; s < len(stages); s++ {
			if s == len(stages)-1 { // the longest session has ended
				live = nil
			}
			for _, i := range order {
				nodes[i] = parse(stages[s])
				check(fmt.Sprintf("stage %d, node %d", s, i))
			}
		}
	}
	old, _ := parse(stages[0]).Seal(nil, []byte("session"), aad)
	for name, s := range map[string]string{"removed": stages[3], "revoked": line("revoked", 1) + stages[3]} {
		if _, err := parse(s).Open(nil, old, aad); err != ErrOpen {
			t.Errorf("%s key: %v", name, err)
		}
	}
}

// R44: the id decides; what it does not name is not tried.
func TestKeyIDDecides(t *testing.T) {
	a, b := testRing(t, 1), testRing(t, 1, 2)
	sealed, _ := a.Seal(nil, []byte("x"), nil)
	if id := IDOf(vectors.Key(1)); !bytes.Equal(sealed[:4], id[:]) {
		t.Fatalf("sealed begins with %x, not with the key's id %x", sealed[:4], id)
	}
	for _, id := range [][]byte{{0, 0, 0, 0}, {1, 2, 3, 4}, ptr(IDOf(vectors.Key(2)))} {
		forged := append(bytes.Clone(id), sealed[4:]...)
		if _, err := b.Open(nil, forged, nil); err != ErrOpen {
			t.Errorf("id %x: %v", id, err)
		}
	}
}

func ptr(id ID) []byte { return id[:] }

func TestKeyFileText(t *testing.T) {
	enc := func(n byte) string { return base64.StdEncoding.EncodeToString(vectors.Key(n)) }
	a, b := enc(1), enc(2)
	for _, tt := range []struct {
		name, text string
		keys       int // 0: refused
	}{
		{"blank", " \n", 0},
		{"lines as one", "active " + a + `\nretired ` + b, 0},
		{"one", "active " + a, 1},
		{"comments, blanks, tabs, CRLF", "# hello\r\n\r\n\tactive\t" + a + " \r\n  # x\n", 1},
		{"states", "prepared " + a + "\nactive " + b + "\nretired " + enc(3) + "\nrevoked " + enc(4) + "\n", 3},
		{"empty", "", 0},
		{"no active", "prepared " + a, 0},
		{"two active", "active " + a + "\nactive " + b, 0},
		{"twice", "active " + a + "\nretired " + a, 0},
		{"revoked and active", "revoked " + a + "\nactive " + a, 0},
		{"revoked and retired", "active " + b + "\nretired " + a + "\nrevoked " + a, 0},
		{"unknown state", "actve " + a, 0},
		{"state's case", "Active " + a, 0},
		{"no state", a, 0},
		{"three fields", "active " + a + " " + b, 0},
		{"byte order mark", "\ufeffactive " + a, 0},
		{"no padding", "active " + strings.TrimRight(a, "="), 0},
		{"URL alphabet", "active " + base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff}, 16)), 0},
		{"loose bits", "active " + a[:42] + "9=", 0},
		{"short", "active " + base64.StdEncoding.EncodeToString(vectors.Key(1)[:31]), 0},
		{"weak", "active " + base64.StdEncoding.EncodeToString(make([]byte, 32)), 0},
		{"garbage revoked", "active " + b + "\nrevoked ###", 0},
		{"binary", string(vectors.Key(1)), 0},
	} {
		k, err := Parse([]byte(tt.text))
		if (err == nil) != (tt.keys > 0) || err == nil && len(k.keys) != tt.keys {
			t.Errorf("%s: %v, %v", tt.name, k, err)
		}
		if err != nil {
			for n := range byte(5) {
				leaks(t, err.Error(), vectors.Key(n))
			}
		}
	}
}

// The usual slips are told by what to write.
func TestKeyFileTextSays(t *testing.T) {
	a := base64.StdEncoding.EncodeToString(vectors.Key(1))
	for text, want := range map[string]string{
		"":                               "the text is empty",
		"# a comment\n":                  "the text has no keys",
		a:                                `the word "active"`,
		"active=" + a:                    `the word "active"`,
		"active " + a + `\nretired ` + a: "each key has a line of its own",
		"retired " + a:                   "0 active keys",
		"#\n\nactive x y":                "line 3: it is not",
		"#\nactive " + a[:42] + "9=":     "line 2: key is not base64",
		"#\nACTIVE " + a:                 "line 2: the state is none of",
		"#\n#\n#\nactive AAAA":           "line 4: key has 3 bytes",
		strings.Repeat("#", maxFile+1):   "more than 65536 bytes",
	} {
		if _, err := Parse([]byte(text)); !refused(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: %v, want %q", text, err, want)
		}
	}
}

// A text may have as many bytes as the bound says.
func TestKeyFileOfMostBytes(t *testing.T) {
	text := "active " + base64.StdEncoding.EncodeToString(vectors.Key(1)) + "\n#"
	if _, err := Parse([]byte(text + strings.Repeat("x", maxFile-len(text)))); err != nil {
		t.Error(err)
	}
}

func FuzzKeyFile(f *testing.F) {
	vectors.Seeds(f, "keyfile", "text", false)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Parse(b)
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
