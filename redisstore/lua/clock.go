package lua

import (
	"sync/atomic"
	"time"
)

// clock follows the server's clock, so that a plain GET, which does not tell the time, can be
// answered with a now. Each script's answer holds the time, taken between the sending and the
// answer; so the difference between the two clocks is known to within one round trip. It is
// believed for maxSample, and then a script is asked again.
//
// It never decides that a record is expired: a key's TTL does, by the server's clock, and where the
// two disagree a script is asked.
type clock struct{ last atomic.Pointer[sample] }

type sample struct {
	at     time.Time     // local, with its monotonic reading
	ahead  time.Duration // of the server's clock, before the local one of epoch
	passed time.Duration // since epoch, at at
}

// maxSample bounds how long a step of the server's clock, or another master with another one, may
// stay unseen.
const maxSample = time.Second

// epoch is where local time is counted from, monotonically.
var epoch = time.Now()

// learn takes the server's time, in whole milliseconds, from an answer to what was sent at sent.
func (c *clock) learn(sent time.Time, server int64) {
	now := time.Now()
	passed := now.Sub(epoch)
	at := time.Duration(server-epoch.UnixMilli()) * time.Millisecond
	least, most := at-passed, at+time.Millisecond-sent.Sub(epoch)
	ahead := least
	if old := c.last.Load(); old != nil {
		if old.passed > passed {
			return
		}
		// What fits stays, so that the time neither jumps nor runs back with each answer.
		ahead = min(max(old.ahead, least), most)
	}
	c.last.Store(&sample{now, ahead, passed})
}

// now returns the server's time in milliseconds, if it is known.
func (c *clock) now() (int64, bool) {
	s := c.last.Load()
	if s == nil {
		return 0, false
	}
	now := time.Now()
	since := now.Sub(s.at)
	// After the machine slept the monotonic clock has missed some time that the other has not.
	drift := now.Round(0).Sub(s.at.Round(0)) - since
	if since > maxSample || drift.Abs() > maxSample/2 {
		return 0, false
	}
	return epoch.UnixMilli() + int64((s.passed+since+s.ahead)/time.Millisecond), true
}
