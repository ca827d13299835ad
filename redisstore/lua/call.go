package lua

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// call is one run of a script.
type call struct {
	script *script
	keys   []string
	args   []string
	end    bool // ends something, so that replicas may be waited for
}

// answer is what a script says: a code, the server's time in milliseconds, and more.
type answer struct {
	code byte
	now  int64
	rest []byte
}

// tries bounds how often a refused call is sent. With the pauses between, up to 1, 2, 4 … ms, it
// goes on for a quarter of a second at most.
const tries = 8

// run sends the call until it is answered by other than a passing refusal.
func (e *engine) run(ctx context.Context, c *call) (a answer, err error) {
	b, sent, err := e.send(ctx, c)
	for i := 1; i < tries && passing[codeOf(err)] && pause(ctx, i); i++ {
		b, sent, err = e.send(ctx, c)
	}
	if err != nil {
		return a, judge(err)
	}
	if len(b) < 9 {
		return a, errAnswer
	}
	a = answer{b[0], int64(binary.BigEndian.Uint64(b[1:])), b[9:]}
	e.clock.learn(sent, a.now)
	return a, nil
}

// send tries the script's name, and its text where the server does not know it.
func (e *engine) send(ctx context.Context, c *call) (b []byte, sent time.Time, err error) {
	sent = time.Now()
	b, err = e.deliver(ctx, c, c.script.byName(c.keys, c.args))
	if codeOf(err) == "NOSCRIPT" {
		sent = time.Now()
		b, err = e.deliver(ctx, c, c.script.byText(c.keys, c.args))
	}
	return b, sent, err
}

func (e *engine) deliver(ctx context.Context, c *call, cmd Command) ([]byte, error) {
	if !c.end || e.opts.WaitReplicas == 0 {
		return e.client.Do(ctx, cmd)
	}
	b, n, err := e.client.DoWait(ctx, cmd, e.opts.WaitReplicas, e.opts.WaitTimeout)
	if err == nil && n < e.opts.WaitReplicas && len(b) > 0 && b[0] == 'K' {
		return nil, driver.Fault(store.ErrIndeterminate, fmt.Sprintf(
			"applied, but only %d of %d replicas acknowledged it in %v: a fail-over may undo it", n, e.opts.WaitReplicas, e.opts.WaitTimeout), nil)
	}
	return b, err
}

// pause waits before try i+1: exponentially longer, with full jitter. It returns false when ctx
// ended.
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
