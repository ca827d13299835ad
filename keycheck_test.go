package sojourn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// node is one process on st.
func node(t *testing.T, st store.Store, keys sojourn.Sealer) *webRig {
	t.Helper()
	return newWebRig(t, st, sojourn.Options{Keys: keys})
}

func ringOf(t *testing.T, keys ...[]byte) *sojourn.KeyRing {
	t.Helper()
	k, err := sojourn.NewKeyRing(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Two nodes that each made their own keys find out when they start, both of them, and say so.
func TestNodesWithOtherKeysFindOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		st := durable{memstore.New(nil)}
		mine, others := rigKeys(t), rigKeys(t)
		one, two := node(t, st, mine), node(t, st, others)
		go one.m.RunSweeper(ctx, time.Hour)
		synctest.Wait()
		go two.m.RunSweeper(ctx, time.Hour)
		synctest.Wait()
		if two.seen(sojourn.KeysDiffer) != 1 {
			t.Errorf("the second node says nothing: %+v", two.ev)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if one.seen(sojourn.KeysDiffer) == 0 {
			t.Errorf("the first node says nothing: %+v", one.ev)
		}
		err := two.m.CheckKeys(ctx)
		if !errors.Is(err, sojourn.ErrKeys) {
			t.Error(err)
		}
		for _, id := range append(mine.KeyIDs(), others.KeyIDs()...) {
			if !strings.Contains(fmt.Sprint(err), id) {
				t.Errorf("%v does not name key %s", err, id)
			}
		}
		stop()
		synctest.Wait()
	})
}

// Keys that are changed in the right order are no fault, at any step; those that are changed in the
// wrong one are.
func TestKeysThatChange(t *testing.T) {
	a, b := sojourn.NewKey(), sojourn.NewKey()
	old, prepared, turned, done := ringOf(t, a), ringOf(t, a, b), ringOf(t, b, a), ringOf(t, b)
	for name, c := range map[string]struct {
		rings []sojourn.Sealer
		ok    bool
	}{
		"same":                   {[]sojourn.Sealer{old, old}, true},
		"prepared":               {[]sojourn.Sealer{old, prepared, old}, true},
		"turned":                 {[]sojourn.Sealer{prepared, turned, prepared}, true},
		"retired":                {[]sojourn.Sealer{turned, done, turned}, true},
		"not prepared":           {[]sojourn.Sealer{old, turned}, false},
		"retired too soon":       {[]sojourn.Sealer{prepared, done}, false},
		"other":                  {[]sojourn.Sealer{old, done}, false},
		"a sealer without names": {[]sojourn.Sealer{old, struct{ sojourn.Sealer }{done}}, true},
	} {
		st := durable{memstore.New(nil)}
		var err error
		for _, r := range c.rings {
			err = errors.Join(err, node(t, st, r).m.CheckKeys(t.Context()))
		}
		if (err == nil) != c.ok || err != nil && !errors.Is(err, sojourn.ErrKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who has ended is forgotten, so that a wrong ring that was put right accuses nobody for long.
func TestEndedNodesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := durable{memstore.New(nil)}
		right, wrong := node(t, st, rigKeys(t)), node(t, st, rigKeys(t))
		rigOK(t, right.m.CheckKeys(t.Context()))
		if err := wrong.m.CheckKeys(t.Context()); !errors.Is(err, sojourn.ErrKeys) {
			t.Error(err)
		}
		for range 4 { // the record itself stays alive
			time.Sleep(5 * time.Minute)
			_ = right.m.CheckKeys(t.Context())
		}
		rigOK(t, right.m.CheckKeys(t.Context()))
		time.Sleep(time.Hour) // and now it does not
		rigOK(t, wrong.m.CheckKeys(t.Context()))
	})
}

