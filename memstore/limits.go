package memstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/sojourn-go/sojourn/store"
)

// overhead is what a record counts for beside its user, meta and data: its slot and share of the
// index, about as measured.
const overhead = 180

// room is a number of records and their size.
type room struct{ records, bytes int64 }

func (sl *slot) room() room { return room{1, int64(len(sl.body) + overhead)} }

func roomOf(r *store.Record) room {
	return room{1, int64(len(r.User) + len(r.Meta) + len(r.Data) + overhead)}
}

func (r *room) add(o room) { r.records += o.records; r.bytes += o.bytes }
func (r *room) sub(o room) { r.records -= o.records; r.bytes -= o.bytes }

// limits counts what all shards hold together, if there is a bound. Its lock is taken last and held
// for a few additions.
type limits struct {
	maxRecords, maxBytes int64

	mu   sync.Mutex
	used room
}

func (l *limits) bounded() bool { return l.maxRecords > 0 || l.maxBytes > 0 }

// take accounts for need, of which have is accounted for already. Only growth can be refused: what
// is used is never above a bound.
func (l *limits) take(need room, have *room) bool {
	need.sub(*have)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.maxRecords > 0 && l.used.records+need.records > l.maxRecords ||
		l.maxBytes > 0 && l.used.bytes+need.bytes > l.maxBytes {
		return false
	}
	l.used.add(need)
	*have = room{}
	return true
}

func (l *limits) give(r room) {
	if l.bounded() && r != (room{}) {
		l.mu.Lock()
		l.used.sub(r)
		l.mu.Unlock()
	}
}

func (l *limits) full() error {
	return fmt.Errorf("%w: raise Options.MaxRecords (%d) or Options.MaxBytes (%d)", store.ErrFull, l.maxRecords, l.maxBytes)
}

// claim is what one write gained for itself so far. Its room stays accounted for, so that no other
// write can snatch it.
type claim struct {
	got   room
	swept int // shards without anything due

	made [2]made // a rotation writes two records
}

// made is the body of a record that was copied with no lock held, when its user was this one.
type made struct {
	of   *store.Record
	user string
	body string
}

// find returns what was made of a record, or nil.
func (c *claim) find(r *store.Record) *made {
	for i := range c.made {
		if m := &c.made[i]; m.of == r && m.user == r.User {
			return m
		}
	}
	return nil
}

// make copies a record's bytes, in place of those that were copied before the last.
func (c *claim) make(r *store.Record) {
	c.made = [2]made{{r, r.User, bodyOf(r)}, c.made[0]}
}

func (c *claim) bodyOf(r *store.Record) string {
	if m := c.find(r); m != nil {
		return m.body
	}
	return bodyOf(r)
}

// makeRoom ends a few records for the sake of a write that found no room: expired ones, and then,
// for a user's record, the oldest anonymous one. It reports whether it ended any, or the caller has
// gone. It holds one shard's lock at a time, and the caller none.
func (m *memory) makeRoom(ctx context.Context, c *claim, user bool) bool {
	for c.swept < len(m.shards) {
		if ctx.Err() != nil {
			return true
		}
		freed, more := m.sweepShard(&m.shards[c.swept], slice)
		c.got.add(freed)
		if !more {
			c.swept++
		}
		if freed.records > 0 {
			return true
		}
	}
	return user && m.shards[0].ageing && m.evictOldest(c)
}

// evictOldest ends the anonymous record whose shard holds it longest. It reports whether there was
// one: if another write took it meanwhile, there may be room now, or an older one.
func (m *memory) evictOldest(c *claim) bool {
	var oldest *shard
	age := int64(never)
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.RLock()
		if i := sh.oldest(); i != 0 && sh.at(i).filed < age {
			oldest, age = sh, sh.at(i).filed
		}
		sh.mu.RUnlock()
	}
	if oldest == nil {
		return false
	}
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	if i := oldest.oldest(); i != 0 {
		c.got.add(oldest.remove(i))
	}
	return true
}
