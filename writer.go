package sojourn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// writer commits the session before the first byte that matters leaves, and keeps the handler's
// page from following a commit that failed.
type writer struct {
	w    http.ResponseWriter
	v    *visit
	page page
}

// A page is what a response is made of.
type page uint8

const (
	pagePending page = iota // nothing is written yet
	pageOwn                 // the handler's
	pageFailed              // the handler's, which says by its status that the handler failed
	pageError               // that of OnError, in place of the handler's
)

// goes reports whether what the handler writes goes to the client.
func (p page) goes() bool { return p == pageOwn || p == pageFailed }

// errReplaced is what a handler's Write gets after a failed commit.
var errReplaced = errors.New("sojourn: the commit failed; an error page was sent instead of this one")

// start commits, once. It reports whether the handler's page may go out.
func (w *writer) start(status int) bool {
	pending := w.page == pagePending
	if pending {
		w.page = pageOwn // also for what OnError writes
	}
	if w.page == pageOwn && status >= 500 && !w.v.s.m.opts.CommitOn5xx {
		w.page = pageFailed // also after the first byte: a recoverer's way to say that the rest is missing
	}
	if pending {
		w.v.reveal()
		if err := w.commit(); err != nil {
			w.page = pageError
			w.v.s.m.opts.OnError(w.w, w.v.s.r, err)
		}
	}
	return w.page.goes()
}

// commit makes the header final. Where that panics, by a function given to Update, the page of
// whoever recovers is the first.
func (w *writer) commit() error {
	returned := false
	defer func() {
		if !returned {
			w.page = pagePending
		}
	}()
	err := w.v.finish(w.v.header)
	returned = true
	return err
}

func (w *writer) Header() http.Header { return w.w.Header() }

func (w *writer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		if w.page == pagePending {
			w.w.WriteHeader(status) // informational: the real header comes later
		}
		return
	}
	if status < 100 || status > 999 { // as net/http does, before anything is committed
		panic(fmt.Sprintf("sojourn: WriteHeader of %d, which is no status", status))
	}
	if w.start(status) {
		w.w.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.start(http.StatusOK) {
		return 0, errReplaced
	}
	return w.w.Write(b)
}

func (w *writer) WriteString(s string) (int, error) {
	if !w.start(http.StatusOK) {
		return 0, errReplaced
	}
	return io.WriteString(w.w, s)
}

// ReadFrom keeps net/http's way of sending files without copying.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if !w.start(http.StatusOK) {
		return 0, errReplaced
	}
	return io.Copy(w.w, r)
}

// FlushError is what [http.ResponseController] calls.
func (w *writer) FlushError() error {
	if !w.start(http.StatusOK) {
		return errReplaced
	}
	return http.NewResponseController(w.w).Flush()
}

func (w *writer) Flush() { _ = w.FlushError() } // http.Flusher has no way to say

// Hijack commits first. It renews no token, and fails where the client must be told of one: whether
// the program sends the header on is not known. Call [Session.Commit] before the upgrade, and hand
// the upgrade the response's header.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !canHijack(w.w) {
		return nil, nil, http.ErrNotSupported // HTTP/2: nothing has happened, the handler may go on
	}
	if err := w.v.upgrade(); err != nil {
		return nil, nil, err
	}
	if !w.start(http.StatusOK) {
		return nil, nil, errReplaced
	}
	return http.NewResponseController(w.w).Hijack()
}

func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case *writer:
			w = t.w
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

func (w *writer) Push(target string, opts *http.PushOptions) error {
	if p, ok := w.w.(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}

// Unwrap serves http.ResponseController's deadlines.
func (w *writer) Unwrap() http.ResponseWriter { return w.w }
