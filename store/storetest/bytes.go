package storetest

import (
	"bytes"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

var byteClauses = []clause{
	{"alias-in", "what is handed in may be reused as soon as the call has returned", aliasIn},
	{"alias-out", "what Get hands out belongs to the caller", aliasOut},
	{"alias-list", "what User and All yield may be kept and changed, during the walk and after it", aliasList},
	{"data-sizes", "Data of 0 bytes to 1 MiB, and Meta of 0 bytes to 1 KiB, come back whole", dataSizes},
	{"data-binary", "Data and Meta are any bytes, in every write", dataBinary},
	{"data-empty", "nil and empty bytes are the same", dataEmpty},
	{"keys", "keys are any bytes; records at different keys are different, of one tag or one ID", keysApart},
}

// scribble overwrites what a caller may well overwrite.
func scribble(recs ...store.Record) {
	for _, rec := range recs {
		for _, b := range [][]byte{rec.Meta, rec.Data} {
			b = b[:cap(b)]
			for i := range b {
				b[i] ^= 0xa5
			}
		}
	}
}

// own returns rec with bytes that nobody else holds.
func own(rec store.Record) store.Record {
	rec.Meta, rec.Data = bytes.Clone(rec.Meta), bytes.Clone(rec.Data)
	return rec
}

func aliasIn(k *kit) {
	rec := k.fresh(k.name())
	check := func(key store.Key, want store.Record, after string) {
		got := k.live(key, after)
		if !bytes.Equal(got.Meta, want.Meta) || !bytes.Equal(got.Data, want.Data) {
			k.failf("%s, what the caller did to his bytes changed the record", after)
		}
	}
	in := own(rec)
	k.ok("create", k.insert(in))
	scribble(in)
	check(rec.Key, rec, "after create")

	change := k.edit(rec)
	in = own(change)
	k.ok("update", k.update(in, 1))
	scribble(in)
	check(rec.Key, change, "after update")

	next, tail := k.edit(k.heir(rec)), k.tailOf(rec)
	in, inTail := own(next), own(*tail)
	k.ok("rotate", k.rotate(rec.Key, 2, in, &inTail))
	scribble(in, inTail)
	check(next.Key, next, "after rotate")
	check(rec.Key, *tail, "after rotate, in the tail")

	only := []store.Handle{next.Handle}
	k.revoked("revoke", rec.User, store.Selection{Only: only}, 1)
	if only[0] != next.Handle {
		k.failf("revoke changed the selection")
	}
}

func aliasOut(k *kit) {
	rec := k.add(k.fresh(k.name()))
	want := own(rec)
	scribble(rec)
	kept := k.live(rec.Key, "after its bytes were changed outside")
	k.same("after its bytes were changed outside", kept, want)
	// What was handed out stays as it was, whatever happens to the record.
	for v := range uint64(5) {
		k.ok("update", k.update(k.edit(kept), v+1))
		k.add(k.fresh(rec.User))
	}
	k.same("in the hands of a caller, after updates", kept, want)
	last := k.live(rec.Key, "after update")
	want = own(last)
	k.ok("delete", k.delete(rec.Key))
	k.addN(3, rec.User)
	k.same("in the hands of a caller, after delete", last, want)
}

func aliasList(k *kit) {
	recs := k.addN(5, k.name())
	for i := range recs {
		recs[i] = own(recs[i]) // else a store that shares its bytes would be compared with itself
	}
	for what, yield := range map[string]func() []store.Record{
		"User": func() []store.Record { return k.list(recs[0].User) },
		"All":  func() []store.Record { return k.all(keys(recs)...) },
	} {
		kept := yield()
		for _, rec := range recs {
			got := find(kept, rec.Key)
			if got == nil {
				k.failf("%s does not yield a live record", what)
			}
			if !bytes.Equal(got.Meta, rec.Meta) || got.Handle != rec.Handle {
				k.failf("%s reuses the bytes of a record that it has yielded", what)
			}
		}
		scribble(kept...)
		for _, rec := range recs {
			k.same("after bytes from "+what+" were changed outside", k.live(rec.Key, "after "+what), rec)
		}
	}
}

// pattern returns n bytes of which none is like its neighbours for long, so that lost, doubled and
// cut blocks show.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func dataSizes(k *kit) {
	user := k.name()
	for i, size := range []int{0, 1, 1 << 10, 64 << 10, store.MaxData - 1, store.MaxData} {
		rec := k.fresh(user)
		rec.Data = pattern(size)
		rec.Meta = pattern([]int{0, 1, 255, 256, store.MaxMeta - 1, store.MaxMeta}[i])
		got := k.add(rec)
		if !bytes.Equal(got.Data, rec.Data) || !bytes.Equal(got.Meta, rec.Meta) {
			k.failf("%d bytes of Data and %d of Meta came back as %d and %d, or changed", size, len(rec.Meta), len(got.Data), len(got.Meta))
		}
		change := rec
		change.Writer, change.Data = writer(), pattern(size/2)
		k.ok("update", k.update(change, 1))
		if got := k.live(rec.Key, "after update"); !bytes.Equal(got.Data, change.Data) {
			k.failf("%d bytes that replaced %d came back as %d, or changed", size/2, size, len(got.Data))
		}
		for what, l := range map[string][]store.Record{"User": k.list(user), "All": k.all(rec.Key)} {
			got := find(l, rec.Key)
			if got == nil || !bytes.Equal(got.Meta, rec.Meta) || len(got.Data) > 0 {
				k.failf("%s does not yield a record with %d bytes of Meta as it is, without Data", what, len(rec.Meta))
			}
		}
		k.ok("delete", k.delete(rec.Key))
	}
}

