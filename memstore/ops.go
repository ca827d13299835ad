package memstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// few is how many slots a Create or Rotate looks at for expired records: several
// for each that it adds, so that garbage cannot outgrow the live records.
const few = 8

func (s *memory) Create(ctx context.Context, rec *store.Record, adm store.Admission) (store.Admitted, error) {
	sh, at := s.locate(rec.Key)
	now := s.now()
	p := pack(rec, 1, s.instant(rec.Created, now), now)
	seen := s.instant(rec.Seen, now)
	var c claim
	defer func() { s.limits.give(c.got) }()
	for {
		admitted, full, err := s.create(sh, &at, p, seen, adm, &c)
		if full {
			if s.makeRoom(ctx, &c, rec.User) {
				continue
			}
			err = s.limits.full()
		}
		return admitted, err
	}
}

func (s *memory) create(sh *shard, at *place, p packed, seen int64, adm store.Admission, c *claim) (a store.Admitted, full bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	revoked, known := int64(0), false
	if p.user() != "" {
		if revoked, known = sh.guards.last(at.key.Tag); known {
			a.Revoked = s.time(revoked)
		}
	}
	if i := sh.find(at); i != 0 {
		if old := sh.at(i); sh.ends(i) > now {
			if old.rec.version() == 1 && string(old.rec[atWriter:atVersion]) == string(p[atWriter:atVersion]) {
				a.Now = s.time(now)
				return a, false, nil
			}
			return store.Admitted{}, false, store.ErrExists
		}
		c.got.add(sh.remove(i))
	}
	if known && adm.Age() > 0 && revoked >= int64(adm.Began.Sub(s.base)) && a.Revoked.After(adm.Known) {
		return store.Admitted{}, false, store.ErrRevoked
	}
	var victims []uint32
	if adm.Max > 0 {
		if victims, err = sh.admit(at, p.user(), adm, now); err != nil {
			return store.Admitted{}, false, err
		}
	}
	need := p.room()
	for _, i := range victims {
		need.sub(sh.at(i).rec.room())
	}
	if !s.limits.take(need, &c.got) {
		return store.Admitted{}, true, nil
	}
	for _, i := range victims {
		a.Evicted = append(a.Evicted, sh.at(i).rec.handle())
		sh.remove(i)
	}
	sh.insert(at, p, seen)
	freed, _ := sh.sweep(now, few, few)
	s.limits.give(freed)
	sh.tidy(2)
	a.Now = s.time(p.filed())
	return a, false, nil
}

// admit picks the user's records that must end to let one more in.
func (sh *shard) admit(at *place, user packed, adm store.Admission, now int64) ([]uint32, error) {
	mine := sh.of(at, user, now)
	over := len(mine) + 1 - adm.Max
	if over <= 0 {
		return nil, nil
	}
	if !adm.Evict {
		return nil, store.ErrLimit
	}
	slices.SortFunc(mine, func(i, j uint32) int {
		a, b := sh.at(i).rec, sh.at(j).rec
		if a.created() != b.created() {
			if a.created() < b.created() {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a[atID:atHandle]), string(b[atID:atHandle]))
	})
	return mine[:over], nil
}

// of gives the slots of a user's live records.
func (sh *shard) of(at *place, user packed, now int64) []uint32 {
	var mine []uint32
	if sh.tags.n == 0 {
		return nil
	}
	for i := sh.tags.heads[sh.tags.bucket(at.hash[byTag])]; i != 0; {
		sl := sh.at(i)
		if sl.hash[byTag] == at.hash[byTag] && sl.rec.user() == user && sh.ends(i) > now {
			mine = append(mine, i)
		}
		i = sl.links[byTag].next
	}
	return mine
}

// Get costs one allocation, or none where Meta and Data are empty. The record's User shares memory
// with the stored record: who keeps it for long should clone it.
func (s *memory) Get(_ context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	sh, at := s.locate(key)
	sh.mu.RLock()
	t := s.now()
	i := sh.live(&at, t)
	if i == 0 {
		sh.mu.RUnlock()
		return rec, now, store.ErrNotFound
	}
	sl := sh.at(i)
	p, seen := sl.rec, sl.seen.Load()
	sh.mu.RUnlock()
	s.unpack(&rec, p, seen)
	rec.Meta, rec.Data = p.bytes(true)
	return rec, s.time(t), nil
}

