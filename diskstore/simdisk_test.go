package diskstore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/sojourn-go/sojourn/store"
)

// simDisk is a file system in memory that knows what would be left of it after a power cut, and has
// its power cut after a number of steps. A step is what a system call does: an entry made, renamed
// or removed, bytes written, a file or a directory synced.
type simDisk struct {
	mu     sync.Mutex
	root   *simNode
	left   int // steps until the power is cut; less than 0: never
	steps  int
	room   int // bytes; 0: no bound
	shards [256]sync.Mutex
}

// simNode is a file or a directory: as it is, and as it was when it was last synced.
type simNode struct {
	data, safe      []byte
	mtime, safeTime int64
	names           map[string]*simNode // nil: a file
	safeNames       map[string]*simNode
	since           []simEntry // changes of names that are not synced
	gone            bool
}

// simEntry is a change of one name: its node, or none. A rename changes two names in one step.
type simEntry struct {
	name, clear string
	node        *simNode
}

var errPower = errors.New("sim: no power")

func newSimDir() *simNode {
	return &simNode{names: map[string]*simNode{}, safeNames: map[string]*simNode{}}
}

func newSimDisk() *simDisk {
	d := &simDisk{root: newSimDir(), left: -1}
	d.root.names[hintsName] = newSimDir()
	for i := range 256 {
		d.root.names[shardName(byte(i))] = newSimDir()
	}
	d.root.safeNames = maps.Clone(d.root.names)
	return d
}

// step does f, if there still is power. It is called with the lock held.
func (d *simDisk) step(f func()) error {
	if d.left == 0 {
		return errPower
	}
	d.left--
	d.steps++
	f()
	return nil
}

// size is what all takes up: each name 64 bytes.
func (n *simNode) size() int {
	sum := len(n.data)
	for _, c := range n.names {
		sum += 64 + c.size()
	}
	return sum
}

func (d *simDisk) lacks(more int) error {
	if d.room > 0 && d.root.size()+more > d.room {
		return syscall.ENOSPC
	}
	return nil
}

func (n *simNode) set(e simEntry) {
	e.applyTo(n.names)
	n.since = append(n.since, e)
}

func (e simEntry) applyTo(names map[string]*simNode) {
	if e.clear != "" {
		delete(names, e.clear)
	}
	if e.node != nil {
		names[e.name] = e.node
	}
}

// cut returns the disk as it may be after the power was cut. loss is the chance of each thing that
// was not synced to be lost: 0 keeps all, 1 loses all, and what lies between also tears writes, and
// loses changes of names without regard to their order.
func (d *simDisk) cut(r *rand.Rand, loss float64) *simDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[*simNode]*simNode{}
	var after func(n *simNode) *simNode
	after = func(n *simNode) *simNode {
		if c := seen[n]; c != nil {
			return c
		}
		c := &simNode{}
		seen[n] = c
		if n.names == nil {
			c.data, c.mtime = bytes.Clone(n.safe), n.safeTime
			if r.Float64() >= loss {
				c.data = bytes.Clone(n.data)
				if loss > 0 && len(n.data) > len(n.safe) && r.IntN(2) == 0 {
					c.data = c.data[:len(n.safe)+r.IntN(len(n.data)-len(n.safe))]
				}
			}
			if r.Float64() >= loss {
				c.mtime = n.mtime
			}
			c.safe, c.safeTime = c.data, c.mtime
			return c
		}
		names := maps.Clone(n.safeNames)
		for _, e := range n.since {
			if r.Float64() >= loss {
				e.applyTo(names)
			}
		}
		c.names = map[string]*simNode{}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			c.names[name] = after(names[name])
		}
		c.safeNames = maps.Clone(c.names)
		return c
	}
	return &simDisk{root: after(d.root), left: -1, room: d.room}
}

func (d *simDisk) child(name string) *simNode { return d.root.names[name] }

func (d *simDisk) top() dir     { return &simDir{d, d.root} }
func (d *simDisk) hints() dir   { return &simDir{d, d.child(hintsName)} }
func (d *simDisk) close() error { return nil }

func (d *simDisk) lock(_ context.Context, n byte) (func(), error) {
	d.shards[n].Lock()
	return d.shards[n].Unlock, nil
}

func (d *simDisk) open(t store.Tag, _ bool) (dir, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.child(shardName(t[0])).names[tagName(t)]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	return &simDir{d, n}, nil
}

func (d *simDisk) mkdir(t store.Tag) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.lacks(64); err != nil {
		return err
	}
	sh := d.child(shardName(t[0]))
	if sh.names[tagName(t)] != nil {
		return fs.ErrExist
	}
	return d.step(func() { sh.set(simEntry{name: tagName(t), node: newSimDir()}) })
}

func (d *simDisk) rmdir(t store.Tag) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	sh := d.child(shardName(t[0]))
	n := sh.names[tagName(t)]
	if n == nil {
		return fs.ErrNotExist
	}
	if len(n.names) > 0 {
		return syscall.ENOTEMPTY
	}
	return d.step(func() { sh.set(simEntry{clear: tagName(t)}); n.gone = true })
}

