package diskstore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// world is what the callers of a store know of it: the sessions by their keys, each with its
// version and data, and who was revoked.
type world struct {
	data    map[store.Key]string
	users   map[store.Key]string
	revoked map[string]bool
	// loose has what a power cut may make of a session instead, where the store does not wait for
	// the disk: data from before, or none.
	loose map[store.Key][]string
}

func (w world) clone() world {
	return world{maps.Clone(w.data), maps.Clone(w.users), maps.Clone(w.revoked), maps.Clone(w.loose)}
}

// shows reports whether what was found is this world, as far as its store promises it.
func (w world) shows(got map[store.Key]string) bool {
	for k, text := range w.data {
		if got[k] != text && !slices.Contains(w.loose[k], got[k]) {
			return false
		}
	}
	for k := range got {
		if w.data[k] == "" {
			return false
		}
	}
	return true
}

// play does random things to a store, and knows what must be there before and after each.
type play struct {
	*rand.Rand
	t             testing.TB
	s             *Store
	before, after world
	handles       map[store.Key]store.Handle
	names         string // before the numbers of its users
	intend        func() // called before each call
	whole         bool   // the last thing is one step: all of it or nothing
	what          string
	call          func() error // the last thing
	wait          store.Durability
}

func newPlay(t testing.TB, seed uint64) *play {
	w := world{map[store.Key]string{}, map[store.Key]string{}, map[string]bool{}, map[store.Key][]string{}}
	return &play{Rand: rand.New(rand.NewPCG(seed, 7)), t: t, before: w, after: w, handles: map[store.Key]store.Handle{}, names: "user", intend: func() {}}
}

func (p *play) fill(b []byte) {
	for i := range b {
		b[i] = byte(p.Uint32())
	}
}

func (p *play) rec(user string) store.Record {
	rec := store.Record{User: user, Idle: time.Hour, Data: make([]byte, p.IntN(60))}
	rec.Key.Tag = store.TagOf(user)
	p.fill(rec.Key.ID[:])
	copy(rec.Handle[:], rec.Key.ID[:])
	p.fill(rec.Writer[:])
	p.fill(rec.Data)
	return rec
}

func text(version uint64, data []byte) string { return fmt.Sprintf("%d:%x", version, data) }

// loosen notes what a power cut may make of a write of rec that has just been put.
func (p *play) loosen(rec *store.Record, update bool) {
	visitor := rec.User == "" || p.wait == store.Loose
	if p.wait == store.Durable || !update && !visitor {
		return
	}
	old := slices.Clone(p.before.loose[rec.Key])
	if text := p.before.data[rec.Key]; text != "" {
		old = append(old, text)
	}
	if visitor {
		old = append(old, "")
	}
	p.after.loose[rec.Key] = old
}

func (p *play) put(rec *store.Record, version uint64) {
	delete(p.after.loose, rec.Key)
	p.after.data[rec.Key], p.after.users[rec.Key] = text(version, rec.Data), rec.User
	if _, known := p.handles[rec.Key]; !known || version == 1 || p.what == "rotate" { // an update keeps it
		p.handles[rec.Key] = rec.Handle
	}
}

// some returns a session that is live, if there is one.
func (p *play) some() (key store.Key, version uint64, ok bool) {
	var keys []store.Key
	for k := range p.after.data {
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return key, 0, false
	}
	least := func(a, b store.Key) bool { return bytes.Compare(a.ID[:], b.ID[:]) < 0 }
	key = keys[0] // the least after a random one, for maps have an order of their own
	var from store.Key
	p.fill(from.ID[:])
	for _, k := range keys {
		if least(from, k) && (least(key, from) || least(k, key)) {
			key = k
		}
	}
	fmt.Sscanf(p.after.data[key], "%d:", &version)
	return key, version, true
}

// step does one thing. It gives the error of the store: nil is an acknowledgement.
func (p *play) step() error {
	p.before = p.after.clone()
	p.whole, p.call = true, nil
	ctx := p.t.Context()
	user := p.user(p.IntN(2))
	kind := p.IntN(14)
	key, version, ok := p.some()
	if !ok {
		kind = 0
	}
	rec := p.rec(user)
	switch {
	case kind < 2:
		p.what = "create"
		p.put(&rec, 1)
		p.loosen(&rec, false)
		return p.do(func() error { _, err := p.s.Create(ctx, rec, store.Admission{}); return err })
	case kind < 5:
		return p.evict(rec)
	case kind < 8:
		p.what = "update"
		rec.Key, rec.User = key, p.after.users[key]
		p.put(&rec, version+1)
		p.loosen(&rec, true)
		return p.do(func() error { return p.s.Update(ctx, rec, version) })
	case kind < 11:
		p.what = "rotate"
		rec.User, rec.Key.Tag = p.after.users[key], key.Tag
		delete(p.after.data, key)
		p.put(&rec, version+1)
		if p.IntN(2) == 0 {
			return p.do(func() error { return p.s.Rotate(ctx, key, version, rec, nil) })
		}
		tail := p.rec("")
		tail.Key = key
		p.put(&tail, version+1)
		return p.do(func() error { return p.s.Rotate(ctx, key, version, rec, &tail) })
	case kind < 12:
		p.what = "delete"
		delete(p.after.data, key)
		return p.do(func() error { return p.s.Delete(ctx, key) })
	case kind < 13 && p.IntN(3) == 0 && p.after.users[key] != "":
		p.what = "revoke of one"
		delete(p.after.data, key)
		only := p.handles[key]
		owner := p.after.users[key]
		return p.do(func() error {
			_, err := p.s.Revoke(ctx, owner, store.Selection{Only: []store.Handle{only}})
			return err
		})
	case kind < 13:
		p.what, p.whole = "revoke", false
		for k := range p.after.data {
			if p.after.users[k] == user {
				delete(p.after.data, k)
			}
		}
		p.after.revoked[user] = true
		return p.do(func() error { _, err := p.s.Revoke(ctx, user, store.Selection{}); return err })
	}
	p.what = "touch or sweep"
	if p.IntN(2) == 0 {
		return p.do(func() error { _, err := p.s.Sweep(ctx, 10); return err })
	}
	return p.do(func() error { return p.s.Touch(ctx, store.Record{Key: key}, 0) })
}

