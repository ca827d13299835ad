package kvtest

import (
	"bytes"
	"sync"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
)

// Memory is an ordered engine in the memory of this process: a skip list under one lock, with the
// log that a machine would have on its disk. It is slow and made to be broken.
type Memory struct {
	// Refuse, if not nil, is asked before a batch is written. It may panic, lie or return an error.
	// Set it while nobody uses the engine.
	Refuse func(ops []kvstore.Op, sync bool) error

	mu     sync.RWMutex
	head   node
	log    []kvstore.Op // all that was written
	ends   []int        // of batches in the log
	synced int          // batches that a cut leaves at least
	counts Counts
	rnd    uint32
}

// Counts is what an engine was asked for.
type Counts struct{ Gets, Batches, Ops, Walks, Walked int }

const levels = 16

type node struct {
	key, value []byte
	next       [levels]*node
}

// Counts returns what the engine was asked for since it was made.
func (m *Memory) Counts() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts
}

// before gives, for each level, the last node in front of key.
func (m *Memory) before(key []byte) (path [levels]*node) {
	n := &m.head
	for l := levels - 1; l >= 0; l-- {
		for n.next[l] != nil && bytes.Compare(n.next[l].key, key) < 0 {
			n = n.next[l]
		}
		path[l] = n
	}
	return path
}

// Get returns a copy of a value.
func (m *Memory) Get(key []byte) (value []byte, found bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Gets++
	if n := m.before(key)[0].next[0]; n != nil && bytes.Equal(n.key, key) {
		return bytes.Clone(n.value), true, nil
	}
	return nil, false, nil
}

// Apply writes a batch.
func (m *Memory) Apply(ops []kvstore.Op, sync bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Refuse != nil {
		if err := m.Refuse(ops, sync); err != nil {
			return err
		}
	}
	m.counts.Batches++
	m.counts.Ops += len(ops)
	for _, op := range ops {
		op.Key, op.Value = bytes.Clone(op.Key), bytes.Clone(op.Value)
		m.log = append(m.log, op)
		m.set(op)
	}
	m.ends = append(m.ends, len(m.log))
	if sync {
		m.synced = len(m.ends)
	}
	return nil
}

func (m *Memory) set(op kvstore.Op) {
	path := m.before(op.Key)
	n := path[0].next[0]
	there := n != nil && bytes.Equal(n.key, op.Key)
	switch {
	case op.Delete && there:
		for l := range levels {
			if path[l].next[l] == n {
				path[l].next[l] = n.next[l]
			}
		}
	case op.Delete:
	case there:
		n.value = op.Value
	default:
		n = &node{key: op.Key, value: op.Value}
		m.rnd = m.rnd*1664525 + 1013904223
		for l, r := 0, m.rnd>>2; l < levels && (l == 0 || r&3 == 0); l++ {
			n.next[l], path[l].next[l] = path[l].next[l], n
			if l > 0 {
				r >>= 2
			}
		}
	}
}

// Walk calls f with slices that are overwritten afterwards.
func (m *Memory) Walk(from, to []byte, f func(key, value []byte) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.Walks++
	var key, value []byte
	for n := m.before(from)[0].next[0]; n != nil && bytes.Compare(n.key, to) < 0; n = n.next[0] {
		m.counts.Walked++
		key, value = append(key[:0], n.key...), append(value[:0], n.value...)
		if !f(key, value) {
			break
		}
	}
	clear(key)
	clear(value)
	return nil
}

// Keys returns all keys that begin with prefix.
func (m *Memory) Keys(prefix string) (keys [][]byte) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for n := m.before([]byte(prefix))[0].next[0]; n != nil && bytes.HasPrefix(n.key, []byte(prefix)); n = n.next[0] {
		keys = append(keys, bytes.Clone(n.key))
	}
	return keys
}

// Cut returns the engine that a power cut now might leave: with all batches that were synced, and
// some of those after them.
func (m *Memory) Cut() *Memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	kept := m.synced + below(len(m.ends)-m.synced+1)
	after := &Memory{ends: m.ends[:kept:kept], synced: kept}
	if kept > 0 {
		n := m.ends[kept-1]
		after.log = m.log[:n:n]
	}
	for _, op := range after.log {
		after.set(op)
	}
	return after
}

// machine is a Machine of Memory. wrap may spoil the engine.
type machine struct {
	now, next *Memory
	wrap      func(*Memory) kvstore.Driver
}

// NewMachine returns a machine whose database is a [Memory], seen through wrap if that is not nil.
func NewMachine(wrap func(*Memory) kvstore.Driver) Machine {
	if wrap == nil {
		wrap = func(m *Memory) kvstore.Driver { return m }
	}
	return &machine{next: new(Memory), wrap: wrap}
}

func (m *machine) Start(d store.Durability) (store.Store, error) {
	m.now = m.next
	return kvstore.New("kvstore", m.wrap(m.now), &kvstore.Options{Durability: d})
}

func (m *machine) Cut()        { m.next = m.now.Cut() }
func (m *machine) Stop() error { return nil }
