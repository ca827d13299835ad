package cql

import (
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

func TestKeep(t *testing.T) {
	const (
		now  = int64(1_800_000_000_000)
		min  = 60_000
		day  = 86_400_000
		year = 365 * day
	)
	s := &engine{spare: 60_000}
	for _, c := range []struct {
		what         string
		l            lives
		ttl, horizon int64
	}{
		{"no limit", lives{now, 0, now, 0}, 0, ticks.Never},
		{"idle only", lives{now, 0, now, 30 * min}, 3600 + 60, 60*min + 30_000},
		{"lifetime only", lives{now, 12 * 60 * min, now, 0}, 12*3600 + 60, ticks.Never},
		{"lifetime ends before two idle times", lives{now, 50 * min, now, 30 * min}, 50*60 + 60, ticks.Never},
		{"idle times end before the lifetime", lives{now, 400 * day, now, 30 * min}, 3600 + 60, 60*min + 30_000},
		{"half of the lifetime is over", lives{now - 6*60*min, 12 * 60 * min, now, 0}, 6*3600 + 60, ticks.Never},
		{"the lifetime is over", lives{now - 2*day, day, now, 0}, 60, ticks.Never},
		{"90 days", lives{now, 90 * day, now, 0}, 90*86400 + 60, ticks.Never},
		{"400 days", lives{now, 400 * day, now, 0}, 400*86400 + 60, ticks.Never},
		{"past 2038", lives{now, 12 * year, now, 0}, 0, ticks.Never},
		{"longest", lives{now, int64(store.MaxLife / time.Millisecond), now, int64(store.MaxLife / time.Millisecond)}, 0, ticks.Never},
		{"a millisecond", lives{now, 0, now, 1}, 61, 2 + 30_000},
	} {
		if ttl, horizon := s.keep(c.l, now); ttl != c.ttl || horizon != c.horizon {
			t.Errorf("%s: kept for %d s, horizon %d; want %d and %d", c.what, ttl, horizon, c.ttl, c.horizon)
		}
	}
	// No touch may leave a cell that outlives the others, or ends before the record does.
	for _, l := range []lives{{now, 0, now, 1}, {now, 0, now, 30 * min}, {now, 400 * day, now, 30 * min}, {now - 399*day, 400 * day, now, day}, {now, 50 * min, now, 30 * min}} {
		ttl, horizon := s.keep(l, now)
		for at := now; at+l.idle <= now+horizon; at += 10_000 {
			touched := l
			touched.seen = at
			if touched.left(at) <= 0 {
				break
			}
			cell := at + 1000*s.seconds(touched.left(at), s.spare/12, at)
			if cell > now+1000*ttl || cell < at+touched.left(at) {
				t.Fatalf("lives %v: a touch %d ms later has a cell until %d, the others %d, the record %d", l, at-now, cell-now, 1000*ttl, at+touched.left(at)-now)
			}
		}
	}
}

func TestClock(t *testing.T) {
	c := clock{base: time.Now().Add(-time.Hour)}
	c.heard(1_000_000)
	if d := c.now() - 1_000_000; d < 0 || d > 1000 {
		t.Errorf("the estimate is %d ms after the answer", d)
	}
	c.heard(900_000) // a slow answer
	if c.now() < 1_000_000 {
		t.Error("a slower answer set the estimate back")
	}
	c.base = c.base.Add(-time.Minute) // time passes
	c.heard(500_000)
	c.base = c.base.Add(-time.Minute)
	c.heard(600_000)
	if d := c.now() - 600_000; d < 0 || d > 61_000 {
		t.Errorf("a clock that was set back is followed no nearer than %d ms", d)
	}
}
