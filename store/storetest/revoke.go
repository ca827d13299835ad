package storetest

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var revokeClauses = []clause{
	{"revoke", "Revoke ends all live records of the user and tells how many", revokeAll},
	{"revoke-only", "Revoke with Only ends these of the user's records and no others", revokeOnly},
	{"revoke-except", "Revoke with Except ends all of the user's records but these", revokeExcept},
	{"revoke-invalid", "Revoke with both Only and Except is ErrInvalid and ends nothing", revokeInvalid},
}

func revokeAll(k *kit) {
	user := k.name()
	k.revoked("revoke of a user without records", user, store.Selection{}, 0)
	recs := k.addN(3, user)
	other := k.add(k.fresh(k.name()))
	k.ok("delete", k.delete(recs[2].Key))
	k.revoked("revoke", user, store.Selection{}, 2)
	for _, rec := range recs {
		k.absent(rec.Key, "after revoke")
	}
	if n := len(k.list(user)); n > 0 {
		k.failf("after revoke, %d records are listed", n)
	}
	k.revoked("second revoke", user, store.Selection{}, 0)
	k.same("after another user was revoked", k.live(other.Key, "after another user was revoked"), other)
}

func revokeOnly(k *kit) {
	recs, other := k.addN(4, k.name()), k.add(k.fresh(k.name()))
	moved := k.heir(recs[1])
	k.ok("rotate", k.rotate(recs[1].Key, 1, moved, nil))
	only := store.Selection{Only: []store.Handle{recs[0].Handle, recs[1].Handle, other.Handle, k.fresh("").Handle, recs[0].Handle}}
	k.revoked("revoke with Only", recs[0].User, only, 2)
	k.dead(recs[0], "after revoke with its handle")
	k.dead(moved, "after revoke with the handle that it kept in a rotation")
	for _, rec := range append(recs[2:], other) {
		k.same("after others were revoked", k.live(rec.Key, "after others were revoked"), rec)
	}
}

func revokeExcept(k *kit) {
	recs, other := k.addN(4, k.name()), k.add(k.fresh(k.name()))
	k.revoked("revoke with Except", recs[0].User, store.Selection{Except: []store.Handle{recs[1].Handle, other.Handle}}, 3)
	for _, i := range []int{0, 2, 3} {
		k.dead(recs[i], "after revoke without its handle in Except")
	}
	k.same("that revoke excepted", k.live(recs[1].Key, "after revoke with its handle in Except"), recs[1])
	k.live(other.Key, "after another user was revoked")
}

func revokeInvalid(k *kit) {
	recs := k.addN(2, k.name())
	_, err := k.revoke(recs[0].User, store.Selection{Only: []store.Handle{recs[0].Handle}, Except: []store.Handle{recs[1].Handle}})
	k.is(store.ErrInvalid, "revoke with Only and Except", err)
	for _, rec := range recs {
		k.live(rec.Key, "after a refused revoke")
	}
	if _, err := k.create(k.fresh(recs[0].User), store.Admission{Began: time.Now().Add(-time.Minute)}); err != nil {
		k.failf("create after a refused revoke: %w", err)
	}
}
