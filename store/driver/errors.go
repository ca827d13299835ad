package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

// sentinels are all outcomes that a method may have.
var sentinels = [...]error{
	store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate, store.ErrLimit,
	store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt, errors.ErrUnsupported,
}

// Known reports whether err matches a sentinel of package store, or [errors.ErrUnsupported].
func Known(err error) bool {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// classed gives an error that matches one sentinel: its own, or else class.
func classed(err, class error) error {
	if Known(err) {
		return err
	}
	return &fault{class, err}
}

// fault is an error that the driver did not class. Nobody knows what its text quotes, so only its
// type is shown; the error itself can be had through [errors.As].
type fault struct{ class, cause error }

func (f *fault) Error() string {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(f.cause, end) {
			return f.class.Error() + ": " + end.Error()
		}
	}
	return fmt.Sprintf("%v: %T", f.class, f.cause)
}

func (f *fault) Unwrap() []error { return []error{f.class, f.cause} }

// Format prints Error for every verb.
func (f *fault) Format(s fmt.State, _ rune) { fmt.Fprint(s, f.Error()) }
