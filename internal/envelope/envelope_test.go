package envelope

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

// Values behaves as a map does, and its bytes are what Check accepts.
func TestEnvelopeModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		model := map[string]string{}
		var v Values
		for range rnd.IntN(60) {
			name := fmt.Sprintf("%c%d", 'a'+rnd.IntN(6), rnd.IntN(12))
			switch rnd.IntN(12) {
			case 0, 1, 2:
				v.Delete(name)
				delete(model, name)
			case 3: // as if stored and read again
				data := bytes.Clone(v.Encode())
				if err := Check(data); err != nil {
					t.Fatalf("%x: %v", data, err)
				}
				if rnd.IntN(2) == 0 {
					v = Of(data)
				}
			case 4:
				if rnd.IntN(10) == 0 {
					v.Clear()
					clear(model)
				}
			default:
				raw := bytes.Repeat([]byte{byte(rnd.IntN(256))}, rnd.IntN(300))
				v.Set(name, raw)
				model[name] = string(raw)
			}
		}
		for name, want := range model {
			if got, ok := v.Get(name); !ok || string(got) != want {
				t.Fatalf("%s: %x, want %x", name, got, want)
			}
		}
		back := Of(v.Encode())
		names := slices.Sorted(maps.Keys(model))
		if !slices.Equal(back.Names(), names) || !slices.Equal(v.Names(), names) {
			t.Fatalf("names %q, stored %q, want %q", v.Names(), back.Names(), names)
		}
		if len(v.Encode()) != v.Size() {
			t.Fatalf("size %d, is %d", v.Size(), len(v.Encode()))
		}
	}
}

// Deleting what is not there is no change, and costs nothing.
func TestDeleteNothing(t *testing.T) {
	var some Values
	some.Set("a", []byte("1"))
	data := some.Encode()
	v := Of(data)
	if n := testing.AllocsPerRun(100, func() { v.Delete("b") }); n != 0 || &v.Encode()[0] != &data[0] {
		t.Errorf("%v allocations", n)
	}
}

func FuzzEnvelope(f *testing.F) {
	vectors.Seeds(f, "envelope", "bytes", true)
	f.Fuzz(func(t *testing.T, b []byte) {
		if Check(b) != nil {
			return
		}
		v := Of(b)
		names := v.Names()
		if len(names) == 0 {
			if len(b) != 0 {
				t.Fatalf("%x is empty", b)
			}
			return
		}
		var again Values
		for _, name := range slices.Backward(names) {
			raw, ok := v.Get(name)
			if !ok {
				t.Fatalf("%x: value %q is not found", b, name)
			}
			again.Set(name, bytes.Clone(raw))
		}
		if got := again.Encode(); !bytes.Equal(got, b) || again.Size() != len(b) {
			t.Fatalf("%x encodes to %x", b, got)
		}
	})
}
