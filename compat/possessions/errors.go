package possessions

import (
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

type (
	errNoSession struct{}
	errNoMapKey  struct{}
)

func (errNoSession) Error() string { return "possessions: session does not exist" }
func (errNoMapKey) Error() string  { return "possessions: session has no such key" }

// NoSession marks the error for IsNoSessionError, which accepts a foreign Storer's errors with this
// method too.
func (errNoSession) NoSession() {}

// NoMapKey marks the error for IsNoMapKeyError.
func (errNoMapKey) NoMapKey() {}

// IsNoSessionError reports whether err, or an error that it wraps, says that there is no such
// session. A [Storer]'s Get and ResetExpiry may return it. An outage is never taken for it.
func IsNoSessionError(err error) bool {
	var e interface{ NoSession() }
	return errors.As(err, &e)
}

// IsNoMapKeyError reports whether err, or an error that it wraps, says that the session has no such
// key. [GetObj] and [GetFlashObj] may return it.
func IsNoMapKeyError(err error) bool {
	var e interface{ NoMapKey() }
	return errors.As(err, &e)
}

// fail names the operation, and tells a missing record the old way.
func fail(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		err = errNoSession{}
	}
	return fmt.Errorf("possessions: %s: %w", op, err)
}
