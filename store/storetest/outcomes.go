package storetest

import (
	"errors"
	"slices"

	"github.com/sojourn-go/sojourn/store"
)

var outcomeClauses = []clause{
	{"unsupported", "a method either works or answers errors.ErrUnsupported and is named in Options.Unsupported", supported},
	{"missing", "nothing but Create and the new key of Rotate inserts: at a key without a record all else is ErrNotFound and writes nothing", missing},
	{"create", "Create inserts the record as given, with Version 1 and the store's now for zero times", create},
	{"create-twice", "Create at a live record is ErrExists and writes nothing", createTwice},
	{"create-replay", "the same Create sent again is nil and writes nothing more", createReplay},
	{"create-again", "Create may use the key of an ended record, and gets Version 1", createAgain},
	{"delete", "Delete ends the record at its key and no other", deleteOne},
	{"delete-missing", "deleting what is not there is no error", deleteMissing},
	{"ended-delete", "what Delete ended is never live again", endedDelete},
	{"ended-revoke", "what Revoke ended is never live again", endedRevoke},
	{"ended-rotate", "the key that Rotate left is never live again", endedRotate},
	{"ended-expiry", "what expired is never live again", endedExpiry},
}

func supported(k *kit) {
	rec := k.add(k.fresh(k.name()))
	for _, c := range k.calls(rec) {
		named := slices.Contains(k.opts.Unsupported, c.method)
		if is := errors.Is(c.call(k.ctx), errors.ErrUnsupported); is != named {
			k.failf("%s: errors.ErrUnsupported is %v, named in Options.Unsupported is %v", c.method, is, named)
		}
	}
}

func missing(k *kit) {
	rec := k.fresh(k.name())
	rec.Version = 1
	k.dead(rec, "of a record that never was")
	// A neighbour in the same partition must not stand in for it.
	k.add(k.fresh(rec.User))
	k.dead(rec, "of a record that never was, beside another of its user")
}

func create(k *kit) {
	for _, user := range []string{k.name(), ""} {
		rec := k.fresh(user)
		rec.Version = 41 // the store sets it
		rec.Idle = 30 * k.unit
		k.ok("create", k.insert(rec))
		got, now, err := k.get(rec.Key)
		k.ok("get", err)
		want := rec
		want.Version = 1
		want.Created, want.Seen = got.Created, got.Created
		k.same("after create", got, want)
		if got.Created.After(now) {
			k.failf("Created is %v after the store's now", got.Created.Sub(now))
		}
		if k.exact && !near(now.Sub(got.Created), 0, k.tick) {
			k.failf("Created is %v before the store's now, though no time passed", now.Sub(got.Created))
		}
	}
}

func createTwice(k *kit) {
	first := k.add(k.fresh(k.name()))
	second := k.fresh(first.User)
	second.Key = first.Key
	k.is(store.ErrExists, "create at a live record", k.insert(second))
	// Room is not made for a record that does not come.
	evicted, err := k.create(second, store.Admission{Max: 1, Evict: true})
	k.is(store.ErrExists, "create at a live record, with eviction", err)
	if len(evicted) > 0 {
		k.failf("a refused create evicted %d records", len(evicted))
	}
	k.same("after a refused create", k.live(first.Key, "after a refused create"), first)
}

func createReplay(k *kit) {
	rec := k.fresh(k.name())
	first := k.add(rec)
	k.sleep(k.unit / 10)
	k.ok("the same create again", k.insert(rec))
	// The record itself has taken the last place.
	_, err := k.create(rec, store.Admission{Max: 1})
	k.ok("the same create again, at the limit", err)
	k.same("after a repeated create", k.live(rec.Key, "after a repeated create"), first)
	if n := len(k.list(rec.User)); n != 1 {
		k.failf("a repeated create left %d records", n)
	}
	next := rec
	next.Writer = writer()
	k.ok("update", k.update(next, 1))
	k.is(store.ErrExists, "the same create after another write", k.insert(rec))
}

func createAgain(k *kit) {
	rec := k.add(k.fresh(k.name()))
	next := rec
	next.Writer = writer()
	k.ok("update", k.update(next, 1))
	k.ok("delete", k.delete(rec.Key))
	again := k.fresh(rec.User)
	again.Key = rec.Key
	got := k.add(again)
	if got.Version != 1 || got.Handle != again.Handle {
		k.failf("a record at a used key has Version %d and handle %v, want 1 and %v", got.Version, got.Handle, again.Handle)
	}
}

func deleteOne(k *kit) {
	recs := k.addN(3, k.name())
	k.ok("delete", k.delete(recs[1].Key))
	k.absent(recs[1].Key, "after delete")
	for _, i := range []int{0, 2} {
		k.same("after the delete of another", k.live(recs[i].Key, "after the delete of another"), recs[i])
	}
	if n := len(k.list(recs[0].User)); n != 2 {
		k.failf("after one of 3 was deleted, %d are listed", n)
	}
}

func deleteMissing(k *kit) {
	rec := k.fresh(k.name())
	k.ok("delete of a record that never was", k.delete(rec.Key))
	k.add(rec)
	k.ok("delete", k.delete(rec.Key))
	k.ok("second delete", k.delete(rec.Key))
}

func endedDelete(k *kit) {
	rec := k.add(k.fresh(k.name()))
	k.ok("delete", k.delete(rec.Key))
	k.dead(rec, "after delete")
}

func endedRevoke(k *kit) {
	recs := k.addN(2, k.name())
	k.revoked("revoke", recs[0].User, store.Selection{}, 2)
	for _, rec := range recs {
		k.dead(rec, "after revoke")
	}
}

func endedRotate(k *kit) {
	rec := k.add(k.fresh(k.name()))
	k.ok("rotate", k.rotate(rec.Key, 1, k.heir(rec), nil))
	k.dead(rec, "after it was rotated away")
}

func endedExpiry(k *kit) {
	for _, life := range []string{"idle", "lifetime"} {
		rec := k.fresh(k.name())
		rec.Lifetime = k.unit
		if life == "idle" {
			rec.Idle, rec.Lifetime = k.unit, 0
		}
		rec = k.add(rec)
		k.sleep(k.unit + k.tick)
		k.dead(rec, "after its "+life+" was over")
	}
}
