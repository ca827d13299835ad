package memstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// model is a store that nobody could get wrong: a map, and walks over all of it.
type model struct {
	recs   map[store.Key]store.Record
	guards map[string]time.Time
}

func (m *model) live(k store.Key) (store.Record, bool) {
	r, ok := m.recs[k]
	return r, ok && r.Live(time.Now())
}

func (m *model) of(user string) (rs []store.Record) {
	for _, r := range m.recs {
		if r.User == user && r.Live(time.Now()) {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b store.Record) int {
		return cmpOr(a.Created.Compare(b.Created), bytes.Compare(a.Key.ID[:], b.Key.ID[:]))
	})
	return rs
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func clamp(t time.Time) time.Time {
	if now := time.Now(); t.IsZero() || t.After(now) {
		return now
	}
	return t
}

// put inserts a record, unless it is over before it begins.
func (m *model) put(r store.Record, version uint64) {
	r = settled(r, version)
	if r.Live(time.Now()) {
		m.recs[r.Key] = r
	}
}

func settled(r store.Record, version uint64) store.Record {
	r.Version, r.Created, r.Seen = version, clamp(r.Created), clamp(r.Seen)
	return r
}

func (m *model) create(r store.Record, adm store.Admission) error {
	if old, ok := m.live(r.Key); ok {
		if old.Version == 1 && old.Writer == r.Writer {
			return nil
		}
		return store.ErrExists
	}
	if r.User != "" {
		if g, ok := m.guards[r.User]; ok && adm.Age() > 0 && !adm.Began.After(g) {
			return store.ErrRevoked
		}
		if mine := m.of(r.User); adm.Max > 0 && len(mine) >= adm.Max {
			if !adm.Evict {
				return store.ErrLimit
			}
			if now := settled(r, 1); !now.Live(time.Now()) {
				return nil // nobody has to go for it
			}
			for _, v := range mine[:len(mine)+1-adm.Max] {
				delete(m.recs, v.Key)
			}
		}
	}
	m.put(r, 1)
	return nil
}

func (m *model) update(r store.Record, ifVersion uint64) error {
	old, ok := m.live(r.Key)
	switch {
	case !ok:
		return store.ErrNotFound
	case old.Version == ifVersion+1 && old.Writer == r.Writer:
		return nil
	case old.Version != ifVersion:
		return store.ErrConflict
	}
	r.Handle, r.User, r.Created, r.Version = old.Handle, old.User, old.Created, ifVersion+1
	if r.Seen = clamp(r.Seen); r.Seen.Before(old.Seen) {
		r.Seen = old.Seen
	}
	m.recs[r.Key] = r
	return nil
}

func (m *model) rotate(old store.Key, ifVersion uint64, r store.Record, tail *store.Record) error {
	at, taken := m.live(r.Key)
	if taken && at.Version == ifVersion+1 && at.Writer == r.Writer {
		return nil
	}
	was, ok := m.live(old)
	switch {
	case !ok:
		return store.ErrNotFound
	case was.Version != ifVersion:
		return store.ErrConflict
	case was.User != r.User:
		return store.ErrInvalid
	case taken:
		return store.ErrExists
	}
	delete(m.recs, old)
	m.put(r, ifVersion+1)
	if tail != nil {
		m.put(*tail, ifVersion+1)
	}
	return nil
}

// TestModel does random things to a Store and to a map, and wants the same of both.
func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testModel(t, seed) })
		})
	}
}

type modelTest struct {
	*rand.Rand
	*testing.T
	s *Store
	m model
}

func testModel(t *testing.T, seed uint64) {
	opts := &Options{MaxRecords: 1 << 20, MaxBytes: 1 << 40, EvictAnonymous: seed%2 == 0}
	mt := &modelTest{rand.New(rand.NewPCG(seed, 1)), t, New(opts), model{map[store.Key]store.Record{}, map[string]time.Time{}}}
	if seed%4 < 2 { // all in few shards, so that pages and buckets come and go
		mt.s.mem.shards, mt.s.mem.shift = mt.s.mem.shards[:2], 63
	}
	for step := range 3000 {
		mt.step(seed, step)
		if step%100 == 0 {
			mt.compare()
		}
	}
	time.Sleep(store.MaxLife + time.Hour)
	mt.compare()
}

func (mt *modelTest) user() string { return []string{"", "", "a", "a\x00", "b", "user1"}[mt.IntN(6)] }

func (mt *modelTest) key(user string) (k store.Key) {
	k.Tag = store.TagOf(user)
	k.ID[31] = byte(mt.IntN(200))
	return k
}

// life is 0 or of any order of magnitude from 1 ns to MaxLife.
func (mt *modelTest) life() time.Duration {
	if mt.IntN(4) == 0 {
		return 0
	}
	return min(time.Duration(mt.Int64()>>mt.IntN(63)), store.MaxLife)
}

func (mt *modelTest) rec() (r store.Record) {
	r.User = mt.user()
	r.Key = mt.key(r.User)
	r.Handle = store.Handle{byte(mt.IntN(256)), byte(mt.IntN(256))}
	r.Writer[0] = byte(1 + mt.IntN(3))
	r.Idle, r.Lifetime = mt.life(), mt.life()
	if mt.IntN(3) == 0 {
		r.Created = time.Now().Add(-mt.life() / 100)
		before, after := mt.life()/100, mt.life()/100
		r.Seen = time.Now().Add(after - before)
	}
	r.Meta = bytes.Repeat([]byte{1}, mt.IntN(4))
	r.Data = bytes.Repeat([]byte{2}, mt.IntN(1<<mt.IntN(12)))
	return r
}

