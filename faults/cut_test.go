package faults_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/store"
)

// every is all engines.
var every = []string{"redis", "valkey", "redis-sentinel", "redis-cluster", "postgres", "postgres-sql", "pgbouncer", "mariadb", "mysql", "cassandra"}

// P8: the connection breaks under each kind of write, before the server got the request and after
// it did what it was asked. The answer is then what was done, or "unknown", or "surely not" where
// that is so; and the same call sent again is carried out once in all.
func TestCuts(t *testing.T) {
	for _, name := range every {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			direct, n := m.open(t, network(t)), network(t)
			s := m.open(t, n)
			for _, when := range []wire.When{wire.Before, wire.After} {
				r := row{scenario: []string{"cut before the request", "cut after the act"}[when], engine: name}
				for i := range acts(store.Record{}, store.Record{}) {
					for skip := 0; cutAct(t, name, &r, n, s, direct, wire.Cut{When: when, Skip: skip}, i); skip++ {
					}
				}
				report(r)
			}
		})
	}
}

// cutAct breaks the connection under one act, at the round trip that the cut chooses, and reports
// whether there was one.
func cutAct(t *testing.T, name string, r *row, n *wire.Network, s, direct store.Store, cut wire.Cut, i int) (struck bool) {
	warm(t, s)
	rec, other := pair(t, direct)
	a := acts(rec, other)[i]
	t.Run(fmt.Sprintf("%s/%s/%d", a.name, r.scenario, cut.Skip), func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		if name == "cassandra" { // its driver talks to the servers on its own, too
			cut.Match = wire.Mentions(a.tag[:])
		}
		fired := n.Arm(cut)
		err := a.do(ctx, s)
		n.Disarm()
		select {
		case <-fired:
			struck = cut.Skip < 8 // a driver's own talk may be struck, too
		default:
			if cut.Skip == 0 {
				t.Error("nothing was cut")
			}
			return
		}
		r.count(t, err)
		if a.done != nil {
			done, look := a.done(ctx, direct)
			if look != nil {
				t.Fatal("afterwards:", look)
			}
			switch {
			case err == nil && !done:
				t.Error("acknowledged, and not carried out")
				r.lost++
			case errors.Is(err, store.ErrUnavailable) && done:
				t.Error("said to be surely not applied, and was carried out")
			}
		}
		healthy(t, s)
		if err := a.do(ctx, s); err != nil {
			t.Error("sent again:", err)
		}
		if a.done != nil {
			if done, look := a.done(ctx, direct); look != nil || !done {
				t.Errorf("sent again and acknowledged: carried out %v, %v", done, look)
			}
		}
	})
	return struck
}

// warm lets the store do all that it does only the first time on a connection.
func warm(t *testing.T, s store.Store) {
	t.Helper()
	healthy(t, s)
	pair(t, s)
}

// count takes the answer of a write whose connection broke. All but three answers are wrong.
func (r *row) count(t *testing.T, err error) {
	t.Helper()
	r.acts++
	switch {
	case err == nil:
		r.acked++
	case errors.Is(err, store.ErrUnavailable):
		r.unavailable++
	case errors.Is(err, store.ErrIndeterminate):
		r.indeterminate++
	default:
		t.Errorf("answer of a cut connection: %v", err)
	}
}

// A read whose connection breaks is answered rightly or not at all; never with "there is no such
// session".
func TestCutReads(t *testing.T) {
	for _, name := range every {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			n := network(t)
			s := m.open(t, n)
			for _, when := range []wire.When{wire.Before, wire.After} {
				warm(t, s)
				rec, _ := pair(t, s)
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				fired := n.Arm(wire.Cut{When: when})
				got, _, err := s.Get(ctx, rec.Key)
				<-fired
				if err == nil && got.Writer != rec.Writer || err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("get: %v", err)
				}
				healthy(t, s)
				fired = n.Arm(wire.Cut{When: when})
				count := 0
				for _, err = range s.User(ctx, rec.User) {
					if err == nil {
						count++
					}
				}
				<-fired
				if err == nil && count != 2 || err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("user: %d records, %v", count, err)
				}
				stop()
			}
		})
	}
}
