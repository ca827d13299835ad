package mysqlstore

import (
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// micro is the tick of all instants and lives.
const micro = ticks.Micro

// A Create must tell the server's clock and the user's last revocation, and the answer of an INSERT
// has room for one number of 64 bits. So its outcome has 4 bits. Above them, 30 bits say how many
// µs ago the revocation was: almost 17 minutes, which is longer than it must be remembered, or up
// to 1.1 minutes ahead, for a statement's clock stands while it waits for the guard. Above these,
// 29 bits say how far the clock is from an instant that the store has given: 4.4 minutes ahead or
// behind.
const (
	revokedMost  = 1<<30 - 1 // none, or too long ago
	revokedAhead = 1 << 26   // what stands for now
	clockMost    = 1<<29 - 1
	clockHalf    = 1 << 28
)

// clock knows how far the server's clock is ahead of the machine's, if not by less than what an
// answer can tell.
type clock struct{ ahead atomic.Int64 }

// base is the instant that the server's clock is told from.
func (c *clock) base() int64 { return time.Now().UnixMicro() + c.ahead.Load() }

// heard notes the server's clock.
func (c *clock) heard(now int64) { c.ahead.Store(now - time.Now().UnixMicro()) }

// toldClock takes an answer apart. It reports whether the clock was within what it can tell.
func toldClock(told, base int64) (outcome int64, at store.Admitted, ok bool) {
	diff, ago := told>>34&clockMost, told>>4&revokedMost
	now := base + diff - clockHalf
	at.Now = micro.Time(now)
	if ago < revokedMost {
		at.Revoked = micro.Time(now - (ago - revokedAhead))
	}
	return told & 15, at, diff > 0 && diff < clockMost
}
