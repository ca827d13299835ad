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

func orderCreate(k *kit) {
	rec := k.fresh(k.name())
	k.add(rec)
	_, err := k.revoke(rec.User, store.Selection{Except: []store.Handle{rec.Handle}})
	k.ok("revoke with Except", err)
	adm := store.Admission{Began: time.Now().Add(-time.Minute), Max: 1} // revoked since, and there is no place left
	_, err = k.create(rec, adm)
	k.ok("a repeated create, after a revoke and at the limit", err)
	other := k.fresh(rec.User)
	other.Key = rec.Key
	_, err = k.create(other, adm)
	k.is(store.ErrExists, "create at a live record, after a revoke and at the limit", err)
	_, err = k.create(k.fresh(rec.User), adm)
	k.is(store.ErrRevoked, "create after a revoke and at the limit", err)
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
	k.ok("delete", k.delete(rec.Key))
	k.is(store.ErrNotFound, "update of a deleted record", k.update(change, 1))
}

func orderRotate(k *kit) {
	user := k.name()
	rec, other := k.add(k.fresh(user)), k.add(k.fresh(user))
	onto := k.heir(rec) // a key that is taken
	onto.Key = other.Key
	nobody := onto
	nobody.User = ""
	k.is(store.ErrExists, "rotate to a live key", k.rotate(rec.Key, 1, onto, nil))
	k.is(store.ErrInvalid, "rotate to a live key, from its user to nobody", k.rotate(rec.Key, 1, nobody, nil))
	k.is(store.ErrConflict, "rotate to a live key, from its user to nobody, with another version", k.rotate(rec.Key, 2, nobody, nil))
	next := k.heir(rec)
	k.ok("rotate", k.rotate(rec.Key, 1, next, nil))
	k.ok("a repeated rotate, whose record is gone", k.rotate(rec.Key, 1, next, nil))
	k.is(store.ErrNotFound, "rotate of what is gone, to a live key", k.rotate(rec.Key, 1, onto, nil))
}
