package possessions

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/sojourn-go/sojourn"
)

// CTXKeyPossessions is the key under which a request's context holds its [Session].
type CTXKeyPossessions struct{}

// UnderlyingResponseWriter is for a middleware's own writer, between [OverseeingMiddleware] and the
// handler: it leads the functions of this package on. A method Unwrap, as http.ResponseController
// wants it, does as well.
type UnderlyingResponseWriter interface {
	UnderlyingResponseWriter() http.ResponseWriter
}

// OverseeingMiddleware gives each request its session: see [Get] and [Set]. Make it with
// [NewOverseeingMiddleware].
type OverseeingMiddleware struct{ overseer Overseer }

// NewOverseeingMiddleware makes the middleware for an overseer's sessions. Around one handler use
// one: of several the innermost is that of the handler's context and writer.
func NewOverseeingMiddleware(overseer Overseer) OverseeingMiddleware {
	return OverseeingMiddleware{overseer}
}

// Wrap puts the middleware around h. The session is loaded before h runs, which costs nothing
// without the cookie, and written before the first byte, or when h returns, if it was changed. If
// the store fails, the answer is status 503 and the visitor's cookie stays; nothing panics.
func (o OverseeingMiddleware) Wrap(h http.Handler) http.Handler {
	var made atomic.Pointer[http.Handler] // once there is a manager, which may take a store that answers
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := made.Load()
		if whole == nil {
			m, err := o.overseer.Manager(r.Context())
			if err != nil {
				o.overseer.onError(w, r, err)
				return
			}
			around := o.around(m, h)
			whole = &around
			made.Store(whole)
		}
		(*whole).ServeHTTP(w, r)
	})
}

func (o OverseeingMiddleware) around(m *sojourn.Manager, h http.Handler) http.Handler {
	return m.Handler(m.RequireLoaded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := o.overseer.session(m.From(r))
		// r is Handler's copy, and no second one is made: Handler looks there for the route and for
		// uploads.
		*r = *r.WithContext(context.WithValue(r.Context(), CTXKeyPossessions{}, Session(s)))
		h.ServeHTTP(&writer{w.(coreWriter), s}, r)
	})))
}

// RefreshMiddleware pushes back the expiry of the session of each request that passes it, whatever
// its handler does: in the store, and with [CookieOptions].MaxAge also in the browser. A page that
// polls keeps its visitor's session alive then; leave it out of such routes. It stands below
// [OverseeingMiddleware].
type RefreshMiddleware struct{}

// ResetMiddleware is another name of [RefreshMiddleware].
type ResetMiddleware = RefreshMiddleware

// NewRefreshMiddleware makes a [RefreshMiddleware].
func NewRefreshMiddleware() RefreshMiddleware { return RefreshMiddleware{} }

// NewResetMiddleware is another name of [NewRefreshMiddleware].
func NewResetMiddleware() ResetMiddleware { return RefreshMiddleware{} }

// Wrap puts the middleware around h.
func (RefreshMiddleware) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Refresh(w)
		h.ServeHTTP(w, r)
	})
}

// coreWriter is the core's, which commits before the first byte.
type coreWriter interface {
	http.ResponseWriter
	http.Flusher
	http.Pusher
	io.ReaderFrom
	io.StringWriter
	FlushError() error
	Hijack() (net.Conn, *bufio.ReadWriter, error)
}

// writer leads from a handler's writer to its session. All it does is the core's.
type writer struct {
	coreWriter
	session *session
}

// UnderlyingResponseWriter is part of [UnderlyingResponseWriter].
func (w *writer) UnderlyingResponseWriter() http.ResponseWriter { return w.coreWriter }

// Hijack puts what the client must know into the header first: send it with the answer.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if _, err := w.session.s.Commit(context.Background()); err != nil {
		return nil, nil, err
	}
	return w.coreWriter.Hijack()
}

// Unwrap serves http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.coreWriter }

// find gives the session of a handler's writer.
func find(w http.ResponseWriter) *session {
	for {
		switch u := w.(type) {
		case *writer:
			return u.session
		case UnderlyingResponseWriter:
			w = u.UnderlyingResponseWriter()
		case interface{ Unwrap() http.ResponseWriter }:
			w = u.Unwrap()
		default:
			panic("possessions: the writer is not that of OverseeingMiddleware and does not lead to it: wrap the handler, or give your own writer a method Unwrap")
		}
	}
}
