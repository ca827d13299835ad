package qctxhr

import (
	"io"
	"net/http"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

type (
	// Ctx is [qctx.Ctx].
	Ctx = qctx.Ctx
	// CtxHandler is [qctx.CtxHandler].
	CtxHandler = qctx.CtxHandler
	// CtxHandlerFunc is [qctx.CtxHandlerFunc].
	CtxHandlerFunc = qctx.CtxHandlerFunc
	// MwMaker is [qctx.MwMaker].
	MwMaker = qctx.MwMaker
	// Param is [qctx.Param].
	Param = qctx.Param
	// Params is [qctx.Params].
	Params = qctx.Params
	// WrappedRW is [qctx.WrappedRW].
	WrappedRW = qctx.WrappedRW
)

// MakerStack is a [qctx.MakerStack] with the method HRHandle.
type MakerStack []MwMaker

// MwStack makes a stack.
func MwStack(makers ...MwMaker) MakerStack { return makers }

// Append is [qctx.MakerStack.Append].
func (s MakerStack) Append(makers ...MwMaker) MakerStack {
	return MakerStack(qctx.MakerStack(s).Append(makers...))
}

// Ctx is [qctx.MakerStack.Ctx].
func (s MakerStack) Ctx(f func(*Ctx)) CtxHandler { return qctx.MakerStack(s).Ctx(f) }

// Handle is [qctx.MakerStack.Handle].
func (s MakerStack) Handle(f func(*Ctx)) http.Handler { return qctx.MakerStack(s).Handle(f) }

// H2Ctx is [qctx.H2Ctx].
func H2Ctx(next CtxHandler) http.Handler { return qctx.H2Ctx(next) }

// MwHeader is [qctx.MwHeader].
func MwHeader(s ...string) MwMaker { return qctx.MwHeader(s...) }

// MwLogger is [qctx.MwLogger].
func MwLogger(log io.Writer, useAnsiColor bool) MwMaker { return qctx.MwLogger(log, useAnsiColor) }

// MwRecovery is [qctx.MwRecovery].
func MwRecovery(log io.Writer, printStack bool, printAll bool) MwMaker {
	return qctx.MwRecovery(log, printStack, printAll)
}

// MwRequireSess is [qctx.MwRequireSess].
func MwRequireSess(st *qsess.Store) MwMaker { return qctx.MwRequireSess(st) }

// MwStripPrefix is [qctx.MwStripPrefix].
func MwStripPrefix(prefix string) MwMaker { return qctx.MwStripPrefix(prefix) }
