package storetest

import (
	"bytes"
	"errors"

	"github.com/sojourn-go/sojourn/store"
)

var meetMoreClauses = []clause{
	{"meet-rotate-read", "whoever reads beside a Rotate finds the session at one key and in its user's list, and its tail as soon as it has moved", meetRotateRead},
	{"meet-creates", "of two Creates beside each other, limits, evictions and keys are exact", meetCreates},
	{"meet-update-touch", "a Touch beside an Update changes nothing but Seen, and makes no conflict", meetUpdateTouch},
	{"meet-delete", "what Delete ended stays ended, whatever writes to it at the same time", meetDelete},
}

// meetRotateRead reads the keys in an order in which one step cannot show a gap or an overlap.
func meetRotateRead(k *kit) {
	for _, withTail := range []bool{false, true} {
		for _, newFirst := range []bool{false, true} {
			k.meet(10, func() (first, second, then func()) {
				rec, next, tail := k.pair(k.name(), withTail)
				is := func(key store.Key) bool {
					got, _, err := k.get(key)
					k.oneOf("get beside a rotate", err, store.ErrNotFound)
					return err == nil && got.User == rec.User
				}
				var gap, overlap, bare bool
				listed := 1
				return func() { k.ok("rotate", k.rotate(rec.Key, 1, next, tail)) },
					func() {
						if newFirst {
							overlap = is(next.Key) && is(rec.Key)
						} else {
							gap = !is(rec.Key) && !is(next.Key)
						}
						if withTail { // one record or the other is always at the old key
							_, _, err := k.get(rec.Key)
							bare = err != nil
						}
						listed = len(k.list(rec.User))
					},
					func() {
						if bare {
							k.failf("beside a rotate with a tail there is nothing at the old key")
						}
						if gap || overlap || listed == 0 {
							k.failf("beside a rotate the session is at no key (%v), at both (%v), or listed %d times", gap, overlap, listed)
						}
					}
			})
		}
	}
}

func meetCreates(k *kit) {
	ways := map[string]store.Admission{
		"with room for one":      {Max: 1},
		"with room for another":  {Max: 2},
		"with eviction":          {Max: 1, Evict: true},
		"with eviction, for two": {Max: 2, Evict: true},
		"at one key":             {},
	}
	for what, adm := range ways {
		k.meet(10, func() (first, second, then func()) {
			user := k.name()
			recs := k.freshN(2, user)
			var old []store.Record
			if adm.Max == 2 || adm.Evict {
				old = k.addN(1, user)
			}
			if adm.Max == 0 {
				recs[1].Key = recs[0].Key
			}
			var as [2]store.Admitted
			var errs [2]error
			do := func(i int) func() { return func() { as[i], errs[i] = k.admit(recs[i], adm) } }
			return do(0), do(1), func() {
				told := append(as[0].Evicted, as[1].Evicted...)
				want, refusal := 1, store.ErrLimit
				switch {
				case adm.Evict:
					want = 2
				case adm.Max == 0:
					refusal = store.ErrExists
				}
				won := 0
				for _, err := range errs {
					if k.oneOf("create beside another, "+what, err, refusal); err == nil {
						won++
					}
				}
				has, total := len(k.list(user)), len(old)+won
				if won != want || has != total-len(told) || adm.Max > 0 && has > adm.Max {
					k.failf("of two creates %s %d are applied, want %d; %d handles are told, and %d records listed", what, won, want, len(told), has)
				}
				for i, h := range told {
					if i > 0 && told[0] == h {
						k.failf("of two creates %s both tell one handle", what)
					}
				}
			}
		})
	}
}

func meetUpdateTouch(k *kit) {
	for _, size := range []int{100, 20 << 10} {
		k.meet(15, func() (first, second, then func()) {
			rec := k.add(k.fresh(k.name()))
			k.sleep(k.tick)
			change := k.edit(rec)
			change.Data = pattern(size)
			return func() { k.ok("update beside a touch", k.update(change, 1)) },
				func() { k.ok("touch beside an update", k.touch(rec.Key, 0)) },
				func() {
					got, want := k.live(rec.Key, "after an update beside a touch"), change
					want.Version, want.Seen = 2, got.Seen
					k.same("after an update beside a touch", got, want)
					if got.Seen.Before(rec.Seen) {
						k.failf("an update beside a touch moved Seen back")
					}
				}
		})
	}
}

func meetDelete(k *kit) {
	large := pattern(20 << 10)
	writes := map[string]func(rec store.Record) error{
		"an update": func(rec store.Record) error { return k.update(k.edit(rec), 1) },
		"a large update": func(rec store.Record) error {
			change := k.edit(rec)
			change.Data = bytes.Clone(large)
			return k.update(change, 1)
		},
		"a touch": func(rec store.Record) error { return k.touch(rec.Key, 0) },
		"a delete": func(rec store.Record) error {
			k.ok("delete beside another", k.delete(rec.Key))
			return nil
		},
		"a rotate of another to its key": func(rec store.Record) error {
			other := k.add(k.fresh(rec.User))
			onto := k.heir(other)
			onto.Key = rec.Key
			err := k.rotate(other.Key, 1, onto, nil)
			if err == nil || errors.Is(err, store.ErrExists) {
				k.ok("delete", k.delete(rec.Key))
				k.ok("delete", k.delete(other.Key))
				return nil
			}
			return err
		},
	}
	for what, write := range writes {
		k.meet(8, func() (first, second, then func()) {
			user := k.name()
			rec, stay := k.add(k.fresh(user)), k.add(k.fresh(user))
			return func() { k.ok("delete beside "+what, k.delete(rec.Key)) },
				func() { k.oneOf(what+" beside a delete", write(rec), store.ErrNotFound) },
				func() {
					k.absent(rec.Key, "after a delete beside "+what)
					k.listed(user, "after a delete beside "+what, stay.Key)
				}
		})
	}
}
