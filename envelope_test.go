package sojourn

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// values behaves as a map does, and its bytes are what checkEnvelope accepts.
func TestEnvelopeModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		model := map[string]string{}
		var v values
		for range rnd.IntN(60) {
			name := fmt.Sprintf("%c%d", 'a'+rnd.IntN(6), rnd.IntN(12))
			switch rnd.IntN(12) {
			case 0, 1, 2:
				v.delete(name)
				delete(model, name)
			case 3: // as if stored and read again
				data := bytes.Clone(v.encode())
				if err := checkEnvelope(data); err != nil {
					t.Fatalf("%x: %v", data, err)
				}
				v = values{data: data}
			case 4:
				if rnd.IntN(10) == 0 {
					v.clear()
					clear(model)
				}
			default:
				raw := bytes.Repeat([]byte{byte(rnd.IntN(256))}, rnd.IntN(300))
				v.set(name, raw)
				model[name] = string(raw)
			}
		}
		for name, want := range model {
			if got, ok := v.get(name); !ok || string(got) != want {
				t.Fatalf("%s: %x, want %x", name, got, want)
			}
		}
		back := values{data: v.encode()}
		if back.open(); len(back.edit.entries) != len(model) || len(v.encode()) != v.size() {
			t.Fatalf("%d entries, want %d; size %d, is %d", len(back.edit.entries), len(model), v.size(), len(v.encode()))
		}
		for i, name := range slices.Sorted(maps.Keys(model)) {
			if string(back.edit.entries[i].name) != name {
				t.Fatalf("entry %d is %s, want %s", i, back.edit.entries[i].name, name)
			}
		}
	}
}

// A rolling deploy: what a later version wrote survives a change by this one.
func TestMetaKeepsUnknown(t *testing.T) {
	later := []byte("\x01\x03\x01\x01\x04\x01\x05\x09\x03new\x80\x01x")
	m, err := decodeMeta(later)
	if err != nil || !m.persistent || m.bearer {
		t.Fatalf("%+v, %v", m, err)
	}
	m.level, m.bearer = 2, true
	if got, want := m.encode(), []byte("\x01\x03\x01\x02\x04\x01\x07\x09\x03new\x80\x01x"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
