package storetest

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var sweepClauses = []clause{
	{"sweep", "Sweep deletes no more than limit expired records at a time, and all of them in the end, and tells how many; or 0 where the engine does it", sweep},
	{"sweep-live", "Sweep deletes no live record, however its life was moved", sweepLive},
	{"sweep-early", "Sweep deletes no record before its end, to the tick", sweepEarly},
	{"sweep-moved", "Sweep finds each expired record once, however often its life was moved", sweepMoved},
}

// swept calls Sweep until it finds less than it may, and gives the sum. A sweep that does must have
// found all: who calls it relies on that to stop.
func (k *kit) swept(limit int) int {
	sum := 0
	for range 1000 {
		n := k.sweep(limit)
		sum += n
		if n == limit {
			continue
		}
		if n > 0 && k.exact {
			if again := k.sweep(limit); again > 0 {
				k.failf("a sweep with limit %d found %d records, and the next one %d more", limit, n, again)
			}
		}
		return sum
	}
	k.failf("a thousand sweeps did not find an end")
	return 0
}

// counted fails unless a store of its own swept exactly want records. Zero is right for engines
// that expire by themselves, and so never find any; on a shared server any number may be.
func (k *kit) counted(got, want int) {
	if k.exact && got != want && (got != 0 || k.sweeps) {
		k.failf("sweeps found %d expired records, want %d", got, want)
	}
	k.sweeps = k.sweeps || got > 0
}

func sweep(k *kit) {
	user := k.name()
	stay := k.addN(5, user)
	recs := k.freshN(25, user)
	for i := range recs {
		recs[i].Lifetime = k.unit
		if i%5 == 0 {
			recs[i].User = "" // of the same tag, but nobody's
		}
		k.ok("create", k.insert(recs[i]))
	}
	k.counted(k.swept(10), 0)
	k.sleep(k.unit + k.tick)
	for _, none := range []int{0, -1} {
		n, err := k.s.Sweep(k.ctx, none)
		if k.ok("sweep", k.answer("Sweep", err)); n != 0 {
			k.failf("a sweep with limit %d found %d records", none, n)
		}
	}
	k.counted(k.swept(10), len(recs))
	k.counted(k.swept(10), 0)
	for _, rec := range recs {
		k.dead(rec, "after sweeps")
	}
	for _, rec := range stay {
		k.same("after sweeps", k.live(rec.Key, "after sweeps"), rec)
	}
	if n := len(k.list(user)); n != len(stay) {
		k.failf("after sweeps %d records are listed, want %d", n, len(stay))
	}
}

// sweepLive moves ends away from where an index of them may still have them.
func sweepLive(k *kit) {
	user := k.name()
	recs := k.freshN(5, user)
	for i := range recs {
		recs[i].Idle = 3 * k.unit
		recs[i] = k.add(recs[i])
	}
	recs[4].Idle, recs[4].Lifetime = 0, 0
	k.ok("update", k.update(k.edit(recs[4]), 1))
	k.sleep(2 * k.unit)
	k.ok("touch", k.touch(recs[0].Key, 0))
	k.ok("update", k.update(k.edit(recs[1]), 1))
	change := k.edit(recs[2])
	change.Idle = 0
	k.ok("update", k.update(change, 1))
	next, tail := k.heir(recs[3]), k.tailOf(recs[3])
	next.Seen = recs[3].Seen
	next.Idle = 0
	k.ok("rotate", k.rotate(recs[3].Key, 1, next, tail))
	k.sleep(k.unit + k.unit/2)
	k.counted(k.swept(10), 0)
	for i, key := range append(keys(recs), next.Key) {
		k.live(key, "after a sweep, though its life had been moved in way "+string(rune('1'+i)))
	}
	if n := len(k.list(user)); n != 5 {
		k.failf("after sweeps %d records are listed, want 5", n)
	}
}

func sweepEarly(k *kit) {
	life := 4 * k.unit
	recs := k.freshN(3, k.name())
	recs[0].Lifetime = life
	recs[1].Idle = life
	began := time.Now()
	for _, rec := range recs {
		k.ok("create", k.insert(rec))
	}
	change := k.edit(recs[2])
	change.Lifetime = life
	k.ok("update", k.update(change, 1))
	k.sleepUntil(began.Add(k.almost(life)))
	k.counted(k.swept(10), 0)
	for _, rec := range recs {
		k.notEarly(rec.Key, began, life)
	}
}

func sweepMoved(k *kit) {
	recs := k.addN(6, k.name())
	for i, rec := range recs[:5] {
		change := k.edit(rec)
		change.Idle, change.Lifetime = 2*k.unit, 0
		k.ok("update", k.update(change, 1))
		switch i {
		case 1: // again within the same instant
			again := k.edit(change)
			k.ok("update", k.update(again, 2))
		case 2:
			k.ok("touch", k.touch(rec.Key, 0))
		case 3:
			next := k.heir(change)
			k.ok("rotate", k.rotate(rec.Key, 2, next, nil))
			recs[i] = next
		case 4: // comes back with another end
			k.ok("delete", k.delete(rec.Key))
			again := k.fresh(rec.User)
			again.Key, again.Lifetime = rec.Key, 2*k.unit
			k.ok("create", k.insert(again))
		}
	}
	k.sleep(2*k.unit + k.tick)
	k.counted(k.swept(100), 5)
	for _, rec := range recs[:5] {
		k.absent(rec.Key, "after its life and a sweep")
	}
	k.live(recs[5].Key, "after a sweep")
	k.revoked("revoke after a sweep", recs[5].User, store.Selection{}, 1)
}
