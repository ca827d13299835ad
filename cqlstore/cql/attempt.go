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
	mostFailed = 5   // requests of one write that were not answered, or too late
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
	failed int  // requests
	lost   bool // one of them may have been applied, or a part of the write was
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
		if err := a.retry(s.judge(err, true)); err != nil {
			return false, nil, err
		}
	}
}

// retry waits after a failed request, if it is worth sending again: where nobody knows whether it was applied, and where
// a replica did not answer in time, as happens when others write to the partition. Otherwise it gives the attempt's error.
func (a *attempt) retry(f *fault) error {
	unknown := f.class == store.ErrIndeterminate
	a.lost = a.lost || unknown
	a.failed++
	if a.ctx.Err() != nil || a.failed >= mostFailed || !unknown && f.code != codeReadTimeout {
		return a.unless(f)
	}
	return a.pause()
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
	if !a.lost || errors.Is(err, store.ErrIndeterminate) {
		return err
	}
	var f *fault
	if errors.As(err, &f) {
		g := *f
		g.class = store.ErrIndeterminate
		return &g
	}
	return fmt.Errorf("%w: an answer was lost or a part was done, and then others wrote", store.ErrIndeterminate)
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
		if a.lost {
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

// look is look within an attempt.
func (a *attempt) look(key store.Key, level Consistency) (c cells, err error) {
	err = a.read(func() (err error) { c, err = a.s.look(a.ctx, key, level, false); return err })
	return c, err
}

// again reads a row within an attempt. It reads through Paxos, which settles writes that are still under way.
func (a *attempt) again(key store.Key, data bool) (c cells, err error) {
	err = a.read(func() (err error) { c, err = a.s.look(a.ctx, key, a.s.opts.SerialConsistency, data); return err })
	return c, err
}

// read reads until there is an answer.
func (a *attempt) read(f func() error) error {
	for {
		err := f()
		var bad *fault
		if !errors.As(err, &bad) {
			return err
		}
		if err := a.retry(bad); err != nil {
			return err
		}
	}
}
