package storetest

import (
	"bytes"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var updateClauses = []clause{
	{"update", "Update replaces Idle, Lifetime, Meta and Data, sets the Writer, and adds one to Version", update},
	{"update-keeps", "Update never changes Handle, User or Created", updateKeeps},
	{"update-conflict", "Update with another version is ErrConflict and writes nothing", updateConflict},
	{"update-replay", "the same Update sent again is nil and is applied once", updateReplay},
	{"update-same", "an Update that changes nothing is applied like any other, twice within an instant too", updateSame},
	{"update-ends", "an Update that leaves the record no life ends it", updateEnds},
	{"update-empty", "Update with nil or empty bytes empties Meta and Data", updateEmpty},
	{"seen", "a Seen of zero means now; another moves the stored one forward only, and never past now", seen},
	{"clock-skew", "no caller's clock can lengthen a life: Created and Seen are clamped to the store's now", clockSkew},
	{"touch", "Touch sets Seen to now and changes nothing else, not even Version", touch},
	{"touch-hint", "Touch takes nothing but the key from the record that it is given", touchHint},
	{"touch-stale", "a hint that is no longer true, as Get returned it before others wrote, changes nothing of what Touch does", touchStale},
	{"touch-every", "Touch writes only where Seen is at least every old", touchEvery},
}

// edit returns rec with new content and a new writer.
func (k *kit) edit(rec store.Record) store.Record {
	next := k.fresh(rec.User)
	rec.Writer, rec.Meta, rec.Data = next.Writer, next.Meta, next.Data
	rec.Seen = time.Time{}
	return rec
}

func update(k *kit) {
	rec := k.add(k.fresh(k.name()))
	for version := uint64(1); version <= 3; version++ {
		want := k.edit(rec)
		want.Idle, want.Lifetime = rec.Idle+20*k.unit, rec.Lifetime+k.unit
		k.ok("update", k.update(want, version))
		got := k.live(rec.Key, "after update")
		want.Version = version + 1
		want.Seen = got.Seen
		k.same("after update", got, want)
		if got.Seen.Before(rec.Seen) {
			k.failf("update moved Seen back by %v", rec.Seen.Sub(got.Seen))
		}
		rec = got
	}
}

func updateKeeps(k *kit) {
	rec := k.fresh(k.name())
	rec.Created = k.now().Add(-10 * k.unit)
	rec = k.add(rec)
	for i, created := range []time.Time{{}, rec.Created.Add(-k.unit), rec.Created.Add(k.unit)} {
		change := k.edit(rec)
		change.Handle = k.fresh("").Handle
		change.User = "" // another user's tag would not fit, and be refused
		change.Created = created
		k.ok("update", k.update(change, uint64(i+1)))
		got := k.live(rec.Key, "after update")
		if got.Handle != rec.Handle || got.User != rec.User || !near(got.Created.Sub(rec.Created), 0, k.tick) {
			k.failf("update changed the handle (%v), the user (%v) or Created (by %v)",
				got.Handle != rec.Handle, got.User != rec.User, got.Created.Sub(rec.Created))
		}
		if find(k.list(rec.User), rec.Key) == nil {
			k.failf("update took the record from its user's list")
		}
	}
}

func updateConflict(k *kit) {
	rec := k.add(k.fresh(k.name()))
	k.ok("update", k.update(k.edit(rec), 1))
	rec = k.live(rec.Key, "after update")
	k.sleep(k.unit / 10)
	for _, version := range []uint64{0, 1, 3, 1 << 40} {
		k.is(store.ErrConflict, "update with another version", k.update(k.edit(rec), version))
		k.same("after a refused update", k.live(rec.Key, "after a refused update"), rec)
	}
}

func updateReplay(k *kit) {
	rec := k.add(k.fresh(k.name()))
	first, second := k.edit(rec), k.edit(rec)
	first.User, first.Handle, first.Created = "", k.fresh("").Handle, time.Time{} // none of which counts
	k.ok("update", k.update(first, 1))
	applied := k.live(rec.Key, "after update")
	k.ok("the same update again", k.update(first, 1))
	k.same("after a repeated update", k.live(rec.Key, "after a repeated update"), applied)
	k.ok("next update", k.update(second, 2))
	k.is(store.ErrConflict, "the first update again, after the next", k.update(first, 1))
	k.ok("the next update again", k.update(second, 2))
}

func updateSame(k *kit) {
	rec := k.add(k.fresh(k.name()))
	for version := uint64(1); version <= 3; version++ {
		rec.Writer = writer()
		k.ok("update without a change", k.update(rec, version))
	}
	if got := k.live(rec.Key, "after updates").Version; got != 4 {
		k.failf("after three updates the version is %d, want 4", got)
	}
}

func updateEnds(k *kit) {
	ends := map[string]func(*store.Record){
		"lifetime": func(r *store.Record) { r.Idle, r.Lifetime = 0, k.unit },
		"idle":     func(r *store.Record) { r.Idle, r.Lifetime = k.unit, 0 },
	}
	for what, end := range ends {
		rec := k.add(k.fresh(k.name()))
		k.sleep(k.unit + k.tick)
		change := k.edit(rec)
		change.Seen = rec.Seen // else the idle time would begin anew
		end(&change)
		k.ok("update to a "+what+" that is over", k.update(change, 1))
		k.dead(rec, "after an update to a "+what+" that was over")
		_, err := k.create(k.fresh(rec.User), store.Admission{Max: 1})
		k.ok("create at a limit of 1, where the only record was ended by its update", err)
	}
}

func updateEmpty(k *kit) {
	rec := k.add(k.fresh(k.name()))
	for i, empty := range [][]byte{nil, {}} {
		full := k.edit(rec)
		k.ok("update", k.update(full, uint64(2*i+1)))
		change := k.edit(rec)
		change.Meta, change.Data = empty, empty
		k.ok("update to empty bytes", k.update(change, uint64(2*i+2)))
		got := k.live(rec.Key, "after update")
		if len(got.Meta)+len(got.Data) > 0 {
			k.failf("an update to empty bytes left %d of Meta and %d of Data", len(got.Meta), len(got.Data))
		}
	}
}

func seen(k *kit) {
	rec := k.add(k.fresh(k.name()))
	version := uint64(0)
	set := func(t time.Time) (got, now time.Time) {
		version++
		change := k.edit(rec)
		change.Seen = t
		k.ok("update", k.update(change, version))
		r, now, err := k.get(rec.Key)
		k.ok("get", err)
		return r.Seen, now
	}
	k.sleep(4 * k.unit)
	want := rec.Seen.Add(2 * k.unit)
	if got, _ := set(want); !near(got.Sub(want), 0, k.tick) {
		k.failf("an update moved Seen to %v from what it gave", got.Sub(want))
	}
	if got, _ := set(want.Add(-k.unit)); !near(got.Sub(want), 0, k.tick) {
		k.failf("an update with an older Seen moved it by %v", got.Sub(want))
	}
	got, now := set(time.Time{})
	if got.After(now) || got.Before(rec.Seen.Add(4*k.unit-k.tick)) || k.exact && !near(got.Sub(now), 0, k.tick) {
		k.failf("an update without Seen set it to now%+v", got.Sub(now))
	}
	last := got
	if got, now := set(now.Add(90 * time.Second)); got.After(now) || got.Before(last) {
		k.failf("an update with a Seen ahead of the store's clock set it to now%+v", got.Sub(now))
	}
}

func clockSkew(k *kit) {
	base := k.now()
	for _, ahead := range []time.Duration{90 * time.Second, 48 * time.Hour} {
		rec := k.fresh(k.name())
		rec.Created, rec.Seen = base.Add(ahead), base.Add(ahead)
		rec.Idle, rec.Lifetime = 4*k.unit, 5*k.unit
		got := k.add(rec)
		k.clamped(got, "create")
		change := k.edit(got)
		change.Created, change.Seen = rec.Created, rec.Seen
		k.ok("update", k.update(change, 1))
		k.clamped(k.live(rec.Key, "after update"), "update")
		next := k.heir(got)
		next.Created, next.Seen = rec.Created, rec.Seen
		tail := store.Record{Key: rec.Key, Writer: writer(), Created: rec.Created, Seen: rec.Seen, Lifetime: 4 * k.unit}
		k.ok("rotate", k.rotate(rec.Key, 2, next, &tail))
		k.clamped(k.live(next.Key, "after rotate"), "rotate")
		k.clamped(k.live(tail.Key, "after rotate"), "rotate, its tail")
		k.sleep(5*k.unit + k.tick)
		k.absent(next.Key, "after the life that a caller's clock wanted to lengthen")
		k.absent(tail.Key, "after the tail's life that a caller's clock wanted to lengthen")
	}
	// A caller whose clock is behind must not shorten what the store has seen.
	rec := k.fresh(k.name())
	rec.Idle = 10 * k.unit
	rec = k.add(rec)
	change := k.edit(rec)
	change.Seen = rec.Seen.Add(-90 * time.Second)
	k.ok("update", k.update(change, 1))
	if got := k.live(rec.Key, "after update").Seen; got.Before(rec.Seen.Add(1 - k.tick)) {
		k.failf("a caller whose clock is behind moved Seen back by %v", rec.Seen.Sub(got))
	}
}

// clamped fails if one of the record's instants lies in the store's future.
func (k *kit) clamped(rec store.Record, after string) {
	now := k.now()
	if rec.Created.After(now) || rec.Seen.After(now) {
		k.failf("after %s, Created is now%+v and Seen now%+v", after, rec.Created.Sub(now), rec.Seen.Sub(now))
	}
}

func touch(k *kit) {
	for _, user := range []string{k.name(), ""} {
		k.touched(user)
	}
}

func (k *kit) touched(user string) {
	rec := k.fresh(user)
	rec.Idle = 20 * k.unit
	rec = k.add(rec)
	k.sleep(k.unit)
	k.ok("touch", k.touch(rec.Key, 0))
	got, now, err := k.get(rec.Key)
	k.ok("get", err)
	if got.Seen.Before(rec.Seen.Add(k.unit-k.tick)) || got.Seen.After(now) {
		k.failf("%v after it was created, a touch moved Seen by %v", now.Sub(rec.Created), got.Seen.Sub(rec.Seen))
	}
	want := rec
	want.Seen = got.Seen
	k.same("after touch", got, want)
	k.ok("update for the version before the touch", k.update(k.edit(rec), 1))
}

func touchHint(k *kit) {
	rec := k.add(k.fresh(k.name()))
	hint := k.edit(rec)
	hint.Handle, hint.User, hint.Version = store.Handle{7}, "", 7
	hint.Idle, hint.Lifetime = 1000*k.unit, 1000*k.unit
	hint.Created, hint.Seen = k.now().Add(k.unit), k.now().Add(k.unit)
	k.ok("touch with a hint that is all wrong", k.answer("Touch", k.s.Touch(k.ctx, hint, 0)))
	got := k.live(rec.Key, "after touch")
	want := rec
	want.Seen = got.Seen
	k.same("after a touch with a hint that is all wrong", got, want)
}

// touchStale touches with what Get returned before others wrote.
func touchStale(k *kit) {
	const long = 1000
	user := k.name()
	rec := k.fresh(user)
	rec.Idle = 2 * long * k.unit
	rec = k.add(rec)
	touch := func(hint store.Record, every time.Duration) error {
		return k.answer("Touch", k.s.Touch(k.ctx, hint, every))
	}
	k.sleep(k.unit)
	k.ok("update", k.update(k.edit(rec), 1))
	k.sleep(2 * k.tick)
	from := k.now()
	k.ok("touch with the hint of a version before", touch(rec, k.tick))
	seen := k.live(rec.Key, "after touch")
	k.stamped("touch with the hint of a version before", seen, rec.Created, time.Time{}, from, k.now())
	k.sleep(2 * k.tick)
	k.ok("touch that is due by its hint, and not by the record", touch(rec, k.unit/2))
	if k.exact {
		k.same("after a touch that was due by its hint alone", k.live(rec.Key, "after touch"), seen)
	}
	k.ok("touch with a negative time", touch(rec, -1))
	if got := k.live(rec.Key, "after touch"); got.Seen.Before(seen.Seen.Add(1)) {
		k.failf("a touch with a negative time moved Seen by %v", got.Seen.Sub(seen.Seen))
	}
	gone := k.live(rec.Key, "before its end")
	k.ok("delete", k.delete(rec.Key))
	for _, every := range []time.Duration{0, long * k.unit} {
		k.is(store.ErrNotFound, "touch of what was deleted, with its hint", touch(gone, every))
		k.absent(rec.Key, "after it was deleted and touched")
	}
	rec = k.add(k.fresh(user))
	next := k.heir(rec)
	k.ok("rotate", k.rotate(rec.Key, 1, next, nil))
	k.is(store.ErrNotFound, "touch of what was rotated away, with its hint", touch(rec, long*k.unit))
	rec = k.add(k.fresh(user))
	k.revokeAll(user)
	k.is(store.ErrNotFound, "touch of what was revoked, with its hint", touch(rec, long*k.unit))
}

func touchEvery(k *kit) {
	rec := k.add(k.fresh(k.name()))
	begun := time.Now()
	k.sleep(k.unit)
	k.ok("touch", k.touch(rec.Key, 100*k.unit))
	if got := k.live(rec.Key, "after touch"); k.differ(got, rec) != "" {
		k.failf("a touch wrote %s before its time", k.differ(got, rec))
	}
	if k.exact {
		k.ok("touch a tick early", k.touch(rec.Key, k.unit+k.tick))
		if got := k.live(rec.Key, "after touch").Seen; !got.Equal(rec.Seen) {
			k.failf("a touch wrote one tick before its time")
		}
	}
	if !k.exact {
		k.sleep(k.tick) // two rounded instants may seem a tick nearer than they are
	}
	k.ok("touch", k.touch(rec.Key, k.unit))
	got := k.live(rec.Key, "after touch")
	if d := got.Seen.Sub(rec.Seen); d < k.unit-k.tick || d > time.Since(begun)+k.unit+k.tick {
		k.failf("a touch that was due moved Seen by %v", d)
	}
	if !bytes.Equal(got.Data, rec.Data) {
		k.failf("a touch changed the data")
	}
	if k.exact { // Seen counts, not how old the record is
		k.sleep(k.tick)
		k.ok("touch of what was touched a tick before", k.touch(rec.Key, 2*k.tick))
		k.same("after a touch of what was just touched", k.live(rec.Key, "after touch"), got)
	}
}
