package storetest

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var orderClauses = []clause{
	{"order-create", "Create's checks come in this order: replay, exists, revoked, limit", orderCreate},
	{"order-update", "Update's checks come in this order: not found, replay, conflict", orderUpdate},
	{"order-rotate", "Rotate's checks come in this order: replay, not found, conflict, user, exists", orderRotate},
}

// orderCreate breaks every pair of rules at once.
func orderCreate(k *kit) {
	rec := k.fresh(k.name())
	k.add(rec)
	_, err := k.revoke(rec.User, store.Selection{Except: []store.Handle{rec.Handle}})
	k.ok("revoke with Except", err)
	began := time.Now().Add(-time.Minute)
	for _, adm := range []store.Admission{
		{Began: began, Max: 1}, // revoked since, and there is no place left
		{Began: began},
		{Max: 1},
		{Began: began, Max: 1, Evict: true},
		{Max: 1, Evict: true},
	} {
		a, err := k.admit(rec, adm)
		if k.ok("a repeated create, after a revoke or at the limit", err); len(a.Evicted) > 0 {
			k.failf("a repeated create evicts %d records", len(a.Evicted))
		}
		other := k.fresh(rec.User)
		other.Key = rec.Key
		_, err = k.create(other, adm)
		k.is(store.ErrExists, "create at a live record, after a revoke or at the limit", err)
		over := other
		over.Created, over.Lifetime = k.ago(k.now(), 2), k.unit
		_, err = k.create(over, adm)
		k.is(store.ErrExists, "create at a live record of one without life", err)
		if !adm.Began.IsZero() {
			_, err = k.create(k.fresh(rec.User), adm)
			k.is(store.ErrRevoked, "create after a revoke, and at the limit", err)
			over.Key = k.heir(rec).Key
			_, err = k.create(over, adm)
			k.is(store.ErrRevoked, "create, after a revoke, of a record without life", err)
		}
		bad := k.fresh(rec.User)
		bad.Key, bad.Idle = rec.Key, -1
		_, err = k.create(bad, adm)
		k.is(store.ErrInvalid, "create at a live record of one that breaks a rule", err)
		k.listed(rec.User, "after creates that were refused or sent before", rec.Key)
	}
	over := k.fresh(rec.User)
	over.Created, over.Lifetime = k.ago(k.now(), 2), k.unit
	_, err = k.create(over, store.Admission{Max: 1})
	k.is(store.ErrLimit, "create at the limit of a record without life", err)
	a, err := k.admit(over, store.Admission{Max: 1, Evict: true})
	if k.ok("create with eviction of a record without life", err); len(a.Evicted) > 0 {
		k.failf("a create of a record without life evicted %d others", len(a.Evicted))
	}
	k.listed(rec.User, "after creates of records without life", rec.Key)
}

func orderUpdate(k *kit) {
	rec := k.add(k.fresh(k.name()))
	change := k.edit(rec)
	k.ok("update", k.update(change, 1))
	k.ok("a repeated update", k.update(change, 1))
	change.Writer = writer()
	k.is(store.ErrConflict, "another update for the same version", k.update(change, 1))
	change.Writer, change.Lifetime = writer(), 1
	k.is(store.ErrConflict, "an update for the same version that would end the record", k.update(change, 1))
	change.Idle = -1
	k.is(store.ErrInvalid, "an update for the same version that breaks a rule", k.update(change, 1))
	change.Idle = 0
	k.ok("delete", k.delete(rec.Key))
	k.is(store.ErrNotFound, "update of a deleted record", k.update(change, 1))
	k.is(store.ErrNotFound, "update of a deleted record, sent before", k.update(change, 0))
}

// orderRotate breaks every pair of rules at once, with a tail and without, and with a record that
// has life and one that has none.
func orderRotate(k *kit) {
	for _, variant := range []string{"", " with a tail", " to no life", " with a tail, to no life"} {
		user := k.name()
		rec, other := k.add(k.fresh(user)), k.add(k.fresh(user))
		gone := k.heir(rec).Key
		k.sleep(2 * k.tick)
		rotate := func(old store.Key, version uint64, next store.Record) error {
			var tail *store.Record
			if variant == " with a tail" || variant == " with a tail, to no life" {
				from := rec
				from.Key = old
				tail = k.tailOf(from)
			}
			if variant == " to no life" || variant == " with a tail, to no life" {
				next.Lifetime = 1
			}
			return k.rotate(old, version, next, tail)
		}
		free, onto := k.heir(rec), k.heir(rec)
		onto.Key = other.Key // which is taken
		nobody := func(r store.Record) store.Record { r.User = ""; return r }
		for _, bad := range []struct {
			want    error
			what    string
			old     store.Key
			version uint64
			next    store.Record
		}{
			{store.ErrNotFound, "of nothing, from its user to nobody", gone, 1, nobody(free)},
			{store.ErrNotFound, "of nothing to a live key", gone, 1, onto},
			{store.ErrNotFound, "of nothing to a live key, with its version", gone, other.Version - 1, onto},
			{store.ErrNotFound, "of nothing to a live key, from its user to nobody", gone, 1, nobody(onto)},
			{store.ErrConflict, "with another version, from its user to nobody", rec.Key, 2, nobody(free)},
			{store.ErrConflict, "with another version to a live key", rec.Key, 2, onto},
			{store.ErrConflict, "with another version to a live key, from its user to nobody", rec.Key, 2, nobody(onto)},
			{store.ErrInvalid, "to a live key, from its user to nobody", rec.Key, 1, nobody(onto)},
			{store.ErrInvalid, "from its user to nobody", rec.Key, 1, nobody(free)},
			{store.ErrExists, "to a live key", rec.Key, 1, onto},
		} {
			bad.next.Writer = writer()
			k.is(bad.want, "rotate"+variant+" "+bad.what, rotate(bad.old, bad.version, bad.next))
			k.same("after a refused rotate", k.live(rec.Key, "after a refused rotate"), rec)
			k.same("after a refused rotate to it", k.live(other.Key, "after a refused rotate to it"), other)
			k.absent(gone, "after a refused rotate of nothing")
			k.absent(free.Key, "after a refused rotate")
		}
		k.listed(user, "after refused rotates", rec.Key, other.Key)
	}
	rec := k.add(k.fresh(k.name()))
	other := k.add(k.fresh(rec.User))
	next := k.heir(rec)
	k.ok("rotate", k.rotate(rec.Key, 1, next, nil))
	k.ok("a repeated rotate, whose record is gone", k.rotate(rec.Key, 1, next, nil))
	again := k.fresh(rec.User)
	again.Key = rec.Key
	again = k.add(again) // another record with the version that was rotated
	k.ok("a repeated rotate, where another record has come", k.rotate(rec.Key, 1, next, nil))
	k.same("after a repeated rotate", k.live(rec.Key, "after a repeated rotate"), again)
	onto := k.heir(rec)
	onto.Key = other.Key
	k.ok("delete", k.delete(rec.Key))
	k.is(store.ErrNotFound, "rotate of what is gone, to a live key", k.rotate(rec.Key, 1, onto, nil))
}
