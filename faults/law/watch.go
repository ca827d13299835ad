// Package law records what a store acknowledged while it was under load and under faults, and then
// judges: is there an order of all acts that explains every answer (package porcupine looks for
// it), what acknowledged change is lost, and what ended session lives.
package law

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sojourn-go/sojourn/store"
)

// A Log is the memory of one run. Any number of stores (the nodes of an application) may write into
// it. All methods are safe for concurrent use.
type Log struct {
	start time.Time

	mu       sync.Mutex
	sessions map[store.Handle]*history
	of       map[store.ID]*history // the session that a key was last given to
	tails    map[store.Writer]bool
	tailed   map[store.ID]bool
	pending  []pending // ends that may still come
	breaches []string
	counts   Counts
	good     time.Duration // when an act last got an answer
}

// history is one session.
type history struct {
	key    store.Key // of its creation
	user   string
	handle store.Handle
	ids    []store.ID // every key that it has or may have had
	ops    []porcupine.Operation
}

// pending is an end of a user's sessions whose answer was lost: it may yet be carried out, also on
// sessions that do not exist yet.
type pending struct {
	user string
	sel  store.Selection
	call int64
}

// Counts is what a run did.
type Counts struct {
	Acts          int // calls of the store
	Acked         int // writes that were applied
	Indeterminate int
	Unavailable   int
	// Outage is the longest time in which no act got an answer.
	Outage time.Duration
}

// Answered counts the acts that were answered with what became of them.
func (c Counts) Answered() int { return c.Acts - c.Unavailable - c.Indeterminate }

// NewLog begins a run.
func NewLog() *Log {
	return &Log{start: time.Now(), sessions: map[store.Handle]*history{}, of: map[store.ID]*history{},
		tails: map[store.Writer]bool{}, tailed: map[store.ID]bool{}}
}

// Counts returns what was done so far.
func (l *Log) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Watch returns the store with everything that is done through it written into the log.
func (l *Log) Watch(s store.Store) store.Store { return &watched{s, l} }

type watched struct {
	store.Store
	log *Log
}

// Now is the log's time: how long the run has lasted.
func (l *Log) Now() time.Duration { return time.Since(l.start) }

// since is the run's clock: nanoseconds, monotonic.
func (l *Log) since() int64 { return int64(time.Since(l.start)) }

// never is when a write returns of which nobody knows whether it was, or still will be, carried
// out.
const never = math.MaxInt64

// answer sorts an error and counts it.
func (l *Log) answer(op string, write bool, err error) outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Acts++
	out := outcomeOf(err)
	switch out {
	case applied:
		if write {
			l.counts.Acked++
		}
	case unavailable:
		l.counts.Unavailable++
	case indeterminate:
		l.counts.Indeterminate++
		if !write {
			l.breaches = append(l.breaches, op+": a read has no unknown outcome")
		}
	case wrong:
		l.breaches = append(l.breaches, fmt.Sprintf("%s: an error that matches none or several of the outcomes: %v", op, err))
	}
	if out != unavailable && out != indeterminate {
		now := time.Since(l.start)
		l.counts.Outage = max(l.counts.Outage, now-l.good)
		l.good = now
	}
	return out
}

// add writes an act into a session's history.
func (l *Log) add(h *history, call int64, in input, out output) {
	end := l.since()
	if out.outcome == indeterminate {
		end = never
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{Input: in, Output: out, Call: call, Return: end})
}

// begin opens a session's history, or finds it.
func (l *Log) begin(rec *store.Record) *history {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.sessions[rec.Handle]
	if h == nil {
		h = &history{key: rec.Key, user: rec.User, handle: rec.Handle}
		l.sessions[rec.Handle] = h
		for _, p := range l.pending {
			if p.user == rec.User && p.sel.Picks(rec.Handle) {
				h.ops = append(h.ops, porcupine.Operation{Input: input{op: end}, Output: output{outcome: indeterminate}, Call: p.call, Return: never})
			}
		}
	}
	h.give(l, rec.Key.ID)
	return h
}

func (h *history) give(l *Log, id store.ID) {
	l.of[id] = h
	if !slices.Contains(h.ids, id) {
		h.ids = append(h.ids, id)
	}
}

