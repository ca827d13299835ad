// Package host runs a store in a process of its own, so that tests can kill it, let it stand still
// and cut the connections to it, as they do with a server. The engines that live in a program and
// keep files have no other way to die under load.
package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// request is one call of a store. A connection carries one at a time.
type request struct {
	Op  op
	Key store.Key
	// Rec and Tail are what is written, Version what is expected.
	Rec     store.Record
	Tail    *store.Record
	Version uint64

	Max   int
	Evict bool
	Age   time.Duration // of a sign-in: its instant loses its monotonic reading on the way
	Known time.Time

	User  string
	Sel   store.Selection
	Every time.Duration
	Limit int
	// Left is the time until the caller gives up; 0 stands for no bound.
	Left time.Duration
}

// reply answers a request.
type reply struct {
	Fault    *fault
	Records  []store.Record // one of Get, any of User and All
	Now      time.Time
	Admitted store.Admitted
	Revoked  store.Revoked
	N        int
	Traits   store.Traits
}

type op int

const (
	opTraits op = iota
	opCreate
	opGet
	opUpdate
	opTouch
	opRotate
	opDelete
	opUser
	opRevoke
	opSweep
	opAll
)

// writes reports whether the store may have changed when the answer is lost.
func (o op) writes() bool {
	switch o {
	case opTraits, opGet, opUser, opAll:
		return false
	}
	return true
}

// fault is an error on its way: its text, and what it matches.
type fault struct {
	Text string
	Is   []int // places in sentinels
}

var sentinels = []error{store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate,
	store.ErrLimit, store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt}

func faultOf(err error) *fault {
	if err == nil {
		return nil
	}
	f := &fault{Text: err.Error()}
	for i, s := range sentinels {
		if errors.Is(err, s) {
			f.Is = append(f.Is, i)
		}
	}
	return f
}

// err is the error as the caller gets it: it matches what the store's own error did.
func (f *fault) err() error {
	if f == nil {
		return nil
	}
	var is []error
	for _, i := range f.Is {
		is = append(is, sentinels[i])
	}
	return &remote{f.Text, is}
}

// remote is an error of another process.
type remote struct {
	text string
	is   []error
}

func (e *remote) Error() string   { return "host: " + e.text }
func (e *remote) Unwrap() []error { return e.is }

// lost is the answer to a call whose own was lost.
func lost(o op, err error) error {
	if o.writes() {
		return fmt.Errorf("host: the answer is lost: %w: %w", store.ErrIndeterminate, err)
	}
	return fmt.Errorf("host: no answer: %w: %w", store.ErrUnavailable, err)
}
