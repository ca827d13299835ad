package sojourn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/internal/token"
)

// writer commits the session before the first byte that matters leaves, and keeps the
// handler's page from following a commit that failed.
type writer struct {
	w       http.ResponseWriter
	v       *visit
	started bool  // the header is written, or was about to be
	err     error // the commit failed; the error page stands in for the handler's
}

// errReplaced is what a handler's Write gets after a failed commit.
var errReplaced = errors.New("sojourn: the commit failed; an error page was sent instead of this one")

// start commits, once. It returns false if the response is an error page already.
func (w *writer) start() bool {
	if w.started {
		return w.err == nil
	}
	w.started = true
	if w.err = w.v.finish(w.w.Header()); w.err == nil {
		return true
	}
	clearHeader(w.w.Header(), w.v.m.jar.Name)
	w.v.m.opts.OnError(w.w, w.v.s.r, w.err)
	return false
}

// clearHeader drops what the handler said about a page that will not be sent. The session's own cookie stays: it is
// there only from an earlier Commit or Save of this request, whose act stands.
func clearHeader(h http.Header, cookie string) {
	own := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if name, _, _ := strings.Cut(line, "="); name == cookie || strings.HasPrefix(name, cookie+".") {
			own = append(own, line)
		}
	}
	for name := range h {
		switch name {
		case "Strict-Transport-Security", "Content-Security-Policy", "Date", "Connection":
		default:
			delete(h, name)
		}
	}
	if len(own) > 0 {
		h["Set-Cookie"] = own
	}
}

func (w *writer) Header() http.Header { return w.w.Header() }

func (w *writer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		if !w.started {
			w.w.WriteHeader(status) // informational: the real header comes later
		}
		return
	}
	if w.started && w.err != nil {
		return
	}
	if w.start() {
		w.w.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.start() {
		return 0, errReplaced
	}
	return w.w.Write(b)
}

func (w *writer) WriteString(s string) (int, error) {
	if !w.start() {
		return 0, errReplaced
	}
	return io.WriteString(w.w, s)
}

// ReadFrom keeps net/http's way of sending files without copying.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if !w.start() {
		return 0, errReplaced
	}
	return io.Copy(w.w, r)
}

// FlushError is what [http.ResponseController] calls.
func (w *writer) FlushError() error {
	if !w.start() {
		return errReplaced
	}
	return http.NewResponseController(w.w).Flush()
}

func (w *writer) Flush() { _ = w.FlushError() } // http.Flusher has no way to say

// Hijack commits first. It renews no token: whether the program sends the header on is not known, and
// the old token would soon open nothing.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !canHijack(w.w) {
		return nil, nil, http.ErrNotSupported // HTTP/2: nothing has happened, the handler may go on
	}
	w.v.s.mu.Lock()
	w.v.s.keep = true
	w.v.s.mu.Unlock()
	if !w.start() {
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

// visit is one request's part of one manager: its context, its writer and its session in one
// allocation.
type visit struct {
	context.Context
	m *Manager
	s Session
	w writer
}

// Format hides the session in a context that is printed.
func (v *visit) Format(f fmt.State, _ rune) { fmt.Fprint(f, "sojourn.visit") }

// Value finds the visit by its manager, so that several managers share a request.
func (v *visit) Value(key any) any {
	if m, ok := key.(*Manager); ok && m == v.m {
		return v
	}
	return v.Context.Value(key)
}

// finish commits and writes the session's part of the header.
func (v *visit) finish(h http.Header) error {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	err := v.s.commit(v.Context)
	if err == nil {
		err = v.s.writeHeader(h)
	}
	v.s.late = true
	if err != nil {
		v.s.event(v.Context, StoreFailed, "commit", err)
		if v.s.fresh && v.s.live { // a sign-in whose token the client will never have
			v.s.discard(detached(v.Context), v.s.rec.Key)
		}
	}
	return opError("commit", err)
}

// finishLate commits what a handler changed after its first byte, when the header is gone.
func (v *visit) finishLate() {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	err := v.s.commit(v.Context)
	if err == nil && (v.s.send == sendRemoval || v.s.send == sendToken && v.m.sealed != nil) {
		err = ErrNoToken // a token that another request's renewal led to is no loss
	}
	if err != nil {
		v.s.event(v.Context, ChangeLost, "too late for the response", err)
	}
}

// Handler gives each request its session: see [Manager.From] and [Manager.Load]. It commits
// before the response's first byte, or when next returns; changes made after the first byte
// are committed at the end, but for those that need a new token, which are refused and
// reported to the observer. A commit that fails is answered by [Options.OnError] in place of the handler's page. When
// next panics before the first byte nothing is committed. Unsafe requests (POST and so on) that
// carry the session's cookie must come from this site; others are refused with status 403, see [ErrCrossSite].
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := m.checkSite(r); err != nil {
			m.opts.OnError(w, r, err)
			return
		}
		v := &visit{Context: r.Context(), m: m}
		v.w = writer{w: w, v: v}
		v.s.init(m, r)
		v.s.w = &v.w
		next.ServeHTTP(&v.w, r.WithContext(v))
		if v.w.started {
			if v.w.err == nil { // else the client was told that nothing was written
				v.finishLate()
			}
			return
		}
		v.w.start() // net/http sends the status 200 itself
	})
}

