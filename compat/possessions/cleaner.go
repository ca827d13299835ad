package possessions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// defaultMaxAge and defaultClean are the documented defaults.
const (
	defaultMaxAge = 2 * day
	defaultClean  = time.Hour
)

// checkAges refuses half a setting.
func checkAges(maxAge, cleanInterval time.Duration) error {
	if maxAge < 0 || cleanInterval < 0 || (maxAge == 0) != (cleanInterval == 0) {
		return errors.New("possessions: maxAge and cleanInterval are both positive, or both zero for sessions that never expire")
	}
	return nil
}

// cleaner deletes what has expired, in the background. Expired sessions are gone at once in any
// case; this frees their room.
type cleaner struct {
	// OnCleanError, if not nil, is told what a cleaning could not do; set it before StartCleaner.
	// Without it a line is written to os.Stderr. The error names no session's values. What was left
	// is tried again the next time.
	OnCleanError func(error)

	every time.Duration
	clean func(context.Context) error
	lines reporter

	mu   sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

// StartCleaner begins to clean every cleanInterval, in a goroutine that [cleaner.StopCleaner] ends.
// A failure ends nothing: it is told to OnCleanError, and the next round tries again. Started
// twice, or with sessions that never expire, it does nothing.
func (c *cleaner) StartCleaner() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil || c.every == 0 {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.done = stop, make(chan struct{})
	go c.loop(ctx, c.done)
}

func (c *cleaner) loop(ctx context.Context, done chan struct{}) {
	defer close(done)
	t := time.NewTicker(c.every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.round(ctx)
		}
	}
}

// round cleans once.
func (c *cleaner) round(ctx context.Context) {
	err := c.clean(ctx)
	switch {
	case err == nil, ctx.Err() != nil: // it was stopped
	case c.OnCleanError != nil:
		c.OnCleanError(fail("clean", err))
	default:
		c.lines.write(nil, fail("clean", err))
	}
}

// StopCleaner ends the cleaner and waits until it has. Without one it does nothing.
func (c *cleaner) StopCleaner() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		return
	}
	c.stop()
	<-c.done
	c.stop = nil
}

// Clean deletes what has expired, now. What it cannot delete stays for the next time, and is told
// to OnCleanError; nobody sees it meanwhile.
func (c *cleaner) Clean() { c.round(context.Background()) }

const sweepBatch = 1000

// sweep calls f until it finds less than a batch. What f cannot delete does not keep it from the
// rest.
func sweep(ctx context.Context, f func(context.Context, int) (int, error)) error {
	var t troubles
	for {
		n, err := f(ctx, sweepBatch)
		t.add(err)
		if n < sweepBatch || ctx.Err() != nil {
			return t.err()
		}
	}
}

// troubles are the errors of a cleaning that goes on.
type troubles struct {
	first error
	n     int
}

func (t *troubles) add(err error) {
	if err == nil {
		return
	}
	if t.n++; t.first == nil {
		t.first = err
	}
}

func (t *troubles) err() error {
	if t.n < 2 {
		return t.first
	}
	return fmt.Errorf("%w (and %d errors more)", t.first, t.n-1)
}
