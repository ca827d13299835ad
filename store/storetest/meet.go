package storetest

import (
	"bytes"

	"github.com/sojourn-go/sojourn/store"
)

// Two writes meet in every way that a bubble can arrange: one stops where it waits, and the other
// runs meanwhile. What does not wait, but leaves its lock between two steps, is met by chance, so
// each meeting is also tried many times with both let loose.

var meetClauses = []clause{
	{"meet-rotate-update", "of a Rotate and an Update with one version exactly one is applied, with a tail and without", meetRotateUpdate},
	{"meet-rotate-touch", "a Touch beside a Rotate brings nothing back, and changes nothing but Seen", meetRotateTouch},
	{"meet-rotate-delete", "a Delete beside a Rotate ends the record at its key, or comes too late", meetRotateDelete},
	{"meet-rotate-key", "of two writes that insert at one key, Rotate or Create, exactly one is applied", meetRotateKey},
	{"meet-rotate-limit", "a Rotate makes no room: a Create at the limit beside it is refused", meetRotateLimit},
	{"meet-rotate-evict", "an evicting Create beside a Rotate leaves no more than Max, and tells the handle that ended", meetRotateEvict},
	{"meet-evict-writes", "what an evicting Create ends stays ended, whatever writes to it at the same time", meetEvictWrites},
	{"meet-updates", "of two Updates with one version exactly one is applied, however large", meetUpdates},
	{"meet-sweep", "Sweep takes nothing that was created, or rotated to, where it found an expired record", meetSweep},
}

// pair is a record and what it is rotated to.
func (k *kit) pair(user string, withTail bool) (rec, next store.Record, tail *store.Record) {
	rec = k.add(k.fresh(user))
	next = k.edit(k.heir(rec))
	if withTail {
		tail = k.tailOf(rec)
		tail.Handle = rec.Handle
	}
	return rec, next, tail
}

// listed fails unless User yields just the records at these keys.
func (k *kit) listed(user, when string, want ...store.Key) {
	l := k.list(user)
	for _, key := range want {
		if find(l, key) == nil {
			k.failf("%s, User does not yield a record that is live", when)
		}
	}
	if len(l) != len(want) {
		k.failf("%s, User yields %d records, want %d", when, len(l), len(want))
	}
}

// left fails unless what is at the old key of a rotation that was applied is its tail, or nothing.
func (k *kit) left(key store.Key, tail *store.Record, version uint64, when string) {
	if tail == nil {
		k.absent(key, "at the old key "+when)
		return
	}
	if got := k.live(key, "of the tail "+when); got.User != "" || got.Version != version || !bytes.Equal(got.Data, tail.Data) {
		k.failf("%s, what is at the old key is not the tail", when)
	}
}

func meetRotateUpdate(k *kit) {
	for _, withTail := range []bool{false, true} {
		k.meet(20, func() (first, second, then func()) {
			rec, next, tail := k.pair(k.name(), withTail)
			change := k.edit(rec)
			var rotated, updated error
			return func() { rotated = k.rotate(rec.Key, 1, next, tail) },
				func() { updated = k.update(change, 1) },
				func() {
					k.oneOf("rotate beside an update", rotated, store.ErrConflict)
					k.oneOf("update beside a rotate", updated, store.ErrConflict, store.ErrNotFound)
					if (rotated == nil) == (updated == nil) {
						k.failf("of a rotate and an update with one version not exactly one is applied: %v, %v", rotated, updated)
					}
					if updated == nil {
						if got := k.live(rec.Key, "after an update beside a rotate"); got.Version != 2 || !bytes.Equal(got.Data, change.Data) {
							k.failf("an update was acknowledged beside a rotate, and is lost")
						}
						k.absent(next.Key, "of a rotate that lost against an update")
						k.listed(rec.User, "after an update beside a rotate", rec.Key)
						return
					}
					if got := k.live(next.Key, "after a rotate beside an update"); got.Version != 2 || !bytes.Equal(got.Data, next.Data) {
						k.failf("after a rotate beside an update, the new record is not as given")
					}
					k.left(rec.Key, tail, 2, "after a rotate beside an update")
					k.listed(rec.User, "after a rotate beside an update", next.Key)
				}
		})
	}
}

