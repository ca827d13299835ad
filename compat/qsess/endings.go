package qsess

import (
	"sync"
	"time"
)

// endings remembers whose sessions this process has revoked lately. A session made after that is a sign-in after
// the revocation, for sure; a store whose nodes' clocks differ cannot tell, and would refuse it for a second or so.
type endings struct {
	mu   sync.Mutex
	at   map[string]time.Time
	next time.Time // when to forget old ones
}

// endingsFor is for how long one is remembered: longer than any store's clocks differ.
const endingsFor = time.Minute

func (e *endings) add(user string) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at == nil {
		e.at = map[string]time.Time{}
	}
	if now.After(e.next) {
		for u, at := range e.at {
			if now.Sub(at) > endingsFor {
				delete(e.at, u)
			}
		}
		e.next = now.Add(endingsFor)
	}
	e.at[user] = now
}

// before tells whether the last revocation of user's was done when a session was made.
func (e *endings) before(user string, made time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.at[user]
	return ok && !made.Before(at)
}
