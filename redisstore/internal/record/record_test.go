package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// stored returns the bytes that a script makes of a record.
func stored(r *store.Record, version uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{1}, version)
	return append(append(b, Fixed(r)...), Rest(r, r.User)...)
}

func sampleRecord() store.Record {
	return store.Record{Key: store.Key{Tag: store.TagOf("ada"), ID: store.ID{1}}, Handle: store.Handle{2}, User: "ada", Version: 7,
		Writer: store.Writer{3}, Idle: time.Minute, Lifetime: time.Hour, Created: time.UnixMilli(1e12).UTC(), Seen: time.UnixMilli(1e12 + 1).UTC(),
		Meta: []byte("meta"), Data: []byte("data")}
}

func TestRecord(t *testing.T) {
	r := sampleRecord()
	got, err := Decode(r.Key, stored(&r, 7))
	if err != nil {
		t.Fatal(err)
	}
	if got.Key != r.Key || got.Handle != r.Handle || got.User != r.User || got.Version != 7 || got.Writer != r.Writer || got.Idle != r.Idle ||
		got.Lifetime != r.Lifetime || !got.Created.Equal(r.Created) || !got.Seen.Equal(r.Seen) ||
		!bytes.Equal(got.Meta, r.Meta) || !bytes.Equal(got.Data, r.Data) {
		t.Error("a record came back otherwise")
	}
	if cap(got.Meta) != len(got.Meta) {
		t.Error("who appends to Meta writes into Data")
	}
}

func TestKeys(t *testing.T) {
	const prefix = "a*b:"
	k := store.Key{Tag: store.TagOf("ada"), ID: store.ID{'{', '}', 0, 255}}
	text := Key(prefix, k)
	if got, ok := ParseKey(prefix, text); !ok || got != k {
		t.Error("a key came back otherwise")
	}
	for _, bad := range []string{"", text[1:], text + "x", text[:len(text)-1], strings.Replace(text, ":s:", ":u:", 1), strings.Replace(text, "b:{", "b:[", 1)} {
		if _, ok := ParseKey(prefix, bad); ok {
			t.Errorf("a key was read from %d bytes that are none", len(bad))
		}
	}
}

// FuzzDecode gives the decoder any bytes: it never panics, and what it accepts is what the bytes
// say.
func FuzzDecode(f *testing.F) {
	r := sampleRecord()
	whole := stored(&r, 7)
	f.Add(whole)
	f.Add(whole[:70])
	f.Add(whole[:60])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := Decode(store.Key{}, bytes.Clone(b))
		if err != nil {
			if other := len(b) > 0 && b[0] != 1; other != errors.Is(err, driver.ErrVersion) || !other && !errors.Is(err, store.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if again := stored(&rec, rec.Version); !bytes.Equal(again, b) {
			t.Fatal("what was accepted says something else when written again")
		}
		if rec.Idle < 0 || rec.Idle > store.MaxLife || len(rec.Meta) > store.MaxMeta {
			t.Fatal("a record out of bounds was accepted")
		}
		rec.Live(time.Now())
	})
}
