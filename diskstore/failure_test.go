package diskstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// flaky is a disk of which one call fails. It counts what is open.
type flaky struct {
	disk
	at, calls int   // the call that fails, from 1, and how many there were
	err       error // how, if not for want of the disk
	opened    int
	waited    func() // called when a lock was waited for
}

func (f *flaky) fails() error {
	if f.calls++; f.calls == f.at {
		return cmp.Or[error](f.err, syscall.EIO)
	}
	return nil
}

// unless does a call that may fail.
func unless[T any](f *flaky, call func() (T, error)) (x T, err error) {
	if err = f.fails(); err != nil {
		return x, err
	}
	return call()
}

func (f *flaky) top() dir   { return &flakyDir{f.disk.top(), f} }
func (f *flaky) hints() dir { return &flakyDir{f.disk.hints(), f} }

func (f *flaky) lock(ctx context.Context, n byte) (func(), error) {
	return unless(f, func() (func(), error) {
		release, err := f.disk.lock(ctx, n)
		if f.waited != nil {
			f.waited()
		}
		return release, err
	})
}

func (f *flaky) folder(open func() (dir, error)) (dir, error) {
	d, err := unless(f, open)
	if err != nil {
		return nil, err
	}
	f.opened++
	return &flakyDir{d, f}, nil
}

func (f *flaky) open(t store.Tag, write bool) (dir, error) {
	return f.folder(func() (dir, error) { return f.disk.open(t, write) })
}
func (f *flaky) damaged() (dir, error) { return f.folder(f.disk.damaged) }
func (f *flaky) tags(n byte) ([]store.Tag, error) {
	if n > 3 && n < 253 { // each shard is as another
		return f.disk.tags(n)
	}
	return unless(f, func() ([]store.Tag, error) { return f.disk.tags(n) })
}

func (f *flaky) plain(call func() error) error {
	if err := f.fails(); err != nil {
		return err
	}
	return call()
}

func (f *flaky) mkdir(t store.Tag) error { return f.plain(func() error { return f.disk.mkdir(t) }) }
func (f *flaky) rmdir(t store.Tag) error { return f.plain(func() error { return f.disk.rmdir(t) }) }
func (f *flaky) syncShard(n byte) error  { return f.plain(func() error { return f.disk.syncShard(n) }) }
func (f *flaky) close() error            { return f.plain(f.disk.close) }
func (f *flaky) setAside(t store.Tag, name, as string) error {
	return f.plain(func() error { return f.disk.setAside(t, name, as) })
}

type flakyDir struct {
	dir
	f *flaky
}

func (d *flakyDir) close() {
	d.f.opened--
	d.dir.close()
}

func (d *flakyDir) read(name string, most int) (b []byte, info fileInfo, err error) {
	if err = d.f.fails(); err != nil {
		return nil, info, err
	}
	return d.dir.read(name, most)
}

func (d *flakyDir) readAt(name string, off int64, most int) ([]byte, error) {
	return unless(d.f, func() ([]byte, error) { return d.dir.readAt(name, off, most) })
}
func (d *flakyDir) exists(name string) (bool, error) {
	return unless(d.f, func() (bool, error) { return d.dir.exists(name) })
}
func (d *flakyDir) names(most int) ([]string, error) {
	return unless(d.f, func() ([]string, error) { return d.dir.names(most) })
}
func (d *flakyDir) write(name string, b []byte, mtime int64, sync bool) error {
	return d.f.plain(func() error { return d.dir.write(name, b, mtime, sync) })
}
func (d *flakyDir) patch(name string, b []byte) error {
	return d.f.plain(func() error { return d.dir.patch(name, b) })
}
func (d *flakyDir) append(name string, b []byte) error {
	return d.f.plain(func() error { return d.dir.append(name, b) })
}
func (d *flakyDir) touch(name string, mtime int64) error {
	return d.f.plain(func() error { return d.dir.touch(name, mtime) })
}
func (d *flakyDir) rename(from, to string) error {
	return d.f.plain(func() error { return d.dir.rename(from, to) })
}
func (d *flakyDir) remove(name string) error {
	return d.f.plain(func() error { return d.dir.remove(name) })
}
func (d *flakyDir) sync() error { return d.f.plain(d.dir.sync) }

// stage is a store with some of everything, and what is done to it.
type stage struct {
	t    *testing.T
	disk *simDisk
	recs map[string]store.Record
	ends time.Time // by the store's clock
}