func meetRotateTouch(k *kit) {
	for _, withTail := range []bool{false, true} {
		k.meet(20, func() (first, second, then func()) {
			rec, next, tail := k.pair(k.name(), withTail)
			return func() { k.ok("rotate beside a touch", k.rotate(rec.Key, 1, next, tail)) },
				func() { k.oneOf("touch beside a rotate", k.touch(rec.Key, 0), store.ErrNotFound) },
				func() {
					k.left(rec.Key, tail, 2, "after a touch beside a rotate")
					k.listed(rec.User, "after a touch beside a rotate", next.Key)
					if got := k.live(next.Key, "after a touch beside a rotate"); got.Version != 2 || !bytes.Equal(got.Data, next.Data) {
						k.failf("after a touch beside a rotate, the new record is not as given")
					}
				}
		})
	}
}

func meetRotateDelete(k *kit) {
	k.meet(20, func() (first, second, then func()) {
		rec, next, _ := k.pair(k.name(), false)
		var rotated error
		return func() { rotated = k.rotate(rec.Key, 1, next, nil) },
			func() { k.ok("delete beside a rotate", k.delete(rec.Key)) },
			func() {
				k.oneOf("rotate beside a delete", rotated, store.ErrNotFound)
				k.absent(rec.Key, "after a delete beside a rotate")
				if rotated != nil {
					k.absent(next.Key, "of a rotate that a delete was before")
					k.listed(rec.User, "after a delete beside a rotate")
					return
				}
				k.live(next.Key, "after a rotate beside a delete")
				k.listed(rec.User, "after a rotate beside a delete", next.Key)
			}
	})
}

func meetRotateKey(k *kit) {
	for _, creates := range []bool{false, true} {
		k.meet(20, func() (first, second, then func()) {
			user := k.name()
			rec, next, _ := k.pair(user, false)
			other := k.add(k.fresh(user))
			rival := k.edit(k.heir(other))
			rival.Key = next.Key
			var one, two error
			return func() { one = k.rotate(rec.Key, 1, next, nil) },
				func() {
					if creates {
						two = k.insert(rival)
					} else {
						two = k.rotate(other.Key, 1, rival, nil)
					}
				},
				func() {
					k.oneOf("rotate to a key beside another write to it", one, store.ErrExists)
					k.oneOf("another write to the key of a rotate", two, store.ErrExists)
					if (one == nil) == (two == nil) {
						k.failf("of two writes to one new key not exactly one is applied: %v, %v", one, two)
					}
					got, want := k.live(next.Key, "at the key of two writes"), next
					if two == nil {
						want = rival
					}
					if got.Handle != want.Handle || !bytes.Equal(got.Data, want.Data) {
						k.failf("at the key of two writes is not the record of that which was acknowledged")
					}
					keys := []store.Key{next.Key}
					if one != nil {
						keys = append(keys, rec.Key)
					}
					if two != nil || creates {
						keys = append(keys, other.Key)
					}
					k.listed(user, "after two writes to one new key", keys...)
				}
		})
	}
}

func meetRotateLimit(k *kit) {
	k.meet(20, func() (first, second, then func()) {
		rec, next, tail := k.pair(k.name(), true)
		return func() { k.ok("rotate beside a create at the limit", k.rotate(rec.Key, 1, next, tail)) },
			func() {
				_, err := k.create(k.fresh(rec.User), store.Admission{Max: 1})
				k.is(store.ErrLimit, "create at a limit of 1, beside a rotate", err)
			},
			func() { k.listed(rec.User, "after a create at the limit, beside a rotate", next.Key) }
	})
}

