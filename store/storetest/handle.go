package storetest

import (
	"github.com/sojourn-go/sojourn/store"
)

var handleClauses = []clause{
	{"handle-moves", "Revoke goes by the handle that a record has now: a Rotate may change it, an Update never does", handleMoves},
	{"handle-tail", "a tail may carry its session's handle: it is no second session by it, and no Revoke meets it", handleTail},
	{"handle-gone", "a handle whose record has ended, in whatever way, names nothing, until another record has it", handleGone},
	{"handle-evict", "Create tells the handles that the evicted records have now", handleEvict},
	{"tail-nobody", "whatever is written to a tail, it never becomes its user's session", tailNobody},
}

func only(hs ...store.Handle) store.Selection   { return store.Selection{Only: hs} }
func except(hs ...store.Handle) store.Selection { return store.Selection{Except: hs} }

func handleMoves(k *kit) {
	for _, withTail := range []bool{false, true} {
		user := k.name()
		rec, other := k.add(k.fresh(user)), k.add(k.fresh(user))
		first := rec.Handle
		change := k.edit(rec)
		change.Handle = k.fresh("").Handle
		k.ok("update with another handle", k.update(change, 1))
		k.revoked("revoke by a handle that an update gave", user, only(change.Handle), 0)
		var tail *store.Record
		if withTail {
			tail = k.tailOf(rec)
			tail.Handle = first
		}
		next := k.heir(rec)
		next.Handle = k.fresh("").Handle
		k.ok("rotate to another handle", k.rotate(rec.Key, 2, next, tail))
		k.revoked("revoke by the handle before the rotation", user, only(first), 0)
		k.live(next.Key, "after a revoke by the handle before its rotation")
		k.revoked("revoke of all but the handle after the rotation", user, except(next.Handle), 1)
		k.absent(other.Key, "after a revoke that spares another")
		last := k.heir(next)
		k.ok("rotate again", k.rotate(next.Key, 3, last, nil))
		k.revoked("revoke by the handle after the rotations", user, only(first, next.Handle), 1)
		k.dead(last, "after a revoke by the handle that it got in a rotation")
		if withTail {
			k.live(rec.Key, "of a tail, after a revoke by its handle")
		}
		again := k.fresh(user)
		again.Handle = first
		again = k.add(again)
		k.revoked("revoke of all but the handle before the rotation", user, except(next.Handle), 1)
		k.absent(again.Key, "after a revoke that spares the handle of none")
	}
}

func handleTail(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	keys := []store.Key{}
	for v := uint64(1); v <= 3; v++ { // a chain of tails with one handle
		tail := k.tailOf(rec)
		tail.Handle = rec.Handle
		next := k.heir(rec)
		k.ok("rotate", k.rotate(rec.Key, v, next, tail))
		keys = append(keys, rec.Key)
		next.Version = v + 1
		rec = next
	}
	if l := k.list(user); len(l) != 1 || l[0].Key != rec.Key {
		k.failf("beside tails with its handle, User yields %d records, want the session alone", len(l))
	}
	if n := len(k.all(append(keys, rec.Key)...)); n != 4 {
		k.failf("All yields %d of a session and its 3 tails", n)
	}
	_, err := k.create(k.fresh(user), store.Admission{Max: 2})
	k.ok("second create at a limit of 2, beside tails with a session's handle", err)
	k.revoked("revoke of all but a session with tails", user, except(rec.Handle), 1)
	k.live(rec.Key, "after a revoke that spares it")
	k.revoked("revoke by a handle that tails carry, too", user, only(rec.Handle), 1)
	k.absent(rec.Key, "after a revoke by its handle")
	for _, key := range keys {
		if got := k.live(key, "of a tail, after its session was revoked"); got.Handle != rec.Handle || got.User != "" {
			k.failf("after a revoke of its session, a tail has changed")
		}
	}
	k.revoked("revoke by a handle that tails alone carry", user, only(rec.Handle), 0)
	if n := len(k.list(user)); n > 0 {
		k.failf("tails alone are listed as %d sessions", n)
	}
	k.revoked("revoke of a user who has tails alone", user, store.Selection{}, 0)
	k.live(keys[0], "of a tail, after its user was revoked")
}