func (s *memory) Update(ctx context.Context, rec *store.Record, ifVersion uint64) error {
	sh, at := s.locate(rec.Key)
	var c claim
	defer func() { s.limits.give(c.got) }()
	for {
		old, applied, err := s.expect(sh, &at, ifVersion, rec.Writer)
		if applied {
			return nil
		}
		if err != nil {
			return err
		}
		// Bytes are copied here, with no lock held.
		rec.Handle, rec.User = old.handle(), string(old.user())
		p := pack(rec, ifVersion+1, old.created(), old.filed())
		done, full := s.update(sh, &at, old, p, rec.Seen, &c)
		if done {
			return nil
		}
		if full && !s.makeRoom(ctx, &c, rec.User) {
			return s.limits.full()
		}
	}
}

// expect looks for a live record of a version. It also tells whether the
// write of this writer to that version was applied before.
func (s *memory) expect(sh *shard, at *place, version uint64, w store.Writer) (old packed, applied bool, err error) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	i := sh.live(at, s.now())
	if i == 0 {
		return "", false, store.ErrNotFound
	}
	old = sh.at(i).rec
	switch old.version() {
	case version:
		return old, false, nil
	case version + 1:
		if old.wrote(&w) {
			return old, true, nil
		}
	}
	return "", false, store.ErrConflict
}

// update puts p in place of old if the live record still is that. Seen is the
// caller's instant.
func (s *memory) update(sh *shard, at *place, old, p packed, seen time.Time, c *claim) (done, full bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	i := sh.live(at, now)
	if i == 0 || sh.at(i).rec != old {
		return false, false
	}
	after := max(sh.at(i).seen.Load(), s.instant(seen, now))
	if p.ends(after) <= now {
		s.limits.give(sh.remove(i))
		sh.tidy(2)
		return true, false
	}
	need := p.room()
	need.sub(old.room())
	if !s.limits.take(need, &c.got) {
		return false, true
	}
	sh.replace(i, p, after)
	return true, false
}

// Touch takes no lock that readers would wait for.
func (s *memory) Touch(_ context.Context, rec *store.Record, every time.Duration) error {
	sh, at := s.locate(rec.Key)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	now := s.now()
	i := sh.live(&at, now)
	if i == 0 {
		return store.ErrNotFound
	}
	seen := &sh.at(i).seen
	for old := seen.Load(); old < now && now-old >= int64(every); old = seen.Load() {
		if seen.CompareAndSwap(old, now) {
			break
		}
	}
	return nil
}

func (s *memory) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec, tail *store.Record) error {
	sh, to := s.locate(rec.Key)
	now := s.now()
	t := turn{from: to, to: to, version: ifVersion}
	t.from.key.ID, t.from.hash[byKey] = old.ID, hashID(&old.ID)
	t.rec = pack(rec, ifVersion+1, s.instant(rec.Created, now), now)
	t.seen = s.instant(rec.Seen, now)
	if tail != nil {
		t.tail = pack(tail, ifVersion+1, s.instant(tail.Created, now), now)
		t.tailSeen = s.instant(tail.Seen, now)
	}
	var c claim
	defer func() { s.limits.give(c.got) }()
	for {
		full, err := s.rotate(sh, &t, &c)
		if full {
			if s.makeRoom(ctx, &c, rec.User) {
				continue
			}
			err = s.limits.full()
		}
		return err
	}
}

// turn is a rotation, ready to be done.
type turn struct {
	from, to       place
	version        uint64
	rec, tail      packed // tail may be empty
	seen, tailSeen int64
}

func (s *memory) rotate(sh *shard, t *turn, c *claim) (full bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	i, j := sh.live(&t.from, now), sh.find(&t.to)
	taken := j != 0 && sh.ends(j) > now
	if taken {
		p := sh.at(j).rec
		if p.version() == t.version+1 && string(p[atWriter:atVersion]) == string(t.rec[atWriter:atVersion]) {
			return false, nil
		}
	}
	if i == 0 {
		return false, store.ErrNotFound
	}
	old := sh.at(i).rec
	switch {
	case old.version() != t.version: // first: a racer may find a tail here, of nobody
		return false, store.ErrConflict
	case old.user() != t.rec.user():
		return false, fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid)
	case taken:
		return false, store.ErrExists
	case j != 0:
		c.got.add(sh.remove(j))
	}
	need := t.rec.room()
	need.sub(old.room())
	if t.tail != "" {
		need.add(t.tail.room())
	}
	if !s.limits.take(need, &c.got) {
		return true, nil
	}
	sh.remove(i)
	sh.insert(&t.to, t.rec, t.seen)
	if t.tail != "" {
		sh.insert(&t.from, t.tail, t.tailSeen)
	}
	freed, _ := sh.sweep(now, few, few)
	s.limits.give(freed)
	sh.tidy(2)
	return false, nil
}

func (s *memory) Delete(_ context.Context, key store.Key) error {
	sh, at := s.locate(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i := sh.find(&at); i != 0 {
		s.limits.give(sh.remove(i))
		sh.tidy(2)
	}
	return nil
}
