package storetest

import (
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var guardClauses = []clause{
	{"guard", "after a Revoke, Create fails with ErrRevoked where the sign-in began before it, and not where it began later", guard},
	{"guard-instant", "a Revoke at the very instant at which the sign-in began refuses it, one a tick earlier does not", guardInstant},
	{"guard-again", "each Revoke counts from its own instant, whatever Revoke came before it", guardAgain},
	{"guard-outlives", "a Revoke is remembered in whatever way the user's last record ends after it", guardOutlives},
	{"guard-many", "a Revoke is remembered, whoever else is revoked after it", guardMany},
	{"guard-time", "a Revoke is remembered for GuardFor, swept or not, and a longer sign-in is refused anyway", guardTime},
	{guardWholeName, "a Revoke is remembered for GuardFor to the moment, also by an engine that forgets by itself", guardWhole},
	{"guard-else", "nothing but a Revoke refuses a sign-in, and a Revoke refuses nothing but Creates", guardElse},
	{"guard-only", "a Revoke with Only refuses no Create, and forgets no Revoke before it", guardOnly},
}

// signIn creates a record of the user whose sign-in began at an instant, and takes it away again.
func (k *kit) signIn(user string, began time.Time) error {
	rec := k.fresh(user)
	_, err := k.create(rec, store.Admission{Began: began})
	if err == nil {
		k.ok("delete", k.delete(rec.Key))
	}
	return err
}

// revokeAll ends all of the user's records, however many there are.
func (k *kit) revokeAll(user string) store.Revoked {
	r, err := k.revoke(user, store.Selection{})
	k.ok("revoke", err)
	return r
}

func guard(k *kit) {
	for _, except := range []bool{false, true} {
		user, other := k.name(), k.name()
		kept := k.add(k.fresh(user))
		var sel store.Selection
		if except {
			sel.Except = []store.Handle{kept.Handle}
		}
		began := time.Now()
		k.sleep(k.unit)
		_, err := k.revoke(user, sel)
		k.ok("revoke", err)
		late := k.fresh(user)
		_, err = k.create(late, store.Admission{Began: began})
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke", err)
		_, err = k.create(late, store.Admission{Began: began, Max: 1, Evict: true})
		k.is(store.ErrRevoked, "create, with eviction, of a sign-in that began before the revoke", err)
		k.absent(late.Key, "after a refused create")
		if except {
			k.live(kept.Key, "after a create that was refused")
		}
		_, err = k.create(k.fresh(user), store.Admission{})
		k.ok("create of a sign-in that began after the revoke", err)
		k.sleep(3 * k.unit)
		_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-k.unit)})
		k.ok("create of a sign-in that began a while after the revoke", err)
		_, err = k.create(late, store.Admission{Began: began})
		k.is(store.ErrRevoked, "create of the old sign-in, after newer ones", err)
		_, err = k.create(k.fresh(other), store.Admission{Began: began})
		k.ok("create for a user who was not revoked", err)
	}
}

// guardInstant puts the beginning of a sign-in a little before a revocation, and a little after.
// What a coarse tick cannot tell apart is refused. It takes fake time: a network would blur the
// instants.
func guardInstant(k *kit) {
	if !k.exact {
		return
	}
	for _, before := range []time.Duration{0, 1, k.tick / 3, k.tick - 1, k.tick, 999 * time.Millisecond, time.Second - 1} {
		for _, after := range []time.Duration{0, 1, k.tick / 2, k.tick, 30*time.Second - 1} {
			user, began := k.name(), time.Now()
			k.sleep(before)
			k.revokeAll(user)
			k.sleep(after)
			k.is(store.ErrRevoked, fmt.Sprintf("create %v after a revoke that came %v after the sign-in began", after, before), k.signIn(user, began))
		}
	}
	user := k.name()
	k.revokeAll(user)
	k.sleep(2*k.tick - 1 + k.s.Traits().Skew)
	began := time.Now()
	for _, after := range []time.Duration{0, k.tick, time.Second, time.Minute} {
		k.sleep(after)
		k.ok("create of a sign-in that began after a revoke, to the tick", k.signIn(user, began))
	}
}

