// Package memstore keeps sessions in the memory of this process. They end with it, and no other
// process sees them; everything else that [store.Store] promises holds.
//
//	sessions, err := sojourn.New(memstore.New(nil), nil)
//
// # Memory
//
// A session costs about 180 bytes beside its user id, Meta and Data. What has expired is absent at
// once, and its memory is freed by Sweep or, a few records at a time, by each Create and Rotate: a
// program that never sweeps keeps at most a fraction of its live sessions' number as garbage.
// Memory is given back as records go. [Options] sets bounds and says what happens there. A Get
// costs one allocation, for Meta and Data; the User that it returns shares memory with the stored
// record, so clone it to keep it for long.
//
// # Time
//
// The clock is the process's monotonic one, to the nanosecond: setting the machine's clock ends no
// session and prolongs none. In a testing/synctest bubble, make the Store inside the bubble.
//
// # Locks
//
// Records are spread by tag over 64 to 256 locks. No lock is held for longer than some 256 records
// take (0.1 ms), nor while more than 16 KiB of data are copied. Exceptions are what the contract
// wants to be atomic: Revoke, User and a Create with a limit take time in proportion to the
// sessions of that one user.
package memstore

import (
	"hash/maphash"
	"math/bits"
	"runtime"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// Options sets bounds for a [Store]. The zero Options sets none.
//
// At a bound, expired records make room first, then those that EvictAnonymous allows. Where that is
// not enough the write fails with [store.ErrFull] and changes nothing. A signed-in user's record is
// never ended to make room, except as the [store.Admission] of a Create asks. Deleting, touching
// and shrinking always work.
type Options struct {
	// MaxRecords is the number of records that are kept at most. Zero and less mean no bound.
	MaxRecords int
	// MaxBytes is the size of all records at most, in bytes: each counts for 180 and the lengths of
	// its User, Meta and Data. Zero and less mean no bound.
	MaxBytes int64
	// EvictAnonymous lets a write to a signed-in user's record end anonymous records at a bound,
	// those that were created or rotated longest ago first, without notice to anyone. Anonymous
	// writes never do. False means that nothing is ended and the write is refused.
	EvictAnonymous bool
}

// Store is a [store.Store] in memory. Make it with [New].
type Store struct {
	*driver.Store
	mem *memory
}

var _ store.Store = (*Store)(nil)

// New makes an empty Store. No opts are needed: nil means the zero [Options]. It cannot fail, since
// every value of Options has a meaning.
func New(opts *Options) *Store {
	var o Options
	if opts != nil {
		o = *opts
	}
	n := min(max(4*runtime.GOMAXPROCS(0), 64), 256)
	width := bits.Len(uint(n - 1))
	m := &memory{
		base:   time.Now(),
		seed:   maphash.MakeSeed(),
		shards: make([]shard, 1<<width),
		shift:  64 - uint(width),
		limits: limits{maxRecords: int64(o.MaxRecords), maxBytes: o.MaxBytes},
	}
	for i := range m.shards {
		sh := &m.shards[i]
		sh.m, sh.tags.kind, sh.ageing = m, byTag, o.EvictAnonymous
	}
	return &Store{embedded.New("memstore", m), m}
}

// Usage returns how many records are held, and their size in bytes as MaxBytes counts it. Expired
// records count until they are swept.
func (s *Store) Usage() (records int, bytes int64) { return s.mem.usage() }

func (m *memory) usage() (records int, bytes int64) {
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.RLock()
		records += sh.count
		bytes += sh.bytes
		sh.mu.RUnlock()
	}
	return records, bytes
}
