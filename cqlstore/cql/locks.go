package cql

import (
	"context"
	"sync"

	"github.com/sojourn-go/sojourn/store"
)

// locks make the writers of one process to one partition take turns. Paxos would serialise them as
// well, but at the price of proposals that fail, retries and time-outs. Nothing depends on it:
// other processes have locks of their own.
type locks struct {
	mu sync.Mutex
	m  map[store.Tag]*turn
}

type turn struct {
	held chan struct{} // one element while somebody writes
	n    int           // who holds it or waits
}

// take waits for the partition's turn; release gives it back.
func (l *locks) take(ctx context.Context, tag store.Tag) (release func(), err error) {
	l.mu.Lock()
	t := l.m[tag]
	if t == nil {
		t = &turn{held: make(chan struct{}, 1)}
		l.m[tag] = t
	}
	t.n++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		if t.n--; t.n == 0 {
			delete(l.m, tag)
		}
		l.mu.Unlock()
	}
	select {
	case t.held <- struct{}{}:
		return func() { <-t.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, store.FromContext(ctx)
	}
}
