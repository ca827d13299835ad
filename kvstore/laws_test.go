package kvstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// TestEntryBounds changes one field of a whole entry, whose checksum is made right: what no store
// writes is damage, and what is at its bound is not.
func TestEntryBounds(t *testing.T) {
	num := func(at int, v int64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], uint64(v)); return b }
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	metaLen := func(n, more int) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.BigEndian.PutUint16(b[atMetaLen:], uint16(n))
			return append(b, make([]byte, more)...)
		}
	}
	const inline = len("metadata") // behind the user
	for what, c := range map[string]struct {
		change func([]byte) []byte
		whole  bool
	}{
		"apart, and neither yes nor no": {func(b []byte) []byte { b[atApart] = 2; return b }, false},
		"apart, with data here":         {func(b []byte) []byte { b[atApart] = 1; return b }, false},
		"no more than a checksum":       {cut(atHandle), false},
		"cut in the header":             {cut(headerLen - 1), false},
		"cut in the user":               {cut(headerLen + 1), false},
		"cut in the meta":               {cut(headerLen + len("ada") + 3), false},
		"no data":                       {cut(headerLen + len("adameta")), true},
		"meta at its bound":             {metaLen(store.MaxMeta, store.MaxMeta), true},
		"meta over its bound":           {metaLen(store.MaxMeta+1, store.MaxMeta), false},
		"data at its bound":             {metaLen(0, inlineMax-inline), true},
		"data over its bound":           {metaLen(0, inlineMax-inline+1), false},
		"idle below 0":                  {num(atIdle, -1), false},
		"idle of 0":                     {num(atIdle, 0), true},
		"the longest idle":              {num(atIdle, int64(store.MaxLife)), true},
		"a longer idle":                 {num(atIdle, int64(store.MaxLife)+1), false},
		"lifetime below 0":              {num(atLifetime, -1), false},
		"lifetime of 0":                 {num(atLifetime, 0), true},
		"the longest lifetime":          {num(atLifetime, int64(store.MaxLife)), true},
		"a longer lifetime":             {num(atLifetime, int64(store.MaxLife)+1), false},
		"a slot below 0":                {num(atSlot, -1), false},
		"no slot":                       {num(atSlot, 0), true},
	} {
		e, key := sample(false)
		b := c.change(e.encode(key))
		binary.BigEndian.PutUint32(b[atSum:], sum(key, b, atSum))
		var got entry
		if err := got.decode(key, b); c.whole != (err == nil) || err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		} else if err != nil && (got.User != "" || got.Data != nil || got.Key != e.Key) {
			t.Errorf("%s: more than the key is told of a damaged entry, or less", what)
		}
	}
	e, key := sample(false)
	for n := range atHandle {
		if err := new(entry).decode(key, e.encode(key)[:n]); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	later := []byte{format + 1, 0, 0, 0, 0, 0, 0, 0, 0} // as short as any format may be
	binary.BigEndian.PutUint32(later[atSum:], sum(key, later, atSum))
	if err := new(entry).decode(key, later); !errors.Is(err, driver.ErrVersion) {
		t.Errorf("in another format: %v", err)
	}
	if err := new(entry).decode(key[1:], e.encode(key[1:])); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("at a key of another length: %v", err)
	}
}

