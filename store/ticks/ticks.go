// Package ticks counts time as engines keep it: instants and lives as whole numbers.
//
// It is for authors of stores. Integers mean the same in every zone, protocol and setting of a
// server, and they keep what store.Record promises: an instant is given back as it was kept, and a
// life is never rounded to none.
package ticks

import "time"

// A Unit is the length of an engine's tick. Instants are counted from 1970, UTC.
type Unit time.Duration

// The units of the stores of this project.
const (
	Milli = Unit(time.Millisecond)
	Micro = Unit(time.Microsecond)
)

// Never lies beyond every instant and every life: 2^53-1, which doubles hold exactly as well. In
// microseconds it is the year 2255. Its sum with a life, or with itself, fits 64 bits.
const Never = 1<<53 - 1

// Instant returns t in ticks, rounded down and kept within -Never and Never. The zero time, with
// which a record asks for the engine's present time, is Never: an engine takes the earlier of the
// two.
func (u Unit) Instant(t time.Time) int64 {
	perSecond := int64(time.Second) / int64(u)
	switch s := t.Unix(); {
	case t.IsZero() || s >= Never/perSecond:
		return Never
	case s <= -Never/perSecond:
		return -Never
	default:
		return s*perSecond + int64(t.Nanosecond())/int64(u)
	}
}

// Time returns the instant n as a time in UTC.
func (u Unit) Time(n int64) time.Time {
	perSecond := int64(time.Second) / int64(u)
	return time.Unix(n/perSecond, n%perSecond*int64(u)).UTC()
}

// Span returns d in ticks, rounded up, so that no life becomes 0, which is one without limit.
func (u Unit) Span(d time.Duration) int64 {
	n := int64(d) / int64(u)
	if int64(d)%int64(u) > 0 {
		n++
	}
	return n
}

// Duration returns the span n.
func (u Unit) Duration(n int64) time.Duration { return time.Duration(n) * time.Duration(u) }
