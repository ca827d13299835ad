package kvstore

import (
	"encoding/binary"

	"github.com/sojourn-go/sojourn/store"
)

// Kinds of keys: the first byte behind the store's prefix.
const (
	kindRecord = 's'
	kindData   = 'd'
	kindExpiry = 'e'
	kindGuard  = 'g'
	kindClock  = 'c'
)

// key makes a key of the database: the store's prefix, the kind and the parts.
func (e *engine) key(kind byte, parts ...[]byte) []byte {
	b := make([]byte, 0, len(e.root)+1+8+len(store.Tag{})+len(store.ID{}))
	b = append(append(b, e.root...), kind)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func (e *engine) recordKey(k *store.Key) []byte { return e.key(kindRecord, k.Tag[:], k.ID[:]) }

func (e *engine) dataKey(k *store.Key) []byte { return e.key(kindData, k.Tag[:], k.ID[:]) }

func (e *engine) expiryKey(slot int64, k *store.Key) []byte {
	return e.key(kindExpiry, slotBytes(slot), k.Tag[:], k.ID[:])
}

func (e *engine) guardExpiry(at int64, tag *store.Tag) []byte {
	return e.key(kindExpiry, slotBytes(at+guardKept), tag[:])
}

func slotBytes(t int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t)) }

// span returns the bounds of all keys of a kind that begin with the parts.
func (e *engine) span(kind byte, parts ...[]byte) (from, to []byte) {
	from = e.key(kind, parts...)
	to = append([]byte(nil), from...)
	for i := len(to) - 1; ; i-- { // ends at the kind at the latest, which is below 255
		if to[i]++; to[i] != 0 {
			return from, to[:i+1]
		}
	}
}
