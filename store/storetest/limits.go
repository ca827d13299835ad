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
	{"evict-order", "records are evicted by Created and then by the bytes of their IDs, whatever else they differ in", evictOrder},
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

// evictOrder has records that go in another order by their expiry, use, version, handle or the
// order of their inserts, and IDs and instants whose order depends on signs.
func evictOrder(k *kit) {
	user, now := k.name(), k.now()
	first := k.ago(now, 9)
	recs, random := k.freshN(9, user), k.fresh(user).Key.ID
	for i, by := range []struct {
		created time.Time
		id      []byte
		last    byte
	}{
		{since1960, []byte{0xff}, 0}, {epoch, []byte{0xfe}, 0}, // before all that was created lately
		{first, []byte{0x00}, 0}, {first, []byte{0x7f}, 0}, {first, []byte{0x80, 0x00}, 0}, {first, []byte{0x80, 0x01}, 1}, {first, []byte{0x80, 0x01}, 2},
		{first.Add(k.tick), []byte{0x01}, 0}, {now, []byte{0x00}, 9},
	} {
		r := &recs[i]
		r.Created, r.Idle, r.Lifetime = by.created, time.Duration(len(recs)-i)*100*k.unit, 0
		r.Key.ID = store.ID{31: by.last}
		copy(r.Key.ID[:], by.id)
		copy(r.Key.ID[4:20], random[4:20])
		r.Handle[0] = byte(255 - i)
	}
	for i := range recs {
		i = (i*4 + 3) % len(recs)
		k.ok("create", k.insert(recs[i]))
	}
	k.ok("update", k.update(k.edit(recs[4]), 1))
	for i := range 3 { // the oldest are in use
		k.sleep(2 * k.tick)
		k.ok("touch", k.touch(recs[2-i].Key, 0))
	}
	a, err := k.admit(k.fresh(user), store.Admission{Evict: true})
	if k.ok("create with eviction and without a limit", err); len(a.Evicted) > 0 {
		k.failf("a create without a limit evicted %d records", len(a.Evicted))
	}
	for i, rec := range recs {
		next := k.fresh(user)
		evicted, err := k.create(next, store.Admission{Max: len(recs) + 1, Evict: true})
		if k.ok("create with eviction", err); len(evicted) != 1 || evicted[0] != rec.Handle {
			at := slices.IndexFunc(recs, func(r store.Record) bool { return len(evicted) == 1 && r.Handle == evicted[0] })
			k.failf("create evicted %d records, number %d by age, want number %d", len(evicted), at, i)
		}
		k.absent(rec.Key, "after it was evicted")
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