// DefaultOnError answers 503 to outages, 401 where nobody is signed in, 409 to conflicts and refused sign-ins, 400 to requests with several tokens,
// 403 to cross-site requests, 413 where data do not fit, and 500 to the rest, in plain
// words and without the cause. It leaves the client's cookie alone.
func DefaultOnError(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case outage(err), errors.Is(err, ErrFull), errors.Is(err, ErrCorrupt):
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Your session cannot be reached just now. You are still signed in; please try again shortly.", http.StatusServiceUnavailable)
	case errors.Is(err, ErrConflict):
		http.Error(w, "Your session was changed by another request. Please try again.", http.StatusConflict)
	case errors.Is(err, ErrEnded), errors.Is(err, ErrRevoked):
		http.Error(w, "Your session ended while this request ran. Please sign in and try again.", http.StatusConflict)
	case errors.Is(err, ErrLimit):
		http.Error(w, "You are signed in on too many devices. Please sign out on one of them first.", http.StatusConflict)
	case errors.Is(err, ErrNoUser), errors.Is(err, ErrNotFresh):
		http.Error(w, "Please sign in.", http.StatusUnauthorized)
	case errors.Is(err, ErrAmbiguous):
		http.Error(w, "The request carries more than one session token.", http.StatusBadRequest)
	case errors.Is(err, ErrCrossSite):
		http.Error(w, "Cross-site request refused.", http.StatusForbidden)
	case errors.Is(err, ErrTooLarge):
		http.Error(w, "Your session cannot hold any more.", http.StatusRequestEntityTooLarge)
	default:
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
	}
}

// shared header values; net/http never writes into them.
var (
	noStore    = []string{"no-store"}
	varyCookie = []string{"Cookie"}
	varyBearer = []string{"Authorization"}
)

// writeHeader tells the client about its token and caches about the response.
func (s *Session) writeHeader(h http.Header) error {
	if !s.loaded || s.loadErr != nil {
		return nil
	}
	s.vary(h)
	changed := s.send != sendNothing
	if err := s.writeToken(h); err != nil {
		return err
	}
	if changed || s.live && !private(h["Cache-Control"]) {
		h["Cache-Control"] = noStore
	}
	if s.clear && s.m.https(s.r) && len(s.m.opts.ClearSiteData) > 0 {
		h["Clear-Site-Data"] = []string{clearSiteData(s.m.opts.ClearSiteData)}
	}
	s.send, s.clear, s.fresh = sendNothing, false, false
	return nil
}

// private tells whether the handler itself keeps shared caches from using its page unasked.
func private(cacheControl []string) bool {
	for _, line := range cacheControl {
		for d := range strings.SplitSeq(line, ",") {
			switch strings.ToLower(strings.TrimSpace(d)) {
			case "private", "no-store", "no-cache":
				return true
			}
		}
	}
	return false
}

// vary keeps shared caches from handing one visitor's page to another.
func (s *Session) vary(h http.Header) {
	if s.m.opts.Custom == nil {
		addVary(h, varyCookie)
	}
	if s.m.opts.Bearer != nil {
		addVary(h, varyBearer)
	}
}

func addVary(h http.Header, field []string) {
	have := h["Vary"]
	if have == nil {
		h["Vary"] = field[:1:1]
		return
	}
	for _, v := range have {
		if v == field[0] || v == "*" {
			return
		}
	}
	h["Vary"] = append(have[:len(have):len(have)], field[0])
}

func clearSiteData(types []string) string {
	out := ""
	for i, t := range types {
		if i > 0 {
			out += ", "
		}
		out += `"` + t + `"`
	}
	return out
}

// writeToken sends or removes the client's token.
func (s *Session) writeToken(h http.Header) error {
	if s.send == sendNothing || s.got.from == fromBearer {
		return nil
	}
	if !s.m.secure(s.r) {
		return ErrInsecure
	}
	if s.send == sendRemoval {
		return s.removeToken(h)
	}
	if s.got.from == fromNowhere {
		s.got.from = fromCookie // for a Logout that follows in this request: the client has a token now
	}
	life := time.Duration(0)
	if s.meta.Persistent {
		life = MaxCookieAge
		if s.rec.Lifetime > 0 {
			life = max(time.Second, s.rec.Created.Add(s.rec.Lifetime).Sub(s.storeNow()))
		}
		if most := s.m.opts.Cookie.MaxAge; most > 0 {
			life = min(life, most)
		}
	}
	if s.m.sealed != nil {
		return s.writeSealed(h, life)
	}
	text, err := token.Seal(s.m.keys, s.m.aad.cookie, s.credential())
	if err != nil {
		return err
	}
	if c := s.m.opts.Custom; c != nil {
		return c.Send(h, newToken(text), s.left())
	}
	s.m.issued(text, s.rec.Key)
	s.m.jar.Set(h, s.m.https(s.r), s.m.jar.Name, text, life)
	return nil
}

func (s *Session) removeToken(h http.Header) error {
	if c := s.m.opts.Custom; c != nil {
		return c.Delete(h)
	}
	s.m.jar.Set(h, s.m.https(s.r), s.m.jar.Name, "", cookie.Remove)
	s.removeChunks(h, 1)
	return nil
}

// Token gives the session's present token, for programs that send it themselves; zero if the session has no
// record. A custom transport's Send gets it too. Errors: the Sealer's.
func (s *Session) Token() (Token, error) {
	s.ready()
	defer s.mu.Unlock()
	if !s.live || s.m.sealed != nil {
		return Token{}, nil
	}
	text, err := token.Seal(s.m.keys, s.m.aad.cookie, s.credential())
	if err != nil {
		return Token{}, err
	}
	s.fresh = false // the program has it
	return newToken(text), nil
}
