package memstore

import "math/bits"

// A slot is in up to three lists at a time, each of one kind.
const (
	byKey  = iota // records whose keys fall in one bucket
	byTag         // users' records whose tags do; or all anonymous ones, by age
	byTime        // records that end within one stretch of time
)

// link is a slot's place in a list. The first slot's prev is the number of the list with the bit
// first set.
type link struct{ next, prev uint32 }

const first = 1 << 31

// list is some doubly linked lists of slots: heads[b] is the first of the b-th. Slot 0, which is no
// record's, takes the links that would be written where there is no slot; nobody reads them.
type list struct{ heads []uint32 }

func (l *list) push(sh *shard, kind int, b, i uint32) {
	old := l.heads[b]
	sh.at(i).links[kind] = link{next: old, prev: first | b}
	sh.at(old).links[kind].prev = i
	l.heads[b] = i
}

func (l *list) drop(sh *shard, kind int, i uint32) {
	at := sh.at(i).links[kind]
	if at.prev&first != 0 {
		l.heads[at.prev&^first] = at.next
	} else {
		sh.at(at.prev).links[kind].next = at.next
	}
	sh.at(at.next).links[kind].prev = at.prev
}

// index is a hash table by linear hashing: it grows and shrinks by one bucket at a time, so that no
// write pays for a rehash of the whole. Slots of unlike keys may share a hash, and share a bucket
// anyway: whoever looks compares the key.
type index struct {
	list
	n    int
	kind int
}

const fewBuckets = 8

func (x *index) bucket(h uint32) uint32 {
	n := uint32(len(x.heads))
	mask := uint32(1)<<bits.Len32(n-1) - 1
	if h&mask >= n {
		mask >>= 1
	}
	return h & mask
}

// hash is recomputed where it is needed: four bytes a record would be the dearer way.
func (x *index) hash(sh *shard, i uint32) uint32 {
	k := &sh.at(i).key
	if x.kind == byKey {
		return hashID(&k.ID)
	}
	_, h := sh.m.locate(&k.Tag)
	return h
}

// first returns the first slot whose key may have a hash, or 0.
func (x *index) first(hash uint32) uint32 {
	if len(x.heads) == 0 {
		return 0
	}
	return x.heads[x.bucket(hash)]
}

func (x *index) add(sh *shard, i uint32) {
	if x.heads == nil {
		x.heads = make([]uint32, fewBuckets)
	}
	x.push(sh, x.kind, x.bucket(x.hash(sh, i)), i)
	if x.n++; x.n > len(x.heads) {
		x.grow(sh)
	}
}

func (x *index) remove(sh *shard, i uint32) {
	x.drop(sh, x.kind, i)
	x.n--
	for range 2 { // as fast as it must, to stay within twice the records
		if len(x.heads) > fewBuckets && len(x.heads) > 2*x.n {
			x.shrink(sh)
		}
	}
}

// grow adds a bucket and shares out the one whose slots may belong there.
func (x *index) grow(sh *shard) {
	last := uint32(len(x.heads))
	x.heads = append(x.heads, 0)
	from := last &^ (1 << (bits.Len32(last) - 1))
	for i := x.heads[from]; i != 0; {
		next := sh.at(i).links[x.kind].next
		if x.bucket(x.hash(sh, i)) == last {
			x.drop(sh, x.kind, i)
			x.push(sh, x.kind, last, i)
		}
		i = next
	}
}

// shrink undoes grow.
func (x *index) shrink(sh *shard) {
	last := uint32(len(x.heads) - 1)
	into := last &^ (1 << (bits.Len32(last) - 1))
	for i := x.heads[last]; i != 0; {
		next := sh.at(i).links[x.kind].next
		x.push(sh, x.kind, into, i)
		i = next
	}
	x.heads = shrink(x.heads, int(last))
}
