package memstore

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// memory is the engine behind a Store.
type memory struct {
	base   time.Time // every instant inside is an offset from here, in nanoseconds
	seed   maphash.Seed
	shards []shard
	shift  uint          // of a tag's 64-bit hash, to leave the number of its shard
	next   atomic.Uint32 // shard of the next sweep
	limits limits
}

func (m *memory) Traits() store.Traits { return store.Traits{Volatile: true} }

func (m *memory) Clock(t time.Time) time.Time { return m.time(m.offset(t)) }

// now must be read under a shard's lock wherever a write depends on it: an instant from before the
// wait could find a record live that was seen expired since.
func (m *memory) now() int64 { return int64(time.Since(m.base)) }

func (m *memory) time(offset int64) time.Time { return m.base.Add(time.Duration(offset)) }

func (m *memory) offset(t time.Time) int64 { return int64(t.Sub(m.base)) }

// locate hashes the tag with a seed: it follows from the user id without a secret, and nobody shall
// choose user ids that meet in one shard or list.
func (m *memory) locate(tag *store.Tag) (sh *shard, hash uint32) {
	t := maphash.Bytes(m.seed, tag[:])
	return &m.shards[t>>m.shift], uint32(t)
}

// hashID takes some bytes: an ID is a hash, and of what nobody chooses.
func hashID(id *store.ID) uint32 {
	return binary.LittleEndian.Uint32(id[:4]) ^ binary.LittleEndian.Uint32(id[4:8])
}

// Read costs one allocation, or none where Meta and Data are empty.
func (m *memory) Read(_ context.Context, key store.Key, data bool) (rec store.Record, err error) {
	sh, _ := m.locate(&key.Tag)
	sh.mu.RLock()
	i := sh.find(&key)
	if i == 0 {
		sh.mu.RUnlock()
		return rec, store.ErrNotFound
	}
	sl := sh.at(i)
	sh.record(i, &rec)
	body, meta := sl.body[sl.userLen:], int(sl.metaLen)
	sh.mu.RUnlock()
	if !data {
		body = body[:meta]
	}
	rec.Meta, rec.Data = split(body, meta)
	return rec, nil
}

// split copies Meta and Data with one allocation. Neither can grow into the other.
func split(body string, n int) (meta, data []byte) {
	b := []byte(body)
	return b[:n:n], b[n:len(b):len(b)]
}

// Touch takes no lock that readers would wait for.
func (m *memory) Touch(_ context.Context, key store.Key, every time.Duration) error {
	sh, _ := m.locate(&key.Tag)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	now := m.now()
	i := sh.find(&key)
	if i == 0 || sh.ends(i) <= now {
		return store.ErrNotFound
	}
	seen := &sh.at(i).seen
	for old := seen.Load(); now-old >= int64(every); old = seen.Load() {
		if seen.CompareAndSwap(old, now) {
			break
		}
	}
	return nil
}

// Write makes room where a change finds none, unless the caller has gone, and copies much data with
// no lock held; then it tries again.
func (m *memory) Write(ctx context.Context, tag store.Tag, decide func(embedded.View) (embedded.Change, error)) error {
	var c claim
	defer func() { m.limits.give(c.got) }()
	for {
		wants, err := m.try(&tag, decide, &c)
		if wants == nil {
			return err
		}
		if err == nil {
			c.make(wants)
			continue
		}
		if gone := store.FromContext(ctx); gone != nil {
			return gone
		}
		if !m.makeRoom(ctx, &c, wants.User != "") {
			return err
		}
	}
}

// large is how many bytes of data are not copied under a lock.
const large = 16 << 10

// try decides and changes under the lock. If it names a record that wants something, it has changed
// nothing: room, if there is an error, and else its bytes in c.
func (m *memory) try(tag *store.Tag, decide func(embedded.View) (embedded.Change, error), c *claim) (wants *store.Record, err error) {
	sh, hash := m.locate(tag)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	v := &sh.view
	*v = view{sh: sh, tag: *tag, hash: hash, now: m.now()}
	change, err := decide(v)
	if err != nil {
		return nil, err
	}
	for _, p := range change.Put {
		if len(p.Rec.Data) > large && c.find(p.Rec) == nil {
			return p.Rec, nil
		}
	}
	if m.limits.bounded() && !m.limits.take(v.needs(&change), &c.got) {
		return change.Put[0].Rec, m.limits.full()
	}
	v.apply(&change, c)
	return nil, nil
}

// view is a shard under its lock.
type view struct {
	sh   *shard
	tag  store.Tag
	hash uint32
	now  int64
}

func (v *view) Now() time.Time { return v.sh.m.time(v.now) }

func (v *view) find(id *store.ID) uint32 {
	return v.sh.find(&store.Key{Tag: v.tag, ID: *id})
}

func (v *view) Find(id store.ID, rec *store.Record) (found bool, err error) {
	i := v.find(&id)
	if i != 0 {
		v.sh.record(i, rec)
	}
	return i != 0, nil
}

