package storetest

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var edgeClauses = []clause{
	{"end-edge", "up to its end a record lives for every method, and from its end on for none, whatever makes the end and however the record came", endEdge},
	{"end-swept", "Sweep leaves a record up to its end and takes it from then on, whatever makes the end and however the record came", endSwept},
	{"reserved", "records under the reserved tag are like any other", reserved},
}

// shape is a way to make a record's end.
type shape struct {
	what    string
	touched bool // a quarter of its time has passed when it is touched
	give    func(r *store.Record, now, end time.Time)
}

// since1960 is before 1970, when the instants of careless code begin.
var since1960 = time.Unix(-300_000_000, 0)

// shapes make ends that lie 12 units after now, and a quarter of that has passed at a touch.
var shapes = []shape{
	{"no limit, since 1960", false, func(r *store.Record, _, _ time.Time) { r.Created, r.Seen = since1960, since1960 }},
	{"a lifetime since 1960", false, func(r *store.Record, _, end time.Time) { r.Created, r.Lifetime = since1960, end.Sub(since1960) }},
	{"an idle time since 1960", false, func(r *store.Record, _, end time.Time) {
		r.Created, r.Seen, r.Idle = since1960, since1960, end.Sub(since1960)
	}},
	{"a lifetime since 1970", false, func(r *store.Record, _, end time.Time) { r.Created, r.Lifetime = epoch, end.Sub(epoch) }},
	{"an idle time since 1970", false, func(r *store.Record, _, end time.Time) { r.Created, r.Seen, r.Idle = since1960, epoch, end.Sub(epoch) }},
	{"an idle time", false, func(r *store.Record, now, end time.Time) { r.Idle = end.Sub(now) }},
	{"an idle time that a touch moved", true, func(r *store.Record, now, end time.Time) { r.Idle = end.Sub(now) * 3 / 4 }},
	{"a lifetime that a touch did not move", true, func(r *store.Record, now, end time.Time) { r.Lifetime = end.Sub(now) }},
	{"the idle time, before a lifetime", true, func(r *store.Record, now, end time.Time) { r.Idle, r.Lifetime = end.Sub(now)*3/4, 2*end.Sub(now) }},
	{"the lifetime, before an idle time", true, func(r *store.Record, now, end time.Time) { r.Idle, r.Lifetime = 2*end.Sub(now), end.Sub(now) }},
}

// unlimited reports whether records of that shape never end.
func (s *shape) unlimited() bool { return s == &shapes[0] }

// came are the ways in which a record of a shape comes into a store.
var came = []string{"Create", "Rotate", "Rotate, as a tail", "Update"}

// bring inserts a record of the shape for a user of its own. A tail is nobody's.
func (k *kit) bring(s *shape, way string, now, end time.Time) store.Record {
	give := func(rec store.Record) store.Record {
		rec.Idle, rec.Lifetime, rec.Created, rec.Seen = 0, 0, time.Time{}, time.Time{}
		s.give(&rec, now, end)
		return rec
	}
	before := k.fresh(k.name()) // what it was: nothing of that may stay
	before.Idle = end.Sub(now) / 2
	rec := give(before)
	if way == "Create" {
		k.ok("create", k.insert(rec))
		return k.live(rec.Key, "of a record that ends by "+s.what)
	}
	before.Created = rec.Created // which an update leaves
	if !rec.Created.IsZero() {
		before.Lifetime = 0
	}
	if !rec.Seen.IsZero() {
		before.Idle, before.Seen = 0, rec.Seen.Add(-time.Hour)
	}
	k.ok("create", k.insert(before))
	switch next := k.heir(before); way {
	case "Update":
		rec.Writer = writer()
		k.ok("update", k.update(rec, 1))
	case "Rotate":
		rec = give(next)
		k.ok("rotate", k.rotate(before.Key, 1, rec, nil))
	default:
		rec = give(*k.tailOf(before))
		k.ok("rotate", k.rotate(before.Key, 1, next, &rec))
		k.ok("delete", k.delete(next.Key))
	}
	got := k.live(rec.Key, "of a record that ends by "+s.what+" and came by "+way)
	if !near(got.Idle, rec.Idle, k.tick) || !near(got.Lifetime, rec.Lifetime, k.tick) {
		k.failf("by %s, Idle is %v and Lifetime %v, want %v and %v", way, got.Idle, got.Lifetime, rec.Idle, rec.Lifetime)
	}
	return got
}

// edges brings records of all shapes and takes them to a tick before their end, where fake time
// makes that possible. Each use gets one of its own, as far as it makes a difference how they came.
func (k *kit) edges(uses int) (recs [][]store.Record, what []string, shaped []*shape) {
	now := k.now()
	end := now.Add(12 * k.unit)
	if !k.exact {
		end = now.Add(600 * k.unit)
	}
	for i := range shapes {
		s := &shapes[i]
		if s.touched && !k.exact {
			continue // other clauses see these, with the patience that a network takes
		}
		for _, way := range came {
			n := uses
			switch way {
			case "Rotate, as a tail": // which no user's limit counts, and no Revoke ends
				n = min(n, 4)
			case "Rotate", "Update":
				n = min(n, 2)
			}
			var of []store.Record
			for range n {
				of = append(of, k.bring(s, way, now, end))
			}
			recs, what, shaped = append(recs, of), append(what, " of a record that ends by "+s.what+" and came by "+way), append(shaped, s)
		}
	}
	if !k.exact {
		return recs, what, shaped
	}
	k.sleep(3 * k.unit)
	for i, of := range recs {
		if shaped[i].touched {
			for _, rec := range of {
				k.ok("touch", k.touch(rec.Key, k.unit))
			}
		}
	}
	k.sleep(end.Sub(k.now()) - k.tick)
	return recs, what, shaped
}