func (d *simDisk) syncShard(n byte) error { return (&simDir{d, d.child(shardName(n))}).sync() }

func (d *simDisk) damaged() (dir, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.child(damagedName) == nil {
		if err := d.step(func() { d.root.set(simEntry{name: damagedName, node: newSimDir()}) }); err != nil {
			return nil, err
		}
	}
	return &simDir{d, d.child(damagedName)}, nil
}

func (d *simDisk) setAside(t store.Tag, name, as string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := d.child(shardName(t[0])).names[tagName(t)]
	f := from.names[name]
	if f == nil {
		return fs.ErrNotExist
	}
	return d.step(func() {
		d.child(damagedName).set(simEntry{name: as, node: f})
		from.set(simEntry{clear: name})
	})
}

func (d *simDisk) tags(n byte) (tags []store.Tag, err error) {
	names, err := (&simDir{d, d.child(shardName(n))}).names(0)
	for _, name := range names {
		var t store.Tag
		if parse(t[:], name) {
			tags = append(tags, t)
		}
	}
	return tags, err
}

// simDir is an open directory.
type simDir struct {
	d *simDisk
	n *simNode
}

func (s *simDir) close() {}

func (s *simDir) file(name string) (*simNode, error) {
	if s.d.left == 0 {
		return nil, errPower
	}
	if f := s.n.names[name]; f != nil && !s.n.gone {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (s *simDir) read(name string, most int) ([]byte, fileInfo, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	f, err := s.file(name)
	if err != nil {
		return nil, fileInfo{}, err
	}
	return bytes.Clone(f.data[:min(most, len(f.data))]), fileInfo{int64(len(f.data)), f.mtime}, nil
}

func (s *simDir) readAt(name string, off int64, most int) ([]byte, error) {
	b, _, err := s.read(name, 1<<30)
	b = b[min(int(off), len(b)):]
	return b[:min(most, len(b))], err
}

func (s *simDir) exists(name string) (bool, error) {
	_, _, err := s.read(name, 0)
	if missing(err) {
		return false, nil
	}
	return err == nil, err
}

// steps does one after the other, until the power is cut.
func (s *simDir) steps(fs ...func()) error {
	for _, f := range fs {
		if err := s.d.step(f); err != nil {
			return err
		}
	}
	return nil
}

func (s *simDir) write(name string, b []byte, mtime int64, sync bool) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if old := s.n.names[name]; old != nil {
		if err := s.d.step(func() { s.n.set(simEntry{clear: name}) }); err != nil {
			return err
		}
	}
	if err := s.d.lacks(64 + len(b)); err != nil {
		return err
	}
	f := &simNode{}
	return s.steps(
		func() { s.n.set(simEntry{name: name, node: f}) },
		func() { f.data = bytes.Clone(b[:len(b)/2]) },
		func() { f.data = bytes.Clone(b) },
		func() { f.mtime = mtime },
		func() {
			if sync {
				f.safe, f.safeTime = f.data, f.mtime
			}
		},
	)
}

func (s *simDir) patch(name string, b []byte) error {
	return s.change(name, func(old []byte) []byte {
		return append(bytes.Clone(b), old[min(len(b), len(old)):]...)
	})
}

func (s *simDir) append(name string, b []byte) error {
	return s.change(name, func(old []byte) []byte { return append(bytes.Clone(old), b...) })
}

func (s *simDir) change(name string, f func([]byte) []byte) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	n := s.n.names[name]
	if n == nil {
		if err := s.d.lacks(64); err != nil {
			return err
		}
		n = &simNode{}
		if err := s.d.step(func() { s.n.set(simEntry{name: name, node: n}) }); err != nil {
			return err
		}
	}
	b := f(n.data)
	if err := s.d.lacks(len(b) - len(n.data)); err != nil {
		return err
	}
	return s.d.step(func() { n.data = b })
}

func (s *simDir) touch(name string, mtime int64) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	f, err := s.file(name)
	if err != nil {
		return err
	}
	return s.d.step(func() { f.mtime = mtime })
}

func (s *simDir) rename(from, to string) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	f, err := s.file(from)
	if err != nil {
		return err
	}
	return s.d.step(func() { s.n.set(simEntry{name: to, clear: from, node: f}) })
}

func (s *simDir) remove(name string) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if _, err := s.file(name); err != nil {
		return err
	}
	return s.d.step(func() { s.n.set(simEntry{clear: name}) })
}

func (s *simDir) names(most int) ([]string, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.d.left == 0 {
		return nil, errPower
	}
	names := slices.Sorted(maps.Keys(s.n.names))
	if most > 0 && len(names) > most {
		names = names[:most]
	}
	return names, nil
}

func (s *simDir) sync() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.step(func() { s.n.safeNames, s.n.since = maps.Clone(s.n.names), nil })
}
