package driver

import (
	"errors"
	"fmt"
	"strings"

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

// Fault returns an error for what an engine or its client said. It matches class, a sentinel of
// package store, and cause, which may be nil. Its text is that of class, and text, and of cause
// what the network, TLS or the operating system said, such as "connection refused"; the rest of
// cause may quote keys, values or passwords and is not shown. With a nil class the front says what
// such an error means: unavailable for a read, indeterminate for a write.
func Fault(class error, text string, cause error) error { return &fault{class, text, cause} }

// Corrupt returns a [store.ErrCorrupt] that names the session, unless its handle is zero, which is
// for one that cannot be read.
func Corrupt(h store.Handle) error {
	if h == (store.Handle{}) {
		return fmt.Errorf("%w: its handle cannot be read", store.ErrCorrupt)
	}
	return fmt.Errorf("%w: session %v", store.ErrCorrupt, h)
}

// ErrVersion says that a record is whole, by its checksum, and in a form that is not known here: a
// newer process has written it. That is an outage of this one, and no damage: nobody removes such a
// record unasked. Every later form keeps its checksum where it is, or it would look damaged here.
var ErrVersion = fmt.Errorf("%w: another version of the store has written the record", store.ErrUnavailable)

// classed returns an error that matches one sentinel: its own, or else class.
func classed(err, class error) error {
	if Known(err) {
		return err
	}
	var f *fault
	if errors.As(err, &f) {
		return &fault{class, f.text, err}
	}
	return &fault{class, unknown(err), err}
}

// unknown is what can be said of an error that the driver did not class. Nobody knows what its text
// quotes, so its type is shown where nothing else may be.
func unknown(err error) string {
	if shown(err) != "" {
		return ""
	}
	return fmt.Sprintf("%T", err)
}

// fault is an error whose cause can be had through [errors.As], and is shown in part.
type fault struct {
	class error // nil where only the front knows
	text  string
	cause error
}

func (f *fault) Error() string {
	var parts []string
	if f.class != nil {
		parts = append(parts, f.class.Error())
	}
	for _, text := range [...]string{f.text, shown(f.cause)} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ": ")
}

func (f *fault) Unwrap() []error {
	var all []error
	for _, err := range [...]error{f.class, f.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Format prints Error for every verb.
func (f *fault) Format(s fmt.State, _ rune) { fmt.Fprint(s, f.Error()) }
