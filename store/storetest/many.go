package storetest

import (
	"bytes"
	"cmp"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var manyClauses = []clause{
	{"many-list", "User and All yield each of many records once, whatever their number", manyList},
	{"many-users", "All yields each of many users' records once, and User those of each", manyUsers},
	{"many-revoke", "Revoke ends, spares and counts many records, and takes many handles", manyRevoke},
	{"many-limit", "limits of many records are exact", manyLimit},
	{"many-evict", "eviction finds the oldest of many records, and makes all the room that Max asks for", manyEvict},
	{"many-sweep", "Sweep finds many records, and stops at its limit only", manySweep},
	{"many-writes", "a record may be written many times: its Version goes on, and so does all else", manyWrites},
}

// edges are numbers of records at which pages end, and their neighbours.
func edges(most int) (ns []int) {
	for _, size := range []int{10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024} {
		for n := size - 1; n <= size+1 && n <= most; n++ {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return append(slices.Compact(ns), most)
}

// once fails unless the walk yields just these records, each once.
func (k *kit) once(what string, got, want []store.Record) {
	left := make(map[store.Key]*store.Record, len(want))
	for i := range want {
		left[want[i].Key] = &want[i]
	}
	for _, rec := range got {
		w := left[rec.Key]
		if w == nil {
			k.failf("%s yields a record twice, or one that is not there (%d yielded, want %d)", what, len(got), len(want))
		}
		if rec.Handle != w.Handle || rec.User != w.User || !bytes.Equal(rec.Meta, w.Meta) {
			k.failf("%s yields another record's handle, user or Meta, among %d", what, len(want))
		}
		delete(left, rec.Key)
	}
	if len(left) > 0 {
		k.failf("%s does not yield %d of %d records", what, len(left), len(want))
	}
}

// among gives those of the records that have one of the keys.
func among(recs, of []store.Record) []store.Record {
	keys := make(map[store.Key]bool, len(of))
	for _, rec := range of {
		keys[rec.Key] = true
	}
	return slices.DeleteFunc(recs, func(r store.Record) bool { return !keys[r.Key] })
}

// walked gives what All yields of the records: a shared server has others.
func (k *kit) walked(of []store.Record) []store.Record {
	recs, err := k.walk("All", k.s.All(k.ctx))
	k.ok("walk over all", err)
	return among(recs, of)
}

// aged gives n records of a user, half of which were created at one instant, the others each at its
// own: what is sorted by Created meets both. Their order is another one than that of their keys.
func (k *kit) aged(n int, user string) []store.Record {
	recs, now := k.freshN(n, user), k.now()
	for i := range recs {
		age := 2 * k.unit
		if i%2 == 1 {
			age += time.Duration(i) * max(k.tick, time.Microsecond)
		}
		recs[i].Created = now.Add(-age)
	}
	mathrand.Shuffle(n, func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
	return recs
}

// eldest sorts records as eviction takes them.
func eldest(recs []store.Record) {
	slices.SortFunc(recs, func(a, b store.Record) int {
		return cmp.Or(a.Created.Compare(b.Created), bytes.Compare(a.Key.ID[:], b.Key.ID[:]))
	})
}

func manyList(k *kit) {
	recs := k.aged(k.many(), k.name())
	user, have := recs[0].User, 0
	ns := edges(len(recs))
	if !k.exact {
		ns = slices.DeleteFunc(ns, func(n int) bool { return n < 99 || n > 101 && n < len(recs) && n%64 > 1 })
	}
	for _, n := range ns {
		k.insertAll(recs[have:n])
		have = n
		k.once(fmt.Sprintf("User, of %d records,", n), k.list(user), recs[:n])
		if k.exact { // the store has no others
			k.once(fmt.Sprintf("All, of %d records,", n), k.walked(recs[:n]), recs[:n])
		}
	}
	other := k.addN(3, k.name())
	all := append(slices.Clone(recs), other...)
	k.once("All", k.walked(all), all)
	// And on the way down, with holes between.
	left := recs[:0:0]
	for i, rec := range recs {
		if i%3 == 0 {
			left = append(left, rec)
		}
	}
	k.spread(len(recs), func(i int) {
		if i%3 != 0 {
			k.ok("delete", k.delete(recs[i].Key))
		}
	})
	k.once("User, after deletes,", k.list(user), left)
	k.once("All, after deletes,", k.walked(recs), left)
}

func manyUsers(k *kit) {
	var recs []store.Record
	for i := 0; len(recs) < k.many(); i++ {
		user := k.name()
		if i%7 == 0 {
			user = ""
		}
		recs = append(recs, k.freshN(1+i%4, user)...)
	}
	k.insertAll(recs)
	k.once("All", k.walked(recs), recs)
	for i := 0; i < len(recs); i += len(recs) / 9 {
		if user := recs[i].User; user != "" {
			want := slices.DeleteFunc(slices.Clone(recs), func(r store.Record) bool { return r.User != user })
			k.once("User", k.list(user), want)
		}
	}
}

func handles(recs []store.Record) []store.Handle {
	hs := make([]store.Handle, len(recs))
	for i := range recs {
		hs[i] = recs[i].Handle
	}
	return hs
}

func manyRevoke(k *kit) {
	n := k.many()
	recs := k.aged(n, k.name())
	user := recs[0].User
	k.insertAll(recs)
	// One at a time, wherever it stands in any order.
	for _, i := range []int{n - 1, n / 2, 0} {
		k.revoked(fmt.Sprintf("revoke with Only, of 1 among %d,", len(recs)), user, store.Selection{Only: []store.Handle{recs[i].Handle}}, 1)
		k.absent(recs[i].Key, "after revoke with its handle, among many")
		recs = slices.Delete(recs, i, i+1)
	}
	strange := handles(k.freshN(n, user)) // which name nothing
	some := recs[:len(recs)/3]
	k.revoked(fmt.Sprintf("revoke with %d handles in Only", n+len(some)), user, only(append(strange, handles(some)...)...), len(some))
	recs = recs[len(some):]
	k.once("User, after a revoke with many handles,", k.list(user), recs)
	some = recs[:len(recs)/2]
	k.revoked(fmt.Sprintf("revoke with %d handles in Except", n+len(some)), user, except(append(strange, handles(some)...)...), len(recs)-len(some))
	k.once("User, after a revoke with many handles in Except,", k.list(user), some)
	k.spread(len(recs), func(i int) {
		if i >= len(some) {
			k.absent(recs[i].Key, "after a revoke without its handle in Except")
		}
	})
	more := k.freshN(n-len(some), user)
	k.insertAll(more)
	k.revoked(fmt.Sprintf("revoke of %d records", n), user, store.Selection{}, n)
	k.once("User, after a revoke of many,", k.list(user), nil)
	k.once("All, after a revoke of many,", k.walked(more), nil)
	k.spread(len(more), func(i int) { k.absent(more[i].Key, "after a revoke of many") })
}

func manyLimit(k *kit) {
	n := k.many()
	recs := k.aged(n, k.name())
	user := recs[0].User
	k.insertAll(recs[1:])
	_, err := k.create(recs[0], store.Admission{Max: n})
	k.ok(fmt.Sprintf("create of record %d, at a limit of as many,", n), err)
	for _, most := range []int{1, 10, 16, 50, 100, 101, 255, 256, n - 1, n} {
		_, err := k.create(k.fresh(user), store.Admission{Max: most})
		k.is(store.ErrLimit, fmt.Sprintf("create beside %d records at a limit of %d", n, most), err)
	}
	k.ok("delete", k.delete(recs[n/2].Key))
	_, err = k.create(k.fresh(user), store.Admission{Max: n})
	k.ok("create beside many, where one has made room", err)
	_, err = k.create(k.fresh(user), store.Admission{Max: n})
	k.is(store.ErrLimit, "create beside many, where the room is taken again", err)
}

func manyEvict(k *kit) {
	n := k.many()
	recs := k.aged(n, k.name())
	user := recs[0].User
	k.insertAll(recs)
	eldest(recs)
	admit := func(most, want int) {
		evicted, err := k.create(k.fresh(user), store.Admission{Max: most, Evict: true})
		k.ok("create with eviction", err)
		told := map[store.Handle]bool{}
		for _, h := range evicted {
			told[h] = true
		}
		if len(evicted) != want || len(told) != want {
			k.failf("create at a limit of %d tells %d evicted handles, %d different ones, want %d", most, len(evicted), len(told), want)
		}
		for _, rec := range recs[:want] {
			if !told[rec.Handle] {
				k.failf("create at a limit of %d evicts others than the %d oldest", most, want)
			}
		}
		k.spread(want, func(i int) { k.absent(recs[i].Key, "after it was evicted") })
		recs = recs[want:]
	}
	for range 6 { // what came since is younger
		admit(n, 1)
	}
	admit(n-9, 10)
	admit(8, n-16)
	if l := len(k.list(user)); l != 8 {
		k.failf("after evictions down to 8, %d records are listed", l)
	}
}

func manySweep(k *kit) {
	user := k.name()
	stay := k.addN(3, user)
	die := func(n int) []store.Record {
		recs := k.freshN(n, user)
		for i := range recs {
			recs[i].Idle, recs[i].Lifetime = k.unit, 2*k.unit
			if i%2 == 0 {
				recs[i].Idle, recs[i].Lifetime = 0, k.unit+time.Duration(i%5)*k.tick
			}
			if i%10 == 0 {
				recs[i].User = ""
			}
		}
		k.insertAll(recs)
		k.sleep(k.unit + 5*k.tick)
		return recs
	}
	for i, limit := range []int{1 << 30, 100, k.many()} {
		recs := die(k.many())
		if i > 0 { // when it has shown whether it sweeps at all
			k.sweep(0)
		}
		k.counted(k.swept(limit), len(recs))
		k.counted(k.swept(limit), 0)
		k.spread(len(recs), func(i int) { k.absent(recs[i].Key, "after its life and sweeps") })
	}
	k.once("User, after sweeps,", k.list(user), stay)
}

func manyWrites(k *kit) {
	rec := k.fresh(k.name())
	rec.Idle = 1000 * k.unit
	rec = k.add(rec)
	version, writes := uint64(1), k.many()
	if !k.exact {
		writes = 264 // past what a byte counts; one trip after another
	}
	key := rec.Key
	for i := range writes {
		change := k.edit(rec)
		change.Key = key
		switch {
		case i%8 == 7:
			next := k.heir(change)
			k.ok("rotate", k.rotate(key, version, next, nil))
			key = next.Key
		default:
			k.ok("update", k.update(change, version))
		}
		version++
		if i%64 != 0 && version%256 > 1 && i != writes-1 {
			continue
		}
		got := k.live(key, "after many writes")
		if got.Version != version || !bytes.Equal(got.Data, change.Data) || got.Handle != rec.Handle {
			k.failf("after %d writes the version is %d, or the data or the handle is not the last one's", i+1, got.Version)
		}
		k.is(store.ErrConflict, "update with an old version", k.update(k.edit(got), version-1))
	}
	k.once("User, of a record written many times,", k.list(rec.User), []store.Record{k.live(key, "after many writes")})
	k.revoked("revoke of a record written many times", rec.User, store.Selection{Only: []store.Handle{rec.Handle}}, 1)
}