// The check costs one read where nothing is new, shows no secret, and is no session.
func TestKeyRecord(t *testing.T) {
	st := newFaultStore(durable{memstore.New(nil)})
	key := sojourn.NewKey()
	g := node(t, st, ringOf(t, key))
	rigOK(t, g.m.CheckKeys(t.Context()))
	st.reset()
	rigOK(t, g.m.CheckKeys(t.Context()))
	if st.count() != 1 || st.count(opGet) != 1 {
		t.Errorf("%d calls, %d reads", st.count(), st.count(opGet))
	}
	c := &canary{}
	c.secret(string(key))
	for _, rec := range st.seen {
		c.log(rec.Data)
		c.log(string(rec.Data))
		c.log(rec.Meta)
		if rec.Key.Tag != store.Reserved || rec.User != "" {
			t.Errorf("record %v of %q", rec.Key.Tag, rec.User)
		}
	}
	c.check(t)
	if len(st.seen) == 0 {
		t.Error("nothing was written")
	}
	if n, err := g.m.RevokeEveryone(t.Context()); n != 0 || err != nil {
		t.Errorf("%d sessions, %v", n, err)
	}
	if _, _, err := st.Get(t.Context(), st.seen[0].Key); err != nil {
		t.Errorf("the record is gone: %v", err)
	}
}

// Nodes that start at the same moment all leave their names, and damage to the record does not
// last.
func TestNodesThatStartTogether(t *testing.T) {
	st := durable{memstore.New(nil)}
	keys := [][]byte{sojourn.NewKey(), sojourn.NewKey(), sojourn.NewKey(), sojourn.NewKey()}
	var wg sync.WaitGroup
	for range 8 {
		for i := range keys {
			g := node(t, st, ringOf(t, slices.Concat(keys[i:], keys[:i])...))
			wg.Go(func() { rigOK(t, g.m.CheckKeys(t.Context())) })
		}
	}
	wg.Wait()
	alone := node(t, st, ringOf(t, sojourn.NewKey()))
	err := alone.m.CheckKeys(t.Context())
	if !errors.Is(err, sojourn.ErrKeys) || strings.Count(err.Error(), "another seals") != len(keys) {
		t.Errorf("%v: %d rings, want %d", err, strings.Count(fmt.Sprint(err), "another seals"), len(keys))
	}
}

// A store that cannot answer is an outage, and said to be one.
func TestKeyCheckOutage(t *testing.T) {
	st := newFaultStore(durable{memstore.New(nil)})
	g := node(t, st, rigKeys(t))
	st.setBefore(fail(store.ErrUnavailable), opGet)
	if err := g.m.CheckKeys(t.Context()); !errors.Is(err, sojourn.ErrUnavailable) || errors.Is(err, sojourn.ErrKeys) {
		t.Error(err)
	}
	// What one process has for itself is compared with nobody.
	rigOK(t, newWebRig(t, nil, sojourn.Options{}).m.CheckKeys(t.Context()))
}

// What a check costs: nothing where there is nothing to compare, and no more than one try where the
// store answers.
func TestKeyCheckCost(t *testing.T) {
	ring := rigKeys(t)
	for name, c := range map[string]struct {
		st    store.Store
		keys  sojourn.Sealer
		op    string
		calls int
		is    error
	}{
		"first":                  {durable{memstore.New(nil)}, ring, "", 2, nil},
		"one process's store":    {memstore.New(nil), ring, "", 0, nil},
		"keys that have no name": {durable{memstore.New(nil)}, nameless{ring}, "", 0, nil},
		"no room":                {durable{memstore.New(nil)}, ring, opCreate, 2, store.ErrFull},
	} {
		st := newFaultStore(c.st)
		g := node(t, st, c.keys)
		if c.op != "" {
			st.setBefore(fail(c.is), c.op)
		}
		if err := g.m.CheckKeys(t.Context()); !errors.Is(err, c.is) || (err == nil) != (c.is == nil) || st.count() != c.calls {
			t.Errorf("%s: %d calls, want %d; %v", name, st.count(), c.calls, err)
		}
	}
}

// nameless is a Sealer that has no names for its keys.
type nameless struct{ sojourn.Sealer }

func (nameless) KeyIDs() []string { return nil }

