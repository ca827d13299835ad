package diskstore

import (
	"crypto/rand"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store/embedded"
)

// clock is the store's time, see [embedded.Clock]. Over restarts, and between processes, it does
// not run back, because it is never behind
//
//   - the mark, a file into which each process writes its present time about once a second
//     while it works, and when it closes;
//   - any Created, Seen or time of a revocation that it reads in a sound file.
//
// So after a crash it may repeat the last second, if the machine's clock was put back meanwhile;
// and what was written in that second moves it on as soon as it is read. Modification times do not
// move it: anyone may set them.
//
// Processes that run at once agree, as long as the machine's clock was not set between their
// starts. If it was, the one behind moves on within a second of the other's work, and at once where
// it reads what the other has written. Until then it may call a session live that the other calls
// expired, and a sign-in that began in that second may pass a revocation by the one behind.
type clock struct {
	*embedded.Clock
	disk disk
	mark atomic.Int64 // instant of the last mark
}

const (
	clockName = "clock"
	markEvery = int64(time.Second)
)

func (c *clock) open(d disk) {
	c.Clock, c.disk = embedded.NewClock(), d
	c.look()
}

// look reads the mark. One that cannot be read is as if there were none: the next write replaces
// it, and sessions carry their own instants.
func (c *clock) look() {
	b, _, err := c.disk.top().read(clockName, stampSize+1)
	if err != nil {
		return
	}
	if at, err := readStamp(clockMagic, b); err == nil {
		c.Observe(at)
	}
}

// tick is called now and then, and makes the mark when it is due.
func (c *clock) tick() {
	last := c.mark.Load()
	if now := c.Now(); (now-last >= markEvery || last == 0) && c.mark.CompareAndSwap(last, now) {
		c.look()
		// A mark that cannot be written costs no more than a second of memory.
		_ = c.disk.top().patch(clockName, stamp(clockMagic, c.Now()))
	}
}

// keep makes the mark durable.
func (c *clock) keep() error {
	c.look()
	temp := "." + clockName + rand.Text() // two processes may close at once
	if err := c.disk.top().write(temp, stamp(clockMagic, c.Now()), 0, true); err != nil {
		return err
	}
	if err := c.disk.top().rename(temp, clockName); err != nil {
		return err
	}
	return c.disk.top().sync()
}
