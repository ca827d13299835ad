package storetest

import (
	"bytes"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

var sizeClauses = []clause{
	{"size-edges", "Data and Meta of every size come back whole from every write: Create, Update, Rotate and its tail", sizeEdges},
	{"size-changes", "nothing of longer bytes is left where shorter ones or none replace them, nor at a key that is used again", sizeChanges},
}

// sizes are edges of what careless code and engines count with.
func (k *kit) sizes() (ns []int) {
	at := []int{0, 128, 256, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, store.MaxData}
	if k.exact {
		at = []int{0, 128, 256, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 96 << 10, 128 << 10, 256 << 10, 512 << 10, store.MaxData}
	}
	for _, n := range at {
		for _, d := range []int{-1, 0, 1} {
			if n+d >= 0 && n+d <= store.MaxData {
				ns = append(ns, n+d)
			}
		}
	}
	// All parts of a record may lie in one value, with some bytes before it.
	for _, more := range []int{16, 24, 32, 48, 64, 80, 96, 128, store.MaxUser, store.MaxMeta, store.MaxMeta + store.MaxUser} {
		if k.exact || more > 128 {
			ns = append(ns, 64<<10-more)
		}
	}
	return ns
}

// metas are lengths of Meta; sizes of Data go through them in turn.
var metas = []int{0, 1, 127, 128, 255, 256, 257, 511, 513, store.MaxMeta - 1, store.MaxMeta}

// whole fails unless what is stored at a key has the bytes of want.
func (k *kit) whole(what string, key store.Key, want store.Record) {
	got := k.live(key, "after "+what)
	if !bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Meta, want.Meta) {
		k.failf("after %s, %d bytes of Data and %d of Meta came back as %d and %d, or changed",
			what, len(want.Data), len(want.Meta), len(got.Data), len(got.Meta))
	}
}

func sizeEdges(k *kit) {
	ns := k.sizes()
	k.spread(len(ns), func(i int) {
		n := ns[i]
		with := func(rec store.Record, shift int) store.Record {
			m := metas[(i+shift)%len(metas)]
			rec.Data, rec.Meta = pattern(n)[:n:n], pattern(m + shift)[shift:]
			return rec
		}
		user := k.name()
		if i%5 == 0 {
			user += string(pattern(store.MaxUser - len(user)))
		}
		rec := with(k.fresh(user), 0)
		k.ok("create", k.insert(rec))
		k.whole("create", rec.Key, rec)
		k.ok("the same create again", k.insert(rec))
		change := with(k.edit(rec), 1)
		k.ok("update", k.update(change, 1))
		k.whole("update", rec.Key, change)
		next, tail := with(k.heir(rec), 2), with(*k.tailOf(rec), 3)
		if n > 0 {
			tail.Data[0]++ // another one than the record's
		}
		k.ok("rotate", k.rotate(rec.Key, 2, next, &tail))
		k.whole("rotate", next.Key, next)
		k.whole("rotate, in the tail", rec.Key, tail)
		k.ok("touch", k.touch(next.Key, 0))
		k.whole("touch", next.Key, next)
		if l := k.list(user); len(l) != 1 || !bytes.Equal(l[0].Meta, next.Meta) || len(l[0].Data) > 0 {
			k.failf("User does not yield a record with %d bytes of Meta and %d of Data as it is, without Data", len(next.Meta), n)
		}
		k.ok("delete of the tail", k.delete(rec.Key))
		k.whole("delete of the tail", next.Key, next)
		k.ok("delete", k.delete(next.Key))
	})
}

// sizeChanges goes from each length to each, in every write.
func sizeChanges(k *kit) {
	ns := []int{0, 1, 100, 5 << 10, 64<<10 + 1}
	empty := [][]byte{nil, {}}
	for i, from := range ns {
		for j, to := range ns {
			what := func(write string) string { return fmt.Sprintf("%s, from %d bytes to %d", write, from, to) }
			with := func(rec store.Record, n int) store.Record {
				rec.Data, rec.Meta = pattern(n), pattern(n%700)
				if n == 1 { // no UTF-8
					rec.Data, rec.Meta = []byte{0xda}, []byte{0xda}
				}
				if n == 0 {
					rec.Data, rec.Meta = empty[i%2], empty[(i+j)%2]
				}
				return rec
			}
			user := k.name()
			rec := with(k.fresh(user), from)
			k.ok("create", k.insert(rec))
			change := with(k.edit(rec), to)
			k.ok("update", k.update(change, 1))
			k.whole(what("update"), rec.Key, change)
			next, tail := with(k.heir(rec), from), with(*k.tailOf(rec), from)
			k.ok("rotate", k.rotate(rec.Key, 2, next, &tail))
			k.whole(what("rotate back"), next.Key, next)
			k.whole(what("rotate back, in the tail"), rec.Key, tail)
			last, left := with(k.heir(next), to), with(*k.tailOf(next), from)
			k.ok("rotate", k.rotate(next.Key, 3, last, &left))
			k.whole(what("rotate"), last.Key, last)
			k.whole(what("rotate, in the tail"), next.Key, left)
			k.ok("delete of the tail", k.delete(next.Key))
			// Keys that were left are used again.
			again := with(k.fresh(user), from)
			again.Key = next.Key
			k.ok("create", k.insert(again))
			k.whole(what("create where another was rotated away"), again.Key, again)
			k.ok("delete", k.delete(last.Key))
			back := with(k.fresh(user), from)
			back.Key = last.Key
			k.ok("create", k.insert(back))
			k.whole(what("create where another was deleted"), back.Key, back)
			k.revoked("revoke", user, store.Selection{}, 2)
			back = with(k.fresh(user), to)
			back.Key = last.Key
			k.ok("create", k.insert(back))
			k.whole(what("create where another was revoked"), back.Key, back)
			change = with(k.edit(tail), to)
			k.ok("update of the tail", k.update(change, 3))
			k.whole(what("update of a tail"), rec.Key, change)
		}
	}
}
