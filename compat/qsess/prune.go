package qsess

import (
	"context"
	"fmt"
	"io"
	"time"
	"weak"

	"github.com/sojourn-go/sojourn/store"
)

// pruneSecs is how often expired sessions are deleted.
const pruneSecs = 2 * 60

// NewPrunedStore is [NewStoreOver] with a goroutine that deletes expired sessions every two
// minutes, for stores whose engine does not. It ends with Store.PruneKill, or, at its next round,
// when nothing refers to the Store any more. Its failures are written to errLog, if that is not
// nil, as lines without any session's data; the next round tries again. Errors: [ErrConfig]; then
// nothing was started.
func NewPrunedStore(keep store.Store, errLog io.Writer, cipherkeys ...[]byte) (*Store, error) {
	st, err := NewStoreOver(keep, cipherkeys...)
	if err != nil {
		return nil, err
	}
	st.PruneInterval, st.PruneKill = make(chan int), make(chan int)
	p := pruner{keep: keep, errLog: errLog, every: pruneSecs * time.Second, of: weak.Make(st.in)}
	go p.run(st.PruneInterval, st.PruneKill)
	return st, nil
}

type pruner struct {
	keep   store.Store
	errLog io.Writer
	every  time.Duration
	of     weak.Pointer[inside] // nil when nothing refers to the Store any more
}

func (p *pruner) run(interval, kill <-chan int) {
	t := time.NewTimer(p.every)
	defer t.Stop()
	for {
		select {
		case n, ok := <-interval:
			if !ok {
				interval = nil
			} else if n >= 1 && n <= maxSecs {
				p.every = secs(n)
			}
		case <-kill:
			return
		case <-t.C:
			if p.of.Value() == nil {
				return
			}
			if p.prune() {
				t.Reset(0) // and between two batches somebody may end it
				continue
			}
		}
		t.Reset(p.every)
	}
}

// pruneBatch is how many expired sessions one statement deletes.
const pruneBatch = 1000

// prune deletes one batch and reports whether there may be more. What it could not delete does not
// keep it from the rest.
func (p *pruner) prune() (more bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := p.keep.Sweep(ctx, pruneBatch)
	if err != nil && p.errLog != nil {
		fmt.Fprintf(p.errLog, "qsess: prune: %v\n", err)
	}
	return n >= pruneBatch
}
