package storetest

import (
	"encoding/base64"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

var nearClauses = []clause{
	{"near-key", "a key is compared whole: at one that is like a live record's no method finds it, and Create and Rotate insert another record", nearKey},
	{"near-handle", "a handle is compared whole, zero is one like any other, and two records may have the same", nearHandle},
	{"near-version", "a version is compared whole: one that shares some of its bits is ErrConflict", nearVersion},
	{"near-writer", "a writer is compared whole: a write by one that is like it was not sent before", nearWriter},
}

// nearly is what careless comparing takes for nothing.
var nearly = []struct {
	what string
	base func(b []byte) // makes it possible
	near func(b []byte)
}{
	{"the first byte", nil, func(b []byte) { b[0] ^= 1 }},
	{"the last byte", nil, func(b []byte) { b[len(b)-1] ^= 1 }},
	{"the second half", nil, func(b []byte) {
		for i := len(b) / 2; i < len(b); i++ {
			b[i] ^= 0xff
		}
	}},
	{"the case of a letter", func(b []byte) { b[3] = 'a' }, func(b []byte) { b[3] = 'A' }},
	{"the case of a letter of its base64", func(b []byte) { base64.StdEncoding.Decode(b[:3], []byte("Sojo")) }, func(b []byte) { base64.StdEncoding.Decode(b[:3], []byte("SoJo")) }},
	{"what follows a zero byte", func(b []byte) { b[4] = 0 }, func(b []byte) { b[5] ^= 0x55 }},
}

// base makes b such that all of nearly apply.
func base(b []byte) {
	for _, n := range nearly {
		if n.base != nil {
			n.base(b)
		}
	}
}

// nearKeys are keys that differ from key in a part of the ID or of the tag.
func nearKeys(key store.Key) map[string]store.Key {
	ks := map[string]store.Key{}
	for _, n := range nearly {
		near := key
		n.near(near.ID[:])
		ks[n.what+" of the ID"] = near
	}
	for _, i := range []int{0, 2, 1} {
		near := key
		nearly[i].near(near.Tag[:])
		ks[nearly[i].what+" of the tag"] = near
	}
	return ks
}

func nearKey(k *kit) {
	rec := k.fresh("") // nobody's, so that any tag will do
	base(rec.Key.ID[:])
	rec = k.add(rec)
	for what, key := range nearKeys(rec.Key) {
		when := "at a key that differs from a live record's in " + what
		near := k.fresh("")
		near.Key, near.Version = key, 1
		k.absent(key, when)
		k.is(store.ErrNotFound, "update "+when, k.update(near, 1))
		k.is(store.ErrNotFound, "touch "+when, k.touch(key, 0))
		k.is(store.ErrNotFound, "rotate "+when, k.rotate(key, 1, k.heir(near), nil))
		k.ok("delete "+when, k.delete(key))
		k.ok("create "+when, k.insert(near))
		got := k.live(key, when)
		near.Created, near.Seen = got.Created, got.Seen
		k.same(when, got, near)
		k.ok("delete "+when, k.delete(key))
		other := k.fresh("")
		other.Key.Tag = key.Tag
		k.ok("create", k.insert(other))
		next := k.edit(other)
		next.Key = key
		k.ok("rotate to a key that differs from a live record's in "+what, k.rotate(other.Key, 1, next, nil))
		k.live(key, when)
		k.ok("delete "+when, k.delete(key))
		k.same("beside a key that differs in "+what, k.live(rec.Key, "beside a key that differs in "+what), rec)
	}
}

func nearHandle(k *kit) {
	rec := k.fresh(k.name())
	base(rec.Handle[:])
	user := rec.User
	others := map[string]store.Record{}
	for _, n := range nearly {
		near := k.fresh(user)
		near.Handle = rec.Handle
		n.near(near.Handle[:])
		others[n.what] = near
		k.revoked("revoke by a handle that no record has", user, only(near.Handle), 0)
		k.ok("create", k.insert(near))
	}
	zero := k.fresh(user)
	k.revoked("revoke by the handle zero, which no record has", user, only(store.Handle{}), 0)
	zero.Handle = store.Handle{}
	others["all, and is zero"] = zero
	k.ok("create with the handle zero", k.insert(zero))
	rec = k.add(rec)
	k.revoked("revoke by a handle among others that are like it", user, only(rec.Handle), 1)
	for what, other := range others {
		k.live(other.Key, "after a revoke by a handle that differs from its own in "+what)
		again := rec
		again.Key, again.Writer = k.heir(rec).Key, writer()
		k.ok("create", k.insert(again))
		k.revoked("revoke by a handle that differs from another in "+what, user, only(other.Handle), 1)
		k.live(again.Key, "after a revoke by a handle that differs from its own in "+what)
		k.ok("create", k.insert(other))
		k.revoked("revoke of all but a handle, beside one that differs from it in "+what, user, except(other.Handle), len(others))
		k.live(other.Key, "after a revoke that spares its handle")
		for _, r := range others {
			if r.Key != other.Key {
				k.ok("create", k.insert(r))
			}
		}
	}
	k.sameHandle()
	// A rotation takes the handle zero as given.
	moved := k.heir(rec)
	moved.Handle = store.Handle{}
	k.ok("create", k.insert(rec))
	k.ok("rotate to the handle zero", k.rotate(rec.Key, 1, moved, nil))
	if got := k.live(moved.Key, "after rotate").Handle; got != moved.Handle {
		k.failf("a rotate to the handle zero left %v", got)
	}
}

// sameHandle has records with one handle, of a user, of another and of nobody.
func (k *kit) sameHandle() {
	user := k.name()
	first, second, other := k.fresh(user), k.fresh(user), k.fresh(k.name())
	second.Handle, other.Handle = first.Handle, first.Handle
	tail := k.tailOf(k.add(first))
	tail.Handle = first.Handle
	moved := k.heir(first)
	k.ok("rotate", k.rotate(first.Key, 1, moved, tail))
	k.add(second)
	k.add(other)
	k.listed(user, "with the same handle", moved.Key, second.Key)
	if n := len(k.all(moved.Key, second.Key, other.Key, first.Key)); n != 4 {
		k.failf("of 4 records with the same handle, All yields %d", n)
	}
	k.is(store.ErrLimit, "create at a limit of 2, beside two records with the same handle", k.limited(user, 2))
	k.ok("delete of a tail", k.delete(first.Key))
	k.live(moved.Key, "after the delete of its tail, which has its handle")
	k.ok("delete", k.delete(second.Key))
	k.live(moved.Key, "after the delete of another record with its handle")
	k.ok("create", k.insert(second))
	k.revoked("revoke by the handle of two records", user, only(first.Handle), 2)
	k.live(other.Key, "after another user's records with the same handle were revoked")
}

// farVersions are those that careless code takes for v: it keeps some of the bits, or has its own
// meaning for the ends of the range.
func farVersions(v uint64) []uint64 {
	return []uint64{0, v - 1, v + 1, v + 16, v + 1<<8, v + 1<<16, v + 1<<31, v + 1<<32, v + 1<<53, v + 1<<62, v + 1<<63, 1<<63 - 1, 1<<64 - 1}
}

func nearVersion(k *kit) {
	rec := k.add(k.fresh(k.name()))
	k.ok("update", k.update(k.edit(rec), 1))
	rec = k.live(rec.Key, "after update")
	for _, version := range farVersions(2) {
		k.is(store.ErrConflict, fmt.Sprintf("update for version %d of a record with version 2", version), k.update(k.edit(rec), version))
		k.is(store.ErrConflict, fmt.Sprintf("rotate for version %d of a record with version 2", version), k.rotate(rec.Key, version, k.heir(rec), k.tailOf(rec)))
	}
	k.same("after refused writes", k.live(rec.Key, "after refused writes"), rec)
	for _, version := range []uint64{1<<63 - 1, 1<<64 - 1} {
		gone := k.heir(rec)
		k.is(store.ErrNotFound, "update of nothing, for a version beyond all", k.update(gone, version))
		k.is(store.ErrNotFound, "rotate of nothing, for a version beyond all", k.rotate(gone.Key, version, k.heir(rec), nil))
	}
}

func nearWriter(k *kit) {
	for _, n := range nearly {
		rec := k.fresh(k.name())
		base(rec.Writer[:])
		like := func(r store.Record) store.Record { n.near(r.Writer[:]); return r }
		when := " by a writer that differs in " + n.what
		k.ok("create", k.insert(rec))
		k.is(store.ErrExists, "create"+when, k.insert(like(rec)))
		change := k.edit(rec)
		change.Writer = rec.Writer
		k.ok("update", k.update(change, 1))
		k.is(store.ErrConflict, "update"+when, k.update(like(change), 1))
		next, tail := k.heir(rec), k.tailOf(rec)
		next.Writer, tail.Writer = rec.Writer, rec.Writer
		k.ok("rotate", k.rotate(rec.Key, 2, next, nil))
		k.is(store.ErrNotFound, "rotate"+when, k.rotate(rec.Key, 2, like(next), nil))
	}
}
