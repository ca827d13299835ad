package possessions

import (
	"context"
	"errors"
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

// cleaner deletes what has expired, in the background. Expired sessions are gone at once in any case; this frees their room.
type cleaner struct {
	every time.Duration
	clean func(context.Context) error

	mu   sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

// StartCleaner begins to clean every cleanInterval, in a goroutine that [cleaner.StopCleaner] ends. A failure ends nothing: the next round tries
// again. Started twice, or with sessions that never expire, it does nothing.
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
			_ = c.clean(ctx)
		}
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

// Clean deletes what has expired, now. What it cannot delete stays for the next time; nobody sees it meanwhile.
func (c *cleaner) Clean() { _ = c.clean(context.Background()) }

const sweepBatch = 1000

// sweep calls f until it finds less than a batch.
func sweep(ctx context.Context, f func(context.Context, int) (int, error)) error {
	for {
		if n, err := f(ctx, sweepBatch); err != nil || n < sweepBatch {
			return err
		}
	}
}
