package storetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var meetRevokeClauses = []clause{
	{"meet-revoke-update", "Revoke ends a record that is updated at the same time", func(k *kit) { k.meetRevoke("an update", (*kit).revokeBesideUpdate) }},
	{"meet-revoke-touch", "Revoke ends a record that is touched at the same time", func(k *kit) { k.meetRevoke("a touch", (*kit).revokeBesideTouch) }},
	{"meet-revoke-delete", "a Delete beside a Revoke changes nothing but the count", func(k *kit) { k.meetRevoke("a delete", (*kit).revokeBesideDelete) }},
	{"meet-revoke-rotate", "Revoke ends a record that is rotated at the same time, and counts it once; a tail may stay", func(k *kit) { k.meetRevoke("a rotate", (*kit).revokeBesideRotate) }},
	{"meet-revoke-create", "a record created beside a Revoke lives or has ended, and is counted accordingly", meetRevokeCreate},
	{"meet-revoke-guard", "a sign-in that began before a Revoke does not outlive it, nor evict for nothing beside it", meetRevokeGuard},
	{"meet-revoke-evict", "of a record that Revoke and an evicting Create both end, one tells", meetRevokeEvict},
	{"meet-revoke-twice", "of two Revokes beside each other each has its instant, and no record is counted twice", meetRevokeTwice},
	{"meet-revoke-many", "Revoke is one step for many records, too", meetRevokeMany},
}

// besides is a write to a record beside a Revoke that selects it: the call, and what must hold in
// the end of a Revoke that ended n records. The write is tried small and large, or without a tail
// and with one.
type besides func(k *kit, rec store.Record, large bool) (write func(), then func(n int))

// meetRevoke meets a write by each kind of selection.
func (k *kit) meetRevoke(what string, write besides) {
	for variant := range 6 {
		kind, large := variant%3, variant >= 3
		k.meet(8, func() (first, second, then func()) {
			user := k.name()
			rec, other := k.add(k.fresh(user)), k.add(k.fresh(user))
			// The other record goes with all, and stays else.
			sel, more := store.Selection{}, 1
			switch kind {
			case 1:
				sel, more = only(rec.Handle), 0
			case 2:
				sel, more = except(other.Handle), 0
			}
			call, check := write(k, rec, large)
			var n int
			return func() {
					r, err := k.revoke(user, sel)
					k.ok("revoke beside "+what, err)
					n = r.N - more
				}, call,
				func() {
					check(n)
					if more == 1 {
						k.listed(user, "after a revoke beside "+what)
						k.absent(other.Key, "after a revoke beside "+what)
						return
					}
					k.listed(user, "after a revoke beside "+what, other.Key)
					k.same("after a revoke that spares it", k.live(other.Key, "after a revoke that spares it"), other)
				}
		})
	}
}

func (k *kit) revokeBesideUpdate(rec store.Record, large bool) (write func(), then func(n int)) {
	change := k.edit(rec)
	if large {
		change.Data = pattern(20 << 10)
	}
	return func() { k.oneOf("update beside a revoke", k.update(change, 1), store.ErrNotFound) },
		func(n int) {
			k.absent(rec.Key, "after an update beside a revoke")
			if n != 1 {
				k.failf("a revoke beside an update ended %d records, want 1", n)
			}
			k.is(store.ErrNotFound, "the same update again, after the revoke", k.update(change, 1))
		}
}

func (k *kit) revokeBesideTouch(rec store.Record, _ bool) (write func(), then func(n int)) {
	return func() { k.oneOf("touch beside a revoke", k.touch(rec.Key, 0), store.ErrNotFound) },
		func(n int) {
			k.absent(rec.Key, "after a touch beside a revoke")
			if n != 1 {
				k.failf("a revoke beside a touch ended %d records, want 1", n)
			}
		}
}

func (k *kit) revokeBesideDelete(rec store.Record, _ bool) (write func(), then func(n int)) {
	return func() { k.ok("delete beside a revoke", k.delete(rec.Key)) },
		func(n int) {
			k.absent(rec.Key, "after a delete beside a revoke")
			if n != 0 && n != 1 {
				k.failf("a revoke beside a delete ended %d records, want 1 at most", n)
			}
		}
}

func (k *kit) revokeBesideRotate(rec store.Record, large bool) (write func(), then func(n int)) {
	next := k.edit(k.heir(rec))
	var tail *store.Record
	if large {
		tail = k.tailOf(rec)
		tail.Handle = rec.Handle
	}
	var err error
	return func() { err = k.rotate(rec.Key, 1, next, tail) },
		func(n int) {
			k.oneOf("rotate beside a revoke", err, store.ErrNotFound)
			k.absent(next.Key, "after a rotate beside a revoke")
			if err == nil {
				k.left(rec.Key, tail, 2, "after a rotate beside a revoke")
			} else {
				k.absent(rec.Key, "after a rotate beside a revoke")
			}
			if n != 1 {
				k.failf("a revoke beside a rotate ended %d records, want 1", n)
			}
		}
}

