package cql

import (
	"context"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store/ticks"
)

// milli is the tick of all instants and lives. In what is written, an instant of ticks.Never is to
// be the engine's now; as a span, it is no limit.
const milli = ticks.Milli

// clock estimates the engine's clock: what an answer said, and the monotonic time since. Each
// answer shows it late by the time that it took, so of those that came lately the one that is
// furthest ahead counts: nobody has seen a later now. The machine's own wall clock is never asked.
type clock struct {
	base time.Time

	mu           sync.Mutex
	known        bool
	since        int64 // when offset became the present one
	offset, last int64 // the greatest since then, and in the time before
}

// lately is for how long an answer counts, in ms: once or twice. A node's clock that is set back is
// followed after that.
const lately = 30_000

func (c *clock) mono() int64 { return time.Since(c.base).Milliseconds() }

// heard notes an answer's now.
func (c *clock) heard(now int64) {
	t := c.mono()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.known:
		c.known, c.since, c.offset, c.last = true, t, now-t, now-t
	case t-c.since > lately:
		c.since, c.offset, c.last = t, now-t, c.offset
	default:
		c.offset = max(c.offset, now-t)
	}
}

func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono() + max(c.offset, c.last)
}

func (c *clock) ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// learn asks for the engine's clock where no answer has told it yet: once in a Store's life.
func (e *engine) learn(ctx context.Context) error {
	if e.clock.ready() {
		return nil
	}
	var now int64
	return e.query(ctx, Statement{Text: "SELECT toUnixTimestamp(now()) FROM system.local"}, e.opts.Consistency, 1,
		[]any{&now}, func() bool { e.clock.heard(now); return true })
}

// limit is a life as a span that can be subtracted: none is longer than any.
func limit(life int64) int64 {
	if life <= 0 {
		return ticks.Never
	}
	return life
}

// lives are the four values that say when a record ends.
type lives struct{ created, life, seen, idle int64 }

func (l lives) live(now int64) bool {
	return l.created+limit(l.life) > now && l.seen+limit(l.idle) > now
}

// left is how long the record may live if it is not touched: at most this, if now is not ahead of
// the engine.
func (l lives) left(now int64) int64 { return min(limit(l.idle), limit(l.life)-max(0, now-l.created)) }

// The engine refuses a time to live of more than 20 years, or one that ends after January 2038 (its
// seconds have 32 bits). What lives longer gets none.
const (
	lastExpiry = 2147483646 - 86400 // s
	longestTTL = 20*365*86400 - 1   // s
)

// seconds returns a time to live of at least ms, or 0, which is none.
func (e *engine) seconds(ms, spare, now int64) int64 {
	ttl := (max(ms, 0) + 999 + spare) / 1000
	if ms >= ticks.Never/2 || ttl > longestTTL || now/1000+ttl > lastExpiry {
		return 0
	}
	return max(ttl, 1)
}

// keep says for how long the cells of a row that is written whole are kept, and its horizon from
// now: while a record's end stays before it, a touch need not write the whole row again.
func (e *engine) keep(l lives, now int64) (ttl, horizon int64) {
	rest := limit(l.life) - max(0, now-l.created)
	twice := 2 * limit(l.idle)
	ttl = e.seconds(min(rest, twice), e.spare, now)
	if ttl == 0 || rest <= twice {
		return ttl, ticks.Never // the cells outlive every touch
	}
	return ttl, twice + e.spare/2
}
