package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sojourn-go/sojourn/store"
)

// fault is an engine's error. It shows its class and code and not the driver's text, which may
// quote values; that can be had through [errors.As].
type fault struct {
	class error  // of package store
	code  string // the engine's, or empty
	hint  string
	cause error
}

func (f *fault) Error() string {
	s := f.class.Error()
	if f.code != "" {
		s += ": engine error " + f.code
	}
	if f.hint != "" {
		s += ": " + f.hint
	}
	return s
}

func (f *fault) Unwrap() []error { return []error{f.class, f.cause} }

// Format prints Error for every verb.
func (f *fault) Format(s fmt.State, _ rune) { fmt.Fprint(s, f.Error()) }

// code finds an engine's error code in the ways that drivers show it.
func (s *shared) code(err error) string {
	if s.opts.ErrorCode != nil {
		if c := s.opts.ErrorCode(err); c != "" {
			return c
		}
	}
	var number interface{ Code() int }       // SQLite: modernc.org/sqlite
	var state interface{ SQLState() string } // PostgreSQL: pgx, pq
	switch {
	case errors.As(err, &number):
		return strconv.Itoa(number.Code())
	case errors.As(err, &state):
		return state.SQLState()
	}
	return ""
}

// judge classes what a driver said of a call that surely left nothing behind. It leaves
// alone what is judged already.
func (s *shared) judge(err error) error {
	var f *fault
	if err == nil || errors.As(err, &f) || sentinel(err) {
		return err
	}
	f = &fault{code: s.code(err), cause: err}
	f.hint, f.class = s.dialect.class(f.code)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		f.class = store.ErrUnavailable
	}
	return f
}

// sentinel tells whether err matches one of package store's.
func sentinel(err error) bool {
	for _, s := range [...]error{store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate,
		store.ErrLimit, store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// errBusy is what a write ends with if it waits too long for another process.
var errBusy = fmt.Errorf("%w: another process holds the engine's lock", store.ErrUnavailable)

// judgeCommit classes a failed COMMIT. Only the refusals that a dialect knows left
// nothing behind; after any other, the change may be there.
func (s *shared) judgeCommit(err error) error {
	f := &fault{code: s.code(err), cause: err}
	f.hint, f.class = s.dialect.commit(f.code)
	return f
}

// fail names the package and the operation.
func (s *shared) fail(op string, err error) error { return fmt.Errorf("%s: %s: %w", s.name, op, err) }
