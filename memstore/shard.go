package memstore

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// slot is where a record stays from its creation to its end. Slots are
// numbered from 1 within their shard; 0 means none.
type slot struct {
	rec   packed
	seen  atomic.Int64 // the one field that changes under a read lock
	links [3]link
	hash  [2]uint32 // as in place
}

const pageLen = 32

type page [pageLen]slot

// shard holds the records of some tags. Slots are in pages, so that growing
// copies nothing and emptied pages go back to the garbage collector.
type shard struct {
	mu     sync.RWMutex
	pages  []*page
	used   []uint32 // a bit for each slot of a page
	lowest int      // no page before this one has a free slot
	count  int
	bytes  int64

	keys   index
	tags   index // users' records only
	wheel  wheel
	guards guards

	ageing  bool // whether age is kept
	age     list // anonymous records, the one created longest ago first
	newest  uint32
	walkers atomic.Int32 // walks under way, during which no slot may move
}

func (sh *shard) at(i uint32) *slot { return &sh.pages[i/pageLen][i%pageLen] }

// find gives the slot of the record at a place, live or not, or 0.
func (sh *shard) find(at *place) uint32 {
	if len(sh.keys.heads) == 0 {
		return 0
	}
	for i := sh.keys.heads[sh.keys.bucket(at.hash[byKey])]; i != 0; {
		sl := sh.at(i)
		if sl.hash[byKey] == at.hash[byKey] && sl.rec.has(&at.key) {
			return i
		}
		i = sl.links[byKey].next
	}
	return 0
}

// live is find for a record that has not expired.
func (sh *shard) live(at *place, now int64) uint32 {
	if i := sh.find(at); i != 0 && sh.ends(i) > now {
		return i
	}
	return 0
}

func (sh *shard) ends(i uint32) int64 {
	sl := sh.at(i)
	return sl.rec.ends(sl.seen.Load())
}

// insert adds a record at a place that is free.
func (sh *shard) insert(at *place, p packed, seen int64) {
	i := sh.alloc()
	sl := sh.at(i)
	sl.rec, sl.hash = p, at.hash
	sl.seen.Store(seen)
	sh.keys.add(sh, i)
	switch {
	case p.user() != "":
		sh.tags.add(sh, i)
	case sh.ageing:
		sh.append(i)
	}
	sh.file(i)
	sh.count++
	sh.bytes += p.room().bytes
}

// remove ends a record and tells the room that it took. No other slot moves.
func (sh *shard) remove(i uint32) room {
	sl := sh.at(i)
	r := sl.rec.room()
	sh.keys.remove(sh, i)
	switch {
	case sl.rec.user() != "":
		sh.tags.remove(sh, i)
	case sh.ageing:
		if sh.newest == i {
			sh.newest = sl.links[byTag].prev
		}
		sh.age.drop(sh, byTag, i)
		if sh.age.heads[0] == 0 {
			sh.newest = 0
		}
	}
	sh.wheel.drop(sh, byTime, i)
	sh.free(i)
	sh.count--
	sh.bytes -= r.bytes
	return r
}

// replace puts new bytes in place of a record's old ones.
func (sh *shard) replace(i uint32, p packed, seen int64) {
	sl := sh.at(i)
	before := sh.ends(i)
	sh.bytes += p.room().bytes - sl.rec.room().bytes
	sl.rec = p
	sl.seen.Store(seen)
	// A longer life is found when the old one's time has come.
	if sh.ends(i) < before {
		sh.wheel.drop(sh, byTime, i)
		sh.file(i)
	}
}

// append adds a slot behind the newest one of age.
func (sh *shard) append(i uint32) {
	if sh.age.heads == nil {
		sh.age.heads = make([]uint32, 1)
	}
	if sh.newest == 0 {
		sh.age.push(sh, byTag, 0, i)
	} else {
		sh.at(sh.newest).links[byTag].next = i
		sh.at(i).links[byTag].prev = sh.newest
	}
	sh.newest = i
}

// oldest is the anonymous record that was created longest ago, or 0.
func (sh *shard) oldest() uint32 {
	if sh.age.heads == nil {
		return 0
	}
	return sh.age.heads[0]
}

func (sh *shard) alloc() uint32 {
	k := sh.lowest
	for k < len(sh.used) && sh.used[k] == 1<<pageLen-1 {
		k++
	}
	sh.lowest = k
	if k == len(sh.used) {
		sh.used = append(sh.used, 0)
		sh.pages = append(sh.pages, nil)
		if k == 0 {
			sh.used[0] = 1 // slot 0 is none
		}
	}
	if sh.pages[k] == nil {
		sh.pages[k] = new(page)
	}
	b := bits.TrailingZeros32(^sh.used[k])
	sh.used[k] |= 1 << b
	return uint32(k*pageLen + b)
}

func (sh *shard) free(i uint32) {
	k := int(i / pageLen)
	sl := sh.at(i)
	sl.rec, sl.links = "", [3]link{}
	sh.used[k] &^= 1 << (i % pageLen)
	sh.lowest = min(sh.lowest, k)
	if sh.used[k] != 0 {
		return
	}
	sh.pages[k] = nil
	n := len(sh.used)
	for n > 0 && sh.used[n-1] == 0 {
		n--
	}
	sh.used, sh.pages = shrink(sh.used, n), shrink(sh.pages, n)
}

// tidy moves up to n records to lower slots if most are free, so that pages
// empty. It is done last: it changes what slot numbers mean.
func (sh *shard) tidy(n int) {
	for ; n > 0 && 3*sh.count < pageLen*(len(sh.used)-1) && sh.walkers.Load() == 0; n-- {
		top := len(sh.used) - 1
		from := uint32(top*pageLen + bits.Len32(sh.used[top]) - 1)
		to := sh.alloc()
		if to > from {
			sh.free(to)
			return
		}
		sh.move(from, to)
	}
}

func (sh *shard) move(from, to uint32) {
	a, b := sh.at(from), sh.at(to)
	b.rec, b.links, b.hash = a.rec, a.links, a.hash
	b.seen.Store(a.seen.Load())
	heads := [3][]uint32{sh.keys.heads, sh.tags.heads, sh.wheel.heads}
	if a.rec.user() == "" {
		heads[byTag] = sh.age.heads
		if sh.newest == from {
			sh.newest = to
		}
	}
	for kind, l := range a.links {
		if l.next != 0 {
			sh.at(l.next).links[kind].prev = to
		}
		switch {
		case l.prev&first != 0:
			heads[kind][l.prev&^first] = to
		case l.prev != 0:
			sh.at(l.prev).links[kind].next = to
		}
	}
	sh.free(from)
}

// shrink cuts s to n elements and gives memory back if most of it is unused.
func shrink[T any](s []T, n int) []T {
	clear(s[n:])
	s = s[:n]
	if cap(s) > 64 && cap(s) > 4*n {
		s = append(make([]T, 0, 2*n), s...)
	}
	return s
}
