package call

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// breaker lets a store that answers nothing rest: after some failures in a row, calls fail at once
// until a probe goes through.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // unix nanoseconds; calls before it fail at once
	last     atomic.Value // the text of the last failure
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

// release gives the place of the probe back, whose outcome is not known.
func (b *breaker) release() {
	b.until.Store(time.Now().UnixNano()) // which matters to an open breaker only
}

// rests is the error of a call that does not go through. It says what the store did, for whoever
// reads the log of an outage sees hardly any other.
func (b *breaker) rests() error {
	return fmt.Errorf("%w: it failed again and again and is left alone for a second; the last: %v", store.ErrUnavailable, b.last.Load())
}

// done counts the outcome of a call.
func (b *breaker) done(err error) {
	if !Outage(err) {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return
	}
	b.last.Store(err.Error())
	if b.failures.Add(1) == breakAfter { // calls that began before and fail later prolong nothing
		b.until.Store(time.Now().UnixNano() + int64(breakFor))
	}
}
