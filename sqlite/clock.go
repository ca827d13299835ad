package sqlite

import (
	"sync/atomic"
	"time"
)

// clock tells the time, in µs since 1970. It starts from the wall clock and goes on by the
// monotonic one: setting the machine's clock ends no session and prolongs none. It never stays
// behind an instant that it was shown, so it does not fall back over a restart either.
type clock struct {
	base  time.Time
	ahead atomic.Int64 // of the wall clock at base, in µs
}

func newClock() *clock { return &clock{base: time.Now()} }

func (c *clock) now() int64 { return c.of(time.Now()) }

// of turns an instant of this process into one of the clock.
func (c *clock) of(t time.Time) int64 {
	return c.base.UnixMicro() + int64(t.Sub(c.base)/time.Microsecond) + c.ahead.Load()
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
