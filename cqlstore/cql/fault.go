package cql

import (
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store/driver"
)

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

// code returns the code of an error that the server sent, or -1.
func code(err error) int {
	var server interface{ Code() int }
	if errors.As(err, &server) {
		return server.Code()
	}
	return -1
}

// fault words a driver's error. With a nil class it leaves to the caller what the error means.
func fault(class, err error) error {
	n, hint := code(err), ""
	switch n {
	case -1:
		return driver.Fault(class, "no answer", err)
	case codeOverloaded:
		hint = ": a node is overloaded"
	case codeUnavailable:
		hint = ": too few replicas are up"
	case codeCredentials, codeUnauthorized:
		hint = ": the role may not do this"
	case codeInvalid, codeConfig:
		hint = ": the engine refuses the statement; was Migrate called?"
	}
	return driver.Fault(class, fmt.Sprintf("the engine says 0x%04x%s", n, hint), err)
}

// harmless reports whether a conditional write that failed so was surely not applied. Paxos reads
// before it proposes, so a time-out of a read comes first. A node may be overloaded after it has
// proposed, too.
func (e *engine) harmless(code int, err error) bool {
	switch {
	case code < 0:
		return e.db.Harmless(err)
	case code >= codeSyntax:
		return true
	}
	switch code {
	case codeUnavailable:
		return e.db.Harmless(err)
	case codeProtocol, codeCredentials, codeBootstrapping, codeReadTimeout, codeReadFailure:
		return true
	}
	return false
}
