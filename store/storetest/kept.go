package storetest

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var keptClauses = []clause{
	{"clock-late", "Get's now is the present time, however long ago the record was written", clockLate},
	{"kept-alive", "a record that touches or updates keep alive beyond its first end is listed, counted, evicted and revoked like any other", keptAlive},
	{"kept-swept", "what a sweep met alive, another one finds when it has died, once", keptSwept},
	{"limit-expired", "limits count the live records alone, in whatever way others ended, and eviction takes and tells live ones only", limitExpired},
}

func clockLate(k *kit) {
	wait := 2 * k.unit
	if k.exact {
		wait = 40 * 24 * time.Hour
	}
	for _, idle := range []time.Duration{0, 200 * 24 * time.Hour} {
		rec := k.fresh(k.name())
		rec.Idle, rec.Lifetime = idle, 0
		rec = k.add(rec)
		for range 2 {
			before := time.Now()
			_, first, err := k.get(rec.Key)
			k.ok("get", err)
			after := time.Now()
			k.sleep(wait)
			began := time.Now()
			_, now, err := k.get(rec.Key)
			k.ok("get", err)
			ended := time.Now()
			// The instant of each answer lies within its call.
			slack := k.blur()
			if shown := now.Sub(first); shown <= began.Sub(after)-slack || shown >= ended.Sub(before)+slack {
				k.failf("while %v passed and nothing was written, Get's now moved by %v", began.Sub(after), shown)
			}
		}
	}
}

// outlast keeps records alive beyond the end that they were created with. It gives them as they are
// then, each kept by another kind of write.
func (k *kit) outlast(user string) map[string]store.Record {
	kept, all := map[string]store.Record{}, map[string]func(store.Record) store.Record{}
	ways := map[string]func(rec store.Record) store.Record{
		"touches": func(rec store.Record) store.Record { k.ok("touch", k.touch(rec.Key, 0)); return rec },
		"updates": func(rec store.Record) store.Record { k.ok("update", k.update(k.edit(rec), rec.Version)); return rec },
		"rotations": func(rec store.Record) store.Record {
			next := k.heir(rec)
			next.Seen = time.Time{}
			k.ok("rotate", k.rotate(rec.Key, rec.Version, next, nil))
			return next
		},
	}
	for what, keep := range ways {
		rec := k.fresh(user)
		rec.Idle, rec.Lifetime = 3*k.unit, 0
		kept[what] = k.add(rec)
		rec = k.fresh(user)
		rec.Idle, rec.Lifetime = 3*k.unit, 300*k.unit
		kept[what+", with a lifetime"] = k.add(rec)
		all[what], all[what+", with a lifetime"] = keep, keep
	}
	for range 2 {
		k.sleep(2 * k.unit)
		for what, keep := range all {
			kept[what] = k.live(keep(kept[what]).Key, "kept alive by "+what)
		}
	}
	return kept
}

func keptAlive(k *kit) {
	user := k.name()
	kept := k.outlast(user)
	walked := k.all(keptKeys(kept)...)
	listed := k.list(user)
	for what, rec := range kept {
		if find(listed, rec.Key) == nil || find(walked, rec.Key) == nil {
			k.failf("a record kept alive by %s beyond its first end is not listed by User (%v) or All (%v)",
				what, find(listed, rec.Key) != nil, find(walked, rec.Key) != nil)
		}
	}
	_, err := k.create(k.fresh(user), store.Admission{Max: len(kept)})
	k.is(store.ErrLimit, "create at a limit that records take up which are kept alive", err)
	k.sweep(1000)
	touched := kept["touches"]
	evicted, err := k.create(k.fresh(user), store.Admission{Max: len(kept), Evict: true})
	if k.ok("create with eviction", err); len(evicted) != 1 {
		k.failf("beside records kept alive, create evicted %d, want 1", len(evicted))
	}
	left := 1
	for what, rec := range kept {
		if rec.Handle == evicted[0] {
			k.absent(rec.Key, "after it was evicted")
			delete(kept, what)
		}
	}
	if _, there := kept["touches"]; there {
		k.revoked("revoke by the handle of a record that touches kept alive", user, only(touched.Handle), 1)
		delete(kept, "touches")
	}
	k.revoked("revoke of records kept alive, and of another", user, store.Selection{}, len(kept)+left)
	for what, rec := range kept {
		k.dead(rec, "after a revoke, kept alive by "+what+" before")
	}
}

