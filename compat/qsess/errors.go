package qsess

import (
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn"
)

var (
	// ErrNoSession: the request or token refers to no live session. The user is not signed in.
	ErrNoSession = errors.New("qsess: no session")
	// ErrConflict: another request has changed the session's Data since it was loaded. Nothing was
	// written.
	ErrConflict = sojourn.ErrConflict
	// ErrConfig: the Store's keys or fields do not make sense; the text says which.
	ErrConfig = errors.New("qsess: bad configuration")
)

// fail names the operation that an error comes from.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("qsess: %s: %w", op, err)
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
}
