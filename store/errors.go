package store

import (
	"context"
	"errors"
	"fmt"
)

// Outcomes of a write. A store returns nil (applied) or an error that matches exactly one of the
// sentinels of this file with [errors.Is].
//
// Its text names the store, the operation and what the network, TLS or the operating system said,
// such as "connection refused". It holds nothing that a client or an engine quotes, and so neither
// keys nor the password of an address. What the client itself returned can be had by [errors.As],
// of its own type: *pgconn.PgError, *mysql.MySQLError, *net.OpError and so on. Do not show that to
// strangers.
var (
	// ErrNotFound: there is no live record at the key. An expired record is not found, swept or
	// not.
	ErrNotFound = errors.New("store: record not found")
	// ErrConflict: the record is live but its version is not the expected one. Nothing was written.
	ErrConflict = errors.New("store: record was changed by another writer")
	// ErrExists: Create or Rotate found a live record at the new key. Nothing was written.
	ErrExists = errors.New("store: record exists already")
	// ErrUnavailable: the engine could not be reached or refused to work. The write was surely not
	// applied; it may be sent again.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrIndeterminate: the answer was lost. The write may have been applied; sending it again with
	// the same Writer is safe.
	ErrIndeterminate = errors.New("store: outcome unknown")
)

// Refusals. The call was understood and surely not applied, and sending it again will not help.
var (
	// ErrLimit: the user has as many live records as [Admission.Max] allows.
	ErrLimit = errors.New("store: user has too many sessions")
	// ErrRevoked: the user's records were revoked after this sign-in began, see [Admission.Age].
	ErrRevoked = errors.New("store: sign-in began before the user's sessions were revoked")
	// ErrFull: the store has no room for the record. Deleting still works.
	ErrFull = errors.New("store: full")
	// ErrInvalid: an argument breaks a rule of this package, see [Check].
	ErrInvalid = errors.New("store: invalid argument")
	// ErrCorrupt: the stored bytes are damaged. The error names the record's handle where it can be
	// read, never its data.
	ErrCorrupt = errors.New("store: corrupt record")
)

// FromContext returns the error that a store returns when ctx ended before the engine was asked: it
// matches both [ErrUnavailable] and the context's own error. It returns nil while ctx is alive.
func FromContext(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err()) // not its Cause, which could match anything
}
