package call

import (
	"sync/atomic"
	"time"
)

// breaker lets a store that answers nothing rest: after some failures in a row, calls fail at
// once until a probe goes through.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // unix nanoseconds; calls before it fail at once
}

const (
	breakAfter = 10
	breakFor   = time.Second
)

// closed reports whether a call may go through.
func (b *breaker) closed() bool {
	if b.failures.Load() < breakAfter {
		return true
	}
	now := time.Now().UnixNano()
	until := b.until.Load()
	// One caller moves the time on and is the probe.
	return now >= until && b.until.CompareAndSwap(until, now+int64(breakFor))
}

// done counts the outcome of a call.
func (b *breaker) done(err error) {
	if !Outage(err) {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return
	}
	if b.failures.Add(1) == breakAfter {
		b.until.Store(time.Now().UnixNano() + int64(breakFor))
	}
}
