package storetest

import (
	"errors"

	"github.com/sojourn-go/sojourn/store"
)

// damageClauses are for stores that Options.Damage can damage.
var damageClauses = []clause{
	{"damaged", "a damaged record is ErrCorrupt to whoever asks for it, and never another record, nor one anew", damagedRecord},
	{"damaged-walk", "a walk yields all but what is damaged, and then ErrCorrupt", damagedWalk},
	{"damaged-delete", "Delete removes a damaged record, and it never comes back", damagedDelete},
	{"damaged-revoke", "Revoke removes what is damaged of the user's, whatever it selects, and does not count it", damagedRevoke},
	{"damaged-sweep", "Sweep removes a damaged record in its time, also where it tells of it", damagedSweep},
}

// damaged inserts a record of user and damages it.
func (k *kit) damaged(user string) store.Record {
	rec := k.fresh(user)
	rec.Lifetime, rec.Idle = k.unit, 0
	rec = k.add(rec)
	k.ok("Options.Damage", k.opts.Damage(k.s, rec.Key))
	return rec
}

func damagedRecord(k *kit) {
	good := k.add(k.fresh(k.name()))
	bad := k.damaged(good.User)
	_, _, err := k.get(bad.Key)
	k.is(store.ErrCorrupt, "get", err)
	k.is(store.ErrCorrupt, "update", k.update(k.edit(bad), 1))
	k.is(store.ErrCorrupt, "touch", k.touch(bad.Key, 0))
	k.is(store.ErrCorrupt, "rotate", k.rotate(bad.Key, 1, k.heir(bad), k.tailOf(bad)))
	again := bad
	k.is(store.ErrCorrupt, "create at its key", k.insert(again))
	k.absent(k.heir(bad).Key, "after the rotation of a damaged record")
	onto := k.heir(good)
	onto.Key = bad.Key
	if err := k.rotate(good.Key, 1, onto, nil); !errors.Is(err, store.ErrExists) {
		k.is(store.ErrCorrupt, "rotate to its key", err)
	}
	k.ok("create at a limit of 2, beside one live record and a damaged one", k.limited(good.User, 2))
	_, _, err = k.get(bad.Key)
	k.is(store.ErrCorrupt, "get, after writes", err)
	k.live(good.Key, "beside a damaged one")
}

func damagedWalk(k *kit) {
	user := k.name()
	recs := k.freshN(6, user)
	for i := range recs { // on both sides of the damaged one, for stores that walk in order
		recs[i].Key.ID[0] = byte(i % 2 * 0xff)
		recs[i] = k.add(recs[i])
	}
	bad := k.fresh(user)
	bad.Key.ID[0] = 0x80
	k.ok("Options.Damage", k.opts.Damage(k.s, k.add(bad).Key))
	for what, seq := range k.walks(k.ctx, user) {
		var got []store.Record
		var last error
		for rec, err := range seq {
			if last != nil {
				k.failf("%s goes on after its error", what)
			}
			if last = err; err == nil {
				got = append(got, rec)
			}
		}
		k.is(store.ErrCorrupt, what, last)
		for _, rec := range recs {
			if find(got, rec.Key) == nil {
				k.failf("%s does not yield a record beside a damaged one", what)
			}
		}
	}
}

// undamaged fails if a walk over the user's records still meets damage, or the record is there.
func (k *kit) undamaged(rec store.Record, when string) {
	_, err := k.walk("User", k.s.User(k.ctx, rec.User))
	k.ok("User "+when, err)
	k.is(store.ErrNotFound, "update "+when, k.update(k.edit(rec), 1))
	k.dead(rec, when)
}

func damagedDelete(k *kit) {
	bad := k.damaged(k.name())
	k.ok("delete", k.delete(bad.Key))
	k.undamaged(bad, "after a delete")
}

func damagedRevoke(k *kit) {
	good, other := k.add(k.fresh(k.name())), k.add(k.fresh(k.name()))
	for _, sel := range []store.Selection{{Only: []store.Handle{other.Handle}}, {Except: []store.Handle{good.Handle}}, {}} {
		bad := k.damaged(good.User)
		want := 0
		if len(sel.Only)+len(sel.Except) == 0 {
			want = 1
		}
		k.revoked("revoke", good.User, sel, want)
		k.undamaged(bad, "after a revoke")
	}
	k.live(other.Key, "of another user")
}

func damagedSweep(k *kit) {
	good, bad := k.add(k.fresh(k.name())), k.damaged(k.name())
	k.sleep(k.unit + k.tick)
	for range 3 {
		if _, err := k.s.Sweep(k.ctx, 10); err != nil && !errors.Is(err, store.ErrCorrupt) {
			k.failf("sweep: %v", err)
		}
	}
	k.undamaged(bad, "after sweeps")
	k.live(good.Key, "after sweeps")
}
