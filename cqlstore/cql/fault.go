package cql

import (
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

// fault is a driver's error. It shows its class and code and not the driver's text, which may
// quote values; that can be had through [errors.As].
type fault struct {
	class error // of package store
	code  int   // of the native protocol, or -1
	hint  string
	cause error
}

func (f *fault) Error() string {
	s := f.class.Error()
	if f.code >= 0 {
		s += fmt.Sprintf(": engine error 0x%04x", f.code)
	}
	if f.hint != "" {
		s += ": " + f.hint
	}
	return s
}

func (f *fault) Unwrap() []error { return []error{f.class, f.cause} }

// Format prints Error for every verb.
func (f *fault) Format(s fmt.State, _ rune) { fmt.Fprint(s, f.Error()) }

// Codes of the native protocol.
const (
	codeProtocol      = 0x000a
	codeCredentials   = 0x0100
	codeUnavailable   = 0x1000
	codeOverloaded    = 0x1001
	codeBootstrapping = 0x1002
	codeReadTimeout   = 0x1200
	codeReadFailure   = 0x1300
	codeSyntax        = 0x2000 // the first of the refusals
	codeUnauthorized  = 0x2100
	codeInvalid       = 0x2200
	codeConfig        = 0x2300
)

// judge classes what a driver said of a read or a write.
func (s *Store) judge(err error, write bool) *fault {
	f := &fault{class: store.ErrUnavailable, code: -1, cause: err}
	var server interface{ Code() int }
	if errors.As(err, &server) {
		f.code = server.Code()
	}
	switch f.code {
	case codeOverloaded:
		f.hint = "a node is overloaded"
	case codeUnavailable:
		f.hint = "too few replicas are up"
	case codeCredentials, codeUnauthorized:
		f.hint = "the role may not do this"
	case codeInvalid, codeConfig:
		f.hint = "the engine refuses the statement; was Migrate called?"
	}
	if write && !s.harmless(f.code, err) {
		f.class = store.ErrIndeterminate
	}
	return f
}

// harmless tells whether a conditional write that failed so was surely not applied. Paxos reads before it
// proposes, so a time-out of a read comes first. A node may be overloaded after it has proposed, too.
func (s *Store) harmless(code int, err error) bool {
	switch {
	case code < 0:
		return s.db.Harmless(err)
	case code >= codeSyntax:
		return true
	}
	switch code {
	case codeUnavailable:
		return s.db.Harmless(err)
	case codeProtocol, codeCredentials, codeBootstrapping, codeReadTimeout, codeReadFailure:
		return true
	}
	return false
}

func fail(op string, err error) error { return fmt.Errorf("cqlstore: %s: %w", op, err) }