func dataBinary(k *kit) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	samples := [][]byte{every, {0}, {0, 0, 0}, {0xff, 0xfe}, []byte("\r\n'\";\\%_{}$1?\x00end"), []byte("\xef\xbb\xbfBOM \xc3("), []byte("  space "), []byte("null"), []byte(`\x00ff`)}
	for _, b := range samples {
		rec := k.fresh(k.name())
		rec.Data, rec.Meta = bytes.Clone(b), bytes.Clone(b)
		if got := k.add(rec); !bytes.Equal(got.Data, b) || !bytes.Equal(got.Meta, b) {
			k.failf("the bytes %q came back as Data %q and Meta %q", b, got.Data, got.Meta)
		}
		came := func(key store.Key, by string) {
			if got := k.live(key, "after "+by); !bytes.Equal(got.Data, b) || !bytes.Equal(got.Meta, b) {
				k.failf("the bytes %q of %s came back as Data %q and Meta %q", b, by, got.Data, got.Meta)
			}
		}
		plain := k.fresh(rec.User)
		k.ok("create", k.insert(plain))
		next, tail := k.heir(rec), k.tailOf(plain)
		change := plain
		change.Writer, change.Data, change.Meta = writer(), bytes.Clone(b), bytes.Clone(b)
		k.ok("update", k.update(change, 1))
		came(plain.Key, "an update")
		tail.Data, tail.Meta = bytes.Clone(b), bytes.Clone(b)
		k.ok("rotate", k.rotate(plain.Key, 2, next, tail))
		came(next.Key, "a rotate")
		came(plain.Key, "a tail")
	}
}

func dataEmpty(k *kit) {
	for _, empty := range [][]byte{nil, {}} {
		rec := k.fresh(k.name())
		rec.Data, rec.Meta = empty, empty
		got := k.add(rec)
		if len(got.Data)+len(got.Meta) > 0 {
			k.failf("empty bytes came back as %q and %q", got.Data, got.Meta)
		}
		if l := k.list(rec.User); len(l) != 1 || len(l[0].Meta) > 0 {
			k.failf("User yields %d records, want one without Meta", len(l))
		}
		change := rec
		change.Writer = writer()
		k.ok("update", k.update(change, 1))
		k.live(rec.Key, "of an empty record after update")
	}
}

// keysApart uses IDs that sort and end awkwardly.
func keysApart(k *kit) {
	var zero, ones store.ID
	for i := range ones {
		ones[i] = 0xff
	}
	ids := []store.ID{zero, ones}
	for i := range 4 {
		id := zero
		id[31-i] = 1
		ids = append(ids, id)
		id = ones
		id[31-i] = 0
		ids = append(ids, id)
	}
	user := k.name()
	other := k.fresh("") // a stray tag beside the user's
	var recs []store.Record
	for _, id := range ids {
		for _, rec := range k.freshN(2, user) {
			rec.Key.ID = id
			if len(recs)%2 == 1 {
				rec.User, rec.Key.Tag = "", other.Key.Tag
			}
			recs = append(recs, k.add(rec))
		}
	}
	for i, rec := range recs {
		k.same(fmt.Sprintf("at key %d of many", i), k.live(rec.Key, "among others"), rec)
	}
	if n := len(k.list(user)); n != len(ids) {
		k.failf("User yields %d of %d records", n, len(ids))
	}
	if n := len(k.all(keys(recs)...)); n != len(recs) {
		k.failf("All yields %d of %d records", n, len(recs))
	}
	for i, rec := range recs {
		k.ok("delete", k.delete(rec.Key))
		for _, left := range recs[i+1:] {
			k.live(left.Key, "after the delete of another key")
		}
	}
}
