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

// attempt is one write under way: it may take several conditional statements until one is applied
// or refused for good. All of them carry the same writer or guard, so one that was applied without
// an answer is recognised when it is sent again.
type attempt struct {
	e      *engine
	ctx    context.Context
	rounds int
	failed int  // requests
	lost   bool // one of them may have been applied, or a part of the write was
	free   func()
}

var errBusy = fmt.Errorf("%w: too many others write to the partition", store.ErrUnavailable)

// begin waits for the partition's turn. The caller calls free at the end.
func (e *engine) begin(ctx context.Context, tag store.Tag) (*attempt, error) {
	a := &attempt{e: e, ctx: ctx}
	if err := e.learn(ctx); err != nil {
		return nil, fault(store.ErrUnavailable, err)
	}
	free, err := e.locks.take(ctx, tag)
	a.free = free
	return a, err
}

// cas sends what make gives until there is an answer, which it returns: whether it was applied, and
// the rows that stood in its way. make is called for each sending, because time passes.
func (a *attempt) cas(make func(now int64) []Statement) (applied bool, rows []cells, err error) {
	e := a.e
	for {
		rows = nil
		var c cells
		applied, err = e.db.CAS(a.ctx, make(e.clock.now()), e.opts.Consistency, e.opts.SerialConsistency, c.named(),
			func() { rows = append(rows, c); c = cells{} })
		if err == nil {
			return applied, rows, nil
		}
		if err := a.retry(err, !e.harmless(code(err), err)); err != nil {
			return false, nil, err
		}
	}
}

// retry waits after a failed request, if it is worth sending again: where nobody knows whether it
// was applied, and where a replica did not answer in time, as happens when others write to the
// partition. Otherwise it returns the attempt's error.
func (a *attempt) retry(err error, unknown bool) error {
	a.lost = a.lost || unknown
	a.failed++
	if a.ctx.Err() == nil && a.failed < mostFailed && (unknown || code(err) == codeReadTimeout) {
		return a.pause()
	}
	if a.lost {
		return fault(store.ErrIndeterminate, err)
	}
	return fault(store.ErrUnavailable, err)
}

// one is cas for a single row: it gives the row that stood in the way, or cells that are absent.
func (a *attempt) one(make func(now int64) Statement) (applied bool, c cells, err error) {
	applied, rows, err := a.cas(func(now int64) []Statement { return []Statement{make(now)} })
	if len(rows) > 0 {
		c = rows[0]
	}
	return applied, c, err
}

// unless returns the error, or one of an unknown outcome if an answer was lost.
func (a *attempt) unless(err error) error {
	if !a.lost || errors.Is(err, store.ErrIndeterminate) {
		return err
	}
	return fmt.Errorf("%w: an answer was lost or a part was done, and then others wrote", store.ErrIndeterminate)
}

// pause waits a moment before the next round, longer each time. Its error says that there is to be
// none.
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

// look is [engine.look] without data, until there is an answer.
func (a *attempt) look(key store.Key, level Consistency) (cells, error) {
	return a.read(key, level, false)
}

// again reads a row through Paxos, which settles writes that are still under way.
func (a *attempt) again(key store.Key, data bool) (cells, error) {
	return a.read(key, a.e.opts.SerialConsistency, data)
}

func (a *attempt) read(key store.Key, level Consistency, data bool) (c cells, err error) {
	err = a.until(func() (err error) { c, err = a.e.look(a.ctx, key, level, data); return err })
	return c, err
}

// until reads until there is an answer.
func (a *attempt) until(read func() error) error {
	for {
		err := read()
		if err == nil {
			return nil
		}
		if err := a.retry(err, false); err != nil {
			return err
		}
	}
}