func (v *view) Each(user string, f func(*store.Record, error)) error {
	for _, i := range v.sh.of(v.hash, user) {
		var rec store.Record
		v.sh.record(i, &rec)
		f(&rec, nil)
	}
	return nil
}

func (v *view) Revoked() (time.Time, error) {
	at, ok := v.sh.guards.last(v.tag)
	if !ok {
		return time.Time{}, nil
	}
	return v.sh.m.time(at), nil
}

// needs is the room that a change takes, beyond what it frees.
func (v *view) needs(c *embedded.Change) (need room) {
	for _, p := range c.Put {
		need.add(roomOf(p.Rec))
		if i := v.find(&p.Rec.Key.ID); i != 0 {
			need.sub(v.sh.at(i).room())
		}
	}
	for _, id := range c.Drop {
		if i := v.find(&id); i != 0 {
			need.sub(v.sh.at(i).room())
		}
	}
	return need
}

// few is how many slots a write that adds a record looks at for expired ones: several for each that
// it adds, so that garbage cannot outgrow the live records.
const few = 8

// apply carries a change out. Its room is accounted for.
func (v *view) apply(c *embedded.Change, made *claim) {
	sh := v.sh
	for _, id := range c.Drop {
		if i := v.find(&id); i != 0 {
			sh.remove(i)
		}
	}
	for _, p := range c.Put {
		i := v.find(&p.Rec.Key.ID)
		if i != 0 && p.Rec.Version > 1 && sh.at(i).user() == p.Rec.User {
			sh.replace(i, p.Rec, made.bodyOf(p.Rec))
			continue
		}
		if i != 0 {
			sh.remove(i)
		}
		sh.insert(p.Rec, made.bodyOf(p.Rec), v.now)
		freed, _ := sh.sweep(v.now, few, few)
		sh.m.limits.give(freed)
	}
	if !c.Revoked.IsZero() {
		sh.guards.set(v.tag, sh.m.offset(c.Revoked))
	}
	sh.tidy(2 + len(c.Drop))
}

// slice is how many slots a sweep looks at, and how many a walk copies from, before it lets go of
// the lock: about 0.1 ms. Less would not help readers: each time one waits, the system's scheduler
// may keep it from its processor for longer.
const slice = 256

func (m *memory) List(ctx context.Context, user string, f func(*store.Record, error) bool) error {
	if user != "" {
		tag := store.TagOf(user)
		sh, hash := m.locate(&tag)
		sh.mu.RLock()
		recs := sh.copy(sh.of(hash, user))
		sh.mu.RUnlock()
		listed(recs, f)
		return nil
	}
	for i := range m.shards {
		if more, err := m.walk(ctx, &m.shards[i], f); err != nil || !more {
			return err
		}
	}
	return nil
}

// walk lists one shard. Slots do not move meanwhile, so the number of a slot is a cursor that
// nothing can upset.
func (m *memory) walk(ctx context.Context, sh *shard, f func(*store.Record, error) bool) (more bool, err error) {
	sh.walkers.Add(1)
	defer sh.walkers.Add(-1)
	for from := uint32(0); ; from += slice {
		if err := store.FromContext(ctx); err != nil {
			return false, err
		}
		sh.mu.RLock()
		recs := sh.copy(sh.between(from, from+slice))
		last := int(from+slice) >= pageLen*len(sh.used)
		sh.mu.RUnlock()
		if !listed(recs, f) {
			return false, nil
		}
		if last {
			return true, nil
		}
	}
}

// found is a record and the bytes that it is still to be given.
type found struct {
	rec  store.Record
	meta string
}

// listed calls f for records with bytes of their own, with no lock held, until it returns false.
func listed(all []found, f func(*store.Record, error) bool) bool {
	for i := range all {
		r := &all[i].rec
		r.Meta, _ = split(all[i].meta, len(all[i].meta))
		if i > 0 && r.User == all[i-1].rec.User {
			r.User = all[i-1].rec.User
		} else {
			r.User = strings.Clone(r.User)
		}
		if !f(r, nil) {
			return false
		}
	}
	return true
}

func (m *memory) Sweep(ctx context.Context, limit int) (n int, err error) {
	for range m.shards {
		sh := &m.shards[m.next.Add(1)%uint32(len(m.shards))]
		for more := true; more && n < limit; {
			if err := store.FromContext(ctx); err != nil {
				return n, err
			}
			var freed room
			freed, more = m.sweepShard(sh, limit-n)
			m.limits.give(freed)
			n += int(freed.records)
		}
	}
	return n, nil
}

// sweepShard does one slice of a sweep.
func (m *memory) sweepShard(sh *shard, limit int) (freed room, more bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := m.now()
	sh.guards.turn(now)
	freed, more = sh.sweep(now, slice, limit)
	sh.tidy(few + int(freed.records))
	return freed, more
}
