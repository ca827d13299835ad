package memstore

import (
	"context"
	"iter"
	"strings"

	"github.com/sojourn-go/sojourn/store"
)

// slice is how many slots a sweep looks at, and how many a walk copies from,
// before it lets go of the lock: about 0.1 ms. Less would not help readers:
// each time one waits, the system's scheduler may keep it from its processor for longer.
const slice = 256

// found is a record as a walk saw it.
type found struct {
	rec  packed
	seen int64
}

// User yields the live records of user as they were at one instant, with no lock held.
func (s *memory) User(_ context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		sh, at := s.locate(store.Key{Tag: store.TagOf(user)})
		sh.mu.RLock()
		mine := sh.of(&at, packed(user), s.now())
		all := make([]found, len(mine))
		for n, i := range mine {
			all[n] = found{sh.at(i).rec, sh.at(i).seen.Load()}
		}
		sh.mu.RUnlock()
		for _, f := range all {
			var rec store.Record
			s.unpack(&rec, f.rec, f.seen)
			rec.User = user
			rec.Meta, _ = f.rec.bytes(false)
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// All holds no lock while it yields.
func (s *memory) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		buf := make([]found, 0, slice)
		for i := range s.shards {
			if !s.walk(ctx, &s.shards[i], buf, yield) {
				return
			}
		}
	}
}

// walk yields the records of one shard and tells whether to go on. Slots do not move
// meanwhile, so the number of a slot is a cursor that nothing can upset.
func (s *memory) walk(ctx context.Context, sh *shard, buf []found, yield func(store.Record, error) bool) bool {
	sh.walkers.Add(1)
	defer sh.walkers.Add(-1)
	for from, more := uint32(0), true; more; from += slice {
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, err)
			return false
		}
		buf, more = s.copyFrom(sh, from, buf[:0])
		for _, f := range buf {
			var rec store.Record
			s.unpack(&rec, f.rec, f.seen)
			rec.User = strings.Clone(rec.User)
			rec.Meta, _ = f.rec.bytes(false)
			if !yield(rec, nil) {
				return false
			}
		}
	}
	return true
}

// copyFrom takes the live records of a slice of slots and tells whether there are
// slots beyond it.
func (s *memory) copyFrom(sh *shard, from uint32, buf []found) ([]found, bool) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	now := s.now()
	for i := from; i < from+slice; i++ {
		k := int(i / pageLen)
		if k >= len(sh.used) {
			return buf, false
		}
		if i > 0 && sh.used[k]>>(i%pageLen)&1 != 0 && sh.ends(i) > now {
			buf = append(buf, found{sh.at(i).rec, sh.at(i).seen.Load()})
		}
	}
	return buf, true
}

func (s *memory) Revoke(_ context.Context, user string, sel store.Selection) (store.Revoked, error) {
	sh, at := s.locate(store.Key{Tag: store.TagOf(user)})
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	var r store.Revoked
	if len(sel.Only) == 0 {
		sh.guards.set(at.key.Tag, now)
		r.At = s.time(now)
	}
	var freed room
	for _, i := range sh.of(&at, packed(user), now) {
		if sel.Picks(sh.at(i).rec.handle()) {
			freed.add(sh.remove(i))
		}
	}
	s.limits.give(freed)
	sh.tidy(slice)
	r.N = int(freed.records)
	return r, nil
}

// Sweep holds a lock for at most 256 records at a time.
func (s *memory) Sweep(ctx context.Context, limit int) (int, error) {
	n := 0
	for range s.shards {
		sh := &s.shards[s.next.Add(1)%uint32(len(s.shards))]
		for more := true; more && n < limit; {
			if err := store.FromContext(ctx); err != nil {
				return n, err
			}
			var freed room
			freed, more = s.sweepShard(sh, limit-n)
			s.limits.give(freed)
			n += int(freed.records)
		}
	}
	return n, nil
}

// sweepShard does one slice of a sweep.
func (s *memory) sweepShard(sh *shard, limit int) (freed room, more bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	sh.guards.turn(now)
	freed, more = sh.sweep(now, slice, limit)
	sh.tidy(few + int(freed.records))
	return freed, more
}