// evict signs in at a limit of two.
func (p *play) evict(rec store.Record) error {
	p.what = "create with eviction"
	mine := 0
	for k := range p.after.data {
		if p.after.users[k] == rec.User {
			mine++
		}
	}
	adm := store.Admission{Max: 2, Evict: true}
	// Who is the oldest is the store's to say, before it is done, for one that is cut short says
	// nothing.
	var all []store.Record
	for r, err := range p.s.User(p.t.Context(), rec.User) {
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	for over := mine + 1 - adm.Max; over > 0; over-- {
		old := 0
		for i := range all {
			if c := all[i].Created.Compare(all[old].Created); c < 0 || c == 0 && bytes.Compare(all[i].Key.ID[:], all[old].Key.ID[:]) < 0 {
				old = i
			}
		}
		delete(p.after.data, all[old].Key)
		all = append(all[:old:old], all[old+1:]...)
	}
	p.put(&rec, 1)
	if mine < adm.Max {
		p.loosen(&rec, false)
	}
	return p.do(func() error { _, err := p.s.Create(p.t.Context(), rec, adm); return err })
}

func (p *play) do(call func() error) error {
	p.call = call
	p.intend()
	return call()
}

// Every play has two users.
func (p *play) user(n int) string { return fmt.Sprint(p.names, n) }

func (p *play) mine(k store.Key) bool {
	return k.Tag == store.TagOf(p.user(0)) || k.Tag == store.TagOf(p.user(1))
}

// adopt takes what there is for what there should be.
func (p *play) adopt(s *Store) {
	p.s, p.after.data = s, map[store.Key]string{}
	for rec, err := range s.All(p.t.Context()) {
		if err != nil {
			p.t.Error(err)
		}
		if !p.mine(rec.Key) {
			continue
		}
		full, _, err := s.Get(p.t.Context(), rec.Key)
		if err != nil {
			p.t.Error(err)
		}
		p.after.data[rec.Key], p.after.users[rec.Key], p.handles[rec.Key] = text(full.Version, full.Data), full.User, full.Handle
	}
	p.before = p.after.clone()
}

// judge compares a store that was opened after a crash with what its callers know. done says that
// the last thing was acknowledged.
func (p *play) judge(s *Store, done bool) error {
	got := map[store.Key]string{}
	keys := maps.Clone(p.before.data)
	maps.Copy(keys, p.after.data)
	// New keys first: whoever finds one live must find the old one ended, though another who had
	// asked for the old one first might have seen that still.
	order := slices.SortedFunc(maps.Keys(keys), func(a, b store.Key) int {
		return len(p.before.data[a]) - len(p.before.data[b])
	})
	for _, k := range order {
		rec, _, err := s.Get(p.t.Context(), k)
		if err == nil {
			got[k] = text(rec.Version, rec.Data)
		} else if !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("get: %w", err)
		}
	}
	listed := 0
	for rec, err := range s.All(p.t.Context()) {
		if err != nil {
			return fmt.Errorf("all: %w", err)
		}
		if !p.mine(rec.Key) {
			continue
		}
		if listed++; got[rec.Key] == "" {
			return errors.New("All yields a session that was ended, or never was")
		}
	}
	if listed != len(got) {
		return fmt.Errorf("All yields %d of %d sessions", listed, len(got))
	}
	isBefore, isAfter := p.before.shows(got), p.after.shows(got)
	switch {
	case done && !isAfter:
		return fmt.Errorf("what was acknowledged is not so: %v, want %v", got, p.after.data)
	case !done && p.whole && !isBefore && !isAfter:
		return fmt.Errorf("half done: %v, want %v or %v", got, p.before.data, p.after.data)
	}
	for k := range keys {
		loose := append(slices.Clone(p.before.loose[k]), p.after.loose[k]...)
		if got[k] != p.before.data[k] && got[k] != p.after.data[k] && !slices.Contains(loose, got[k]) {
			return errors.New("a session is neither as before nor as after")
		}
	}
	return p.judgeGuards(s, done)
}

func (p *play) judgeGuards(s *Store, done bool) error {
	for user := range p.before.revoked {
		rec := p.rec(user)
		_, err := s.Create(p.t.Context(), rec, store.Admission{Began: time.Now().Add(-store.GuardFor)})
		if !errors.Is(err, store.ErrRevoked) {
			return fmt.Errorf("an acknowledged revocation is forgotten: %v", err)
		}
	}
	for user := range p.after.revoked {
		if !done {
			break
		}
		_, err := s.Create(p.t.Context(), p.rec(user), store.Admission{Began: time.Now().Add(-store.GuardFor)})
		if !errors.Is(err, store.ErrRevoked) {
			return fmt.Errorf("an acknowledged revocation is forgotten: %v", err)
		}
	}
	return nil
}
