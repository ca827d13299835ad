package storetest

import (
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var rotateClauses = []clause{
	{"rotate", "Rotate ends the record at old and inserts rec with Version ifVersion+1", rotate},
	{"rotate-conflict", "Rotate with another version is ErrConflict and writes nothing", rotateConflict},
	{"rotate-exists", "Rotate to a live key is ErrExists and writes nothing", rotateExists},
	{"rotate-replay", "the same Rotate sent again is nil and is applied once, with a tail and without", rotateReplay},
	{"rotate-tail", "a tail is left at old with the new record's Version and what it was given, and may be updated and deleted", rotateTail},
	{"rotate-tail-apart", "a tail belongs to nobody: not listed, not counted in limits, not revoked, not to be rotated again by its old version", rotateTailApart},
	{"rotate-tail-expiry", "a tail expires by itself", rotateTailExpiry},
	{"rotate-created", "Rotate keeps a Created that it is given, so that a renewed session keeps its age", rotateCreated},
	{"rotate-invalid", "Rotate refuses keys, users and tails that do not fit together, and writes nothing", rotateInvalid},
	{"rotate-step", "Rotate is one step: at no instant are both keys live, or neither", rotateStep},
	{"rotate-ends", "Rotate to a record without life ends the old one, and leaves the tail", rotateEnds},
	{"rotate-race", "of many Rotates with the same version exactly one is applied, and the others get ErrConflict or ErrNotFound", rotateRace},
}

// tailOf returns a tail for the rotation of rec.
func (k *kit) tailOf(rec store.Record) *store.Record {
	tail := k.fresh("")
	tail.Key = rec.Key
	return &tail
}

func rotate(k *kit) {
	for _, user := range []string{k.name(), ""} {
		rec := k.add(k.fresh(user))
		next := k.edit(k.heir(rec))
		next.Idle, next.Handle = 20*k.unit, k.fresh("").Handle
		k.ok("rotate", k.rotate(rec.Key, 1, next, nil))
		got := k.live(next.Key, "after rotate")
		want := next
		want.Version, want.Seen = 2, got.Seen
		k.same("after rotate", got, want)
		k.absent(rec.Key, "at the old key after rotate")
		if user == "" {
			continue
		}
		if l := k.list(user); len(l) != 1 || l[0].Key != next.Key {
			k.failf("after rotate the user's list is not the new record alone (%d records)", len(l))
		}
		last := k.heir(got)
		k.ok("rotate again", k.rotate(next.Key, 2, last, nil))
		if v := k.live(last.Key, "after rotate").Version; v != 3 {
			k.failf("after two rotations the version is %d, want 3", v)
		}
	}
}

func rotateConflict(k *kit) {
	rec := k.add(k.fresh(k.name()))
	k.ok("update", k.update(k.edit(rec), 1))
	rec = k.live(rec.Key, "after update")
	for _, version := range []uint64{0, 1, 3} {
		next := k.heir(rec)
		k.is(store.ErrConflict, "rotate with another version", k.rotate(rec.Key, version, next, k.tailOf(rec)))
		k.same("after a refused rotate", k.live(rec.Key, "after a refused rotate"), rec)
		k.absent(next.Key, "at the new key after a refused rotate")
	}
}

func rotateExists(k *kit) {
	recs := k.addN(2, k.name())
	next := k.heir(recs[0])
	next.Key = recs[1].Key
	k.is(store.ErrExists, "rotate to a live key", k.rotate(recs[0].Key, 1, next, nil))
	for _, rec := range recs {
		k.same("after a refused rotate", k.live(rec.Key, "after a refused rotate"), rec)
	}
}

func rotateReplay(k *kit) {
	for _, withTail := range []bool{false, true} {
		rec := k.add(k.fresh(k.name()))
		var tail *store.Record
		if withTail {
			tail = k.tailOf(rec)
		}
		next := k.edit(k.heir(rec))
		k.ok("rotate", k.rotate(rec.Key, 1, next, tail))
		want := k.live(next.Key, "after rotate")
		k.ok("the same rotate again", k.rotate(rec.Key, 1, next, tail))
		k.same("after a repeated rotate", k.live(next.Key, "after a repeated rotate"), want)
		if n := len(k.list(rec.User)); n != 1 {
			k.failf("after a repeated rotate %d records are listed, want 1", n)
		}
		if !withTail {
			k.absent(rec.Key, "at the old key after a repeated rotate")
		}
	}
}

func rotateTail(k *kit) {
	rec := k.add(k.fresh(k.name()))
	k.ok("update", k.update(k.edit(rec), 1))
	tail := k.tailOf(rec)
	next := k.heir(rec)
	k.ok("rotate", k.rotate(rec.Key, 2, next, tail))
	got := k.live(rec.Key, "of the tail")
	want := *tail
	want.Version, want.Created, want.Seen = 3, got.Created, got.Seen
	k.same("in the tail", got, want)
	if v := k.live(next.Key, "after rotate").Version; v != 3 {
		k.failf("beside a tail, the new record has version %d, want 3", v)
	}
	change := k.edit(got)
	k.is(store.ErrConflict, "update of the tail for the version that was rotated", k.update(change, 2))
	k.ok("update of the tail", k.update(change, 3))
	k.ok("touch of the tail", k.touch(rec.Key, 0))
	k.ok("delete of the tail", k.delete(rec.Key))
	k.absent(rec.Key, "of the deleted tail")
	k.live(next.Key, "after its tail was deleted")
}

func rotateTailApart(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	k.ok("update", k.update(k.edit(rec), 1))
	next := k.heir(rec)
	k.ok("rotate", k.rotate(rec.Key, 2, next, k.tailOf(rec)))
	if l := k.list(user); len(l) != 1 || l[0].Key != next.Key {
		k.failf("with a tail, the user's list has %d records, want the new one alone", len(l))
	}
	if n := len(k.all(rec.Key, next.Key)); n != 2 {
		k.failf("All yields %d of a live record and its live tail", n)
	}
	stale := rec
	stale.Writer = writer()
	k.is(store.ErrConflict, "update, for the old version, where a tail is now", k.update(stale, 2))
	_, err := k.create(k.fresh(user), store.Admission{Max: 2})
	k.ok("second create at a limit of 2, beside a tail", err)
	evicted, err := k.create(k.fresh(user), store.Admission{Max: 3, Evict: true})
	if k.ok("third create at a limit of 3, beside a tail", err); len(evicted) > 0 {
		k.failf("a tail was counted in the limit")
	}
	k.revoked("revoke", user, store.Selection{}, 3)
	k.live(rec.Key, "of the tail after revoke")
}

func rotateTailExpiry(k *kit) {
	rec := k.add(k.fresh(k.name()))
	tail := k.tailOf(rec)
	tail.Lifetime = 2 * k.unit
	next := k.heir(rec)
	begun := time.Now()
	k.ok("rotate", k.rotate(rec.Key, 1, next, tail))
	answered := time.Now()
	k.sleep(k.unit)
	k.notEarly(tail.Key, begun, 2*k.unit)
	k.sleepUntil(answered.Add(k.late(2 * k.unit)))
	k.absent(tail.Key, "of the tail after its life")
	k.live(next.Key, "after its tail expired")
}

func rotateEnds(k *kit) {
	for _, withTail := range []bool{false, true} {
		rec := k.add(k.fresh(k.name()))
		k.sleep(k.unit)
		var tail *store.Record
		if withTail {
			tail = k.tailOf(rec)
		}
		next := k.heir(rec)
		next.Lifetime = 1 // over since long, for it counts from Created
		k.ok("rotate to a record without life", k.rotate(rec.Key, 1, next, tail))
		when := "after a rotate to a record without life"
		next.Version = 2
		k.dead(next, when)
		if !withTail {
			k.dead(rec, when)
			continue
		}
		if got := k.live(rec.Key, when); got.User != "" || got.Version != 2 || got.Handle != tail.Handle {
			k.failf("%s, what is at the old key is not the tail", when)
		}
		_, err := k.create(k.fresh(rec.User), store.Admission{Max: 1})
		k.ok("create at a limit of 1 "+when, err)
	}
}

func rotateCreated(k *kit) {
	rec := k.fresh(k.name())
	rec.Created = k.now().Add(-10 * k.unit)
	rec = k.add(rec)
	next := k.heir(rec)
	k.ok("rotate", k.rotate(rec.Key, 1, next, nil))
	if d := k.live(next.Key, "after rotate").Created.Sub(rec.Created); !near(d, 0, k.tick) {
		k.failf("a renewed record's Created moved by %v", d)
	}
}

func rotateInvalid(k *kit) {
	rec := k.add(k.fresh(k.name()))
	strange := k.fresh(k.name())
	bad := map[string]func(next, tail *store.Record){
		"to another tag":               func(next, _ *store.Record) { next.Key.Tag, next.User = strange.Key.Tag, strange.User },
		"to its own key":               func(next, _ *store.Record) { next.Key = rec.Key },
		"to a user of another tag":     func(next, _ *store.Record) { next.User = strange.User },
		"with a tail at another key":   func(_, tail *store.Record) { tail.Key = strange.Key },
		"with a tail at the new key":   func(next, tail *store.Record) { tail.Key = next.Key },
		"with a tail of the user":      func(_, tail *store.Record) { tail.User = rec.User },
		"with a tail that is too big":  func(_, tail *store.Record) { tail.Meta = make([]byte, store.MaxMeta+1) },
		"with a negative idle time":    func(next, _ *store.Record) { next.Idle = -1 },
		"with a tail of negative life": func(_, tail *store.Record) { tail.Lifetime = -1 },
	}
	for what, spoil := range bad {
		next, tail := k.heir(rec), k.tailOf(rec)
		spoil(&next, tail)
		k.is(store.ErrInvalid, "rotate "+what, k.rotate(rec.Key, 1, next, tail))
		k.same("after a refused rotate", k.live(rec.Key, "after a refused rotate"), rec)
	}
	k.absent(strange.Key, "at a key of a refused rotate")
	// That the users differ shows only beside the stored record.
	nobody := k.heir(rec)
	nobody.User = ""
	if err := k.rotate(rec.Key, 1, nobody, nil); err == nil {
		k.failf("rotate took the record from its user, without an error")
	}
	k.same("after a refused rotate", k.live(rec.Key, "after a refused rotate"), rec)
	k.absent(nobody.Key, "at the new key of a refused rotate")
}

// rotateStep reads both keys in an order in which one step cannot show a gap or an overlap: whoever
// finds the old key empty must find the new one live, and whoever finds the new one live must find
// the old one empty.
func rotateStep(k *kit) {
	user := k.name()
	for range k.rounds(30) {
		rec := k.add(k.fresh(user))
		next := k.heir(rec)
		var gap, overlap, unlisted bool
		k.together(
			func() { k.ok("rotate", k.rotate(rec.Key, 1, next, nil)) },
			func() {
				for range 5 {
					k.stagger()
					if _, _, err := k.get(rec.Key); errors.Is(err, store.ErrNotFound) {
						_, _, err := k.get(next.Key)
						gap = gap || err != nil
					}
				}
			},
			func() {
				for range 5 {
					k.stagger()
					if _, _, err := k.get(next.Key); err == nil {
						_, _, err := k.get(rec.Key)
						overlap = overlap || err == nil
					}
				}
			},
			func() {
				for range 3 {
					k.stagger()
					unlisted = unlisted || len(k.list(user)) == 0
				}
			},
		)
		switch {
		case gap:
			k.failf("the old key was empty before the new one was live")
		case overlap:
			k.failf("the new key was live before the old one was empty")
		case unlisted:
			k.failf("the user's list was empty while the record was rotated")
		}
		k.ok("delete", k.delete(next.Key))
	}
}

func rotateRace(k *kit) {
	for i := range k.rounds(20) {
		rec := k.add(k.fresh(k.name()))
		k.ok("update", k.update(k.edit(rec), 1)) // a tail's Version is 1, and must not meet the racers'
		const n = 8
		var errs [n]error
		k.parallel(n, func(j int) {
			var tail *store.Record
			if i%2 == 1 {
				tail = k.tailOf(rec)
			}
			errs[j] = k.rotate(rec.Key, 2, k.heir(rec), tail)
		})
		won := 0
		for _, err := range errs {
			k.oneOf("rotate among others", err, store.ErrConflict, store.ErrNotFound)
			if err == nil {
				won++
			}
		}
		if l := len(k.list(rec.User)); won != 1 || l != 1 {
			k.failf("of %d rotations with one version %d were applied, and left %d records", n, won, l)
		}
	}
}
