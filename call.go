package sojourn

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"
)

// instant is a reading of the process's monotonic clock: half the cost of time.Now, of
// which every request would need several, and a third of the size.
type instant time.Duration

var processStart = time.Now()

func sinceStart() instant { return instant(time.Since(processStart)) }

func (i instant) ago() time.Duration { return time.Duration(sinceStart() - i) }

// callContext is a context with a deadline whose timer starts when somebody
// waits for it. A store in the same process never does, so its calls pay nothing.
type callContext struct {
	context.Context
	timeout time.Duration
	inner   atomic.Pointer[innerContext]
}

type innerContext struct {
	context.Context
	cancel context.CancelFunc
}

func (c *callContext) start() *innerContext {
	if in := c.inner.Load(); in != nil {
		return in
	}
	ctx, cancel := context.WithTimeout(c.Context, c.timeout)
	if !c.inner.CompareAndSwap(nil, &innerContext{ctx, cancel}) {
		cancel() // another goroutine of the store was faster
	}
	return c.inner.Load()
}

func (c *callContext) Deadline() (time.Time, bool) { return c.start().Deadline() }
func (c *callContext) Done() <-chan struct{}       { return c.start().Done() }

func (c *callContext) Err() error {
	if in := c.inner.Load(); in != nil {
		return in.Err()
	}
	return c.Context.Err()
}

func (c *callContext) Value(key any) any {
	if in := c.inner.Load(); in != nil {
		return in.Value(key)
	}
	return c.Context.Value(key)
}

func (c *callContext) stop() {
	if in := c.inner.Load(); in != nil {
		in.cancel()
	}
}

// breaker lets a store that answers nothing rest: after some failures in a row,
// calls fail at once until a probe goes through.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // unix nanoseconds; calls before it fail at once
}

const (
	breakAfter = 10
	breakFor   = time.Second
)

func (b *breaker) closed() bool {
	if b.failures.Load() < breakAfter {
		return true
	}
	now := time.Now().UnixNano()
	until := b.until.Load()
	// One caller moves the time on and is the probe.
	return now >= until && b.until.CompareAndSwap(until, now+int64(breakFor))
}

func (b *breaker) done(err error) {
	if !outage(err) {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return
	}
	if b.failures.Add(1) == breakAfter {
		b.until.Store(time.Now().UnixNano() + int64(breakFor))
	}
}

// IsOutage tells whether err says that the store could not be reached, so that nothing is known of the
// session: reply 503 and leave the client's cookie alone.
func IsOutage(err error) bool { return outage(err) }

func outage(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrIndeterminate)
}

var errBreaker = errors.Join(ErrUnavailable, errors.New("sojourn: the store failed repeatedly and is left alone for a second"))

// attempts is the retry budget of one act. Every act may be sent twice: reads, ends and
// touches by their nature, the others by their Writer.
const attempts = 3

// call runs one act on the store within the manager's timeout and retries outages.
func (m *Manager) call(ctx context.Context, act func(context.Context) error) error {
	if !m.breaker.closed() {
		return errBreaker
	}
	c := &callContext{Context: ctx, timeout: m.opts.Timeout}
	defer c.stop()
	return m.retry(c, known(act(c)), act)
}

// retry goes on with an act whose first try gave err.
func (m *Manager) retry(c *callContext, err error, act func(context.Context) error) error {
	lost := false
	for i := 0; outage(err) && i+1 < attempts && c.Err() == nil && sleep(c, i); i++ {
		lost = lost || errors.Is(err, ErrIndeterminate)
		err = known(act(c))
	}
	if c.Context.Err() == nil || !outage(err) {
		m.breaker.done(err) // a client that hung up says nothing about the store
	}
	if lost && (errors.Is(err, ErrConflict) || errors.Is(err, ErrUnavailable)) {
		// The try whose answer was lost may have been applied, and another write have come on top.
		return fmt.Errorf("%w: answer lost, then: %v", ErrIndeterminate, err)
	}
	return err
}

// known gives errors without one of our sentinels one: what a store cannot name is an outage.
func known(err error) error {
	if err == nil {
		return nil
	}
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return err
		}
	}
	return errors.Join(ErrIndeterminate, err)
}

// detached is a context for acts that a client's hanging up must not abort.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// sleep waits before try i+1: exponentially longer, with full jitter. It returns false when ctx ended.
func sleep(ctx context.Context, i int) bool {
	limit := uint64(time.Millisecond) << min(i, 6)
	t := time.NewTimer(time.Duration(randomBelow(limit)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// randomBelow spreads retries; the bias of the multiplication does not matter here.
func randomBelow(n uint64) uint64 {
	hi, _ := bits.Mul64(random64(), n)
	return hi
}