func (mt *modelTest) step(seed uint64, step int) {
	ctx := context.Background()
	r := mt.rec()
	version := mt.m.recs[r.Key].Version - uint64(mt.IntN(10)/8)
	var got, want error
	kind := mt.IntN(20)
	switch {
	case kind < 7:
		adm := store.Admission{Max: mt.IntN(40), Evict: mt.IntN(2) == 0, Began: time.Now().Add(-time.Duration(mt.Int64N(int64(store.GuardFor))))}
		_, got = mt.s.Create(ctx, r, adm)
		want = mt.m.create(r, adm)
	case kind < 11:
		got, want = mt.s.Update(ctx, r, version), mt.m.update(r, version)
	case kind < 13:
		every := mt.life()
		got = mt.s.Touch(ctx, store.Record{Key: r.Key}, every)
		old, ok := mt.m.live(r.Key)
		if !ok {
			want = store.ErrNotFound
		} else if time.Since(old.Seen) >= every {
			old.Seen = time.Now()
			mt.m.recs[r.Key] = old
		}
	case kind < 15:
		old := r.Key
		if r.Key.ID[31]++; r.Key.ID == old.ID {
			return
		}
		var tail *store.Record
		if mt.IntN(2) == 0 {
			tail = &store.Record{Key: old, Writer: store.Writer{9}, Idle: mt.life(), Data: []byte("tail")}
		}
		got, want = mt.s.Rotate(ctx, old, version, r, tail), mt.m.rotate(old, version, r, tail)
	case kind < 16:
		got = mt.s.Delete(ctx, r.Key)
		delete(mt.m.recs, r.Key)
	case kind < 17 && mt.IntN(10) == 0:
		mt.revoke(r)
	case kind < 18 && mt.IntN(10) == 0:
		mt.sweep()
	default:
		time.Sleep(mt.life() / time.Duration(1+mt.IntN(10000)))
	}
	if !errors.Is(got, want) || got != nil && want == nil {
		mt.Fatalf("seed %d, step %d (%d): got %v, want %v", seed, step, kind, got, want)
	}
}

func (mt *modelTest) revoke(r store.Record) {
	var sel store.Selection
	switch mt.IntN(3) {
	case 0:
		sel.Only = []store.Handle{r.Handle}
	case 1:
		sel.Except = []store.Handle{r.Handle}
	}
	want := 0
	for _, v := range mt.m.of(r.User) {
		if r.User != "" && sel.Picks(v.Handle) {
			delete(mt.m.recs, v.Key)
			want++
		}
	}
	if len(sel.Only) == 0 {
		mt.m.guards[r.User] = time.Now()
	}
	if r, err := mt.s.Revoke(context.Background(), r.User, sel); r.N != want || err != nil {
		mt.Fatalf("revoked %d, %v; want %d", r.N, err, want)
	}
}

// sweep wants all expired records swept, in two calls, and no others.
func (mt *modelTest) sweep() {
	before, _ := mt.s.Usage()
	live := 0
	for k := range mt.m.recs {
		if _, ok := mt.m.live(k); ok {
			live++
		} else {
			delete(mt.m.recs, k)
		}
	}
	a, err1 := mt.s.Sweep(context.Background(), 3)
	b, err2 := mt.s.Sweep(context.Background(), 1<<30)
	if after, _ := mt.s.Usage(); a > 3 || a+b != before-live || after != live || err1 != nil || err2 != nil {
		mt.Fatalf("swept %d and %d (%v, %v) of %d; %d left, of which %d live", a, b, err1, err2, before, after, live)
	}
}

func (mt *modelTest) compare() {
	ctx := context.Background()
	mt.s.mem.check(mt.T)
	live := 0
	for k := range mt.m.recs {
		want, ok := mt.m.live(k)
		got, now, err := mt.s.Get(ctx, k)
		if !ok && errors.Is(err, store.ErrNotFound) {
			continue
		}
		live++
		if err != nil || !ok || !now.Equal(time.Now()) || !same(got, want, true) {
			mt.Fatalf("Get %v %v, want %v: %#v\n%#v", err, ok, now, dump(got), dump(want))
		}
	}
	n := 0
	for got, err := range mt.s.All(ctx) {
		if n++; err != nil || !same(got, mt.m.recs[got.Key], false) {
			mt.Fatalf("All: %v, %v", got, err)
		}
	}
	for _, user := range []string{"a", "a\x00", "b", "user1"} {
		mine := mt.m.of(user)
		k := 0
		for got, err := range mt.s.User(ctx, user) {
			if k++; err != nil || got.User != user || !same(got, mt.m.recs[got.Key], false) {
				mt.Fatalf("User: %v, %v", got, err)
			}
		}
		if k != len(mine) {
			mt.Fatalf("User: %d of %d", k, len(mine))
		}
	}
	if n != live {
		mt.Fatalf("All: %d of %d", n, live)
	}
}

func same(a, b store.Record, data bool) bool {
	return a.Key == b.Key && a.Handle == b.Handle && a.User == b.User && a.Version == b.Version && a.Writer == b.Writer &&
		a.Idle == b.Idle && a.Lifetime == b.Lifetime && a.Created.Equal(b.Created) && a.Seen.Equal(b.Seen) &&
		bytes.Equal(a.Meta, b.Meta) && (bytes.Equal(a.Data, b.Data) || !data && a.Data == nil)
}

func dump(r store.Record) string {
	type plain store.Record
	return strings.TrimSpace(fmt.Sprintf("%+v", plain(r)))
}
