package storetest

import (
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var givenClauses = []clause{
	{"given-create", "Create takes Created and Seen as given, each by itself, and now where it is zero", givenCreate},
	{"given-update", "Update takes a later Seen as given and now where it is zero, and never Created", givenUpdate},
	{"given-rotate", "Rotate takes Created and Seen as given, each by itself, and now where it is zero, of the record and of its tail", givenRotate},
	{"given-ends", "lives count from the Created and the Seen that were given, in every write", givenEnds},
	{"use", "Touch and Update count as use, and nothing else does: no read, no refusal, nothing sent again", use},
}

// instants are what a caller may give: each makes Created and Seen, where zero means zero.
var instants = []struct {
	what          string
	created, seen time.Duration // before the present; 0 = the zero time
}{
	{"neither", 0, 0},
	{"Created alone", 3, 0},
	{"Seen alone", 0, 3},
	{"both", 3, 2},
	{"both, Seen first", 2, 3},
	{"both alike", 3, 3},
}

// ago gives the instant n units before now, or the zero time.
func (k *kit) ago(now time.Time, n time.Duration) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return now.Add(-n * k.unit)
}

// epoch is an instant that careless code takes for none.
var epoch = time.Unix(0, 0)

// stamped fails unless the record has the instants that were given, and between the two instants of
// the store's clock where none was given.
func (k *kit) stamped(what string, got store.Record, created, seen, from, to time.Time) {
	most := k.tick + k.s.Traits().Skew
	for name, at := range map[string][2]time.Time{"Created": {got.Created, created}, "Seen": {got.Seen, seen}} {
		switch is, want := at[0], at[1]; {
		case is.IsZero():
			k.failf("%s: %s is the zero time", what, name)
		case want.IsZero() && (is.Before(from.Add(1-most)) || is.After(to.Add(most-k.tick))):
			k.failf("%s: %s is %v after the call began, and %v before it ended, want now", what, name, is.Sub(from), to.Sub(is))
		case !want.IsZero() && !near(is.Sub(want), 0, k.tick):
			k.failf("%s: %s is %v after what was given", what, name, is.Sub(want))
		}
	}
}

func givenCreate(k *kit) {
	for _, user := range []string{k.name(), ""} {
		for _, in := range instants {
			rec := k.fresh(user)
			from := k.now()
			rec.Created, rec.Seen = k.ago(from, in.created), k.ago(from, in.seen)
			rec.Idle = 100 * k.unit
			k.ok("create", k.insert(rec))
			k.stamped("create with "+in.what, k.live(rec.Key, "after create"), rec.Created, rec.Seen, from, k.now())
		}
		rec := k.fresh(user)
		rec.Idle, rec.Lifetime, rec.Created, rec.Seen = 0, 0, epoch, epoch
		got, now := k.add(rec), k.now()
		k.stamped("create with instants of 1970", got, epoch, epoch, now, now)
	}
}

func givenUpdate(k *kit) {
	rec := k.fresh(k.name())
	rec.Created, rec.Seen = k.ago(k.now(), 5), k.ago(k.now(), 4)
	rec.Idle = 100 * k.unit
	rec = k.add(rec)
	seen, version := rec.Seen, uint64(1)
	for _, back := range []time.Duration{6, 4, 3, 3, 5, 1, 0, 2} { // units before the present; 0 = the zero time
		k.sleep(2 * k.tick)
		from, change := k.now(), k.edit(rec)
		change.Created, change.Seen = k.ago(from, 1), k.ago(from, back)
		k.ok("update", k.update(change, version))
		version++
		want := change.Seen
		if back != 0 && want.Before(seen) {
			want = seen
		}
		got := k.live(rec.Key, "after update")
		k.stamped(fmt.Sprintf("update with a Seen of %d units ago", back), got, rec.Created, want, from, k.now())
		seen = got.Seen
	}
}

// givenRotate lets time pass before the rotation: what belonged to the old record differs from now.
func givenRotate(k *kit) {
	for _, user := range []string{k.name(), ""} {
		for i, in := range instants {
			rec := k.fresh(user)
			rec.Idle = 100 * k.unit
			rec = k.add(rec)
			if k.exact || i < 2 {
				k.sleep(k.unit)
			}
			from := k.now()
			next, tail := k.edit(k.heir(rec)), k.tailOf(rec)
			next.Created, next.Seen = k.ago(from, in.created), k.ago(from, in.seen)
			other := instants[len(instants)-1-i] // the tail is given something else
			tail.Created, tail.Seen = k.ago(from, other.created), k.ago(from, other.seen)
			k.ok("rotate", k.rotate(rec.Key, 1, next, tail))
			to := k.now()
			k.stamped("rotate with "+in.what, k.live(next.Key, "after rotate"), next.Created, next.Seen, from, to)
			k.stamped("rotate with a tail with "+other.what, k.live(rec.Key, "of the tail"), tail.Created, tail.Seen, from, to)
		}
	}
}