// newStage makes it: sessions of ada and bob and a visitor's; eve's, of which one is damaged; one
// that expired; a revocation that is long over; and a renewal of jim's that a crash cut short.
func newStage(t *testing.T, wait store.Durability) *stage {
	st := &stage{t: t, disk: newSimDisk(), recs: map[string]store.Record{}}
	f := &flaky{disk: st.disk}
	s, err := open(f, &Options{Reserve: -1, Durability: wait}, "first")
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"v": "", "o": "old", "a": "ada", "b": "bob", "e": "eve", "j": "jim", "n": "new", "g": "gus"}
	for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "e1", "e2", "v1", "v2", "o1", "j1", "j2", "j3", "n1"} {
		rec := sample(users[name[:1]])
		rec.Meta, rec.Data, rec.Idle = []byte(name), []byte("data of "+name), 24*time.Hour
		if name == "o1" {
			rec.Idle = time.Minute
		}
		if name == "v2" {
			rec.Key.Tag = st.recs["v1"].Key.Tag
		}
		st.recs[name] = rec
		if !strings.Contains("a3 b2 v2 j2 j3 n1", name) {
			mustCreate(t, s, rec)
			time.Sleep(time.Second)
		}
	}
	e1 := st.node("e1")
	e1.data[20] ^= 1
	if _, err := s.Revoke(t.Context(), "gus", store.Selection{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Minute)
	next := st.recs["j2"]
	for n := 1; !errors.Is(err, store.ErrIndeterminate); n++ { // until it fails right after its commit
		f.calls, f.at = 0, n
		err = s.Rotate(t.Context(), st.recs["j1"].Key, 1, next, nil)
	}
	st.ends = instant(s.engine.clock.Now())
	return st
}

func (st *stage) node(name string) *simNode {
	key := st.recs[name].Key
	return st.disk.child(shardName(key.Tag[0])).names[tagName(key.Tag)].names[idName(key.ID)]
}

// viewOf opens a store to view it.
func (st *stage) viewOf(opts *Options, boot string) string {
	s, err := open(st.disk, opts, boot)
	if err != nil {
		st.t.Fatal(err)
	}
	return st.view(s)
}

