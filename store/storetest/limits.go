package storetest

import (
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var limitClauses = []clause{
	{"limit", "Create beyond Max is ErrLimit and writes nothing; zero is no limit, and each user has his own", limit},
	{"limit-ended", "what has ended makes room", limitEnded},
	{"evict", "with Evict, Create ends the oldest records, by Created and then by ID, and tells their handles", evict},
	{"evict-many", "with Evict, Create makes all the room that Max asks for", evictMany},
}

func limit(k *kit) {
	user := k.name()
	k.addN(5, k.name())
	for i := range 3 {
		_, err := k.create(k.fresh(user), store.Admission{Max: 3})
		k.ok("create within the limit", err)
		if i == 0 {
			k.addN(3, "")
		}
	}
	before := k.list(user)
	for _, most := range []int{3, 2, 1} {
		rec := k.fresh(user)
		evicted, err := k.create(rec, store.Admission{Max: most})
		k.is(store.ErrLimit, "create beyond the limit", err)
		k.absent(rec.Key, "after a refused create")
		if len(evicted) > 0 {
			k.failf("a create without Evict evicted %d records", len(evicted))
		}
	}
	if after := k.list(user); len(after) != len(before) {
		k.failf("refused creates left %d records of %d", len(after), len(before))
	}
	_, err := k.create(k.fresh(user), store.Admission{Max: 4})
	k.ok("create with a higher limit", err)
	k.ok("create without a limit", k.insert(k.fresh(user)))
}

func limitEnded(k *kit) {
	recs := k.addN(2, k.name())
	user := recs[0].User
	two := func(what string) {
		_, err := k.create(k.fresh(user), store.Admission{Max: 2})
		k.ok("create at a limit of 2 after "+what, err)
	}
	k.ok("delete", k.delete(recs[0].Key))
	two("a delete")
	next := k.heir(recs[1])
	k.ok("rotate at the limit", k.rotate(recs[1].Key, 1, next, nil))
	k.ok("update at the limit", k.update(k.edit(next), 2))
	k.revoked("revoke with Only", user, store.Selection{Only: []store.Handle{next.Handle}}, 1)
	two("a revoke with Only")
	k.revoked("revoke", user, store.Selection{}, 2)
	two("a revoke")
	two("a revoke and one create")
}

func evict(k *kit) {
	user := k.name()
	now := k.now()
	recs := k.freshN(4, user)
	// Created decides, not the order in which they came, nor Seen.
	for i, age := range []time.Duration{2, 5, 5, 3} {
		recs[i].Created = now.Add(-age * k.unit)
	}
	if slices.Compare(recs[1].Key.ID[:], recs[2].Key.ID[:]) > 0 {
		recs[1].Key, recs[2].Key = recs[2].Key, recs[1].Key
	}
	for _, rec := range recs {
		k.add(rec)
	}
	k.sleep(k.unit / 10)
	k.ok("touch", k.touch(recs[1].Key, 0))
	for _, i := range []int{1, 2, 3, 0} {
		rec := k.fresh(user)
		evicted, err := k.create(rec, store.Admission{Max: 4, Evict: true})
		k.ok("create with eviction", err)
		if len(evicted) != 1 || evicted[0] != recs[i].Handle {
			k.failf("create evicted %d records, not the oldest one alone", len(evicted))
		}
		k.dead(recs[i], "after it was evicted")
		k.live(rec.Key, "after it evicted another")
	}
}

func evictMany(k *kit) {
	recs, other := k.addN(5, k.name()), k.add(k.fresh(k.name()))
	last := k.fresh(recs[0].User)
	evicted, err := k.create(last, store.Admission{Max: 2, Evict: true})
	k.ok("create with eviction", err)
	if len(evicted) != 4 {
		k.failf("create at a limit of 2 evicted %d of 5 records, want 4", len(evicted))
	}
	live := 0
	for _, rec := range recs {
		gone := slices.Contains(evicted, rec.Handle)
		_, _, err := k.get(rec.Key)
		if gone != (err != nil) {
			k.failf("a record is said to be evicted: %v; get answers: %v", gone, err)
		}
		if !gone {
			live++
		}
	}
	if n := len(k.list(last.User)); live != 1 || n != 2 {
		k.failf("after eviction %d old records are live and %d are listed, want 1 and 2", live, n)
	}
	k.live(last.Key, "after it evicted others")
	k.live(other.Key, "after eviction from another user")
}
