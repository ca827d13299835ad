package cql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

// serverError is what drivers make of an error frame.
type serverError int

func (serverError) Error() string { return "a text with a secret in it" }
func (e serverError) Code() int   { return int(e) }

// idle is a driver that is only asked whether an error was unsent.
type idle struct{ Driver }

var (
	errUnsent = errors.New("no connection")
	errTooFew = fmt.Errorf("%w: %w", serverError(0x1000), errUnsent) // as a driver knows it
)

func (idle) Harmless(err error) bool { return errors.Is(err, errUnsent) }

func TestHarmless(t *testing.T) {
	e := &engine{db: idle{}}
	for err, sure := range map[error]bool{
		serverError(0x0000): false, // server error
		serverError(0x000a): true,  // protocol
		serverError(0x0100): true,  // credentials
		serverError(0x1000): false, // unavailable, perhaps for the commit
		serverError(0x1001): false, // overloaded
		serverError(0x1002): true,  // bootstrapping
		serverError(0x1003): false, // truncate
		serverError(0x1100): false, // write time-out
		serverError(0x1200): true,  // read time-out
		serverError(0x1300): true,  // read failure
		serverError(0x1400): false, // function failure
		serverError(0x1500): false, // write failure
		serverError(0x1600): false, // CDC write failure
		serverError(0x1700): false, // CAS write unknown
		serverError(0x2000): true,  // syntax
		serverError(0x2100): true,  // unauthorized
		serverError(0x2200): true,  // invalid
		serverError(0x2500): true,  // unprepared
		errUnsent:           true,
		errTooFew:           true,
		errors.New("eof"):   false,
		context.Canceled:    false,
	} {
		wrapped := fmt.Errorf("driver: %w", err)
		if got := e.harmless(code(wrapped), wrapped); got != sure {
			t.Errorf("%v is harmless: %v, want %v", err, got, sure)
		}
		f := fault(store.ErrUnavailable, wrapped)
		if !errors.Is(f, store.ErrUnavailable) || !errors.Is(f, err) {
			t.Errorf("%v: %v, want ErrUnavailable and the cause", err, f)
		}
		if text := fmt.Sprintf("%v %+v %#v", f, f, errors.Unwrap(f)); strings.Contains(text, "secret") {
			t.Errorf("the error shows the driver's text: %s", text)
		}
	}
}

// TestRetry has requests fail within an attempt: one sentinel comes out, by what became of all of
// them.
func TestRetry(t *testing.T) {
	for _, c := range []struct {
		errs []error
		want error
	}{
		{[]error{serverError(0x2200)}, store.ErrUnavailable},
		{[]error{serverError(0x1200), errUnsent}, store.ErrUnavailable},
		{[]error{errors.New("eof"), errUnsent}, store.ErrIndeterminate},
		{[]error{errors.New("eof"), fault(nil, serverError(0x1300))}, store.ErrIndeterminate}, // a read
	} {
		a := &attempt{e: &engine{db: idle{}}, ctx: t.Context()}
		var got error
		for _, err := range c.errs {
			if got != nil {
				t.Errorf("%v: it ended before the last one: %v", c.errs, got)
			}
			got = a.retry(err, !a.e.harmless(code(err), err))
		}
		n := 0
		for _, sentinel := range []error{store.ErrUnavailable, store.ErrIndeterminate} {
			if errors.Is(got, sentinel) {
				n++
			}
		}
		if n != 1 || !errors.Is(got, c.want) {
			t.Errorf("%v: %v, want %v", c.errs, got, c.want)
		}
	}
}