func meetRotateEvict(k *kit) {
	for _, withTail := range []bool{false, true} {
		k.meet(20, func() (first, second, then func()) {
			rec, next, tail := k.pair(k.name(), withTail)
			last := k.fresh(rec.User)
			var rotated error
			var evicted []store.Handle
			return func() { rotated = k.rotate(rec.Key, 1, next, tail) },
				func() {
					var err error
					evicted, err = k.create(last, store.Admission{Max: 1, Evict: true})
					k.ok("create with eviction beside a rotate", err)
				},
				func() {
					k.oneOf("rotate beside an eviction", rotated, store.ErrNotFound)
					if len(evicted) != 1 || evicted[0] != rec.Handle {
						k.failf("create with eviction beside a rotate tells %d handles, not that of the record alone", len(evicted))
					}
					k.absent(next.Key, "after an eviction beside a rotate")
					if rotated == nil {
						k.left(rec.Key, tail, 2, "after an eviction beside a rotate")
					} else {
						k.absent(rec.Key, "after an eviction beside a rotate")
					}
					k.listed(rec.User, "after an eviction beside a rotate", last.Key)
				}
		})
	}
}

func meetEvictWrites(k *kit) {
	writes := map[string]func(store.Record) error{
		"update": func(rec store.Record) error { return k.update(k.edit(rec), 1) },
		"touch":  func(rec store.Record) error { return k.touch(rec.Key, 0) },
		"delete": func(rec store.Record) error { return k.delete(rec.Key) },
		"a create at the limit": func(rec store.Record) error {
			_, err := k.create(k.fresh(rec.User), store.Admission{Max: 1})
			k.is(store.ErrLimit, "create at a limit of 1, beside an eviction", err)
			return nil
		},
	}
	for what, write := range writes {
		k.meet(10, func() (first, second, then func()) {
			rec := k.add(k.fresh(k.name()))
			last := k.fresh(rec.User)
			var evicted []store.Handle
			return func() {
					var err error
					evicted, err = k.create(last, store.Admission{Max: 1, Evict: true})
					k.ok("create with eviction", err)
				},
				func() { k.oneOf(what+" beside an eviction", write(rec), store.ErrNotFound) },
				func() {
					k.absent(rec.Key, "after an eviction beside "+what)
					k.listed(rec.User, "after an eviction beside "+what, last.Key)
					if len(evicted) > 1 || len(evicted) == 1 && evicted[0] != rec.Handle || len(evicted) == 0 && what != "delete" {
						k.failf("an eviction beside %s tells %d handles", what, len(evicted))
					}
				}
		})
	}
}

func meetUpdates(k *kit) {
	for _, size := range big {
		k.meet(8, func() (first, second, then func()) {
			rec := k.add(k.fresh(k.name()))
			changes := [2]store.Record{k.edit(rec), k.edit(rec)}
			var errs [2]error
			for i := range changes {
				changes[i].Data = pattern(size + i)
			}
			return func() { errs[0] = k.update(changes[0], 1) },
				func() { errs[1] = k.update(changes[1], 1) },
				func() {
					won := 0
					for i, err := range errs {
						if k.oneOf("update beside another", err, store.ErrConflict); err == nil {
							won++
							if got := k.live(rec.Key, "after two updates"); got.Version != 2 || !bytes.Equal(got.Data, changes[i].Data) {
								k.failf("of two updates with %d bytes, the one that was acknowledged is lost", size)
							}
						}
					}
					if won != 1 {
						k.failf("of two updates with %d bytes and one version, %d are applied", size, won)
					}
				}
		})
	}
}

func meetSweep(k *kit) {
	for _, rotates := range []bool{false, true} {
		k.meet(20, func() (first, second, then func()) {
			rec := k.fresh(k.name())
			rec.Lifetime = k.tick
			k.ok("create", k.insert(rec))
			k.sleep(k.late(2 * k.tick))
			from, stay := k.add(k.fresh(rec.User)), k.add(k.fresh(rec.User))
			again := k.heir(from)
			again.Key = rec.Key
			return func() { k.sweep(1000) },
				func() {
					if rotates {
						k.ok("rotate to where a record has expired", k.rotate(from.Key, 1, again, nil))
						return
					}
					k.ok("create where a record has expired", k.insert(again))
					k.ok("delete", k.delete(from.Key))
				},
				func() {
					if got := k.live(rec.Key, "where a record had expired, beside a sweep"); got.Writer != again.Writer {
						k.failf("a sweep brought an expired record back")
					}
					k.listed(rec.User, "after a write where a record had expired, beside a sweep", again.Key, stay.Key)
				}
		})
	}
}
