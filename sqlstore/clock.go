package sqlstore

import (
	"sync/atomic"
	"time"
)

// never is the end of a record without limits, in µs: the year 2255, and exact in a
// double as well, for the tools that have no other numbers.
const never = 1<<53 - 1

// unset stands for an instant that the caller left to the store.
const unset = -1 << 63

// clock tells the time of an engine that has none of its own, in µs since 1970. It
// starts from the wall clock and goes on by the monotonic one: setting the
// machine's clock ends no session and prolongs none. It never stays behind an instant that it
// was shown, so it does not fall back over a restart either.
type clock struct {
	base  time.Time
	ahead atomic.Int64 // of the wall clock at base, in µs
}

func newClock() *clock { return &clock{base: time.Now()} }

func (c *clock) now() int64 {
	return c.base.UnixMicro() + int64(time.Since(c.base)/time.Microsecond) + c.ahead.Load()
}

// seen shows the clock an instant that somebody has stored.
func (c *clock) seen(t int64) {
	for {
		ahead := c.ahead.Load()
		behind := t - c.now()
		if behind <= 0 || c.ahead.CompareAndSwap(ahead, ahead+behind) {
			return
		}
	}
}

// instant gives a caller's time in µs. What lies before the year 1685 is taken for it, so
// that sums with a life fit everywhere.
func instant(t time.Time) int64 {
	const first = -9e15
	switch {
	case t.IsZero():
		return unset
	case t.Unix() < -9e9:
		return first
	case t.Unix() > never/1000000:
		return never
	}
	return t.UnixMicro()
}

// clamp resolves an instant that a caller gave: now at the latest, and now for unset.
func clamp(t, now int64) int64 {
	if t == unset {
		return now
	}
	return min(t, now)
}

// span gives a duration in µs, rounded up: a life of a nanosecond must not become
// one without limit.
func span(d time.Duration) int64 { return int64((d + time.Microsecond - 1) / time.Microsecond) }