// view is what a store shows: every session, whom it remembers as revoked, and what All tells.
func (st *stage) view(s *Store) string {
	var b strings.Builder
	all := map[string]bool{}
	for rec, err := range s.All(st.t.Context()) {
		if err != nil {
			fmt.Fprint(&b, "all: damage; ")
		}
		all[string(rec.Meta)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(st.recs)) {
		rec, _, err := s.Get(st.t.Context(), st.recs[name].Key)
		switch {
		case err == nil:
			fmt.Fprintf(&b, "%s:%d:%08x:%v:%v ", rec.Meta, rec.Version, crc32.ChecksumIEEE(rec.Data), rec.Seen.After(st.ends), all[string(rec.Meta)])
		case !errors.Is(err, store.ErrNotFound):
			fmt.Fprintf(&b, "%s:%v ", name, errors.Is(err, store.ErrCorrupt))
		}
	}
	for _, user := range []string{"ada", "bob", "eve", "new", "gus"} {
		probe := sample(user)
		probe.Created, probe.Lifetime = time.Unix(1, 0), 1 // it never lives
		_, err := s.Create(st.t.Context(), probe, store.Admission{Began: time.Now().Add(-10 * time.Minute)})
		if err != nil {
			fmt.Fprintf(&b, "%s revoked %v ", user, errors.Is(err, store.ErrRevoked))
		}
	}
	return b.String()
}

// acts are what is done to a store on a stage. whole says that it is done altogether or not at all,
// and synced that it is on the disk when it returns, whatever the setting.
var acts = []struct {
	what          string
	boot          string // "first", that of the stage, if not given
	whole, synced bool
	do            func(st *stage, s *Store) (string, error)
}{
	{"first sign-in", "", true, false, func(st *stage, s *Store) (string, error) { return st.create(s, "n1", store.Admission{}) }},
	{"next sign-in", "", true, false, func(st *stage, s *Store) (string, error) { return st.create(s, "a3", store.Admission{}) }},
	{"sign-in that evicts", "", true, true, func(st *stage, s *Store) (string, error) {
		return st.create(s, "a3", store.Admission{Max: 1, Evict: true})
	}},
	{"sign-in beside a journal", "", true, true, func(st *stage, s *Store) (string, error) {
		return st.create(s, "j3", store.Admission{Max: 1, Evict: true})
	}},
	{"sign-in again", "", true, false, func(st *stage, s *Store) (string, error) { return st.create(s, "a2", store.Admission{}) }},
	{"visitor", "", true, false, func(st *stage, s *Store) (string, error) { return st.create(s, "v2", store.Admission{}) }},
	{"change", "", true, false, func(st *stage, s *Store) (string, error) {
		rec := st.recs["a1"]
		rec.Writer, rec.Data = store.Writer{1}, []byte("other data")
		return "", s.Update(st.t.Context(), rec, 1)
	}},
	{"change that ends sooner", "", true, false, func(st *stage, s *Store) (string, error) {
		rec := st.recs["a1"]
		rec.Writer, rec.Lifetime = store.Writer{1}, time.Hour
		return "", s.Update(st.t.Context(), rec, 1)
	}},
	{"touch", "", true, false, func(st *stage, s *Store) (string, error) {
		return "", s.Touch(st.t.Context(), st.recs["a1"], 0)
	}},
	{"renewal", "", true, true, func(st *stage, s *Store) (string, error) {
		return "", s.Rotate(st.t.Context(), st.recs["b1"].Key, 1, st.recs["b2"], nil)
	}},
	{"renewal with a tail", "", true, true, func(st *stage, s *Store) (string, error) {
		tail := sample("bob")
		tail.User, tail.Key, tail.Handle, tail.Data = "", st.recs["b1"].Key, st.recs["b2"].Handle, nil
		tail.Lifetime, tail.Writer = time.Minute*5, store.Writer{2}
		return "", s.Rotate(st.t.Context(), st.recs["b1"].Key, 1, st.recs["b2"], &tail)
	}},
	{"sign-out", "", true, true, func(st *stage, s *Store) (string, error) { return "", s.Delete(st.t.Context(), st.recs["a1"].Key) }},
	{"last sign-out", "", true, true, func(st *stage, s *Store) (string, error) { return "", s.Delete(st.t.Context(), st.recs["b1"].Key) }},
	{"sign-out of what is damaged", "", true, true, func(st *stage, s *Store) (string, error) {
		return "", s.Delete(st.t.Context(), st.recs["e1"].Key)
	}},
	{"revocation", "", false, true, func(st *stage, s *Store) (string, error) { return st.revoke(s, "ada") }},
	{"revocation beside damage", "", false, true, func(st *stage, s *Store) (string, error) { return st.revoke(s, "eve") }},
	{"revocation of one", "", false, true, func(st *stage, s *Store) (string, error) { return st.revoke(s, "ada", st.recs["a1"].Handle) }},
	{"revocation of nobody", "", true, true, func(st *stage, s *Store) (string, error) { return st.revoke(s, "new") }},
	{"read", "", true, true, func(st *stage, s *Store) (string, error) { return st.get(s, "a1") }},
	{"read of nothing", "", true, true, func(st *stage, s *Store) (string, error) { return st.get(s, "a3") }},
	{"read beside a journal", "", true, true, func(st *stage, s *Store) (string, error) { return st.get(s, "j2") }},
	{"read of what a journal ends", "second", true, true, func(st *stage, s *Store) (string, error) { return st.get(s, "j1") }},
	{"list", "", true, true, func(st *stage, s *Store) (string, error) { return list(s.User(st.t.Context(), "ada")) }},
	{"list of all", "", true, true, func(st *stage, s *Store) (string, error) { return list(s.All(st.t.Context())) }},
	{"sweep", "", false, false, func(st *stage, s *Store) (string, error) { return st.sweep(s) }},
	{"sweep after a restart", "second", false, false, func(st *stage, s *Store) (string, error) { return st.sweep(s) }},
	{"close", "", true, true, func(st *stage, s *Store) (string, error) { return "", s.Close() }},
}

func (st *stage) create(s *Store, name string, adm store.Admission) (string, error) {
	did, err := s.Create(st.t.Context(), st.recs[name], adm)
	return fmt.Sprint(len(did.Evicted)), err
}

func (st *stage) revoke(s *Store, user string, only ...store.Handle) (string, error) {
	did, err := s.Revoke(st.t.Context(), user, store.Selection{Only: only})
	return fmt.Sprint(did.N), err
}

func (st *stage) get(s *Store, name string) (string, error) {
	rec, _, err := s.Get(st.t.Context(), st.recs[name].Key)
	if errors.Is(err, store.ErrNotFound) {
		return "nothing", nil
	}
	return string(rec.Data), err
}

// list gives what a list yields, and the first error that is no damage.
func list(seq func(func(store.Record, error) bool)) (text string, first error) {
	var names []string
	for rec, err := range seq {
		if err == nil {
			names = append(names, string(rec.Meta))
		} else if !errors.Is(err, store.ErrCorrupt) && first == nil {
			first = err
		}
	}
	slices.Sort(names)
	return fmt.Sprint(names), first
}

func (st *stage) sweep(s *Store) (string, error) {
	n, err := s.Sweep(st.t.Context(), 100)
	if errors.Is(err, store.ErrCorrupt) {
		err = nil
	}
	return fmt.Sprint(n), err
}

// outcome is what came of an act.
type outcome struct {
	text                string
	err                 error
	before, view, again string // what the store shows: also then, and after the act was done once more
	calls               int
}

// TestOneFailure (P3, P12) lets one call to the disk fail in every place of everything that a store
// does. What succeeds is done, and survives a power cut; what fails says so, and is not done, or
// perhaps done. The same call succeeds then, nothing is left open, and in the end nothing on the
// disk.
func TestOneFailure(t *testing.T) {
	for _, wait := range []store.Durability{store.Durable, store.Relaxed} {
		var st *stage
		synctest.Test(t, func(t *testing.T) { st = newStage(t, wait) })
		for i := range acts {
			var want outcome
			synctest.Test(t, func(t *testing.T) { want = st.on(t).play(i, wait, 0, nil) })
			if want.err != nil {
				t.Fatalf("%s: %v", acts[i].what, want.err)
			}
			for at := 1; at <= want.calls && !t.Failed(); at++ {
				synctest.Test(t, func(t *testing.T) { st.on(t).play(i, wait, at, &want) })
				if t.Failed() {
					t.Errorf("setting %d, %s: the %dth call of %d fails", wait, acts[i].what, at, want.calls)
				}
			}
		}
	}
}

// on returns a copy of the stage.
func (st *stage) on(t *testing.T) *stage {
	return &stage{t, st.disk.cut(rand.New(rand.NewPCG(1, 1)), 0), st.recs, st.ends}
}

// play does an act of which one call fails, and compares with what comes of it if none does.
func (st *stage) play(i int, wait store.Durability, at int, want *outcome) (got outcome) {
	t, act := st.t, acts[i]
	opts := &Options{Reserve: -1, Durability: wait}
	f := &flaky{disk: st.disk}
	boot := act.boot
	if boot == "" {
		boot = "first"
	}
	s, err := open(f, opts, boot)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	if want == nil {
		got.before = st.on(t).viewOf(opts, boot)
	}
	f.calls, f.at = 0, at
	got.text, got.err = act.do(st, s)
	got.calls, f.at = f.calls, 0
	cut := ""
	if got.err == nil {
		lost := &stage{t, st.disk.cut(rand.New(rand.NewPCG(1, 1)), 1), st.recs, st.ends}
		cut = lost.viewOf(opts, "third")
	}
	if act.what == "close" {
		if s, err = open(f, opts, boot); err != nil {
			t.Fatal(err)
		}
	}
	got.view = st.view(s)
	if want != nil {
		st.judge(act.whole, &got, want)
		if got.err == nil && (act.synced || wait == store.Durable) && act.what != "touch" {
			kept := got.view
			if wait != store.Durable { // what is damaged is taken for torn
				kept = strings.NewReplacer("all: damage; ", "", "e1:true ", "").Replace(kept)
			}
			if cut != kept {
				t.Errorf("acknowledged, and after a power cut there is\n%s, before it\n%s", cut, kept)
			}
		}
	}
	if act.what != "close" {
		if !act.whole {
			time.Sleep(2 * time.Hour) // for a sweep waits with what it cannot read
		}
		if _, err := act.do(st, s); err != nil {
			t.Errorf("once more: %v", err)
		}
	}
	if got.again = st.view(s); want != nil && got.again != want.again {
		t.Errorf("once more gives\n%s, not\n%s", got.again, want.again)
	}
	st.clean(s)
	if f.opened != 0 {
		t.Errorf("%d folders are left open", f.opened)
	}
	return got
}

func (st *stage) judge(whole bool, got, want *outcome) {
	maybe := errors.Is(got.err, store.ErrIndeterminate)
	switch {
	case got.err == nil:
		if got.text != want.text || got.view != want.view {
			st.t.Errorf("it answers %s and shows\n%s, not %s and\n%s", got.text, got.view, want.text, want.view)
		}
	case !maybe && !errors.Is(got.err, store.ErrUnavailable):
		st.t.Errorf("it answers %v", got.err)
	case whole && got.view != want.before && (!maybe || got.view != want.view):
		st.t.Errorf("%v, and it shows\n%s, neither\n%s, nor\n%s", got.err, got.view, want.before, want.view)
	}
}

// clean lets everything end and be swept.
func (st *stage) clean(s *Store) {
	for range 3 {
		time.Sleep(10 * 24 * time.Hour)
		for range 2 {
			_, _ = s.Sweep(st.t.Context(), 100)
		}
	}
	if n, err := s.Sweep(st.t.Context(), 100); n != 0 || err != nil {
		st.t.Errorf("the last sweep: %d, %v", n, err)
	}
	for n := range 256 {
		if tags, _ := st.disk.tags(byte(n)); len(tags) > 0 {
			st.t.Error("a user's folder is left")
		}
	}
	for _, folder := range []string{hintsName, damagedName} {
		if d := st.disk.child(folder); d != nil && len(d.names) > 0 {
			st.t.Errorf("in %s/ is left %v", folder, slices.Sorted(maps.Keys(d.names)))
		}
	}
}
