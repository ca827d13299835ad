// Package call runs acts on a store: within a time, again after an outage, and not at all for a
// while when the store answers nothing.
package call

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// sentinels are the errors that a store may answer with.
var sentinels = []error{
	store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate,
	store.ErrLimit, store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt, errors.ErrUnsupported,
}

// Caller runs the acts of one manager on its store. It is safe for concurrent use once its fields
// are set.
type Caller struct {
	// Timeout bounds each act, retries included.
	Timeout time.Duration
	// Known is one more error that acts answer with besides the store's sentinels.
	Known error

	breaker breaker
}

// attempts is how often one act is tried. Every act may be sent twice: reads, ends and touches by
// their nature, the others by their Writer.
const attempts = 3

// Whole returns a context for several acts that share one Timeout: Do, given it, adds no time of
// its own. Stop frees it.
func (c *Caller) Whole(ctx context.Context) *Context {
	return &Context{Context: ctx, timeout: c.Timeout}
}

// Half is Whole with half the time, or half of what is left of a ctx that is bounded already: so
// the other half is left for what has to follow.
func (c *Caller) Half(ctx context.Context) *Context {
	t := c.Whole(ctx)
	if outer, ok := ctx.(*Context); ok {
		t.timeout = outer.left()
	}
	t.timeout /= 2
	return t
}

// Rest is a context with what is left of the time of ctx, if that is bounded, and of a Whole
// otherwise. It outlives the end of ctx.
func (c *Caller) Rest(ctx context.Context) *Context {
	t := c.Whole(context.WithoutCancel(ctx))
	if outer, ok := ctx.(*Context); ok {
		t.timeout = outer.left()
	}
	return t
}

// Do runs act, and again while it meets outages.
//
// An error that matches store.ErrIndeterminate says that the act may have been applied. It also
// matches store.ErrNotFound where a later try found that the record is gone.
func (c *Caller) Do(ctx context.Context, act func(context.Context) error) error {
	t, bounded := ctx.(*Context)
	if bounded && t.over() {
		return errNoTime
	}
	if !c.breaker.closed() {
		return c.breaker.rests()
	}
	if !bounded {
		t = c.Whole(ctx)
		defer t.Stop()
	}
	return c.again(t, c.classify(act(t)), act)
}

// Bound is Whole in place: t is new, and is used for nothing else afterwards.
func (c *Caller) Bound(t *Context, ctx context.Context) { t.Context, t.timeout = ctx, c.Timeout }

// Begin starts an act that its caller runs by itself, to save the closure that Do needs. It reports
// whether the act may run; its error goes to [Caller.End].
func (c *Caller) Begin(t *Context) bool { return !t.over() && c.breaker.closed() }

// End finishes an act whose first try answered err: act is tried again while it meets outages.
func (c *Caller) End(t *Context, err error, act func(context.Context) error) error {
	return c.again(t, c.classify(err), act)
}

// errNoTime is the error of a step whose act has no time left. It says nothing about the store.
var errNoTime = fmt.Errorf("%w: the steps before have taken all the time", store.ErrUnavailable)

// again goes on with an act whose first try answered err.
func (c *Caller) again(t *Context, err error, act func(context.Context) error) error {
	lost := false
	for i := 0; Outage(err) && i+1 < attempts && Wait(t, i); i++ {
		lost = lost || errors.Is(err, store.ErrIndeterminate)
		err = c.classify(act(t))
	}
	if t.Context.Err() == nil || !Outage(err) {
		c.breaker.done(err)
	} else {
		c.breaker.release() // a client that hung up says nothing about the store
	}
	if !lost {
		return err
	}
	// The try whose answer was lost may have been applied, and another request have come after it.
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: an answer was lost, then: %w", store.ErrIndeterminate, err)
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%w: an answer was lost, then: %v", store.ErrIndeterminate, err)
	}
	return err
}

// classify makes an error without a sentinel an outage: what a store cannot name may have been
// applied.
func (c *Caller) classify(err error) error {
	if err == nil || errors.Is(err, c.Known) {
		return err
	}
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", store.ErrIndeterminate, err)
}

// Outage reports whether err says that the store could not be reached.
func Outage(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrIndeterminate)
}

// Jitter returns a random duration below d, which is positive, so that many callers do not keep
// step.
func Jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	hi, _ := bits.Mul64(binary.LittleEndian.Uint64(b[:]), uint64(d)) // its bias does not matter here
	return time.Duration(hi)
}

// Wait sleeps before try i+1: exponentially longer, with full jitter, at most 64 ms. It reports
// whether ctx is still alive.
func Wait(ctx context.Context, i int) bool {
	select {
	case <-time.After(Jitter(time.Millisecond << min(i, 6))):
		return true
	case <-ctx.Done():
		return false
	}
}
