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

// key gives an engine's key: the store's prefix, the kind and the parts.
func (s *Store) key(kind byte, parts ...[]byte) []byte {
	b := make([]byte, 0, len(s.root)+1+8+len(store.Tag{})+len(store.ID{}))
	b = append(append(b, s.root...), kind)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func (s *Store) recordKey(k *store.Key) []byte { return s.key(kindRecord, k.Tag[:], k.ID[:]) }

// span gives the bounds of all keys of a kind that begin with the parts.
func (s *Store) span(kind byte, parts ...[]byte) (from, to []byte) {
	from = s.key(kind, parts...)
	to = append([]byte(nil), from...)
	for i := len(to) - 1; ; i-- { // ends at the kind at the latest, which is below 255
		if to[i]++; to[i] != 0 {
			return from, to[:i+1]
		}
	}
}

func slotBytes(t int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t)) }

// change is a batch in the making, for whoever holds the lock of its stripe. now
// was read under that lock.
type change struct {
	s      *Store
	stripe byte
	now    int64
	ops    []Op
}

func (c *change) set(key, value []byte) { c.ops = append(c.ops, Op{Key: key, Value: value}) }
func (c *change) del(key []byte)        { c.ops = append(c.ops, Op{Key: key, Delete: true}) }

// commit writes the batch, and with it the clock.
func (c *change) commit(sync bool) error {
	key := c.s.key(kindClock, []byte{c.stripe})
	c.set(key, encodeInstant(key[len(c.s.root):], c.now))
	err := c.s.db.Apply(c.ops, sync)
	c.ops = nil
	c.s.kept.Store(c.now)
	if err != nil {
		c.s.loose.Add(1)
		return class(err, store.ErrIndeterminate)
	}
	return nil
}

// find reads into an empty e the entry at a key, live or not. Its Data is missing if it lies apart.
func (s *Store) find(k *store.Key, e *entry) (found bool, err error) {
	key := s.recordKey(k)
	b, found, err := s.db.Get(key)
	if err != nil {
		return false, class(err, store.ErrUnavailable)
	}
	if !found {
		return false, nil
	}
	if err := e.decode(key[len(s.root):], b); err != nil {
		return false, err
	}
	return true, nil
}

// put writes an entry with its Data. old is what stands at its key, or nil.
func (c *change) put(e, old *entry) {
	k := &e.key
	e.apart = len(e.data) > inlineMax
	if e.apart {
		key := c.s.key(kindData, k.Tag[:], k.ID[:])
		c.set(key, e.encodeData(key[len(c.s.root):]))
	} else if old != nil && old.apart {
		c.del(c.s.key(kindData, k.Tag[:], k.ID[:]))
	}
	if old != nil {
		e.slot = old.slot
	}
	c.file(e)
	c.header(e)
}

// header writes an entry without its Data, if that lies apart.
func (c *change) header(e *entry) {
	key := c.s.recordKey(&e.key)
	c.set(key, e.encode(key[len(c.s.root):]))
}

// file sees to it that there is one expiry entry, not later than the entry's end.
// An earlier one stays: the sweep that finds it files it anew.
func (c *change) file(e *entry) {
	end := e.ends()
	if e.slot != 0 && e.slot <= end {
		return
	}
	c.unfile(e)
	if end != never {
		e.slot = max(end, 1)
		c.set(c.s.expiryKey(e.slot, &e.key), nil)
	}
}

func (c *change) unfile(e *entry) {
	if e.slot != 0 {
		c.del(c.s.expiryKey(e.slot, &e.key))
		e.slot = 0
	}
}

func (s *Store) expiryKey(slot int64, k *store.Key) []byte {
	return s.key(kindExpiry, slotBytes(slot), k.Tag[:], k.ID[:])
}

// remove deletes all that belongs to an entry.
func (c *change) remove(e *entry) {
	if e.apart {
		c.del(c.s.key(kindData, e.key.Tag[:], e.key.ID[:]))
	}
	c.unfile(e)
	c.del(c.s.recordKey(&e.key))
}

// wipe deletes a damaged entry. What it has in the expiry index, Sweep drops in time.
func (c *change) wipe(k *store.Key) {
	c.del(c.s.key(kindData, k.Tag[:], k.ID[:]))
	c.del(c.s.recordKey(k))
}

// ofTag calls f for each entry under the tag; err says that it is damaged, and then only its key is known.
func (s *Store) ofTag(tag *store.Tag, f func(e *entry, err error)) error {
	from, to := s.span(kindRecord, tag[:])
	err := s.db.Walk(from, to, func(key, value []byte) bool {
		var e entry
		f(&e, s.decodeAt(key, value, &e))
		return true
	})
	if err != nil {
		return class(err, store.ErrUnavailable)
	}
	return nil
}

// decodeAt decodes an entry under its engine's key, which it gives also where the value is damaged.
func (s *Store) decodeAt(key, value []byte, e *entry) error {
	key = key[len(s.root):]
	err := e.decode(key, value)
	if err != nil && len(key) == 1+len(e.key.Tag)+len(e.key.ID) {
		copy(e.key.Tag[:], key[1:])
		copy(e.key.ID[:], key[1+len(e.key.Tag):])
	}
	return err
}
