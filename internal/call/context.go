package call

import (
	"context"
	"sync/atomic"
	"time"
)

// Context is a context with a deadline whose timer starts when somebody waits for it. A store in
// the same process never does, so its calls pay nothing.
type Context struct {
	context.Context
	timeout time.Duration
	timed   atomic.Pointer[timed]
}

type timed struct {
	context.Context
	cancel context.CancelFunc
}

func (c *Context) start() *timed {
	if t := c.timed.Load(); t != nil {
		return t
	}
	ctx, cancel := context.WithTimeout(c.Context, c.timeout)
	if !c.timed.CompareAndSwap(nil, &timed{ctx, cancel}) {
		cancel() // another goroutine of the store was faster
	}
	return c.timed.Load()
}

// Deadline is part of [context.Context].
func (c *Context) Deadline() (time.Time, bool) { return c.start().Deadline() }

// Done is part of [context.Context].
func (c *Context) Done() <-chan struct{} { return c.start().Done() }

// Err is part of [context.Context].
func (c *Context) Err() error {
	if t := c.timed.Load(); t != nil {
		return t.Err()
	}
	return c.Context.Err()
}

// Value is part of [context.Context].
func (c *Context) Value(key any) any {
	if t := c.timed.Load(); t != nil {
		return t.Value(key)
	}
	return c.Context.Value(key)
}

// over reports whether the time has passed.
func (c *Context) over() bool {
	t := c.timed.Load()
	return t != nil && t.Err() == context.DeadlineExceeded
}

// left is what is left of the time.
func (c *Context) left() time.Duration {
	if t := c.timed.Load(); t != nil {
		end, _ := t.Deadline()
		return max(0, time.Until(end))
	}
	return c.timeout
}

// Stop frees the timer.
func (c *Context) Stop() {
	if t := c.timed.Load(); t != nil {
		t.cancel()
	}
}
