package qctx

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"
)

// MwRecovery answers a panic of the handlers below with status 500 and a plain text, and writes a
// line to log: the panic's value, and with printStack the stack, with printAll of all goroutines.
// If a part of the answer is out already it aborts the connection, which a client cannot take for
// success. http.ErrAbortHandler passes through unlogged.
func MwRecovery(log io.Writer, printStack bool, printAll bool) MwMaker {
	return func(next CtxHandler) CtxHandler {
		return CtxHandlerFunc(func(c *Ctx) {
			w := c.wrap()
			defer func() {
				x := recover()
				if x == nil {
					return
				}
				if x == http.ErrAbortHandler {
					panic(x)
				}
				fmt.Fprintf(log, "qctx: panic in %s %s for %s: %v\n", c.R.Method, c.R.URL, c.R.RemoteAddr, x)
				if printStack {
					_, _ = log.Write(stack(printAll))
				}
				if w.WroteHeader || w.WroteBody {
					panic(http.ErrAbortHandler)
				}
				c.Error("internal error", http.StatusInternalServerError)
			}()
			next.CtxServeHTTP(c)
		})
	}
}

func stack(all bool) []byte {
	size := 10_000
	if all {
		size = 1 << 20
	}
	b := make([]byte, size)
	return b[:runtime.Stack(b, all)]
}

// MwLogger writes a line for each request to log: status, method, URL, address and time taken, with
// the status coloured for terminals if useAnsiColor. Put it around what makes statuses. Lines of
// several requests are written at the same time: log must allow that.
func MwLogger(log io.Writer, useAnsiColor bool) MwMaker {
	return func(next CtxHandler) CtxHandler {
		return CtxHandlerFunc(func(c *Ctx) {
			// Before the handlers below can change them.
			start, method, url, remote := time.Now(), c.R.Method, c.R.URL.String(), c.R.RemoteAddr
			w := c.wrap()
			next.CtxServeHTTP(c)
			code := http.StatusOK
			if w.WroteHeader {
				code = w.StatusCode
			}
			on, off := "", ""
			if useAnsiColor {
				on, off = color(code), "\033[0m"
			}
			fmt.Fprintf(log, "%s%d%s %s %s for %s in %v\n", on, code, off, method, url, remote, time.Since(start).Round(time.Microsecond))
		})
	}
}

// color is green for success, red for errors of ours, and so on.
func color(code int) string {
	switch code / 100 {
	case 2:
		return "\033[32m"
	case 3:
		return "\033[36m"
	case 4:
		return "\033[33m"
	case 5:
		return "\033[31m"
	}
	return ""
}

// MwHeader sets fields of the response's header: name, value, name, value, and so on. It panics if
// one has no value.
func MwHeader(s ...string) MwMaker {
	if len(s)%2 != 0 {
		panic("qctx: MwHeader needs a value for each name")
	}
	return func(next CtxHandler) CtxHandler {
		return CtxHandlerFunc(func(c *Ctx) {
			for i := 0; i < len(s); i += 2 {
				c.W.Header().Set(s[i], s[i+1])
			}
			next.CtxServeHTTP(c)
		})
	}
}

// MwStripPrefix takes prefix off the path that the handlers below see; other paths are answered
// with status 404. It shows how to put middleware of net/http's into a stack.
func MwStripPrefix(prefix string) MwMaker {
	return func(next CtxHandler) CtxHandler {
		return CtxHandlerFunc(func(c *Ctx) {
			http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.W, c.R = w, r
				next.CtxServeHTTP(c)
			})).ServeHTTP(c.W, c.R)
		})
	}
}