func keptKeys(kept map[string]store.Record) (ks []store.Key) {
	for _, rec := range kept {
		ks = append(ks, rec.Key)
	}
	return ks
}

func keptSwept(k *kit) {
	user := k.name()
	kept := k.outlast(user)
	long, short := k.add(k.fresh(user)), k.add(k.fresh(user))
	endless := k.fresh(user)
	endless.Idle, endless.Lifetime = 0, 0
	endless = k.add(endless)
	k.counted(k.swept(1000), 0) // meets them alive
	for what, rec := range kept {
		k.live(rec.Key, "after a sweep, kept alive by "+what)
	}
	// What had a long life or no end gets one, and what was to die does not.
	for _, rec := range []store.Record{short, endless} {
		change := k.edit(rec)
		change.Idle, change.Lifetime = 2*k.unit, 0
		k.ok("update", k.update(change, 1))
	}
	change := k.edit(kept["updates"])
	change.Idle = 0
	k.ok("update to no end", k.update(change, kept["updates"].Version))
	k.counted(k.swept(1000), 0)
	k.sleep(3*k.unit + k.tick)
	k.counted(k.swept(1000), len(kept)-1+2)
	k.counted(k.swept(1000), 0)
	for what, rec := range kept {
		if what != "updates" {
			k.dead(rec, "after its end and a sweep, kept alive by "+what+" before")
		}
	}
	k.dead(short, "after its end and a sweep")
	k.dead(endless, "after its end and a sweep, for it got one")
	k.listed(user, "after sweeps", long.Key, kept["updates"].Key)
}

func limitExpired(k *kit) {
	user := k.name()
	const soon = 2
	end := func(what string, rec store.Record) store.Record {
		switch what {
		case "idle":
			rec.Idle, rec.Lifetime = soon*k.unit, 0
		case "lifetime":
			rec.Idle, rec.Lifetime = 0, soon*k.unit
		case "the earlier of both":
			rec.Idle, rec.Lifetime = soon*k.unit, 100*k.unit
		case "long ago":
			rec.Created, rec.Lifetime = k.ago(k.now(), 9), (9+soon)*k.unit
		}
		return rec
	}
	var gone []store.Record
	for _, what := range []string{"idle", "lifetime", "the earlier of both", "long ago"} {
		rec := end(what, k.fresh(user))
		k.ok("create", k.insert(rec))
		// And one that came to its end by an update, and one by a rotation.
		updated, rotated := k.add(k.fresh(user)), k.add(k.fresh(user))
		change, next := end(what, k.edit(updated)), end(what, k.heir(rotated))
		if what == "long ago" {
			change.Lifetime = soon * k.unit
		}
		k.ok("update", k.update(change, 1))
		k.ok("rotate", k.rotate(rotated.Key, 1, next, k.tailOf(rotated)))
		gone = append(gone, rec, change, next)
	}
	lifeless := k.fresh(user)
	lifeless.Created, lifeless.Lifetime = k.ago(k.now(), 3), k.unit
	k.ok("create of a record without life", k.insert(lifeless))
	gone = append(gone, lifeless)
	k.sleep(soon*k.unit + k.tick)
	live := make([]store.Record, 3)
	for i := range live {
		live[i] = k.fresh(user)
		_, err := k.create(live[i], store.Admission{Max: i + 1})
		k.ok("create within the limit, beside expired records", err)
		k.sleep(2 * k.tick)
	}
	_, err := k.create(k.fresh(user), store.Admission{Max: 3})
	k.is(store.ErrLimit, "create beyond the limit, beside expired records", err)
	for i := range 2 {
		evicted, err := k.create(k.fresh(user), store.Admission{Max: 3, Evict: true})
		k.ok("create with eviction, beside expired records", err)
		if len(evicted) != 1 || evicted[0] != live[i].Handle {
			k.failf("beside expired records, create evicted %d, not the oldest live one alone", len(evicted))
		}
	}
	k.revoked("revoke beside expired records", user, only(handles(gone)...), 0)
	k.revoked("revoke beside expired records", user, store.Selection{}, 3)
}
