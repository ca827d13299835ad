package memstore

import "math/bits"

// wheel is a hierarchical timing wheel with a tick of one nanosecond. A bucket of level n holds
// what ends within one stretch of 64^n ns. A record is filed by the highest base-64 digit in which
// its end differs from cur; so the buckets that cur has not reached are ordered in time, lower
// levels first, and the earliest is found by a few bits.
//
// Filing is lazy: a Touch leaves a record where it is. When its bucket comes, it is filed anew by
// its true end. A record is filed at most about four times in a life and once for each idle time
// that it was touched in; it never is where its end has passed and its bucket has not come.
type wheel struct {
	list                // made on first use
	set  [levels]uint64 // buckets that may have slots
	cur  int64          // every bucket before this instant is empty
}

const (
	digit  = 6
	levels = 11          // 66 bits
	due    = levels << 6 // the bucket of what cur has reached
)

// file puts a slot where its end belongs. That is after cur: who files it has just seen it live.
func (sh *shard) file(i uint32) {
	w := &sh.wheel
	if w.heads == nil {
		w.heads = make([]uint32, due+1)
	}
	end := sh.ends(i)
	level := (bits.Len64(uint64(end^w.cur)) - 1) / digit
	d := end >> (digit * level) & 63
	w.set[level] |= 1 << d
	w.push(sh, byTime, uint32(level<<digit|int(d)), i)
}

// earliest returns the first bucket after cur that may have slots, and its start.
func (w *wheel) earliest() (b uint32, start int64) {
	for level := range w.set {
		if w.set[level] != 0 {
			d := bits.TrailingZeros64(w.set[level])
			low := digit * level
			return uint32(level<<digit | d), w.cur>>(low+digit)<<(low+digit) | int64(d)<<low
		}
	}
	return 0, never
}

// due returns a slot that may have ended, or 0 if none has.
func (sh *shard) due(now int64) uint32 {
	w := &sh.wheel
	if w.heads == nil {
		return 0
	}
	for w.heads[due] == 0 {
		b, start := w.earliest()
		if start > now {
			w.cur = max(w.cur, now)
			return 0
		}
		w.cur = start
		w.set[b>>digit] &^= 1 << (b & 63)
		w.heads[due], w.heads[b] = w.heads[b], 0
		sh.at(w.heads[due]).links[byTime].prev = first | due
	}
	return w.heads[due]
}

// sweep looks at up to visits slots that may have ended and removes up to limit that have. It tells
// the room they took, and whether it left anything to look at.
func (sh *shard) sweep(now int64, visits, limit int) (freed room, more bool) {
	for ; visits > 0 && freed.records < int64(limit); visits-- {
		i := sh.due(now)
		if i == 0 {
			return freed, false
		}
		if sh.ends(i) <= now {
			freed.add(sh.remove(i))
			continue
		}
		sh.wheel.drop(sh, byTime, i)
		sh.file(i)
	}
	return freed, true
}
