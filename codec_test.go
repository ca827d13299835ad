package sojourn

import (
	"testing"
)

// What cannot be encoded is an error.
func TestCodecsRefuse(t *testing.T) {
	for name, c := range map[string]Codec{"JSON": JSON, "Gob": Gob} {
		f := func() {}
		if _, err := c.Append(nil, &f); err == nil {
			t.Errorf("%s encodes a function", name)
		}
		var n int
		if err := c.Decode([]byte("{"), &n); err == nil {
			t.Errorf("%s decodes nonsense", name)
		}
	}
}

// The short cut for strings: writing one allocates nothing where there is room, and reading one
// nothing but the string.
func TestJSONStringCost(t *testing.T) {
	room := make([]byte, 0, 100)
	for s, most := range map[string]float64{"": 0, " plain text, 7-bit ~": 1} {
		data, err := JSON.Append(nil, &s)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if n := testing.AllocsPerRun(100, func() { JSON.Append(room, &s) }); n != 0 {
			t.Errorf("%q: %v allocations to write", s, n)
		}
		if n := testing.AllocsPerRun(100, func() { JSON.Decode(data, &back) }); n > most || back != s {
			t.Errorf("%q: %v allocations to read %q", s, n, back)
		}
	}
}