func (l *Log) find(id store.ID) *history {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[id]
}

// ends writes the end of the user's sessions that are selected into their histories.
func (l *Log) ends(user string, sel store.Selection, call int64, out outcome) {
	if user == "" {
		return
	}
	o := porcupine.Operation{Input: input{op: end}, Output: output{outcome: out}, Call: call, Return: l.since()}
	if out == indeterminate {
		o.Return = never
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.sessions {
		if h.user == user && sel.Picks(h.handle) {
			h.ops = append(h.ops, o)
		}
	}
	if out == indeterminate {
		l.pending = append(l.pending, pending{user, sel, call})
	}
}

func (w *watched) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	l, h, call := w.log, w.log.begin(&rec), w.log.since()
	a, err := w.Store.Create(ctx, rec, adm)
	out := l.answer("create", true, err)
	l.add(h, call, input{op: create, key: rec.Key.ID, writer: rec.Writer}, output{outcome: out})
	ends := store.Selection{Only: a.Evicted}
	if adm.Max > 0 && adm.Evict && out == indeterminate {
		ends = store.Selection{Except: []store.Handle{rec.Handle}} // any other may have gone
	}
	if len(ends.Only)+len(ends.Except) > 0 {
		l.ends(rec.User, ends, call, out)
	}
	return a, err
}

func (w *watched) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	l, call := w.log, w.log.since()
	rec, now, err := w.Store.Get(ctx, key)
	out := l.answer("get", false, err)
	if h := l.find(key.ID); h != nil {
		l.add(h, call, input{op: get, key: key.ID}, l.seen(rec, out))
	}
	return rec, now, err
}

// seen is the answer to a read. A tail is not the session.
func (l *Log) seen(rec store.Record, out outcome) output {
	l.mu.Lock()
	defer l.mu.Unlock()
	if out == applied && l.tails[rec.Writer] {
		return output{outcome: notFound}
	}
	return output{outcome: out, version: rec.Version, writer: rec.Writer}
}

func (w *watched) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	l, call := w.log, w.log.since()
	err := w.Store.Update(ctx, rec, ifVersion)
	out := l.answer("update", true, err)
	if h := l.find(rec.Key.ID); h != nil {
		l.add(h, call, input{op: update, key: rec.Key.ID, version: ifVersion, writer: rec.Writer}, output{outcome: out})
	}
	return err
}

func (w *watched) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	l, call := w.log, w.log.since()
	err := w.Store.Touch(ctx, rec, every)
	out := l.answer("touch", true, err)
	if h := l.find(rec.Key.ID); h != nil {
		l.add(h, call, input{op: touch, key: rec.Key.ID}, output{outcome: out})
	}
	return err
}

func (w *watched) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	l, call := w.log, w.log.since()
	h := l.find(old.ID)
	if h != nil {
		l.mu.Lock()
		h.give(l, rec.Key.ID)
		if tail != nil {
			l.tails[tail.Writer] = true
			l.tailed[old.ID] = true
		}
		l.mu.Unlock()
	}
	err := w.Store.Rotate(ctx, old, ifVersion, rec, tail)
	out := l.answer("rotate", true, err)
	if h != nil {
		l.add(h, call, input{op: rotate, key: old.ID, next: rec.Key.ID, version: ifVersion, writer: rec.Writer}, output{outcome: out})
	}
	return err
}

func (w *watched) Delete(ctx context.Context, key store.Key) error {
	l, call := w.log, w.log.since()
	err := w.Store.Delete(ctx, key)
	out := l.answer("delete", true, err)
	if h := l.find(key.ID); h != nil {
		l.add(h, call, input{op: remove, key: key.ID}, output{outcome: out})
	}
	return err
}

func (w *watched) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	l, call := w.log, w.log.since()
	r, err := w.Store.Revoke(ctx, user, sel)
	out := l.answer("revoke", true, err)
	l.ends(user, sel, call, out)
	return r, err
}

func (w *watched) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return w.Store.User(ctx, user)
}

// outcomeOf sorts an error of a store.
func outcomeOf(err error) outcome {
	if err == nil {
		return applied
	}
	found, n := wrong, 0
	for out, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			found = out
			n++
		}
	}
	if n != 1 {
		return wrong
	}
	return found
}
