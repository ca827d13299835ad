// Package gather lets calls that wait at the same moment share one trip to an engine.
//
// It is for authors of stores whose engine is a server, where a trip costs far more than the work
// at its end. A [Line] has a few lanes. A call that finds a lane free goes at once and alone, on
// its caller's goroutine. Calls that come while all lanes are taken wait, and the next lane that
// comes free takes all of them along in one send. So nothing waits for company, and batches grow
// with load and by load alone. An idle Line holds neither a timer nor a goroutine.
//
//	reads := gather.New(nil, func(ctx context.Context, calls []*gather.Call[store.Key, store.Record]) {
//		... // ask for all of them in one statement, and set each one's Answer or Err
//	})
//	rec, err := reads.Do(ctx, key)
//
// docs/gathering.md in the repository explains it with a picture.
package gather

import (
	"context"
	"sync"

	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Line]. The zero Options is good for calls that may all share a send.
type Options[Q any] struct {
	// Lanes is how many sends may be under way at once. Zero means 2. Below zero there is no bound,
	// and each call goes alone.
	Lanes int

	// Most is how many calls share a send, at most. Zero means 64.
	Most int

	// Key, if not nil, keeps calls with equal keys out of each other's sends, for statements that
	// change each row once. It may be a hash: two calls that differ lose nothing but company. Sends
	// on different lanes may hold equal keys. It must be fast.
	Key func(Q) uint64
}

// A Call is a question on its way, and what became of it.
type Call[Q, A any] struct {
	Ask    Q     // what Do was given
	Answer A     // to be set by send
	Err    error // to be set by send, in place of Answer

	key      uint64
	done     chan struct{} // closed when Answer and Err are set; nil for a call that goes alone
	panicked any           // what send panicked with

	// Guarded by Line.mu.
	batch *batch[Q, A] // that it is sent with; nil while it waits
	left  bool         // its caller waits no longer
}

// Fail sets an error for all of the calls.
func Fail[Q, A any](calls []*Call[Q, A], err error) {
	for _, c := range calls {
		c.Err = err
	}
}

// A Line is a queue in front of an engine, for one kind of call. Make it with [New]. It is safe for
// concurrent use.
type Line[Q, A any] struct {
	opts Options[Q]
	send func(context.Context, []*Call[Q, A])

	mu      sync.Mutex
	busy    int           // lanes; all of them while anybody waits
	waiting []*Call[Q, A] // by arrival, with some whose callers have left
}

// A batch is what a lane carries.
type batch[Q, A any] struct {
	calls   []*Call[Q, A]
	cancel  context.CancelFunc
	staying int // callers that wait for it; guarded by Line.mu
}

// New makes a Line. send sets the Answer or the Err of each call that it is given. It runs on
// several goroutines at once, must heed its context, and must not hold on to the calls. What it
// panics with reaches the callers.
//
// A call that goes alone is sent with its own context. A batch has one of its own, without values,
// that ends when the last of its callers has left; so at the latest of their deadlines.
func New[Q, A any](opts *Options[Q], send func(ctx context.Context, calls []*Call[Q, A])) *Line[Q, A] {
	l := &Line[Q, A]{send: send}
	if opts != nil {
		l.opts = *opts
	}
	if l.opts.Lanes == 0 {
		l.opts.Lanes = 2
	}
	if l.opts.Most <= 0 {
		l.opts.Most = 64
	}
	return l
}

// Do asks q and returns what send has set. q must not share memory that its caller may change: the
// caller may be gone while the send is under way.
//
// If ctx ends before q is sent, q is never sent, and the error is [store.FromContext]'s. If it ends
// afterwards, Do does not wait for a send that others share: the error is the context's own, and q
// may have been carried out.
func (l *Line[Q, A]) Do(ctx context.Context, q Q) (A, error) {
	var none A
	if err := store.FromContext(ctx); err != nil {
		return none, err
	}
	c := &Call[Q, A]{Ask: q}
	if l.enter(c) {
		defer l.pass()
		l.send(ctx, []*Call[Q, A]{c})
		return c.Answer, c.Err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if err := l.leave(ctx, c); err != nil {
			return none, err
		}
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.Answer, c.Err
}

// enter takes a lane, if one is free, or puts c in the line. It reports whether it took a lane.
func (l *Line[Q, A]) enter(c *Call[Q, A]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opts.Lanes < 0 || l.busy < l.opts.Lanes {
		l.busy++
		return true
	}
	c.done = make(chan struct{})
	if l.opts.Key != nil {
		c.key = l.opts.Key(c.Ask)
	}
	l.waiting = append(l.waiting, c)
	return false
}

// leave takes a caller out whose context has ended. It returns nil if the answer came at the same
// moment.
func (l *Line[Q, A]) leave(ctx context.Context, c *Call[Q, A]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-c.done:
		return nil
	default:
	}
	if c.batch == nil {
		c.left = true
		return store.FromContext(ctx)
	}
	if c.batch.staying--; c.batch.staying == 0 {
		c.batch.cancel()
	}
	return ctx.Err()
}

// pass gives a lane on to those who wait, or frees it.
func (l *Line[Q, A]) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.busy--
		return
	}
	b := l.board()
	if len(b.calls) == 0 { // all have left
		l.busy--
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.staying = cancel, len(b.calls)
	go l.carry(ctx, b)
}

// board takes those who wait out of the line, but only the first of each key. l.mu is held.
func (l *Line[Q, A]) board() *batch[Q, A] {
	b := &batch[Q, A]{}
	rest := l.waiting[:0]
	for _, c := range l.waiting {
		switch {
		case c.left:
		case len(b.calls) == l.opts.Most || l.opts.Key != nil && b.holds(c.key):
			rest = append(rest, c)
		default:
			c.batch = b
			b.calls = append(b.calls, c)
		}
	}
	clear(l.waiting[len(rest):])
	l.waiting = rest
	return b
}

func (b *batch[Q, A]) holds(key uint64) bool {
	for _, c := range b.calls {
		if c.key == key {
			return true
		}
	}
	return false
}

// carry sends a batch, tells its callers, and passes the lane on, whatever send does.
func (l *Line[Q, A]) carry(ctx context.Context, b *batch[Q, A]) {
	returned := false
	defer func() {
		var panicked any
		if !returned {
			if panicked = recover(); panicked == nil {
				panicked = "gather: send ended its goroutine"
			}
		}
		b.cancel()
		for _, c := range b.calls {
			c.panicked = panicked
			close(c.done)
		}
		l.pass()
	}()
	l.send(ctx, b.calls)
	returned = true
}
