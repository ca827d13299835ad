package token

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
)

// Cache remembers the keys of records that tokens have led to, because opening a token costs more
// than all else that a read does. It is no cache of sessions: each request reads the record, so
// what was ended stays ended. Entries never go stale as long as a token opens to the same
// credential: use it with a Sealer whose keys do not change.
//
// It holds hashes only: of a token's text, and of its secret, as stores do. What was added was
// opened or sealed before, and a text is known by all of its SHA-256, so nothing is accepted that
// would not open, and the time of a look-up says nothing about how close a guess is.
//
// It is a table of a fixed number of sets of four entries, without locks; a full set loses one at
// random. It grows to 1.5 MB at most, and is made when the first token comes. The zero Cache is
// empty. It is safe for concurrent use.
type Cache struct {
	table atomic.Pointer[[sets][ways]atomic.Pointer[known]]
}

const (
	sets = 4096
	ways = 4
)

type known struct {
	sum [sha256.Size]byte
	key store.Key
}

// MaxCached is the longest text that is looked up; a KeyRing's tokens have 124.
const MaxCached = 160

// Sum hashes a text of at most MaxCached bytes, on the stack.
func Sum(text string) [sha256.Size]byte {
	var buf [MaxCached]byte
	return sha256.Sum256(buf[:copy(buf[:], text)])
}

// set returns the place of a hash, which is random enough to pick one by.
func (c *Cache) set(sum *[sha256.Size]byte) *[ways]atomic.Pointer[known] {
	t := c.table.Load()
	if t == nil {
		return nil
	}
	return &t[(int(sum[0])<<8|int(sum[1]))%sets]
}

// Find returns the key that was added for the text of this hash.
func (c *Cache) Find(sum *[sha256.Size]byte) (key store.Key, ok bool) {
	set := c.set(sum)
	if set == nil {
		return store.Key{}, false
	}
	for i := range set {
		if k := set[i].Load(); k != nil && k.sum == *sum {
			return k.key, true
		}
	}
	return store.Key{}, false
}

// Add remembers the key of a token that is genuine.
func (c *Cache) Add(sum *[sha256.Size]byte, key store.Key) {
	if c.table.Load() == nil {
		c.table.CompareAndSwap(nil, new([sets][ways]atomic.Pointer[known]))
	}
	k := &known{*sum, key}
	set := c.set(sum)
	for i := range set {
		if set[i].CompareAndSwap(nil, k) {
			return
		}
	}
	set[sum[2]%ways].Store(k)
}
