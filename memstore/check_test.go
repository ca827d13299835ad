package memstore

import (
	"fmt"
	"testing"
)

// check proves that everything a store holds fits together: lists, counts, slots.
func (s *memory) check(t testing.TB) {
	t.Helper()
	var all room
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		err := sh.check()
		all.add(room{int64(sh.count), sh.bytes})
		sh.mu.RUnlock()
		if err != nil {
			t.Fatalf("shard %d: %v", i, err)
		}
	}
	if s.limits.bounded() && s.limits.used != all {
		t.Fatalf("limits count %v, shards hold %v", s.limits.used, all)
	}
}

func (sh *shard) check() error {
	var all room
	users, anonymous := 0, 0
	for k, bits := range sh.used {
		if bits == 0 && sh.pages[k] != nil {
			return fmt.Errorf("page %d is empty, and kept", k)
		}
		for j := range pageLen {
			i := uint32(k*pageLen + j)
			if i == 0 {
				continue
			}
			if bits>>j&1 == 0 {
				if k < sh.lowest {
					return fmt.Errorf("slot %d is free, below page %d", i, sh.lowest)
				}
				if p := sh.pages[k]; p != nil && p[j].entry != (entry{}) {
					return fmt.Errorf("slot %d is free and not empty", i)
				}
				continue
			}
			all.add(sh.at(i).room())
			if sh.at(i).user() != "" {
				users++
			} else {
				anonymous++
			}
		}
	}
	if all != (room{int64(sh.count), sh.bytes}) {
		return fmt.Errorf("slots hold %v, counted %d, %d", all, sh.count, sh.bytes)
	}
	for _, p := range sh.pages[len(sh.pages):cap(sh.pages)] {
		if p != nil {
			return fmt.Errorf("a page that was cut off is kept")
		}
	}
	if n := len(sh.used); n > 1 && sh.used[n-1] == 0 {
		return fmt.Errorf("empty page at the end")
	}
	return sh.checkLists(users, anonymous)
}

func (sh *shard) checkLists(users, anonymous int) error {
	for x, n := range map[*index]int{&sh.keys: sh.count, &sh.tags: users} {
		err := x.check(sh, x.kind, n, func(b, i uint32) bool { return x.bucket(x.hash(sh, i)) == b })
		if err != nil || x.n != n {
			return fmt.Errorf("index %d counts %d, not %d: %v", x.kind, x.n, n, err)
		}
		if b := len(x.heads); x.heads != nil && (b < fewBuckets || b < n || b > max(fewBuckets, 2*n)) {
			return fmt.Errorf("index %d has %d buckets for %d records", x.kind, b, n)
		}
	}
	if sh.ageing {
		last := uint32(0)
		err := sh.age.check(sh, byTag, anonymous, func(_, i uint32) bool {
			last = i
			return sh.at(i).user() == ""
		})
		if err != nil || last != sh.newest {
			return fmt.Errorf("age: %v, newest %d, not %d", err, sh.newest, last)
		}
	}
	w := &sh.wheel
	return w.check(sh, byTime, sh.count, func(b, i uint32) bool {
		if b == due {
			return true
		}
		level, d := b>>digit, int64(b&63)
		low := digit * level
		start := w.cur>>(low+digit)<<(low+digit) | d<<low
		return w.set[level]>>d&1 == 1 && start > w.cur && start <= sh.ends(i)
	})
}

// check walks over all lists, wants each slot's links to agree and belongs to hold, and wants n
// slots.
func (l *list) check(sh *shard, kind, n int, belongs func(b, i uint32) bool) error {
	seen := 0
	for b := range l.heads {
		prev := first | uint32(b)
		for i := l.heads[b]; i != 0; i = sh.at(i).links[kind].next {
			if at := sh.at(i).links[kind]; at.prev != prev {
				return fmt.Errorf("list %d/%d: slot %d has prev %x, not %x", kind, b, i, at.prev, prev)
			}
			if sh.used[i/pageLen]>>(i%pageLen)&1 == 0 {
				return fmt.Errorf("list %d/%d: slot %d is free", kind, b, i)
			}
			if !belongs(uint32(b), i) {
				return fmt.Errorf("list %d/%d: slot %d does not belong", kind, b, i)
			}
			if seen++; seen > n {
				return fmt.Errorf("list %d: more than %d slots", kind, n)
			}
			prev = i
		}
	}
	if seen != n {
		return fmt.Errorf("list %d: %d slots, not %d", kind, seen, n)
	}
	return nil
}
