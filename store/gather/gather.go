// Package gather lets calls that wait at the same moment share one trip to an engine.
//
// It is for authors of stores whose engine is a server, where a trip costs far more than the work at its
// end. While no more than [Options.Lanes] sends are under way, a call goes at once and alone, on its caller's
// goroutine. Calls that come while all lanes are taken wait, and the lane that comes free
// takes all of them along in one send. So nothing waits for company, batches grow with load and by load alone, and a
// line that is idle holds neither a timer nor a goroutine.
//
//	reads := gather.New(gather.Options[store.Key]{ReadOnly: true},
//		func(ctx context.Context, keys []store.Key, found []answer) error { ... })
//	a, err := reads.Do(ctx, key)
package gather

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Line]. The zero Options is good for questions that change nothing and share no memory.
type Options[Q any] struct {
	// Lanes is how many sends may be under way at once, at most. Zero means 4.
	Lanes int

	// Most is how many calls share a send, at most. Zero means 64.
	Most int

	// ReadOnly says that a send changes nothing, so that a call whose context ends while its send is
	// under way fails with [store.ErrUnavailable] and not with [store.ErrIndeterminate].
	ReadOnly bool

	// Key, if not nil, keeps calls with equal keys out of each other's sends, for statements that
	// change each row once. It may be a hash: two calls that differ lose nothing but company. Sends on
	// different lanes may hold equal keys. It must be fast.
	Key func(Q) uint64

	// Keep, if not nil, gives a copy of a question that shares no memory with the caller. It is asked for
	// each call that has to wait: its caller may leave, and use its memory again, while the send is under
	// way. A call that goes alone is not copied.
	Keep func(Q) Q
}

// Line is a queue in front of an engine, for one kind of call. Make it with [New]. It is safe for concurrent use.
type Line[Q, A any] struct {
	opts  Options[Q]
	send  func(ctx context.Context, asked []Q, answers []A) error
	calls sync.Pool // of *call

	mu          sync.Mutex
	busy        int         // lanes; all of them while anybody waits
	first, last *call[Q, A] // who waits, by arrival
}

// New makes a Line. send is given the questions of a batch and as many answers, each of which is zero, to set.
// What becomes of a single call belongs into its answer; an error that send returns is that of all its calls, and
// so is a panic. send must heed its context and must not hold on to either slice. It runs on
// several goroutines at once.
//
// A call that goes alone is sent with its own context. A batch has one of its own, without values, that ends
// when the last of its callers has left, so at the latest of their deadlines.
func New[Q, A any](opts Options[Q], send func(ctx context.Context, asked []Q, answers []A) error) *Line[Q, A] {
	if opts.Lanes <= 0 {
		opts.Lanes = 4
	}
	if opts.Most <= 0 {
		opts.Most = 64
	}
	return &Line[Q, A]{opts: opts, send: send}
}

// call is a question on its way. The slices of a lone call are its arrays, so that it allocates nothing.
type call[Q, A any] struct {
	asked    [1]Q
	answer   [1]A
	err      error
	panicked any
	done     chan struct{} // holds one
	key      uint64

	// Guarded by Line.mu.
	prev, next *call[Q, A]
	trip       *trip // it is sent with, or nil while it waits
}

// trip is what the callers of one batch share.
type trip struct {
	staying atomic.Int32 // callers that wait for the answer
	cancel  context.CancelFunc
}

// Do asks q and gives its answer. The error is that of send, or the context's: if ctx ends before
// q is sent, it matches [store.ErrUnavailable] and q is never sent; afterwards it matches
// [store.ErrIndeterminate] (see [Options.ReadOnly]), and Do does not wait for a send that others share.
func (l *Line[Q, A]) Do(ctx context.Context, q Q) (A, error) {
	var none A
	if err := store.FromContext(ctx); err != nil {
		return none, err
	}
	if l.enter(nil) {
		return l.alone(ctx, q)
	}
	c := l.take()
	c.asked[0] = q
	if l.opts.Keep != nil {
		c.asked[0] = l.opts.Keep(q)
	}
	if l.opts.Key != nil {
		c.key = l.opts.Key(q)
	}
	if l.enter(c) { // a lane came free meanwhile
		l.put(c)
		return l.alone(ctx, q)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		sent := l.leave(c)
		if sent == nil {
			l.put(c)
			return none, store.FromContext(ctx)
		}
		select {
		case <-c.done: // at the same moment
		default:
			if sent.staying.Add(-1) == 0 {
				sent.cancel()
			}
			return none, l.lost(ctx) // c is the batch's now
		}
	}
	a, err, panicked := c.answer[0], c.err, c.panicked
	l.put(c)
	if panicked != nil {
		panic(panicked)
	}
	return a, err
}

