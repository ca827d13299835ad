package cql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

const (
	mostRounds = 100 // of a write that others always beat
	mostLost   = 5   // answers of one write
	longPause  = 200 * time.Millisecond
)

// attempt is one write under way: it may take several conditional statements until one is
// applied or refused for good. All of them carry the same writer or guard, so one that
// was applied without an answer is recognised when it is sent again.
type attempt struct {
	s      *Store
	ctx    context.Context
	begun  time.Time
	rounds int
	lost   int // answers; then an attempt may have been applied
	free   func()
}

var errBusy = fmt.Errorf("%w: too many others write to the partition", store.ErrUnavailable)

// begin waits for the partition's turn. The caller calls free at the end.
func (s *Store) begin(ctx context.Context, tag store.Tag) (*attempt, error) {
	a := &attempt{s: s, ctx: ctx, begun: time.Now()}
	if err := s.learn(ctx); err != nil {
		return nil, s.judge(err, false)
	}
	free, err := s.locks.take(ctx, tag)
	a.free = free
	return a, err
}

// cas sends what make gives until there is an answer, which it returns: whether it was applied, and the rows that stood
// in its way. make is called for each sending, because time passes.
func (a *attempt) cas(make func(now int64) []Statement) (applied bool, rows []cells, err error) {
	s := a.s
	for {
		rows = nil
		var c cells
		applied, err = s.db.CAS(a.ctx, make(s.clock.now()), s.opts.Consistency, s.opts.SerialConsistency, c.named(),
			func() { rows = append(rows, c); c = cells{} })
		if err == nil {
			return applied, rows, nil
		}
		f := s.judge(err, true)
		if a.ctx.Err() != nil || f.class != store.ErrIndeterminate {
			return false, nil, a.unless(f)
		}
		if a.lost++; a.lost >= mostLost {
			return false, nil, f
		}
		if err := a.pause(); err != nil {
			return false, nil, err
		}
	}
}

// one is cas for a single row: it gives the row that stood in the way, or cells that are absent.
func (a *attempt) one(make func(now int64) Statement) (applied bool, c cells, err error) {
	applied, rows, err := a.cas(func(now int64) []Statement { return []Statement{make(now)} })
	if len(rows) > 0 {
		c = rows[0]
	}
	return applied, c, err
}

// unless gives the error, as one of an unknown outcome if an answer was lost.
func (a *attempt) unless(err error) error {
	if a.lost == 0 || errors.Is(err, store.ErrIndeterminate) {
		return err
	}
	var f *fault
	if errors.As(err, &f) {
		g := *f
		g.class = store.ErrIndeterminate
		return &g
	}
	return fmt.Errorf("%w: an answer was lost, and then the record was changed again", store.ErrIndeterminate)
}

// pause waits a moment before the next round, longer each time. Its error says that there is to be none.
func (a *attempt) pause() error {
	if a.rounds++; a.rounds >= mostRounds {
		return a.unless(errBusy)
	}
	most := min(longPause, time.Millisecond<<min(a.rounds, 20))
	t := time.NewTimer(rand.N(most) + 1)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-a.ctx.Done():
		if a.lost > 0 {
			return fmt.Errorf("%w: %w", store.ErrIndeterminate, a.ctx.Err())
		}
		return store.FromContext(a.ctx)
	}
}

// elapsed is how long the attempt has taken, in whole ms, rounded up.
func (a *attempt) elapsed() int64 { return time.Since(a.begun).Milliseconds() + 1 }

// look reads one row, with its data or without, and the engine's now.
func (s *Store) look(ctx context.Context, key store.Key, c Consistency, data bool) (cells, error) {
	var got cells
	columns, dest := listed, got.list()
	if data {
		columns, dest = columns+",data", append(dest, &got.data)
	}
	found := false
	st := s.build(0).add("SELECT " + columns + " FROM @").where(key).done()
	err := s.db.Query(ctx, Query{Statement: st, Consistency: c, PageSize: 2}, dest, func() bool { found = true; return false })
	if err != nil {
		return cells{}, s.judge(err, false)
	}
	if !found {
		return cells{}, nil
	}
	s.clock.heard(got.now)
	return got, nil
}

// again is look within an attempt. It reads through Paxos, which settles writes that are still under way.
func (a *attempt) again(key store.Key, data bool) (cells, error) {
	c, err := a.s.look(a.ctx, key, a.s.opts.SerialConsistency, data)
	if err != nil {
		return c, a.unless(err)
	}
	return c, nil
}
