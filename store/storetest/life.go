package storetest

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var lifeClauses = []clause{
	{"life-exact", "Idle, Lifetime and Created come back unchanged to the tick, from Get, User and All", lifeExact},
	{"life-long", "lives may be as long as MaxLife, and none is cut short", lifeLong},
	{"life-short", "lives may be as short as a tick", lifeShort},
	{"life-unlimited", "zero means no limit", lifeUnlimited},
	{"life-over", "a record handed in with its life over is never live", lifeOver},
}

func lifeExact(k *kit) {
	day := 24 * time.Hour
	odd := 1234567 * k.tick
	for _, life := range []time.Duration{0, time.Hour + odd, 35*day + odd, 90 * day, 400 * day, store.MaxLife - odd, store.MaxLife} {
		for _, created := range []time.Duration{0, 20*time.Minute + odd, 3000 * day} {
			if life > 0 && life <= created {
				continue
			}
			rec := k.fresh(k.name())
			rec.Created = k.now().Add(-created)
			rec.Idle, rec.Lifetime = life, life
			want := rec
			want.Version = 1
			got := k.add(rec)
			want.Seen = got.Seen
			k.same("after create", got, want)
			want.Data = nil
			for what, l := range map[string][]store.Record{"User": k.list(rec.User), "All": k.all(rec.Key)} {
				if len(l) != 1 {
					k.failf("%s yields %d records, want 1", what, len(l))
				}
				k.same("in "+what, l[0], want)
			}
			change := k.edit(got)
			change.Idle, change.Lifetime = max(life-k.tick, 0), life
			k.ok("update", k.update(change, 1))
			got = k.live(rec.Key, "after update")
			if !near(got.Idle, change.Idle, k.tick) || !near(got.Lifetime, change.Lifetime, k.tick) {
				k.failf("after update, Idle is %v and Lifetime %v, want %v and %v", got.Idle, got.Lifetime, change.Idle, change.Lifetime)
			}
		}
	}
}

// lifeLong waits for long lives to end where time is fake. A networked store gets records that
// began long ago.
func lifeLong(k *kit) {
	const day = 24 * time.Hour
	for _, life := range []time.Duration{30 * day, 36 * day, 90 * day, 400 * day} {
		for _, idle := range []bool{true, false} {
			rec := k.fresh(k.name())
			rec.Idle, rec.Lifetime = 0, life
			if idle {
				rec.Idle, rec.Lifetime = life, 0
			}
			if !k.exact {
				rec.Created, rec.Seen = k.now().Add(time.Minute-life), k.now().Add(time.Minute-life)
			}
			k.add(rec)
			if !k.exact {
				continue
			}
			began := time.Now()
			k.sleep(life - k.tick)
			k.notEarly(rec.Key, began, life)
			k.sleep(k.tick)
			k.absent(rec.Key, "after "+life.String())
		}
	}
	rec := k.fresh(k.name())
	rec.Idle, rec.Lifetime = store.MaxLife, store.MaxLife
	k.add(rec)
}

func lifeShort(k *kit) {
	for _, idle := range []bool{true, false} {
		rec := k.fresh(k.name())
		rec.Idle, rec.Lifetime = 0, k.tick
		if idle {
			rec.Idle, rec.Lifetime = k.tick, 0
		}
		k.ok("create for the life of a tick", k.insert(rec))
		if k.exact {
			k.live(rec.Key, "within the tick that it lives")
		}
		k.sleep(k.late(k.tick))
		k.dead(rec, "after the tick that it lived")
	}
}

func lifeUnlimited(k *kit) {
	rec := k.fresh(k.name())
	rec.Idle, rec.Lifetime = 0, 0
	rec = k.add(rec)
	if !rec.Expires().IsZero() {
		k.failf("a record without limits came back with an end")
	}
	k.sleep(2 * k.unit)
	if k.exact {
		k.sleep(20 * 365 * 24 * time.Hour)
	}
	k.live(rec.Key, "of a record without limits")
	if len(k.list(rec.User)) != 1 || len(k.all(rec.Key)) != 1 {
		k.failf("a record without limits is not listed")
	}
}

// lifeOver hands in what must be accepted and must not live, least of all for ever.
func lifeOver(k *kit) {
	now := k.now()
	for _, idle := range []bool{true, false} {
		over := func(rec store.Record) store.Record {
			rec.Created, rec.Seen = now.Add(-2*k.unit), now.Add(-2*k.unit)
			rec.Idle, rec.Lifetime = 0, k.unit
			if idle {
				rec.Idle, rec.Lifetime = k.unit, 0
			}
			return rec
		}
		rec := over(k.fresh(k.name()))
		k.ok("create with its life over", k.insert(rec))
		k.dead(rec, "after it was created with its life over")
		k.ok("the create of a record with its life over, again,", k.insert(rec))
		k.dead(rec, "after it was created again with its life over")
		k.ok("create at a limit of 1, where a record never lived", k.limited(rec.User, 1))
		rec = k.add(k.fresh(k.name()))
		next, tail := over(k.heir(rec)), over(*k.tailOf(rec))
		k.ok("rotate to a life that is over, with a tail whose life is, too,", k.rotate(rec.Key, 1, next, &tail))
		k.dead(rec, "after it was rotated to a life that is over")
		k.dead(next, "after it was rotated to with its life over")
		k.ok("create at a limit of 1, where a record was rotated to no life", k.limited(rec.User, 1))
	}
}

// limited creates a record of the user at a limit.
func (k *kit) limited(user string, most int) error {
	_, err := k.create(k.fresh(user), store.Admission{Max: most})
	return err
}