func guardAgain(k *kit) {
	user := k.name()
	kept := k.add(k.fresh(user))
	ways := []func(){
		func() { k.revokeAll(user) },
		func() { k.revokeAll(user) }, // of nothing
		func() {
			rec := k.add(k.fresh(user))
			k.revoked("revoke with Except", user, store.Selection{Except: []store.Handle{rec.Handle}}, 0)
		},
		func() {
			k.revoked("revoke of all but another's", user, store.Selection{Except: []store.Handle{kept.Handle}}, 1)
		},
		func() { k.addN(2, user); k.revokeAll(user) },
	}
	wait := k.unit
	if k.exact {
		wait = store.GuardFor/2 + time.Minute // two of them are longer than a guard must last
	}
	for i, revoke := range ways {
		k.sleep(wait)
		began := time.Now()
		k.sleep(wait / 2)
		k.ok("create of a sign-in that began after the last revoke", k.signIn(user, began))
		revoke()
		for range 2 {
			k.is(store.ErrRevoked, fmt.Sprintf("create of a sign-in that began between revoke %d and the next", i), k.signIn(user, began))
			k.sleep(wait / 4)
			k.sweep(1000)
		}
	}
	if k.exact {
		twice := k.name()
		k.revokeAll(twice)
		k.sleep(10 * time.Minute)
		began := time.Now()
		k.sleep(k.tick)
		k.revokeAll(twice)
		k.sleep(10 * time.Minute)
		k.is(store.ErrRevoked, "create of a sign-in that began before the second revoke, long after the first", k.signIn(twice, began))
		k.revokeAll(user)
		k.sleep(store.GuardFor)
		k.is(store.ErrRevoked, "create of a sign-in that began before the last of many revokes, GuardFor after them",
			k.signIn(user, time.Now().Add(-store.GuardFor)))
	}
}

func guardOutlives(k *kit) {
	ends := map[string]func(rec store.Record){
		"deleted": func(rec store.Record) { k.ok("delete", k.delete(rec.Key)) },
		"revoked by its name": func(rec store.Record) {
			k.revoked("revoke", rec.User, store.Selection{Only: []store.Handle{rec.Handle}}, 1)
		},
		"ended by an update": func(rec store.Record) {
			change := k.edit(rec)
			change.Lifetime = 1
			k.ok("update to no life", k.update(change, rec.Version))
		},
		"ended by a rotation": func(rec store.Record) {
			next := k.heir(rec)
			next.Lifetime = 1
			k.ok("rotate to no life", k.rotate(rec.Key, rec.Version, next, nil))
		},
		"rotated, to a tail, and deleted": func(rec store.Record) {
			next := k.heir(rec)
			k.ok("rotate", k.rotate(rec.Key, rec.Version, next, k.tailOf(rec)))
			k.ok("delete", k.delete(next.Key))
			k.ok("delete", k.delete(rec.Key))
		},
		"expired, and swept": func(rec store.Record) {
			change := k.edit(rec)
			change.Idle, change.Lifetime = k.unit, 0
			k.ok("update", k.update(change, rec.Version))
			k.sleep(k.unit + k.tick)
			k.swept(1000)
		},
	}
	for what, end := range ends {
		user := k.name()
		rec := k.add(k.fresh(user))
		k.sleep(k.tick)
		began := time.Now()
		k.sleep(k.unit)
		k.revoked("revoke with Except", user, store.Selection{Except: []store.Handle{rec.Handle}}, 0)
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke", k.signIn(user, began))
		end(rec)
		k.sweep(1)
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke, when the user's last record was "+what, k.signIn(user, began))
		// And once more, for another record that comes and goes.
		again := k.add(k.fresh(user))
		if evicted, err := k.create(k.fresh(user), store.Admission{Max: 1, Evict: true}); err != nil || len(evicted) != 1 || evicted[0] != again.Handle {
			k.failf("create with eviction evicted %d: %w", len(evicted), err)
		}
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke, after newer records and an eviction", k.signIn(user, began))
	}
}

func guardMany(k *kit) {
	users := make([]string, k.many())
	for i := range users {
		users[i] = k.name()
	}
	began := time.Now()
	k.sleep(k.unit)
	k.spread(len(users), func(i int) { k.revokeAll(users[i]) })
	k.sweep(10)
	for _, i := range []int{0, 1, 9, 10, len(users) / 2, len(users) - 1} {
		k.is(store.ErrRevoked, fmt.Sprintf("create of a sign-in that began before the revokes, for user %d of %d", i, len(users)), k.signIn(users[i], began))
	}
}

