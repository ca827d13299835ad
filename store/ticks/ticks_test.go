package ticks_test

import (
	"math"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, 999: 1, 1000: 1, 1001: 2, -1: 0, -1000: -1, store.MaxLife: int64(store.MaxLife) / 1000, math.MaxInt64: math.MaxInt64/1000 + 1,
	} {
		if got := ticks.Micro.Span(d); got != want {
			t.Errorf("%d ns are %d µs, want %d", d, got, want)
		}
	}
	if got := ticks.Milli.Duration(ticks.Milli.Span(time.Nanosecond)); got != time.Millisecond {
		t.Errorf("a nanosecond is kept as %v", got)
	}
}

func TestInstant(t *testing.T) {
	for _, u := range []ticks.Unit{ticks.Micro, ticks.Milli} {
		perSecond := int64(time.Second) / int64(u)
		last := int64(ticks.Never / perSecond)
		for _, c := range []struct {
			at   time.Time
			want int64
		}{
			{time.Time{}, ticks.Never},
			{time.Unix(1<<60, 0), ticks.Never},
			{time.Unix(-1<<60, 0), -ticks.Never},
			{time.Unix(0, 0), 0},
			{time.Unix(1, 999_999_999), 2*int64(time.Second)/int64(u) - 1},
			{time.Unix(last, 0), ticks.Never},
			{time.Unix(last-1, 0), (last - 1) * perSecond},
			{time.Unix(-last, 0), -ticks.Never},
			{time.Unix(1-last, 0), (1 - last) * perSecond},
			{time.Unix(-1, 1), -int64(time.Second) / int64(u)}, // rounded down, before 1970 too
		} {
			got := u.Instant(c.at)
			if got != c.want {
				t.Errorf("%v in units of %v is %d, want %d", c.at, time.Duration(u), got, c.want)
			}
			if back := u.Instant(u.Time(got)); back != got {
				t.Errorf("%d comes back as %d", got, back)
			}
		}
		if life := u.Span(store.MaxLife); ticks.Never+life < life {
			t.Error("the longest life does not fit behind the last instant")
		}
	}
}

func FuzzInstant(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(-62135596800), int64(1))
	f.Fuzz(func(t *testing.T, seconds, nanos int64) {
		at := time.Unix(seconds, nanos%1e9)
		for _, u := range []ticks.Unit{ticks.Micro, ticks.Milli} {
			n := u.Instant(at)
			if n > ticks.Never || n < -ticks.Never {
				t.Fatalf("%d is out of bounds", n)
			}
			if d := at.Sub(u.Time(n)); n > -ticks.Never && n < ticks.Never && (d < 0 || d >= time.Duration(u)) {
				t.Fatalf("%v became %v", at, u.Time(n))
			}
		}
	})
}
