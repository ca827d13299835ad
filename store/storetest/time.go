package storetest

import (
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var timeClauses = []clause{
	{"expiry-lifetime", "a record lives until exactly Created+Lifetime, and every method agrees", func(k *kit) { expiry(k, 0, 4*k.unit) }},
	{"expiry-idle", "a record lives until exactly Seen+Idle, and every method agrees", func(k *kit) { expiry(k, 4*k.unit, 0) }},
	{"expiry-both", "of two limits the earlier ends the record", expiryBoth},
	{"expired-slot", "an expired record is absent before it is swept: its key may be created and rotated to", expiredSlot},
	{"expired-count", "an expired record is not revoked, not counted in limits and not evicted", expiredCount},
	{"idle-slides", "Touch and Update move the end of the idle time, to the tick", idleSlides},
	{"idle-shortens", "an Update to a shorter idle time or lifetime moves the end nearer", idleShortens},
	{"lifetime-stays", "Touch, Update and a Rotate with Created kept do not move the end of the lifetime", lifetimeStays},
	{"clock", "the store's now never runs back, keeps pace, and is not before Created or Seen", clock},
}

func (k *kit) sleepUntil(t time.Time) { k.sleep(time.Until(t)) }

// late returns the time after which a record of that life must be absent. Two instants rounded to
// the tick may seem nearly a tick nearer than they are.
func (k *kit) late(life time.Duration) time.Duration { return life + k.tick - 1 }

// notEarly fails if the record is absent before it may be. began is an instant before the call that
// began its life; where a networked store answers so late that the life may be over, nothing is
// proved and nothing fails.
func (k *kit) notEarly(key store.Key, began time.Time, life time.Duration) {
	_, _, err := k.get(key)
	passed := time.Since(began)
	if errors.Is(err, store.ErrNotFound) && passed > life-k.tick {
		return
	}
	if err != nil {
		k.failf("%v after a life of %v began: %w", passed, life, err)
	}
}

// almost returns the time at which a record of that life is looked at for the last time: a tick
// before its end, or early enough for slow answers.
func (k *kit) almost(life time.Duration) time.Duration {
	if k.exact {
		return life - k.tick
	}
	return life - k.unit
}

func expiry(k *kit, idle, lifetime time.Duration) {
	life := max(idle, lifetime)
	recs := k.freshN(6, k.name())
	began := time.Now()
	for i := range recs {
		recs[i].Idle, recs[i].Lifetime = idle, lifetime
		k.ok("create", k.insert(recs[i]))
	}
	created := time.Now()
	k.sleepUntil(began.Add(k.almost(life)))
	for _, rec := range recs {
		k.notEarly(rec.Key, began, life)
	}
	listed, walked := k.list(recs[0].User), k.all(keys(recs)...)
	if time.Since(began) <= life-k.tick && (len(listed) < len(recs) || len(walked) < len(recs)) {
		k.failf("before the end of their lives, User yields %d and All %d of %d records", len(listed), len(walked), len(recs))
	}
	k.sleepUntil(created.Add(k.late(life)))
	// Each method sees a record that no other method has met since it expired.
	k.absent(recs[0].Key, "at the end of its life")
	k.is(store.ErrNotFound, "update at the end of its life", k.update(recs[1], 1))
	k.is(store.ErrNotFound, "touch at the end of its life", k.touch(recs[2].Key, 0))
	k.is(store.ErrNotFound, "rotate at the end of its life", k.rotate(recs[3].Key, 1, k.heir(recs[3]), nil))
	k.unlisted(recs[4], "at the end of its life")
	k.revoked("revoke at the end of all lives", recs[0].User, store.Selection{}, 0)
	for _, rec := range recs {
		k.dead(rec, "after the end of its life")
	}
}

func keys(recs []store.Record) []store.Key {
	ks := make([]store.Key, len(recs))
	for i := range recs {
		ks[i] = recs[i].Key
	}
	return ks
}

func expiryBoth(k *kit) {
	for _, idleFirst := range []bool{true, false} {
		rec := k.fresh(k.name())
		rec.Idle, rec.Lifetime = 2*k.unit, 20*k.unit
		if !idleFirst {
			rec.Idle, rec.Lifetime = rec.Lifetime, rec.Idle
		}
		began := time.Now()
		k.ok("create", k.insert(rec))
		created := time.Now()
		k.sleepUntil(began.Add(k.almost(2 * k.unit)))
		k.notEarly(rec.Key, began, 2*k.unit)
		k.sleepUntil(created.Add(k.late(2 * k.unit)))
		k.absent(rec.Key, "after the earlier of its two ends")
	}
}

func expiredSlot(k *kit) {
	recs := k.freshN(2, k.name())
	for i := range recs {
		recs[i].Lifetime = k.unit
		k.ok("create", k.insert(recs[i]))
	}
	k.sleep(k.unit + k.tick)
	again := k.fresh(recs[0].User)
	again.Key = recs[0].Key
	got := k.add(again)
	if got.Version != 1 || got.Handle != again.Handle {
		k.failf("a record at the key of an expired one has Version %d and handle %v, want 1 and %v", got.Version, got.Handle, again.Handle)
	}
	next := k.heir(got)
	next.Key = recs[1].Key
	k.ok("rotate to the key of an expired record", k.rotate(got.Key, 1, next, nil))
	k.live(next.Key, "after rotate to the key of an expired record")
}

func expiredCount(k *kit) {
	recs := k.freshN(4, k.name())
	for i := range recs[:3] {
		recs[i].Lifetime = k.unit
		k.ok("create", k.insert(recs[i]))
	}
	k.sleep(k.unit + k.tick)
	if _, err := k.create(recs[3], store.Admission{Max: 1}); err != nil {
		k.failf("create at a limit of 1 beside three expired records: %w", err)
	}
	last := k.fresh(recs[0].User)
	evicted, err := k.create(last, store.Admission{Max: 1, Evict: true})
	k.ok("create with eviction", err)
	if len(evicted) != 1 || evicted[0] != recs[3].Handle {
		k.failf("a create that replaces one live record beside three expired ones says that %d were evicted", len(evicted))
	}
	k.revoked("revoke beside three expired records", last.User, store.Selection{}, 1)
}

func idleSlides(k *kit) {
	slides := map[string]func(store.Record){
		"touch":  func(r store.Record) { k.ok("touch", k.touch(r.Key, 0)) },
		"update": func(r store.Record) { k.ok("update", k.update(k.edit(r), 1)) },
	}
	for what, slide := range slides {
		rec := k.fresh(k.name())
		rec.Idle = 3 * k.unit
		rec = k.add(rec)
		k.sleep(2 * k.unit)
		began := time.Now()
		slide(rec)
		slid := time.Now()
		k.sleepUntil(began.Add(k.almost(3 * k.unit)))
		k.notEarly(rec.Key, began, 3*k.unit)
		k.sleepUntil(slid.Add(k.late(3 * k.unit)))
		k.absent(rec.Key, "after the idle time that began with its "+what)
	}
}

func idleShortens(k *kit) {
	for _, idle := range []bool{true, false} {
		rec := k.add(k.fresh(k.name()))
		change := k.edit(rec)
		change.Lifetime = 2 * k.unit
		if idle {
			change.Idle, change.Lifetime = 2*k.unit, 0
		}
		began := time.Now()
		k.ok("update", k.update(change, 1))
		updated := time.Now()
		k.sleep(k.unit)
		if idle { // a lifetime began with the record, a little earlier
			k.notEarly(rec.Key, began, 2*k.unit)
		}
		k.sleepUntil(updated.Add(k.late(2 * k.unit)))
		k.dead(rec, "after the end of its shortened life")
	}
}

func lifetimeStays(k *kit) {
	rec := k.fresh(k.name())
	rec.Idle, rec.Lifetime = 4*k.unit, 5*k.unit
	began := time.Now()
	rec = k.add(rec)
	created := time.Now()
	k.sleep(2 * k.unit)
	k.ok("touch", k.touch(rec.Key, 0))
	k.ok("update", k.update(k.edit(rec), 1))
	next := k.heir(rec)
	next.Seen = time.Time{}
	k.ok("rotate", k.rotate(rec.Key, 2, next, nil))
	k.ok("touch", k.touch(next.Key, 0))
	k.sleepUntil(began.Add(k.almost(5 * k.unit)))
	k.notEarly(next.Key, began, 5*k.unit)
	k.sleepUntil(created.Add(k.late(5 * k.unit)))
	k.dead(next, "after its lifetime, in spite of touch, update and rotate")
}

// blur is what two readings of the store's clock may be apart from the truth. A store may estimate
// the clock of an engine across a network, from an earlier trip.
func (k *kit) blur() time.Duration {
	d := k.tick + k.s.Traits().Skew
	if !k.exact {
		d += k.unit / 2
	}
	return d
}

func clock(k *kit) {
	rec := k.fresh(k.name())
	rec.Idle = 30 * k.unit
	k.ok("create", k.insert(rec))
	before := time.Now()
	got, first, err := k.get(rec.Key)
	k.ok("get", err)
	began, last := time.Now(), first
	var asked, answered time.Time
	for range 4 {
		k.sleep(k.unit / 2)
		k.ok("touch", k.touch(rec.Key, 0))
		var now time.Time
		asked = time.Now()
		got, now, err = k.get(rec.Key)
		answered = time.Now()
		k.ok("get", err)
		if now.Before(last) || got.Created.After(now) || got.Seen.After(now) {
			k.failf("the store's now is %v after the last one, %v after Created, %v after Seen", now.Sub(last), now.Sub(got.Created), now.Sub(got.Seen))
		}
		last = now
	}
	// The instant of each answer lies within its call, however long that took.
	slack := k.blur()
	if shown := last.Sub(first); shown <= asked.Sub(began)-slack || shown >= answered.Sub(before)+slack {
		k.failf("while %v passed, the store's now moved by %v", asked.Sub(began), shown)
	}
}
