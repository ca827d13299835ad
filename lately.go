package sojourn

import (
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// lately is what this process has revoked lately. A store cannot tell a sign-in that began right
// after a revocation, in the same tick of its clock or within the skew of its nodes' clocks, from
// one that began right before, and refuses both. This process can: what began here after the
// revocation had returned here is later. The sign-in says by [store.Admission].Known which one it
// knows of, and any later one refuses it all the same.
type lately struct {
	mu   sync.Mutex
	done map[string]revoked // by user
}

type revoked struct {
	at   time.Time // in the store's clock
	when instant   // it had returned
}

// latelyMost bounds what is remembered. A user who is forgotten has to wait for the store's tick,
// or skew.
const latelyMost = 4096

// note remembers a revocation that has just returned. Its user may share memory with a record that
// has ended.
func (l *lately) note(user string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.done) >= latelyMost {
		for u, r := range l.done {
			if r.when.ago() > store.GuardFor { // no sign-in is that old
				delete(l.done, u)
			}
		}
	}
	if l.done == nil || len(l.done) >= latelyMost {
		l.done = make(map[string]revoked)
	}
	l.done[strings.Clone(user)] = revoked{at, sinceStart()}
}

// known returns the last revocation of user if a sign-in began after it, so long ago, and else the
// zero time.
func (l *lately) known(user string, ago time.Duration) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.done[user]; ok && sinceStart()-instant(ago) > r.when {
		return r.at
	}
	return time.Time{}
}
