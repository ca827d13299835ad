package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var traitClauses = []clause{
	{"traits", "Traits is the same at every call, and reaches through a wrapper that embeds the Store", traits},
	{"watch", "Watch tells of each Revoke until its context ends, or is ErrUnsupported, as Traits says", watch},
}

var admittedClauses = []clause{
	{"admitted-now", "Create tells the instant at which it acted: the record's Created where that was left to the store", admittedNow},
	{"admitted-revoked", "Create tells when the user was last revoked without Only, and Revoke tells the same instant", admittedRevoked},
	{"known-apart", "each Revoke has an instant of its own, so that who knows of one does not pass the next", knownApart},
	{"known", "a Revoke that the sign-in knows of does not refuse it, and a later one does", known},
}

// traits wraps the store as a program does that wants to count calls, say.
func traits(k *kit) {
	want := k.s.Traits()
	if want.Lag < 0 || want.Skew < 0 {
		k.failf("a negative lag or skew in %+v", want)
	}
	wrapped := struct{ store.Store }{k.s}
	for range 3 {
		k.add(k.fresh(k.name()))
		if got := wrapped.Traits(); got != want {
			k.failf("traits were %+v, and are %+v through a wrapper", want, got)
		}
	}
}

func watch(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	if !k.s.Traits().Push {
		if err := k.s.Watch(ctx, func(store.Ending) {}); !errors.Is(err, errors.ErrUnsupported) {
			k.failf("without Push, Watch answers %v", err)
		}
		return
	}
	user := k.name()
	var heard atomic.Bool
	ended := make(chan error, 1)
	go func() {
		ended <- k.s.Watch(ctx, func(e store.Ending) {
			if e.User == user || e.Missed {
				heard.Store(true)
			}
		})
	}()
	for range 100 { // nobody says when Watch has begun
		_, err := k.revoke(user, store.Selection{})
		k.ok("revoke", err)
		k.sleep(k.unit / 10)
		if heard.Load() {
			break
		}
	}
	cancel()
	select {
	case err := <-ended:
		k.is(context.Canceled, "watch whose context has ended", err)
	case <-time.After(10 * k.unit):
		k.failf("Watch goes on after its context has ended")
	}
	if !heard.Load() {
		k.failf("Watch told nothing of a revoke")
	}
}

func admittedNow(k *kit) {
	for _, user := range []string{k.name(), ""} {
		rec := k.fresh(user)
		a, err := k.admit(rec, store.Admission{Max: 9})
		k.ok("create", err)
		if got := k.live(rec.Key, "after create"); !near(a.Now.Sub(got.Created), 0, k.tick) {
			k.failf("create tells an instant %v after the record's Created", a.Now.Sub(got.Created))
		}
		k.sleep(k.unit)
		began := time.Now()
		again, err := k.admit(rec, store.Admission{Max: 9})
		k.ok("the same create again", err)
		k.present("the same create again", began, again.Now)
		old := k.fresh(user)
		old.Created = a.Now.Add(-time.Minute)
		began = time.Now()
		a, err = k.admit(old, store.Admission{})
		k.ok("create of an old record", err)
		k.present("create of an old record", began, a.Now)
	}
}

// present fails unless now is the store's time of a call that began at the instant began of this
// process.
func (k *kit) present(what string, began, now time.Time) {
	d := k.now().Sub(now)
	most := k.tick + k.s.Traits().Skew
	if d <= -most || d >= time.Since(began)+most {
		k.failf("%s: it tells an instant %v before the store's now", what, d)
	}
}

func admittedRevoked(k *kit) {
	user, other := k.name(), k.name()
	expect := func(what, user string, want time.Time) {
		rec := k.fresh(user)
		for _, what := range []string{what, "the same " + what + " again"} {
			a, err := k.admit(rec, store.Admission{})
			k.ok(what, err)
			if !a.Revoked.Equal(want) {
				k.failf("%s: the user is said to be revoked at %v, want %v", what, a.Revoked, want)
			}
		}
	}
	expect("create for a user who was never revoked", user, time.Time{})
	for range 2 {
		began := time.Now()
		r, err := k.revoke(user, store.Selection{})
		k.ok("revoke", err)
		k.present("revoke", began, r.At)
		expect("create after a revoke", user, r.At)
		rec := k.add(k.fresh(user))
		only, err := k.revoke(user, store.Selection{Only: []store.Handle{rec.Handle}})
		if k.ok("revoke with Only", err); !only.At.IsZero() {
			k.failf("revoke with Only tells an instant")
		}
		expect("create after a revoke with Only", user, r.At)
		k.sleep(k.unit)
	}
	r, err := k.revoke(user, store.Selection{Except: []store.Handle{k.fresh("").Handle}})
	k.ok("revoke with Except", err)
	expect("create after a revoke with Except", user, r.At)
	expect("create for a user beside one who was revoked", other, time.Time{})
	expect("create for nobody", "", time.Time{})
	if r, err := k.revoke("", store.Selection{}); err != nil || r != (store.Revoked{}) {
		k.failf("revoke of nobody: %+v, %w", r, err)
	}
}

func known(k *kit) {
	user := k.name()
	first, err := k.revoke(user, store.Selection{})
	k.ok("revoke", err)
	adm := store.Admission{Began: time.Now().Add(-time.Minute)}
	_, err = k.create(k.fresh(user), adm)
	k.is(store.ErrRevoked, "create of a sign-in that began before the revoke", err)
	adm.Known = first.At
	_, err = k.create(k.fresh(user), adm)
	k.ok("create of a sign-in that knows of the revoke", err)
	adm.Known = first.At.Add(-max(k.tick, time.Millisecond))
	_, err = k.create(k.fresh(user), adm)
	k.is(store.ErrRevoked, "create of a sign-in that knows of an earlier revoke", err)
	k.sleep(k.unit)
	second, err := k.revoke(user, store.Selection{})
	k.ok("revoke again", err)
	adm.Known = first.At
	_, err = k.create(k.fresh(user), adm)
	k.is(store.ErrRevoked, "create of a sign-in that knows of the first of two revokes", err)
	adm.Known, adm.Max = second.At, 1
	a, err := k.admit(k.fresh(user), adm)
	if k.ok("create, at a limit, of a sign-in that knows of both revokes", err); !a.Revoked.Equal(second.At) {
		k.failf("a sign-in that knows of a revoke is not told of it")
	}
	adm.Known, adm.Max = second.At.Add(time.Hour), 0
	_, err = k.create(k.fresh(user), adm)
	k.ok("create of a sign-in that knows of more than both revokes", err)
	for _, knows := range []time.Time{{}, first.At} {
		adm.Known = knows
		_, err = k.create(k.fresh(user), adm)
		k.is(store.ErrRevoked, "create of a sign-in that does not know of a revoke that others knew of", err)
	}
}

// knownApart revokes more often than most clocks tick.
func knownApart(k *kit) {
	user := k.name()
	var last store.Revoked
	for range 5 {
		r, err := k.revoke(user, store.Selection{})
		if k.ok("revoke", err); !r.At.After(last.At) {
			k.failf("a revoke tells the instant %v after one of %v", r.At, last.At)
		}
		if last.At.IsZero() {
			last = r
			continue
		}
		adm := store.Admission{Began: time.Now().Add(-time.Minute), Known: last.At}
		_, err = k.create(k.fresh(user), adm)
		k.is(store.ErrRevoked, "create of a sign-in that knows of a revoke a moment before the last", err)
		adm.Known = r.At
		_, err = k.create(k.fresh(user), adm)
		k.ok("create of a sign-in that knows of the last revoke", err)
		last = r
	}
}