// lost is the error of a call whose context ended under way.
func (l *Line[Q, A]) lost(ctx context.Context) error {
	if l.opts.ReadOnly {
		return store.FromContext(ctx)
	}
	return fmt.Errorf("%w: %w", store.ErrIndeterminate, ctx.Err())
}

// alone sends one call on a lane that was entered for it.
func (l *Line[Q, A]) alone(ctx context.Context, q Q) (A, error) {
	c := l.take()
	c.asked[0] = q
	defer l.put(c)
	defer l.pass()
	err := l.send(ctx, c.asked[:], c.answer[:])
	return c.answer[0], err
}

// enter takes a lane if one is free, and otherwise puts c, if given, in the line.
func (l *Line[Q, A]) enter(c *call[Q, A]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy < l.opts.Lanes {
		l.busy++
		return true
	}
	if c != nil {
		if l.last == nil {
			l.first = c
		} else {
			l.last.next, c.prev = c, l.last
		}
		l.last = c
	}
	return false
}

// leave takes c out of the line, or gives the trip that it is sent with.
func (l *Line[Q, A]) leave(c *call[Q, A]) *trip {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.trip == nil {
		l.cut(c)
	}
	return c.trip
}

// cut is called with mu held.
func (l *Line[Q, A]) cut(c *call[Q, A]) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// pass gives a lane on to those who wait, or frees it.
func (l *Line[Q, A]) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first != nil {
		go l.work()
	} else {
		l.busy--
	}
}

// batch is what a lane carries; its slices are used again.
type batch[Q, A any] struct {
	trip    *trip
	calls   []*call[Q, A]
	asked   []Q
	answers []A
}

// work is a lane while calls wait.
func (l *Line[Q, A]) work() {
	var b batch[Q, A]
	idle := false
	defer func() {
		if !idle { // send ended its goroutine
			go l.work()
		}
	}()
	for {
		ctx, cancel := context.WithCancel(context.Background())
		b.trip = &trip{cancel: cancel}
		if !l.board(&b) {
			cancel()
			idle = true
			return
		}
		l.carry(ctx, &b)
	}
}

// board puts those who wait into b, but only the first of each key. If nobody waits, it frees the lane.
func (l *Line[Q, A]) board(b *batch[Q, A]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := l.first; c != nil && len(b.calls) < l.opts.Most; {
		next := c.next
		if l.opts.Key == nil || !b.holds(c.key) {
			l.cut(c)
			c.trip = b.trip
			b.calls = append(b.calls, c)
		}
		c = next
	}
	b.trip.staying.Store(int32(len(b.calls)))
	if len(b.calls) == 0 {
		l.busy--
		return false
	}
	return true
}

func (b *batch[Q, A]) holds(key uint64) bool {
	for _, c := range b.calls {
		if c.key == key {
			return true
		}
	}
	return false
}

// carry sends a batch, hands out what came of it and leaves b empty.
func (l *Line[Q, A]) carry(ctx context.Context, b *batch[Q, A]) {
	var none A
	for _, c := range b.calls {
		b.asked = append(b.asked, c.asked[0])
		b.answers = append(b.answers, none)
	}
	var err error
	returned := false
	defer func() {
		var panicked any
		if !returned {
			if panicked = recover(); panicked == nil {
				panicked = "gather: send ended its goroutine"
			}
		}
		b.trip.cancel()
		for i, c := range b.calls {
			c.answer[0], c.err, c.panicked = b.answers[i], err, panicked
			c.done <- struct{}{}
		}
		clear(b.calls)
		clear(b.asked)
		clear(b.answers)
		b.calls, b.asked, b.answers = b.calls[:0], b.asked[:0], b.answers[:0]
	}()
	err = l.send(ctx, b.asked, b.answers)
	returned = true
}

func (l *Line[Q, A]) take() *call[Q, A] {
	if c, ok := l.calls.Get().(*call[Q, A]); ok {
		return c
	}
	return &call[Q, A]{done: make(chan struct{}, 1)}
}

func (l *Line[Q, A]) put(c *call[Q, A]) {
	*c = call[Q, A]{done: c.done}
	l.calls.Put(c)
}