// TestDamagedHandle names the handle of a damaged entry where there is one, in this format.
func TestDamagedHandle(t *testing.T) {
	e, key := sample(false)
	for n, want := range map[int]bool{atWriter - 1: false, atWriter: true, headerLen: true} {
		if err := new(entry).decode(key, e.encode(key)[:n]); strings.Contains(err.Error(), e.Handle.String()) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	b := e.encode(key)
	b[atFormat]++
	if err := new(entry).decode(key, b); strings.Contains(err.Error(), store.Handle(b[atHandle:]).String()) {
		t.Errorf("in another format: %v", err)
	}
}

// TestDataBounds is the like for Data that lies apart, and tells whose it is.
func TestDataBounds(t *testing.T) {
	e, key := sample(true)
	for n, whole := range map[int]bool{0: true, 1: true, store.MaxData: true, store.MaxData + 1: false} {
		e.Data = make([]byte, n)
		data, mine, err := e.decodeData(key, e.encodeData(key))
		if whole != (err == nil) || mine != whole || whole && len(data) != n || err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%d bytes: %d, %v, %v", n, len(data), mine, err)
		}
	}
	e.Data = []byte("data")
	b := e.encodeData(key)
	for n := range len(b) {
		cut := bytes.Clone(b[:n])
		if n >= 4 && n < dataHeaderLen {
			binary.BigEndian.PutUint32(cut, sum(key, cut, 0))
		}
		if data, mine, err := e.decodeData(key, cut); !errors.Is(err, store.ErrCorrupt) || mine || data != nil {
			t.Errorf("%d bytes: %v, %v", n, mine, err)
		}
	}
	older, foreign := e, e
	older.Version--
	foreign.Writer[0]++
	for _, other := range []entry{older, foreign} {
		if _, mine, err := e.decodeData(key, other.encodeData(key)); mine || err != nil {
			t.Errorf("of version %d by %v: mine %v, %v", other.Version, other.Writer, mine, err)
		}
	}
}

// TestInstants wants a guard's or a clock's value whole.
func TestInstants(t *testing.T) {
	key := []byte("key")
	b := encodeInstant(key, 42)
	if at, ok := decodeInstant(key, b); !ok || at != 42 {
		t.Error(at, ok)
	}
	for _, other := range [][]byte{nil, b[:4], b[:instantLen-1], append(bytes.Clone(b), 0)} {
		if len(other) >= 4 {
			other = bytes.Clone(other)
			binary.BigEndian.PutUint32(other, sum(key, other, 0))
		}
		if _, ok := decodeInstant(key, other); ok {
			t.Errorf("%d bytes pass", len(other))
		}
	}
}

// TestExactMemory wants each key and value in one allocation of its very length.
func TestExactMemory(t *testing.T) {
	for _, apart := range []bool{false, true} {
		e, key := sample(apart)
		e.Data = make([]byte, 500)
		for what, b := range map[string][]byte{"entry": e.encode(key), "data": e.encodeData(key), "instant": encodeInstant(key, 1)} {
			if cap(b) != len(b) {
				t.Errorf("%s of %d bytes, apart %v: has %d", what, len(b), apart, cap(b))
			}
		}
	}
	e := engine{root: strings.Repeat("x", 100)}
	if k := e.expiryKey(1, &store.Key{}); cap(k) != len(k) {
		t.Errorf("the longest key, of %d bytes, has %d", len(k), cap(k))
	}
}

// TestSums adds to an instant, and not beyond the last one.
func TestSums(t *testing.T) {
	for _, c := range [][3]int64{{1, 2, 3}, {never - 2, 1, never - 1}, {never - 2, 2, never}, {never - 2, 3, never}, {never, never, never}} {
		if got := add(c[0], c[1]); got != c[2] {
			t.Errorf("%d + %d = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// TestSpan wants the bounds of what begins with some bytes, the last of which may be the highest.
func TestSpan(t *testing.T) {
	e := engine{root: "p\x00"}
	for part, want := range map[string]string{"": "p\x00t", "a": "p\x00sb", "a\xff": "p\x00sb", "\xff\xff": "p\x00t", "\xfe": "p\x00s\xff"} {
		if from, to := e.span(kindRecord, []byte(part)); string(from) != "p\x00s"+part || string(to) != want {
			t.Errorf("%q: from %q to %q", part, from, to)
		}
	}
}

// TestLockEnded takes a free lock with a context that has ended, often: it is never had, and stays
// free.
func TestLockEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{seed: maphash.MakeSeed()}
		for i := range e.locks {
			e.locks[i] = make(chan struct{}, 1)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 200 {
			if w, err := e.lock(ctx, &store.Tag{}); w != nil || !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Fatalf("got it: %v, %v", w != nil, err)
			}
		}
		for i := range e.locks {
			if len(e.locks[i]) > 0 {
				t.Error("it is kept")
			}
		}
	})
}
