package memstore

import (
	"math"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// slot is where a record stays from its creation to its end. Slots are numbered from 1 within their
// shard; 0 means none. Instants are offsets from the memory's base.
type slot struct {
	entry
	seen atomic.Int64 // the one field that changes under a read lock
}

type entry struct {
	key     store.Key
	handle  store.Handle
	writer  store.Writer
	version uint64
	created int64
	filed   int64 // when this key was created; created may be from before a rotation
	idle    time.Duration
	life    time.Duration
	body    string // user, meta and data in one allocation; readers copy from it with no lock held
	links   [3]link
	metaLen uint16
	userLen uint8
}

func (sl *slot) user() string { return sl.body[:sl.userLen] }

// ends is the offset at which the record is no longer live.
func (sl *slot) ends() int64 {
	end := int64(never)
	if sl.idle > 0 {
		end = sl.seen.Load() + int64(sl.idle)
	}
	if sl.life > 0 {
		end = min(end, sl.created+int64(sl.life))
	}
	return end
}

const never = math.MaxInt64

// fill writes a record, but for the slot's lists.
func (sl *slot) fill(m *memory, r *store.Record, body string, filed int64) {
	sl.key, sl.handle, sl.writer, sl.version = r.Key, r.Handle, r.Writer, r.Version
	sl.created, sl.filed, sl.idle, sl.life = m.offset(r.Created), filed, r.Idle, r.Lifetime
	sl.seen.Store(m.offset(r.Seen))
	sl.userLen, sl.metaLen, sl.body = uint8(len(r.User)), uint16(len(r.Meta)), body
}

func bodyOf(r *store.Record) string {
	var b strings.Builder
	b.Grow(len(r.User) + len(r.Meta) + len(r.Data))
	b.WriteString(r.User)
	b.Write(r.Meta)
	b.Write(r.Data)
	return b.String()
}

const pageLen = 64 // with its header, a page nearly fills one of the runtime's size classes

type page [pageLen]slot

// shard holds the records of some tags. Slots are in pages, so that growing copies nothing and
// emptied pages go back to the garbage collector.
type shard struct {
	m      *memory
	mu     sync.RWMutex
	pages  []*page
	used   []uint64 // a bit for each slot of a page
	lowest int      // no page before this one has a free slot
	count  int
	bytes  int64

	keys   index
	tags   index // users' records only
	wheel  wheel
	guards guards
	view   view // of who holds the lock

	ageing  bool // whether age is kept
	age     list // anonymous records, the one created longest ago first
	newest  uint32
	walkers atomic.Int32 // walks under way, during which no slot may move
}

func (sh *shard) at(i uint32) *slot { return &sh.pages[i/pageLen][i%pageLen] }

func (sh *shard) ends(i uint32) int64 { return sh.at(i).ends() }

// find returns the slot of the record at a key, live or not, or 0.
func (sh *shard) find(k *store.Key) uint32 {
	for i := sh.keys.first(hashID(&k.ID)); i != 0; {
		sl := sh.at(i)
		if sl.key == *k {
			return i
		}
		i = sl.links[byKey].next
	}
	return 0
}

// of returns the slots of a user's records, whose tag has a hash.
func (sh *shard) of(hash uint32, user string) []uint32 {
	mine := make([]uint32, 0, 16)
	for i := sh.tags.first(hash); i != 0; i = sh.at(i).links[byTag].next {
		if sh.at(i).user() == user {
			mine = append(mine, i)
		}
	}
	return mine
}

// between returns the used slots of a range.
func (sh *shard) between(from, to uint32) (some []uint32) {
	for i := max(from, 1); i < min(to, uint32(pageLen*len(sh.used))); i++ {
		if sh.used[i/pageLen]>>(i%pageLen)&1 != 0 {
			some = append(some, i)
		}
	}
	return some
}

// record reads all but Meta and Data. The User shares memory with the slot.
func (sh *shard) record(i uint32, r *store.Record) {
	sl, m := sh.at(i), sh.m
	r.Key, r.Handle, r.User = sl.key, sl.handle, sl.user()
	r.Version, r.Writer, r.Idle, r.Lifetime = sl.version, sl.writer, sl.idle, sl.life
	r.Created, r.Seen = m.time(sl.created), m.time(sl.seen.Load())
}

func (sh *shard) copy(slots []uint32) []found {
	all := make([]found, len(slots))
	for n, i := range slots {
		sl := sh.at(i)
		sh.record(i, &all[n].rec)
		all[n].meta = sl.body[sl.userLen:][:sl.metaLen]
	}
	return all
}

// insert adds a record at a key that is free.
func (sh *shard) insert(r *store.Record, body string, now int64) {
	i := sh.alloc()
	sl := sh.at(i)
	sl.fill(sh.m, r, body, now)
	sh.keys.add(sh, i)
	switch {
	case r.User != "":
		sh.tags.add(sh, i)
	case sh.ageing:
		sh.append(i)
	}
	sh.file(i)
	sh.count++
	sh.bytes += sl.room().bytes
}

// remove ends a record and tells the room that it took. No other slot moves.
func (sh *shard) remove(i uint32) room {
	sl := sh.at(i)
	r := sl.room()
	sh.keys.remove(sh, i)
	switch {
	case sl.userLen > 0:
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

// replace writes a newer version of a record over it.
func (sh *shard) replace(i uint32, r *store.Record, body string) {
	sl := sh.at(i)
	end, size := sl.ends(), sl.room().bytes
	sl.fill(sh.m, r, body, sl.filed)
	sh.bytes += sl.room().bytes - size
	// A longer life is found when the old one's time has come.
	if sl.ends() < end {
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
	b := bits.TrailingZeros64(^sh.used[k])
	sh.used[k] |= 1 << b
	return uint32(k*pageLen + b)
}

func (sh *shard) free(i uint32) {
	k := int(i / pageLen)
	sh.at(i).entry = entry{}
	sh.used[k] &^= 1 << (i % pageLen)
	sh.lowest = min(sh.lowest, k)
	if sh.used[k] != 0 {
		return
	}
	sh.pages[k] = nil
	n := len(sh.used)
	for sh.used[n-1] == 0 { // the first has the bit of slot 0
		n--
	}
	sh.used, sh.pages = shrink(sh.used, n), shrink(sh.pages, n)
}

// tidy moves up to n records to lower slots if most are free, so that pages empty. It is done last:
// it changes what slot numbers mean.
func (sh *shard) tidy(n int) {
	for ; n > 0 && 3*sh.count < pageLen*(len(sh.used)-1) && sh.walkers.Load() == 0; n-- {
		top := len(sh.used) - 1
		from := uint32(top*pageLen + bits.Len64(sh.used[top]) - 1)
		sh.move(from, sh.alloc())
	}
}

func (sh *shard) move(from, to uint32) {
	a, b := sh.at(from), sh.at(to)
	b.entry = a.entry
	b.seen.Store(a.seen.Load())
	heads := [3][]uint32{sh.keys.heads, sh.tags.heads, sh.wheel.heads}
	if a.userLen == 0 {
		heads[byTag] = sh.age.heads
	}
	for kind, l := range a.links {
		sh.at(l.next).links[kind].prev = to
		if l.prev&first != 0 {
			heads[kind][l.prev&^first] = to
		} else {
			sh.at(l.prev).links[kind].next = to
		}
	}
	if sh.newest == from {
		sh.newest = to
	}
	sh.free(from)
}

// shrink cuts s to n elements and gives memory back if most of it is unused.
func shrink[T any](s []T, n int) []T {
	s = s[:n]
	if cap(s) > 4*n {
		s = append(make([]T, 0, 2*n), s...)
	}
	return s
}
