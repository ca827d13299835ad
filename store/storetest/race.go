package storetest

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var raceClauses = []clause{
	{"race-create", "of many Creates at one key exactly one is applied, and the others get ErrExists", raceCreate},
	{"race-update", "no update is lost: of many with one version exactly one is applied", raceUpdate},
	{"race-touch", "Touch never undoes an Update that runs at the same time, nor makes it conflict", raceTouch},
	{"race-delete", "no Update, Touch or replay that runs at the same time brings back what Delete ended", raceDelete},
	{"race-limit", "limits are exact under parallel Creates", raceLimit},
	{"race-evict", "eviction is exact under parallel Creates, and each evicted handle is told once", raceEvict},
	{"race-users", "no parallel write of a user's records loses another of them", raceUsers},
}

func raceCreate(k *kit) {
	for range k.rounds(20) {
		const n = 8
		recs := k.freshN(n, k.name())
		for i := range recs {
			recs[i].Key = recs[0].Key
		}
		var errs [n]error
		k.parallel(n, func(i int) {
			errs[i] = k.insert(recs[i])
		})
		winner, won := 0, 0
		for i, err := range errs {
			k.oneOf("create among others", err, store.ErrExists)
			if err == nil {
				winner, won = i, won+1
			}
		}
		got := k.live(recs[0].Key, "after many creates")
		if won != 1 || got.Handle != recs[winner].Handle || got.Version != 1 {
			k.failf("of %d creates at one key %d were applied; the record is the winner's: %v; version %d",
				n, won, got.Handle == recs[winner].Handle, got.Version)
		}
	}
}

// bump adds one to a counter in the record's data, by compare and swap. It reports whether it knows
// that it did: an engine under load may lose an answer, and others write before it is asked again.
func (k *kit) bump(key store.Key) (known bool) {
	for range 10_000 {
		rec, _, err := k.get(key)
		k.ok("get", err)
		if len(rec.Data) != 8 {
			k.failf("get returned %d bytes of data, want 8", len(rec.Data))
		}
		n := binary.BigEndian.Uint64(rec.Data)
		k.stagger()
		rec.Writer = writer()
		rec.Data = binary.BigEndian.AppendUint64(nil, n+1)
		err = k.update(rec, rec.Version)
		switch {
		case err == nil:
			return true
		case !k.exact && errors.Is(err, store.ErrIndeterminate):
			return false
		}
		k.is(store.ErrConflict, "update among others", err)
	}
	k.failf("an update met a conflict ten thousand times")
	return false
}

func raceUpdate(k *kit) {
	rec := k.fresh(k.name())
	rec.Data = make([]byte, 8)
	k.add(rec)
	const n = 8
	each := k.rounds(20)
	var unknown atomic.Int64
	k.parallel(n, func(int) {
		for range each {
			if !k.bump(rec.Key) {
				unknown.Add(1)
			}
		}
	})
	got := k.live(rec.Key, "after many updates")
	sum, lost := binary.BigEndian.Uint64(got.Data), uint64(unknown.Load())
	if sum+lost < uint64(n*each) || sum > uint64(n*each) || got.Version != sum+1 {
		k.failf("of %d updates %d are left, the answers of %d were lost, and the version is %d", n*each, sum, lost, got.Version)
	}
}

func raceTouch(k *kit) {
	rec := k.fresh(k.name())
	rec.Data = make([]byte, 8)
	k.add(rec)
	var done atomic.Bool
	updates := k.rounds(100)
	toucher := func() {
		for !done.Load() {
			k.ok("touch", k.touch(rec.Key, 0))
			k.stagger()
		}
	}
	k.together(toucher, toucher, func() {
		defer done.Store(true)
		for i := range updates {
			got, _, err := k.get(rec.Key)
			k.ok("get", err)
			if n := binary.BigEndian.Uint64(got.Data); n != uint64(i) {
				k.failf("after %d updates, beside touches, %d are left", i, n)
			}
			k.stagger()
			got.Writer, got.Data = writer(), binary.BigEndian.AppendUint64(nil, uint64(i+1))
			k.ok("update beside touches", k.update(got, got.Version))
		}
	})
	got := k.live(rec.Key, "after updates beside touches")
	if n := binary.BigEndian.Uint64(got.Data); n != uint64(updates) || got.Version != n+1 {
		k.failf("of %d updates beside touches %d are left, and the version is %d", updates, n, got.Version)
	}
}