// givenEnds writes records whose lives have partly passed, and looks a while before their ends and
// after them.
func givenEnds(k *kit) {
	for _, idle := range []bool{true, false} {
		// lasting gives rec a life that has one unit of three left. What has nothing to do with its
		// end is left to the store.
		lasting := func(rec store.Record, now time.Time) store.Record {
			rec.Idle, rec.Lifetime, rec.Created, rec.Seen = 0, 6*k.unit, now.Add(-3*k.unit), time.Time{}
			if idle {
				rec.Idle, rec.Lifetime, rec.Created, rec.Seen = 6*k.unit, 0, time.Time{}, now.Add(-3*k.unit)
			}
			return rec
		}
		user := k.name()
		old, seen := k.add(k.fresh(user)), k.add(k.fresh(user))
		k.sleep(k.unit)
		now := k.now()
		created := lasting(k.fresh(user), now)
		next, tail := lasting(k.heir(old), now), lasting(*k.tailOf(old), now)
		change := k.edit(seen)
		change.Idle, change.Lifetime = 0, 4*k.unit
		if idle {
			change.Idle, change.Lifetime, change.Seen = 4*k.unit, 0, seen.Seen
		}
		k.ok("create", k.insert(created))
		k.ok("rotate", k.rotate(old.Key, 1, next, &tail))
		k.ok("update", k.update(change, 1))
		ends := map[string]store.Record{"create": created, "rotate": next, "rotate, of the tail": tail, "update": change}
		for what, rec := range ends {
			k.live(rec.Key, "after "+what+", with some life left")
		}
		k.sleepUntil(time.Now().Add(k.almost(3*k.unit) - k.now().Sub(now)))
		for what, rec := range ends {
			k.lives(rec, "before its end by what was given to "+what)
		}
		k.sleep(k.unit)
		for what, rec := range ends {
			k.over(rec)
			k.dead(rec, "after its end by what was given to "+what)
		}
	}
}

// lives fails if the record is absent though, by the store's own clock, it has not ended.
func (k *kit) lives(rec store.Record, when string) {
	_, _, err := k.get(rec.Key)
	if err != nil {
		k.is(store.ErrNotFound, "get "+when, err)
		if left := rec.Expires().Sub(k.now()); left > 0 || k.exact {
			k.failf("%s, %v before the store's clock says so, the record is absent", when, left)
		}
	}
}

// over returns when the record has ended by the store's own clock.
func (k *kit) over(rec store.Record) {
	for left := rec.Expires().Sub(k.now()); left >= 0; left = rec.Expires().Sub(k.now()) {
		k.sleep(left + k.tick)
	}
}

func use(k *kit) {
	user := k.name()
	rec := k.fresh(user)
	rec.Idle = 200 * k.unit
	rec = k.add(rec)
	taken := k.add(k.fresh(user))
	first := k.edit(rec)
	k.ok("update", k.update(first, 1))
	rec = k.live(rec.Key, "after update")
	k.sleep(k.unit / 4)
	began := time.Now().Add(-time.Minute)
	k.revoked("revoke", user, except(rec.Handle, taken.Handle), 0)
	quiet := map[string]func(){
		"Get":  func() { k.live(rec.Key, "for use") },
		"User": func() { k.list(user) },
		"All":  func() { k.all(rec.Key) },
		"Sweep": func() {
			k.sweep(100)
		},
		"the same update again":          func() { k.ok("the same update again", k.update(first, 1)) },
		"an update with another version": func() { k.is(store.ErrConflict, "update", k.update(k.edit(rec), 7)) },
		"a create at its key":            func() { k.is(store.ErrExists, "create", k.insert(k.edit(rec))) },
		"a rotate with another version":  func() { k.is(store.ErrConflict, "rotate", k.rotate(rec.Key, 7, k.heir(rec), nil)) },
		"a rotate to a taken key": func() {
			next := k.heir(rec)
			next.Key = taken.Key
			k.is(store.ErrExists, "rotate", k.rotate(rec.Key, 2, next, nil))
		},
		"a rotate of another to it": func() {
			next := k.heir(taken)
			next.Key = rec.Key
			k.is(store.ErrExists, "rotate", k.rotate(taken.Key, k.live(taken.Key, "of another").Version, next, nil))
		},
		"a touch before its time": func() { k.ok("touch", k.touch(rec.Key, 100*k.unit)) },
		"a revoke that spares it": func() { k.revoked("revoke", user, except(rec.Handle, taken.Handle), 0) },
		"a create at the limit": func() {
			_, err := k.create(k.fresh(user), store.Admission{Max: 2})
			k.is(store.ErrLimit, "create", err)
		},
		"another record's update":            func() { k.ok("update", k.update(k.edit(taken), k.live(taken.Key, "of another").Version)) },
		"a delete of nothing":                func() { k.ok("delete", k.delete(k.heir(rec).Key)) },
		"a create beside it":                 func() { k.ok("delete", k.delete(k.add(k.fresh(user)).Key)) },
		"another record's touch":             func() { k.ok("touch", k.touch(taken.Key, 0)) },
		"a rotate to another's user":         func() { n := k.heir(rec); n.User = ""; k.is(store.ErrInvalid, "rotate", k.rotate(rec.Key, 2, n, nil)) },
		"an update that breaks a rule":       func() { c := k.edit(rec); c.Idle = -1; k.is(store.ErrInvalid, "update", k.update(c, 2)) },
		"a create, refused for a revocation": func() { k.is(store.ErrRevoked, "create", k.signIn(user, began)) },
	}
	for what, call := range quiet {
		if k.exact {
			k.sleep(k.unit)
		}
		call()
		k.same("after "+what+", which is no use", k.live(rec.Key, "after "+what), rec)
	}
	k.sleep(k.unit / 4)
	for what, call := range map[string]func() error{
		"a touch":   func() error { return k.touch(rec.Key, k.unit/8) },
		"an update": func() error { return k.update(k.edit(rec), k.live(rec.Key, "before an update").Version) },
		"an update of the same values": func() error {
			rec.Writer, rec.Seen = writer(), time.Time{}
			return k.update(rec, k.live(rec.Key, "before an update").Version)
		},
	} {
		k.sleep(k.unit / 4)
		from := k.now()
		k.ok(what, call())
		got := k.live(rec.Key, "after "+what)
		k.stamped(what, got, rec.Created, time.Time{}, from, k.now())
	}
}
