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
	{"guard", "after a Revoke, Create fails with ErrRevoked where the sign-in began before it, and not where it began later", guard},
	{"guard-time", "a Revoke is remembered for GuardFor, swept or not, and a longer sign-in is refused anyway", guardTime},
	{"guard-only", "a Revoke with Only refuses no Create, and forgets no Revoke before it", guardOnly},
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

func guard(k *kit) {
	for _, except := range []bool{false, true} {
		user, other := k.name(), k.name()
		kept := k.add(k.fresh(user))
		var sel store.Selection
		if except {
			sel.Except = []store.Handle{kept.Handle}
		}
		began := time.Now()
		k.sleep(k.unit)
		_, err := k.revoke(user, sel)
		k.ok("revoke", err)
		late := k.fresh(user)
		_, err = k.create(late, store.Admission{Began: began})
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke", err)
		_, err = k.create(late, store.Admission{Began: began, Max: 1, Evict: true})
		k.is(store.ErrRevoked, "create, with eviction, of a sign-in that began before the revoke", err)
		k.absent(late.Key, "after a refused create")
		if except {
			k.live(kept.Key, "after a create that was refused")
		}
		_, err = k.create(k.fresh(user), store.Admission{})
		k.ok("create of a sign-in that began after the revoke", err)
		if k.exact {
			k.sleep(k.unit)
			_, err = k.create(late, store.Admission{Began: time.Now().Add(-k.unit)})
			k.is(store.ErrRevoked, "create of a sign-in that began at the instant of the revoke", err)
		}
		k.sleep(2 * k.unit)
		_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-k.unit)})
		k.ok("create of a sign-in that began a while after the revoke", err)
		_, err = k.create(late, store.Admission{Began: began})
		k.is(store.ErrRevoked, "create of the old sign-in, after newer ones", err)
		_, err = k.create(k.fresh(other), store.Admission{Began: began})
		k.ok("create for a user who was not revoked", err)
	}
}

func guardTime(k *kit) {
	user := k.name() // without a record to carry the guard
	_, err := k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-1 - store.GuardFor)})
	k.is(store.ErrRevoked, "create of a sign-in that took longer than GuardFor", err)
	_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(time.Second - store.GuardFor)})
	k.ok("create of a sign-in that took almost GuardFor", err)
	k.revoked("revoke", user, store.Selection{}, 1)
	k.revoked("revoke of nothing", user, store.Selection{}, 0)
	wait := k.unit
	if k.exact {
		wait = store.GuardFor/2 - k.tick
	}
	for range 2 {
		k.sleep(wait)
		k.sweep(1000)
		_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-store.GuardFor)})
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke", err)
	}
	if k.exact {
		k.sleep(store.GuardFor)
		_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-store.GuardFor)})
		k.ok("create of a sign-in that began long after the revoke", err)
	}
}

func guardOnly(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	only := store.Selection{Only: []store.Handle{rec.Handle}}
	k.revoked("revoke with Only", user, only, 1)
	_, err := k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-time.Minute)})
	k.ok("create after a revoke with Only", err)
	k.revoked("revoke", user, store.Selection{}, 1)
	k.revoked("revoke with Only", user, only, 0)
	_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-time.Minute)})
	k.is(store.ErrRevoked, "create after a revoke that another one with Only followed", err)
}
