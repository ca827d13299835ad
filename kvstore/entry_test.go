package kvstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// sample is an entry with something in every field, and its key.
func sample(apart bool) (e entry, key []byte) {
	e = entry{
		Record: store.Record{
			Key: store.Key{Tag: store.TagOf("ada"), ID: store.ID{1, 2}}, Handle: store.Handle{3}, Writer: store.Writer{4},
			Version: 5, Created: instantTime(6), Seen: instantTime(7), Idle: 8, Lifetime: 9,
			User: "ada", Meta: []byte("meta"),
		},
		slot: 10, apart: apart,
	}
	if !apart {
		e.Data = []byte("data")
	}
	key = append([]byte{kindRecord}, e.Key.Tag[:]...)
	return e, append(key, e.Key.ID[:]...)
}

// FuzzEntry decodes any bytes, with the checksum made right so that they come far enough. What
// decodes must be what encoding gives, byte for byte, and no changed byte may pass.
func FuzzEntry(f *testing.F) {
	for _, apart := range []bool{false, true} {
		e, key := sample(apart)
		f.Add(key, e.encode(key), uint16(20))
	}
	f.Add([]byte{}, []byte{}, uint16(0))
	e, key := sample(false)
	both := e.encode(key)
	both[atApart] = 1 // and data here, too
	f.Add(key, both, uint16(0))
	f.Fuzz(func(t *testing.T, key, b []byte, at uint16) {
		new(entry).decode(key, b)
		if len(b) < headerLen {
			return
		}
		binary.BigEndian.PutUint32(b[atSum:], sum(key, b, atSum))
		var e entry
		err := e.decode(key, b)
		if err != nil {
			if version := errors.Is(err, driver.ErrVersion) && b[atFormat] != format; !version && !errors.Is(err, store.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if again := e.encode(key); !bytes.Equal(again, b) {
			t.Fatalf("two spellings of one entry:\n%x\n%x", b, again)
		}
		b[int(at)%len(b)] ^= byte(at>>8) | 1
		if err := new(entry).decode(key, b); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("a changed byte passes: %v", err)
		}
	})
}

// FuzzData does the same for Data that lies apart.
func FuzzData(f *testing.F) {
	e, key := sample(true)
	e.Data = bytes.Repeat([]byte("x"), 2000)
	f.Add(key, e.encodeData(key))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, key, b []byte) {
		e, _ := sample(true)
		e.decodeData(key, b)
		if len(b) < dataHeaderLen {
			return
		}
		binary.BigEndian.PutUint32(b, sum(key, b, 0))
		data, mine, err := e.decodeData(key, b)
		if err != nil || !mine {
			return
		}
		if e.Data = data; !bytes.Equal(e.encodeData(key), b) {
			t.Fatal("two spellings of one entry")
		}
	})
}

// TestEntryKey gives an entry to another record.
func TestEntryKey(t *testing.T) {
	e, key := sample(false)
	b := e.encode(key)
	if err := new(entry).decode(key, b); err != nil {
		t.Fatal(err)
	}
	key[len(key)-1]++
	if err := new(entry).decode(key, b); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("at another key: %v, want ErrCorrupt", err)
	}
}