func guardTime(k *kit) {
	user := k.name() // without a record to carry the guard
	_, err := k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-1 - store.GuardFor)})
	k.is(store.ErrRevoked, "create of a sign-in that took longer than GuardFor", err)
	_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(time.Minute - store.GuardFor)})
	k.ok("create of a sign-in that took almost GuardFor", err)
	k.revoked("revoke", user, store.Selection{}, 1)
	k.revoked("revoke of nothing", user, store.Selection{}, 0)
	wait := k.unit
	if k.exact {
		wait = store.GuardFor/2 - k.tick
	}
	for range 2 {
		k.sleep(wait)
		k.sweep(1000)
		k.is(store.ErrRevoked, "create of a sign-in that began before the revoke", k.signIn(user, k.oldest()))
	}
	if k.exact {
		k.sleep(store.GuardFor)
		_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-store.GuardFor)})
		k.ok("create of a sign-in that began long after the revoke", err)
	}
}

// guardWholeName is that of the one clause which needs [Options.Older] on a network.
const guardWholeName = "guard-whole"

// guardWhole passes the whole time: in a bubble by sleep, else by the seam that Options has.
func guardWhole(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	r := k.revokeAll(user)
	pass := func(d time.Duration) {
		if k.exact {
			k.sleep(d)
			return
		}
		k.ok("Options.Older", k.opts.Older(k.ctx, user, d))
	}
	left := store.GuardFor
	if !k.exact {
		left -= time.Minute // for what really passes meanwhile
	}
	for _, d := range []time.Duration{30 * time.Second, time.Minute, 3 * time.Minute, 5 * time.Minute, left} {
		d = min(d, left)
		left -= d
		pass(d)
		k.sweep(1000)
		k.is(store.ErrRevoked, fmt.Sprintf("create of a sign-in that began %v before now, %v of them left", store.GuardFor, left),
			k.signIn(user, k.oldest()))
	}
	k.absent(rec.Key, "after a revoke, and its whole time")
	if k.exact { // and to the moment: the sign-in began at the instant of the revoke
		a, err := k.admit(k.fresh(user), store.Admission{})
		if k.ok("create", err); !a.Revoked.Equal(r.At) {
			k.failf("GuardFor after a revoke, Create tells %v, want %v", a.Revoked, r.At)
		}
	}
}

// oldest is when the longest sign-in began that is not refused for its length alone.
func (k *kit) oldest() time.Time {
	began := time.Now().Add(-store.GuardFor)
	if !k.exact {
		began = began.Add(k.unit) // it grows older on its way
	}
	return began
}

func guardOnly(k *kit) {
	user := k.name()
	rec := k.add(k.fresh(user))
	only := store.Selection{Only: []store.Handle{rec.Handle}}
	k.revoked("revoke with Only", user, only, 1)
	_, err := k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-time.Minute)})
	k.ok("create after a revoke with Only", err)
	r, err := k.revoke(user, store.Selection{Only: []store.Handle{}, Except: []store.Handle{}})
	if k.ok("revoke with empty lists", err); r.N != 1 || r.At.IsZero() {
		k.failf("revoke with empty lists, which select all: %d records ended, want 1, and it tells the instant %v", r.N, r.At)
	}
	k.revoked("revoke with Only", user, only, 0)
	_, err = k.create(k.fresh(user), store.Admission{Began: time.Now().Add(-time.Minute)})
	k.is(store.ErrRevoked, "create after a revoke that another one with Only followed", err)
}

func guardElse(k *kit) {
	user := k.name()
	began := time.Now().Add(-time.Minute)
	signedIn := func(after string) {
		rec := k.fresh(user)
		a, err := k.admit(rec, store.Admission{Began: began})
		k.ok("create of a sign-in that began before "+after, err)
		k.ok("delete", k.delete(rec.Key))
		if !a.Revoked.IsZero() {
			k.failf("after %s, Create tells of a revocation", after)
		}
	}
	uses := func() {
		rec := k.add(k.fresh(user))
		k.ok("touch", k.touch(rec.Key, 0))
		k.ok("update", k.update(k.edit(rec), 1))
		next := k.heir(rec)
		next.Created = time.Time{}
		k.ok("rotate", k.rotate(rec.Key, 2, next, k.tailOf(rec)))
		k.ok("delete", k.delete(rec.Key))
		_, err := k.create(k.fresh(user), store.Admission{Max: 1, Evict: true})
		k.ok("create with eviction", err)
	}
	uses()
	k.sweep(10)
	signedIn("another session was used, renewed and evicted")
	k.revoked("revoke with Only", user, only(k.list(user)[0].Handle), 1)
	signedIn("a revoke with Only")
	k.revoked("revoke of another", k.name(), store.Selection{}, 0)
	signedIn("a revoke of another user")
	k.revokeAll(user)
	k.sleep(2 * k.tick)
	uses()
}