// ended reports whether err says that the record is gone; any answer but that, nil and a conflict
// is a failure.
func (k *kit) ended(what string, err error) bool {
	k.oneOf(what, err, store.ErrConflict, store.ErrNotFound)
	return errors.Is(err, store.ErrNotFound)
}

func raceDelete(k *kit) {
	for range k.rounds(30) {
		rec := k.add(k.fresh(k.name()))
		change := k.edit(rec)
		k.together(
			func() {
				for v := uint64(1); v < 6 && !k.ended("update", k.update(k.edit(rec), v)); v++ {
					k.stagger()
				}
			},
			func() {
				for range 5 {
					k.stagger()
					k.ended("update sent twice", k.update(change, 1))
				}
			},
			func() {
				for range 5 {
					k.stagger()
					k.ended("touch", k.touch(rec.Key, 0))
				}
			},
			func() {
				k.stagger()
				k.ok("delete", k.delete(rec.Key))
			},
		)
		k.dead(rec, "after a delete beside other writes")
	}
}

func raceLimit(k *kit) {
	k.raceLimit(100, 3)
	for range k.rounds(20) {
		k.raceLimit(4, 1)
	}
}

func (k *kit) raceLimit(n, most int) {
	user := k.name()
	errs := make([]error, n)
	k.parallel(n, func(i int) { _, errs[i] = k.create(k.fresh(user), store.Admission{Max: most}) })
	refused := 0
	for _, err := range errs {
		k.oneOf("create among others", err, store.ErrLimit)
		if err != nil {
			refused++
		}
	}
	if l := len(k.list(user)); l != most || refused != n-most {
		k.failf("%d parallel creates with a limit of %d left %d records and refused %d", n, most, l, refused)
	}
}

func raceEvict(k *kit) {
	k.raceEvict(100, 3)
	for range k.rounds(20) {
		k.raceEvict(4, 1)
	}
}

func (k *kit) raceEvict(n, most int) {
	user := k.name()
	recs := k.freshN(n, user)
	evicted := make([][]store.Handle, n)
	k.parallel(n, func(i int) {
		var err error
		evicted[i], err = k.create(recs[i], store.Admission{Max: most, Evict: true})
		k.ok("create with eviction", err)
	})
	told := map[store.Handle]int{}
	for _, hs := range evicted {
		for _, h := range hs {
			told[h]++
		}
	}
	if l := len(k.list(user)); l != most || len(told) != n-most {
		k.failf("%d parallel creates with eviction at %d left %d records and told %d handles", n, most, l, len(told))
	}
	for _, rec := range recs {
		_, _, err := k.get(rec.Key)
		if gone, n := err != nil, told[rec.Handle]; n > 1 || gone != (n == 1) {
			k.failf("a record is gone: %v; its eviction was told %d times", gone, n)
		}
	}
}

// raceUsers signs one user in and out in parallel. An index of the user's records that is read,
// changed and written back would lose some.
func raceUsers(k *kit) {
	const n = 12
	user := k.name()
	recs := k.freshN(n, user)
	for range k.rounds(10) {
		k.parallel(n, func(i int) {
			recs[i] = k.fresh(user)
			k.ok("create", k.insert(recs[i]))
			switch i % 3 {
			case 0:
				k.ok("delete", k.delete(recs[i].Key))
			case 1:
				next := k.heir(recs[i])
				k.ok("rotate", k.rotate(recs[i].Key, 1, next, nil))
				recs[i] = next
			}
		})
		listed := k.list(user)
		for i, rec := range recs {
			if want := i%3 != 0; want != (find(listed, rec.Key) != nil) {
				k.failf("after parallel creates, rotates and deletes, a record should be listed: %v, and is not so", want)
			}
		}
		k.revoked("revoke", user, store.Selection{}, n-n/3)
		for _, rec := range recs {
			k.absent(rec.Key, "after revoke")
		}
	}
}