func meetRevokeCreate(k *kit) {
	k.meet(20, func() (first, second, then func()) {
		user := k.name()
		old, rec := k.add(k.fresh(user)), k.fresh(user)
		var r store.Revoked
		var a store.Admitted
		return func() { r = k.revokeAll(user) },
			func() {
				var err error
				a, err = k.admit(rec, store.Admission{})
				k.ok("create beside a revoke", err)
			},
			func() {
				k.absent(old.Key, "after a revoke beside a create")
				if _, _, err := k.get(rec.Key); err != nil {
					k.is(store.ErrNotFound, "get", err)
					k.listed(user, "after a revoke beside a create")
					if r.N != 2 || !a.Revoked.IsZero() {
						k.failf("a revoke ended a record that was created beside it, tells %d, and Create tells %v", r.N, a.Revoked)
					}
					return
				}
				k.listed(user, "after a revoke beside a create", rec.Key)
				if r.N != 1 || !a.Revoked.Equal(r.At) {
					k.failf("a record was created after a revoke beside it, which tells %d and %v; Create tells %v", r.N, r.At, a.Revoked)
				}
			}
	})
}

func meetRevokeGuard(k *kit) {
	for _, evict := range []bool{false, true} {
		k.meet(20, func() (first, second, then func()) {
			user := k.name()
			old, rec := k.add(k.fresh(user)), k.fresh(user)
			adm := store.Admission{Began: time.Now().Add(-time.Minute)}
			sel := store.Selection{}
			if evict {
				adm.Max, adm.Evict, sel = 1, true, except(old.Handle)
			}
			var r store.Revoked
			var evicted []store.Handle
			var created error
			return func() {
					var err error
					r, err = k.revoke(user, sel)
					k.ok("revoke beside a create", err)
				},
				func() { evicted, created = k.create(rec, adm) },
				func() {
					k.oneOf("create beside a revoke", created, store.ErrRevoked)
					k.absent(rec.Key, "of a sign-in that began before a revoke beside it")
					if !evict {
						k.listed(user, "after a sign-in beside a revoke")
						return
					}
					_, _, err := k.get(old.Key)
					if gone := err != nil; gone != (created == nil) || gone != slices.Contains(evicted, old.Handle) {
						k.failf("beside a revoke, a create with eviction answers %v, and the record that was spared is gone: %v", created, gone)
					}
					if want := len(evicted); r.N != want {
						k.failf("beside a create that evicted %d, a revoke ended %d", want, r.N)
					}
				}
		})
	}
}

func meetRevokeEvict(k *kit) {
	k.meet(20, func() (first, second, then func()) {
		user := k.name()
		rec, last := k.add(k.fresh(user)), k.fresh(user)
		var r store.Revoked
		var evicted []store.Handle
		return func() {
				var err error
				r, err = k.revoke(user, only(rec.Handle))
				k.ok("revoke beside an eviction", err)
			},
			func() {
				var err error
				evicted, err = k.create(last, store.Admission{Max: 1, Evict: true})
				k.ok("create with eviction beside a revoke", err)
			},
			func() {
				k.absent(rec.Key, "after a revoke and an eviction")
				k.listed(user, "after a revoke and an eviction", last.Key)
				if r.N+len(evicted) != 1 {
					k.failf("a record ended by a revoke or an eviction is told %d times", r.N+len(evicted))
				}
			}
	})
}

func meetRevokeTwice(k *kit) {
	k.meet(20, func() (first, second, then func()) {
		user := k.name()
		recs := k.addN(3, user)
		var r [2]store.Revoked
		return func() { r[0] = k.revokeAll(user) }, func() { r[1] = k.revokeAll(user) },
			func() {
				k.listed(user, "after two revokes")
				if n := r[0].N + r[1].N; n != len(recs) {
					k.failf("two revokes beside each other ended %d of %d records", n, len(recs))
				}
				if r[0].At.Equal(r[1].At) || r[0].At.IsZero() || r[1].At.IsZero() {
					k.failf("two revokes beside each other tell the instants %v and %v", r[0].At, r[1].At)
				}
				last := r[0].At
				if r[1].At.After(last) {
					last = r[1].At
				}
				if a, err := k.admit(k.fresh(user), store.Admission{}); err != nil || !a.Revoked.Equal(last) {
					k.failf("after two revokes Create tells %v, want the later one of %v: %w", a.Revoked, last, err)
				}
			}
	})
}

// meetRevokeMany rotates the records that come first, in the middle and last by their keys.
func meetRevokeMany(k *kit) {
	k.meet(3, func() (first, second, then func()) {
		user := k.name()
		recs := k.freshN(140, user)
		k.insertAll(recs)
		slices.SortFunc(recs, func(a, b store.Record) int { return bytes.Compare(a.Key.ID[:], b.Key.ID[:]) })
		var nexts []store.Record
		var n int
		return func() { n = k.revokeAll(user).N },
			func() {
				for _, i := range []int{0, 1, 69, 138, 139} {
					next := k.heir(recs[i])
					nexts = append(nexts, next)
					k.oneOf("rotate beside a revoke of many", k.rotate(recs[i].Key, 1, next, nil), store.ErrNotFound)
				}
			},
			func() {
				k.listed(user, "after a revoke of many beside rotations")
				for _, rec := range nexts {
					k.absent(rec.Key, "after a rotate beside a revoke of many")
				}
				if n != len(recs) {
					k.failf("a revoke of many beside rotations ended %d of %d records", n, len(recs))
				}
			}
	})
}
