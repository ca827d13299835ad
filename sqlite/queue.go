package sqlite

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// batchSize is how many writes share a transaction at most: enough to share the cost of making it
// durable, and few enough not to keep another process waiting.
const batchSize = 64

// queue lets the writers of this process take turns, and those that come meanwhile share the next
// transaction: one of them leads and does the work of all. No goroutine is needed for that, and the
// engine's lock is asked for by one at a time.
type queue struct {
	// transact runs jobs in one transaction and sets their errors. It gives busy, and has done
	// nothing, if somebody else holds the engine's lock.
	transact func([]*job) (busy error)
	wait     time.Duration

	mu      sync.Mutex
	waiting []*job
	led     bool
}

// job is one write.
type job struct {
	ctx    context.Context
	began  time.Time
	do     func(*tx) error
	err    error
	turn   chan bool // true: lead; false: done
	called bool      // to lead; guarded by queue.mu
}

// run does a write in a transaction, alone or with others. do may run again where the transaction
// of all was rolled back.
func (q *queue) run(ctx context.Context, do func(*tx) error) error {
	j := &job{ctx: ctx, began: time.Now(), do: do}
	q.mu.Lock()
	q.waiting = append(q.waiting, j)
	lead := !q.led
	q.led, j.called = true, lead
	if !lead {
		j.turn = make(chan bool, 1)
	}
	q.mu.Unlock()
	if !lead {
		select {
		case lead = <-j.turn:
		case <-ctx.Done():
			if q.leave(j) {
				return store.FromContext(ctx)
			}
			lead = <-j.turn
		}
	}
	if lead {
		q.lead(j)
	}
	return j.err
}

// leave takes a job back that nobody works on.
func (q *queue) leave(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j.called {
		return false
	}
	return q.cut(j)
}

func (q *queue) cut(j *job) bool {
	for i := range q.waiting {
		if q.waiting[i] == j {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// lead works until j, the first that waits, is done, and calls the next.
func (q *queue) lead(j *job) {
	for {
		q.mu.Lock()
		n := min(len(q.waiting), batchSize)
		batch := append([]*job(nil), q.waiting[:n]...)
		q.waiting = q.waiting[n:]
		q.mu.Unlock()
		busy := q.transact(batch)
		q.mu.Lock()
		if busy == nil {
			q.pass()
			q.mu.Unlock()
			for _, other := range batch {
				if other != j {
					other.turn <- false
				}
			}
			return
		}
		q.putBack(batch, j)
		if time.Since(j.began) > q.wait {
			j.err = busy
		} else if err := store.FromContext(j.ctx); err != nil {
			j.err = err
		}
		if j.err != nil {
			q.cut(j)
			q.pass()
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		var jitter [1]byte // or two processes might miss each other's gaps for ever
		rand.Read(jitter[:])
		pause(j.ctx, time.Duration(50+4*int(jitter[0]))*time.Microsecond)
	}
}

// putBack lets jobs wait on, but for those whose callers wait no longer: they could not take back
// what was being worked on. q.mu is held.
func (q *queue) putBack(batch []*job, leader *job) {
	on := batch[:0]
	for _, j := range batch {
		if err := store.FromContext(j.ctx); err != nil && j != leader {
			j.err = err
			j.turn <- false
		} else {
			on = append(on, j)
		}
	}
	q.waiting = append(on, q.waiting...)
}

// pass calls the next leader; q.mu is held.
func (q *queue) pass() {
	q.led = len(q.waiting) > 0
	if q.led {
		next := q.waiting[0]
		next.called = true
		next.turn <- true
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
