package embedded

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestClock (R19): instants that are shown move it on, and nothing moves it back.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := NewClock()
		want := func(when string, at time.Time) {
			t.Helper()
			if got := c.Now(); got != at.UnixNano() || c.Of(time.Now()) != got {
				t.Errorf("%s: %v, %v, want %v", when, got, c.Of(time.Now()), at.UnixNano())
			}
		}
		want("at first", began)
		time.Sleep(time.Minute)
		want("later", began.Add(time.Minute))
		c.Observe(began.UnixNano())
		want("shown the past", began.Add(time.Minute))
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { c.Observe(began.Add(time.Duration(i+1) * time.Hour).UnixNano()) })
		}
		wg.Wait()
		want("shown the future", began.Add(10*time.Hour))
		time.Sleep(time.Second)
		want("after that", began.Add(10*time.Hour+time.Second))
		if got := c.Of(began); got != began.Add(10*time.Hour-time.Minute).UnixNano() {
			t.Errorf("an instant from before is %v", got)
		}
	})
}