func handleGone(k *kit) {
	ends := map[string]func(store.Record){
		"deleted": func(rec store.Record) { k.ok("delete", k.delete(rec.Key)) },
		"revoked": func(rec store.Record) { k.revoked("revoke", rec.User, only(rec.Handle), 1) },
		"evicted": func(rec store.Record) {
			_, err := k.create(k.fresh(rec.User), store.Admission{Max: 1, Evict: true})
			k.ok("create with eviction", err)
		},
		"ended by an update": func(rec store.Record) {
			change := k.edit(rec)
			change.Lifetime = 1
			k.ok("update to no life", k.update(change, 1))
		},
		"ended by a rotation to a tail with its handle": func(rec store.Record) {
			next, tail := k.heir(rec), k.tailOf(rec)
			next.Lifetime, tail.Handle = 1, rec.Handle
			k.ok("rotate to no life", k.rotate(rec.Key, 1, next, tail))
		},
		"expired": func(rec store.Record) {
			change := k.edit(rec)
			change.Idle, change.Lifetime = k.unit, 0
			k.ok("update", k.update(change, 1))
			k.sleep(k.unit + k.tick)
		},
	}
	for what, end := range ends {
		rec := k.add(k.fresh(k.name()))
		k.sleep(k.tick)
		end(rec)
		others := k.list(rec.User)
		k.revoked("revoke by the handle of a record that was "+what, rec.User, only(rec.Handle), 0)
		if n := len(k.list(rec.User)); n != len(others) {
			k.failf("a revoke by the handle of a record that was %s left %d of %d others", what, n, len(others))
		}
		again := k.fresh(rec.User)
		again.Handle = rec.Handle
		again = k.add(again)
		if find(k.list(rec.User), again.Key) == nil {
			k.failf("User does not yield a record with the handle of one that was %s", what)
		}
		k.revoked("revoke by the handle of a record that was "+what+", which another has now", rec.User, only(rec.Handle), 1)
		k.absent(again.Key, "after a revoke by its handle")
	}
}

func handleEvict(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	moved, tail := k.heir(rec), k.tailOf(rec)
	moved.Created, moved.Handle, tail.Handle = rec.Created, k.fresh("").Handle, rec.Handle
	k.ok("rotate", k.rotate(rec.Key, 1, moved, tail))
	k.sleep(k.unit / 10)
	evicted, err := k.create(k.fresh(user), store.Admission{Max: 1, Evict: true})
	k.ok("create with eviction", err)
	if len(evicted) != 1 || evicted[0] != moved.Handle {
		k.failf("create tells %d handles, not that alone which the evicted record had at last", len(evicted))
	}
	k.absent(moved.Key, "after it was evicted")
	k.live(rec.Key, "of a tail, after its session was evicted")
	if n := len(k.list(user)); n != 1 {
		k.failf("after an eviction at a limit of 1, %d records are listed", n)
	}
}

func tailNobody(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	tail, next := k.tailOf(rec), k.heir(rec)
	tail.Handle = rec.Handle
	k.ok("rotate", k.rotate(rec.Key, 1, next, tail))
	version := uint64(2)
	attempts := map[string]func(){
		"an update with the user": func() {
			change := k.edit(rec)
			k.ok("update of a tail with the user", k.update(change, version))
			version++
		},
		"a touch with the user": func() { k.ok("touch", k.answer("Touch", k.s.Touch(k.ctx, rec, 0))) },
		"a create at its key": func() {
			again := k.fresh(user)
			again.Key = rec.Key
			k.is(store.ErrExists, "create at a tail", k.insert(again))
		},
		"the create of its session, again,": func() { k.is(store.ErrExists, "the create of a session, sent again, where its tail is", k.insert(rec)) },
		"a rotation to the user": func() {
			k.is(store.ErrInvalid, "rotate of a tail, which is nobody's, to the user", k.rotate(rec.Key, version, k.heir(rec), nil))
		},
		"a rotation of the session to it": func() {
			onto := k.heir(next)
			onto.Key = rec.Key
			k.is(store.ErrExists, "rotate to a tail", k.rotate(next.Key, 2, onto, nil))
		},
		"the same rotation again": func() { k.ok("the same rotate again", k.rotate(rec.Key, 1, next, tail)) },
	}
	for what, attempt := range attempts {
		attempt()
		if got := k.live(rec.Key, "of the tail after "+what); got.User != "" || got.Version != version {
			k.failf("after %s a tail has the user %v, version %d, want nobody and %d", what, got.User != "", got.Version, version)
		}
		if l := k.list(user); len(l) != 1 || l[0].Key != next.Key {
			k.failf("after %s to a tail, User yields %d records, want the session alone", what, len(l))
		}
		_, err := k.create(k.fresh(user), store.Admission{Max: 1})
		k.is(store.ErrLimit, "create at a limit of 1 after "+what, err)
	}
	// It may be rotated as nobody's, and stays nobody's.
	moved := k.heir(rec)
	moved.User = ""
	k.ok("rotate of a tail", k.rotate(rec.Key, version, moved, nil))
	k.revoked("revoke after "+"a tail was rotated", user, store.Selection{}, 1)
	if got := k.live(moved.Key, "of a tail that was rotated, after revoke"); got.User != "" {
		k.failf("a tail that was rotated has a user")
	}
}
