package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// call is one run of a script.
type call struct {
	script *script
	keys   []string
	args   []string
	write  bool
	end    bool // ends something, so that replicas may be waited for
	// again is told before each further sending how long the call has taken so far.
	again func(spent time.Duration)
}

// tries bounds how often a refused call is sent. With the pauses between, up to 1, 2, 4 … ms, it goes on for a quarter of a second at most.
const tries = 8

// run sends the call until it is answered by other than a passing refusal, and gives the code, the rest of the
// answer and the server's time in milliseconds.
func (s *Store) run(ctx context.Context, c *call) (code byte, rest []byte, now int64, err error) {
	start := time.Now()
	b, sent, err := s.send(ctx, c, start)
	for i := 1; i < tries && passing[codeOf(err)] && pause(ctx, i); i++ {
		if c.again != nil {
			c.again(time.Since(start))
		}
		b, sent, err = s.send(ctx, c, start)
	}
	if err != nil {
		return 0, nil, 0, judge(err, c.write)
	}
	if len(b) < 9 {
		return 0, nil, 0, judge(errAnswer, c.write)
	}
	now = int64(binary.BigEndian.Uint64(b[1:]))
	s.clock.learn(sent, now)
	return b[0], b[9:], now, nil
}

// send tries the script's name, and its text where the server does not know it.
func (s *Store) send(ctx context.Context, c *call, start time.Time) (b []byte, sent time.Time, err error) {
	sent = time.Now()
	if b, err = s.deliver(ctx, c, c.script.command(c.keys, c.args)); codeOf(err) == "NOSCRIPT" {
		if c.again != nil {
			c.again(time.Since(start))
		}
		sent = time.Now()
		b, err = s.deliver(ctx, c, c.script.byText(c.keys, c.args))
	}
	return b, sent, err
}

func (s *Store) deliver(ctx context.Context, c *call, cmd Command) ([]byte, error) {
	if !c.end || s.opts.WaitReplicas == 0 {
		return s.driver.Do(ctx, cmd)
	}
	b, n, err := s.driver.DoWait(ctx, cmd, s.opts.WaitReplicas, s.opts.WaitTimeout)
	if err == nil && n < s.opts.WaitReplicas && len(b) > 0 && b[0] == 'K' {
		return nil, &fault{class: store.ErrIndeterminate,
			hint: fmt.Sprintf("applied, but only %d of %d replicas acknowledged it in %v: a fail-over may undo it", n, s.opts.WaitReplicas, s.opts.WaitTimeout)}
	}
	return b, err
}

// pause waits before try i+1: exponentially longer, with full jitter. It returns false when ctx ended.
func pause(ctx context.Context, i int) bool {
	t := time.NewTimer(rand.N(time.Millisecond << i))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flag spells a condition for a script.
func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}