// acts calls all methods for a record that lives, so that it stays as it is, and then ends it.
func (k *kit) acts(rec store.Record, what string) {
	rec = k.live(rec.Key, what)
	k.ok("touch"+what, k.touch(rec.Key, store.MaxLife))
	again := k.fresh(rec.User)
	again.Key = rec.Key
	k.is(store.ErrExists, "create at the key"+what, k.insert(again))
	other := k.fresh(rec.User)
	other.Key.Tag, other.Lifetime = rec.Key.Tag, time.Hour
	k.ok("create", k.insert(other))
	again.Writer = writer()
	k.is(store.ErrExists, "rotate to the key"+what, k.rotate(other.Key, 1, again, nil))
	k.ok("delete", k.delete(other.Key))
	if rec.User != "" {
		k.listed(rec.User, what, rec.Key)
		k.is(store.ErrLimit, "create at the limit"+what, k.limited(rec.User, 1))
	}
	if len(k.all(rec.Key)) != 1 {
		k.failf("All does not yield the one record at the key%s", what)
	}
	change := rec
	change.Writer = writer()
	k.ok("update"+what, k.update(change, rec.Version))
	next := k.heir(rec)
	k.ok("rotate"+what, k.rotate(rec.Key, rec.Version+1, next, nil))
	k.live(next.Key, what+", rotated")
	if rec.User != "" {
		k.revoked("revoke"+what, rec.User, only(rec.Handle), 1)
	}
}

func endEdge(k *kit) {
	uses := 6
	if !k.exact {
		uses = 1
	}
	recs, what, shaped := k.edges(uses)
	for i, of := range recs {
		k.acts(of[0], what[i])
	}
	if !k.exact {
		return
	}
	k.edgesOver(recs, what, shaped)
}

// edgesOver looks at the records that are left, at their end. Each method meets one of its own.
func (k *kit) edgesOver(recs [][]store.Record, what []string, shaped []*shape) {
	k.sleep(k.tick)
	for i, of := range recs {
		if shaped[i].unlimited() {
			continue
		}
		if k.dead(of[1], "at the end"+what[i]); len(of) == 2 {
			continue
		}
		again := k.fresh(of[2].User)
		again.Key = of[2].Key
		k.ok("create at the key, at the end"+what[i], k.insert(again))
		next := k.fresh(of[3].User)
		next.Key.Tag = of[3].Key.Tag
		k.ok("create", k.insert(next))
		onto := k.heir(next)
		onto.Key = of[3].Key
		if k.ok("rotate to the key, at the end"+what[i], k.rotate(next.Key, 1, onto, nil)); len(of) == 4 {
			continue
		}
		last := k.fresh(of[4].User)
		_, err := k.create(last, store.Admission{Max: 1})
		k.ok("create at a limit of 1, at the end"+what[i], err)
		evicted, err := k.create(k.fresh(last.User), store.Admission{Max: 1, Evict: true})
		if k.ok("create with eviction, at the end"+what[i], err); len(evicted) != 1 || evicted[0] != last.Handle {
			k.failf("a create that replaces one live record, at the end%s: %d evicted", what[i], len(evicted))
		}
		k.revoked("revoke, at the end"+what[i], of[5].User, only(of[5].Handle), 0)
	}
}

func endSwept(k *kit) {
	if k.exact { // to learn whether this store sweeps
		rec := k.fresh("")
		rec.Lifetime = k.unit
		k.ok("create", k.insert(rec))
		k.sleep(2 * k.unit)
		k.counted(k.swept(100), 1)
	}
	recs, what, shaped := k.edges(1)
	k.counted(k.swept(100), 0)
	ended := 0
	for i, of := range recs {
		k.live(of[0].Key, "after a sweep,"+what[i])
		if !shaped[i].unlimited() {
			ended++
		}
	}
	if !k.exact {
		return
	}
	k.sleep(k.tick)
	k.counted(k.swept(100), ended)
	for i, of := range recs {
		if shaped[i].unlimited() {
			k.live(of[0].Key, "after a sweep,"+what[i])
		} else {
			k.dead(of[0], "after a sweep,"+what[i])
		}
	}
}

func reserved(k *kit) {
	var recs []store.Record
	for _, life := range []time.Duration{0, time.Hour, k.unit} {
		rec := k.fresh("")
		rec.Key.Tag, rec.Lifetime = store.Reserved, life
		recs = append(recs, k.add(rec))
	}
	beside := k.fresh("")
	beside.Lifetime = k.unit
	k.ok("create", k.insert(beside))
	k.counted(k.swept(10), 0)
	k.ok("update", k.update(k.edit(recs[0]), 1))
	next := k.heir(recs[1])
	k.ok("rotate", k.rotate(recs[1].Key, 1, next, nil))
	k.sleep(k.unit + k.tick)
	k.counted(k.swept(10), 2)
	if n := len(k.all(recs[0].Key, next.Key, recs[2].Key)); n != 2 {
		k.failf("All yields %d of 2 live records under the reserved tag", n)
	}
	k.live(recs[0].Key, "under the reserved tag, after a sweep")
	k.live(next.Key, "under the reserved tag, after a sweep")
	k.dead(recs[2], "under the reserved tag, after its life")
	k.ok("delete", k.delete(recs[0].Key))
	k.absent(recs[0].Key, "under the reserved tag, after delete")
	k.ok("delete", k.delete(next.Key))
}
