// Package memstore keeps sessions in the memory of this process. They end with it, and no other
// process sees them; everything else that [store.Store] promises holds.
//
//	sessions, err := sojourn.New(memstore.New(nil), nil)
//
// # Memory
//
// A session costs about 180 bytes beside its user id, Meta and Data. What has expired is absent at
// once, and its memory is freed by [Store.Sweep] or, a few records at a time, by each Create and
// Rotate: a program that never sweeps keeps at most a fraction of its live sessions' number as
// garbage. Memory is given back as records go. [Options] sets bounds and says what happens there.
//
// # Time
//
// The clock is the process's monotonic one, to the nanosecond: setting the machine's clock ends no
// session and prolongs none. In a testing/synctest bubble, make the Store inside the bubble.
//
// # Locks
//
// Records are spread by tag over 64 to 256 locks. No lock is held for longer than some 256 records
// take (0.1 ms), nor while data is copied. Exceptions are what the contract wants to be atomic:
// [Store.Revoke], [Store.User] and a Create with a limit take time in proportion to the sessions of
// that one user.
package memstore

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
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

// memory is the driver behind a Store.
type memory struct {
	base   time.Time // every instant inside is an offset from here, in nanoseconds
	seed   maphash.Seed
	shards []shard
	shift  uint          // of a tag's 64-bit hash, to leave the number of its shard
	next   atomic.Uint32 // shard of the next sweep
	limits limits
}

// New makes an empty Store. No opts are needed: nil means the zero [Options]. It cannot fail, since
// every value of Options has a meaning.
func New(opts *Options) *Store {
	var o Options
	if opts != nil {
		o = *opts
	}
	n := min(max(4*runtime.GOMAXPROCS(0), 64), 256)
	width := bits.Len(uint(n - 1))
	s := &memory{
		base:   time.Now(),
		seed:   maphash.MakeSeed(),
		shards: make([]shard, 1<<width),
		shift:  64 - uint(width),
		limits: limits{maxRecords: int64(o.MaxRecords), maxBytes: o.MaxBytes, evict: o.EvictAnonymous},
	}
	for i := range s.shards {
		s.shards[i].tags.kind = byTag
		s.shards[i].ageing = o.EvictAnonymous
	}
	return &Store{driver.New("memstore", s), s}
}

// Traits say that no session outlives the process, so that keys need not either: a manager makes a
// random one where it is given none.
func (s *memory) Traits() store.Traits { return store.Traits{Volatile: true, Local: true} }

// Usage returns how many records are held, and their size in bytes as MaxBytes counts it. Expired
// records count until they are swept.
func (s *Store) Usage() (records int, bytes int64) { return s.mem.usage() }

func (s *memory) usage() (records int, bytes int64) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		records += sh.count
		bytes += sh.bytes
		sh.mu.RUnlock()
	}
	return records, bytes
}

// now must be read under a shard's lock wherever life is judged: an instant from before the wait
// could find a record live that was seen expired since.
func (s *memory) now() int64 { return int64(time.Since(s.base)) }

// instant is the offset of a caller's time: now at the latest, and now for zero. Times more than
// 146 years before New are taken for that, so that differences fit.
func (s *memory) instant(t time.Time, now int64) int64 {
	if t.IsZero() {
		return now
	}
	return min(max(int64(t.Sub(s.base)), -1<<62), now)
}

func (s *memory) time(offset int64) time.Time { return s.base.Add(time.Duration(offset)) }

// place is where a key belongs.
type place struct {
	key  store.Key
	hash [2]uint32 // by key and by tag, indexed by kind
}

// locate hashes the tag with a seed: it follows from the user id without a secret, and nobody shall
// choose user ids that meet in one shard or bucket.
func (s *memory) locate(k store.Key) (sh *shard, at place) {
	t := maphash.Bytes(s.seed, k.Tag[:])
	at.key, at.hash[byKey], at.hash[byTag] = k, hashID(&k.ID), uint32(t)
	return &s.shards[t>>s.shift], at
}

// hashID takes some bytes: an ID is a hash, and of what nobody chooses.
func hashID(id *store.ID) uint32 {
	return binary.LittleEndian.Uint32(id[:4]) ^ binary.LittleEndian.Uint32(id[4:8])
}
