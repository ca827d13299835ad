package cql

import (
	"context"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// engine is the [driver.Driver]. What several statements may take is an [attempt].
type engine struct {
	db    Driver
	opts  Options
	table string // with its keyspace
	clock clock
	locks locks
	spare int64 // ms that cells are kept beyond their need
}

// Traits tell by how much the nodes' clocks may differ.
func (e *engine) Traits() store.Traits { return store.Traits{Skew: e.opts.ClockSkew} }

// query reads.
func (e *engine) query(ctx context.Context, st Statement, level Consistency, page int, dest []any, row func() bool) error {
	err := e.db.Query(ctx, Query{Statement: st, Consistency: level, PageSize: page}, dest, row)
	if err != nil {
		return fault(nil, err)
	}
	return nil
}

// look reads one row, with its data or without, and the engine's now.
func (e *engine) look(ctx context.Context, key store.Key, level Consistency, data bool) (cells, error) {
	var got cells
	columns, dest := listed, got.list()
	if data {
		columns, dest = columns+",data", append(dest, &got.data)
	}
	found := false
	st := e.build(0).add("SELECT " + columns + " FROM @").where(key).done()
	err := e.query(ctx, st, level, 2, dest, func() bool { found = true; return false })
	if err != nil || !found {
		return cells{}, err
	}
	e.clock.heard(got.now)
	return got, nil
}

// Get returns the live record at key and the store's present time: that of the node that answers.
func (e *engine) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	c, err := e.look(ctx, key, e.opts.Consistency, true)
	if err != nil {
		return rec, now, err
	}
	if c.absent() {
		return rec, now, store.ErrNotFound
	}
	r, err := c.row(key)
	if err != nil {
		return rec, now, err
	}
	at := max(c.now, r.created, r.seen) // the node that wrote may have a clock ahead of the one that answers
	if !r.live(at) {
		return rec, now, store.ErrNotFound
	}
	return r.record(), milli.Time(at), nil
}

// Sweep has nothing to do: the engine's own time to live removes what has expired.
func (e *engine) Sweep(context.Context, int) (int, error) { return 0, nil }
