package embedded

import (
	"sync/atomic"
	"time"
)

// Clock is a clock for a [Driver], in nanoseconds since 1970. It starts from the machine's clock
// and goes on by the monotonic one, so that setting the machine's clock ends no session and
// prolongs none. It is never behind an instant that it was shown: show it what the engine has
// stored, and it does not go back over a restart either. Its methods are safe for concurrent use.
type Clock struct {
	start time.Time
	ahead atomic.Int64 // of the machine's clock at start, in nanoseconds
}

// NewClock makes a clock that starts now.
func NewClock() *Clock { return &Clock{start: time.Now()} }

// Now returns the present instant. Read it under the lock wherever it decides on a write: an
// instant from before the wait could find a record live that was seen expired since.
func (c *Clock) Now() int64 { return c.Of(c.start.Add(time.Since(c.start))) } // cheaper than time.Now

// Of turns an instant of this process, as time.Now returns it, into one of this clock.
func (c *Clock) Of(t time.Time) int64 {
	return c.start.UnixNano() + int64(t.Sub(c.start)) + c.ahead.Load()
}

// Observe moves the clock on to an instant that the engine has stored, if it is behind.
func (c *Clock) Observe(at int64) {
	for {
		ahead := c.ahead.Load()
		behind := at - (c.start.UnixNano() + int64(time.Since(c.start)) + ahead)
		if behind <= 0 || c.ahead.CompareAndSwap(ahead, ahead+behind) {
			return
		}
	}
}