var revokeRaceClauses = []clause{
	{"race-revoke", "no Update, Touch or Rotate that runs at the same time saves a record from Revoke", raceRevoke},
	{"race-revoke-only", "a handle that Revoke names stays ended though its record is being renewed", raceRevokeOnly},
	{"race-revoke-create", "what was created before Revoke was called is ended by it, whatever is created beside it", raceRevokeCreate},
	{"race-guard", "no sign-in that began before a Revoke outlives it, whatever the order of Create and Revoke", raceGuard},
}

// renew rotates the record on and on, until it is gone, and tells all its keys.
func (k *kit) renew(rec store.Record, times int) []store.Key {
	ks := []store.Key{rec.Key}
	for v := uint64(1); v <= uint64(times); v++ {
		k.stagger()
		next := k.heir(rec)
		ks = append(ks, next.Key)
		if k.ended("rotate", k.rotate(rec.Key, v, next, nil)) {
			break
		}
		rec = next
	}
	return ks
}

func raceRevoke(k *kit) {
	for range k.rounds(30) {
		recs := k.addN(3, k.name())
		user := recs[0].User
		var ks []store.Key
		k.together(
			func() { ks = k.renew(recs[0], 6) },
			func() {
				for v := uint64(1); v < 6 && !k.ended("update", k.update(k.edit(recs[1]), v)); v++ {
					k.stagger()
				}
			},
			func() {
				for range 5 {
					k.stagger()
					k.ended("touch", k.touch(recs[2].Key, 0))
				}
			},
			func() {
				k.stagger()
				k.revoked("revoke beside other writes", user, store.Selection{}, 3)
			},
		)
		for _, key := range append(ks, keys(recs)...) {
			k.absent(key, "after a revoke beside other writes")
		}
		if n := len(k.list(user)); n > 0 {
			k.failf("after a revoke beside other writes, %d records are listed", n)
		}
	}
}

func raceRevokeOnly(k *kit) {
	for range k.rounds(30) {
		recs := k.addN(2, k.name())
		var ks []store.Key
		k.together(
			func() { ks = k.renew(recs[0], 6) },
			func() {
				k.stagger()
				k.revoked("revoke of a handle that is being renewed", recs[0].User, store.Selection{Only: []store.Handle{recs[0].Handle}}, 1)
			},
		)
		for _, key := range ks {
			k.absent(key, "after a revoke of its handle beside renewals")
		}
		k.live(recs[1].Key, "after another handle was revoked")
	}
}

func raceRevokeCreate(k *kit) {
	for range k.rounds(30) {
		const n = 6
		user := k.name()
		var called atomic.Bool
		var before [n]bool // acknowledged before Revoke was called
		recs := k.freshN(n, user)
		k.parallel(n+1, func(i int) {
			if i == n {
				called.Store(true)
				_, err := k.revoke(user, store.Selection{})
				k.ok("revoke beside creates", err)
				return
			}
			k.ok("create beside a revoke", k.insert(recs[i]))
			before[i] = !called.Load()
		})
		listed := k.list(user)
		for i, rec := range recs {
			_, _, err := k.get(rec.Key)
			if before[i] && err == nil {
				k.failf("a record that was created before the revoke outlived it")
			}
			if (err == nil) != (find(listed, rec.Key) != nil) {
				k.failf("after a revoke beside creates, User and Get do not agree: get answers %v", err)
			}
		}
	}
}

func raceGuard(k *kit) {
	for range k.rounds(30) {
		user := k.name()
		adm := store.Admission{Began: time.Now().Add(-time.Minute)} // they began long before the revoke
		created := k.freshN(8, user)
		k.parallel(len(created)+1, func(i int) {
			if i == len(created) {
				_, err := k.revoke(user, store.Selection{})
				k.ok("revoke beside creates", err)
				return
			}
			_, err := k.create(created[i], adm)
			k.oneOf("create beside a revoke", err, store.ErrRevoked)
		})
		for _, rec := range created {
			k.absent(rec.Key, "of a sign-in that began before a revoke")
		}
		if n := len(k.list(user)); n > 0 {
			k.failf("%d sign-ins that began before a revoke outlived it", n)
		}
	}
}