// An entry of one's own is written anew when it is older than four minutes, and one of another
// process counts for fifteen.
func TestKeyEntriesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFaultStore(durable{memstore.New(nil)})
		g, other := node(t, st, rigKeys(t)), node(t, st, rigKeys(t))
		rigOK(t, g.m.CheckKeys(t.Context()))
		for _, c := range []struct {
			after  time.Duration
			writes int
		}{{4 * time.Minute, 0}, {time.Second, 1}, {4 * time.Minute, 0}, {time.Second, 1}} {
			st.reset()
			time.Sleep(c.after)
			rigOK(t, g.m.CheckKeys(t.Context()))
			if n := st.count(opUpdate, opCreate); n != c.writes {
				t.Errorf("%v later: %d writes, want %d", c.after, n, c.writes)
			}
		}
		if err := other.m.CheckKeys(t.Context()); !errors.Is(err, sojourn.ErrKeys) {
			t.Error(err)
		}
		for range 3 {
			time.Sleep(5 * time.Minute)
			if err := g.m.CheckKeys(t.Context()); !errors.Is(err, sojourn.ErrKeys) {
				t.Errorf("the other process is forgotten too soon: %v", err)
			}
		}
		time.Sleep(time.Second)
		rigOK(t, g.m.CheckKeys(t.Context()))
	})
}

// Processes with the same key that seals and others that open are others.
func TestKeyEntriesOfOneSealer(t *testing.T) {
	st := durable{memstore.New(nil)}
	a, b := sojourn.NewKey(), sojourn.NewKey()
	rigOK(t, node(t, st, ringOf(t, a)).m.CheckKeys(t.Context()))
	rigOK(t, node(t, st, ringOf(t, a, b)).m.CheckKeys(t.Context()))
	err := node(t, st, ringOf(t, sojourn.NewKey())).m.CheckKeys(t.Context())
	if n := strings.Count(fmt.Sprint(err), "another seals"); n != 2 {
		t.Errorf("%d others, want 2: %v", n, err)
	}
}

// A process whose write meets another's reads again, and misses nobody.
func TestKeyRecordChangesMeanwhile(t *testing.T) {
	for _, first := range []bool{true, false} {
		st := newFaultStore(durable{memstore.New(nil)})
		mine, other := rigKeys(t), rigKeys(t)
		if !first {
			rigOK(t, node(t, st, rigKeys(t)).m.CheckKeys(t.Context()))
		}
		op := map[bool]string{true: opCreate, false: opUpdate}[first]
		st.setBefore(func(ctx context.Context) error {
			st.setBefore(nil, op)
			_ = node(t, st, other).m.CheckKeys(ctx)
			return nil
		}, op)
		err := node(t, st, mine).m.CheckKeys(t.Context())
		if !errors.Is(err, sojourn.ErrKeys) || !strings.Contains(err.Error(), other.KeyIDs()[0]) {
			t.Errorf("%s meets another: %v", op, err)
		}
	}
}

// A damaged record of the keys is written anew.
func TestDamagedRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &persistent{Store: memstore.New(nil)}
		m, err := sojourn.New(st, &sojourn.Options{Keys: rigKeys(t)})
		rigOK(t, err)
		rigOK(t, m.CheckKeys(t.Context()))
		st.damaged = true
		rigOK(t, m.CheckKeys(t.Context()))
		if st.damaged {
			t.Error("the damaged record is still there")
		}
		if err := node(t, st, rigKeys(t)).m.CheckKeys(t.Context()); !errors.Is(err, sojourn.ErrKeys) {
			t.Errorf("its place is empty: %v", err)
		}
		st.damaged, st.kept = true, true
		if err := m.CheckKeys(t.Context()); !errors.Is(err, store.ErrFull) {
			t.Errorf("damage that stays: %v", err)
		}
	})
}

// persistent is a store that says that it outlives the process, and may have one damaged record.
type persistent struct {
	store.Store
	damaged bool
	kept    bool // it cannot be removed
}

func (p *persistent) Traits() store.Traits { return store.Traits{} }

func (p *persistent) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	if p.damaged {
		return store.Record{}, time.Time{}, store.ErrCorrupt
	}
	return p.Store.Get(ctx, key)
}

func (p *persistent) Delete(ctx context.Context, key store.Key) error {
	if p.kept {
		return store.ErrFull
	}
	p.damaged = false
	return p.Store.Delete(ctx, key)
}
