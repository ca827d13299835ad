package sojourn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

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

// Handler gives each request its session: see [Manager.From] and [Manager.Load]. It commits
// before the response's first byte, or when next returns; changes made after the first byte
// are committed at the end, but for those that need a new token, which are refused and
// reported to the observer. A commit that fails is answered by [Options.OnError] in place of the
// handler's page; the token of a sign-in or renewal that succeeded before goes with that answer.
// When next panics before the first byte nothing is committed. Unsafe requests (POST and so on) that
// carry the session's cookie must come from this site; others are refused with status 403, see
// [ErrCrossSite].
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Context: r.Context(), m: m}
		v.w = writer{w: w, v: v}
		r = r.WithContext(v)
		v.s.init(m, r)
		v.s.w = &v.w
		if err := m.checkSite(r); err != nil {
			v.s.stage = stageOver
			m.opts.OnError(w, r, err)
			return
		}
		v.serve(next, r)
	})
}

func (v *visit) serve(next http.Handler, r *http.Request) {
	returned := false
	defer func() {
		if !returned {
			p := recover()
			v.panicked(p)
			if p != nil { // else the handler ended its goroutine
				panic(p)
			}
		}
	}()
	next.ServeHTTP(&v.w, r)
	returned = true
	if v.w.page != pagePending {
		v.finishLate()
		return
	}
	v.w.start() // net/http sends the status 200 itself
	v.close()
}

// finish commits and writes the session's part of the header. If the commit fails, what the acts on
// identity owe the client goes with the error page.
func (v *visit) finish(h http.Header) error {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	err := s.commit(v.Context)
	if err == nil {
		err = s.writeHeader(v.Context, h)
	}
	if err == nil {
		s.stage = stageSent
		return nil
	}
	s.event(v.Context, StoreFailed, "commit", err)
	s.dropChanges()
	clearHeader(h, v.m.jar.Name)
	s.takeBack(h)
	if s.stage == stageUpgrading {
		s.stage = stageOpen // the answer is a page, then
	}
	if s.standing.binds() {
		if err := s.writeHeader(v.Context, h); err != nil {
			s.event(v.Context, ChangeLost, "the client cannot be told", err)
		}
	}
	s.stage = stageOver
	return opError("commit", err)
}

// upgrade notes that the header may never leave, unless it did already. It fails, and nothing has
// happened, where the client would have to be told of a token. Errors: [ErrNoToken].
func (v *visit) upgrade() error {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	if s.stage <= stageTold {
		if s.standing.binds() || s.standing.known() && s.view.Size() > 0 && !s.standing.holds() || s.m.sealed != nil && s.reading != nil && s.dirty() {
			return opError("upgrade", fmt.Errorf("%w with an upgrade: call Session.Commit before it, and hand it the response's header", ErrNoToken))
		}
		s.stage = stageUpgrading
	}
	return nil
}

// finishLate commits what a handler changed after its first byte, when the header is gone, and
// closes the session.
func (v *visit) finishLate() {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	if s.stage == stageSent {
		if err := s.commit(v.Context); err != nil {
			s.event(v.Context, ChangeLost, "too late for the response", err)
		}
	}
	s.over()
}

// close ends the request's use of the session.
func (v *visit) close() {
	v.s.lock()
	defer v.s.mu.Unlock()
	v.s.over()
}

func (s *Session) over() {
	s.stage = stageOver
	s.letGo()
}

// panicked commits nothing. What the client is owed is put into the header, for whoever answers in
// the handler's place; where nobody will, a sign-in ends whose token the client will never have.
func (v *visit) panicked(p any) {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	ctx := detached(v.Context)
	if s.stage <= stageTold && s.standing.known() {
		s.dropChanges()
		err, _ := p.(error)
		if errors.Is(err, http.ErrAbortHandler) {
			s.abandon(ctx)
		} else if s.standing.binds() {
			if err := s.writeHeader(ctx, v.w.w.Header()); err != nil {
				s.event(ctx, ChangeLost, "the client cannot be told", err)
			}
		}
	}
	s.over()
}

// DefaultOnError answers 503 to outages, 401 where nobody is signed in, 409 to conflicts and refused sign-ins, 400 to requests with several tokens,
// 403 to cross-site requests, 413 where data do not fit, and 500 to the rest, in plain
// words and without the cause. It leaves the client's cookie alone.
func DefaultOnError(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case errors.Is(err, ErrEnded), errors.Is(err, ErrRevoked):
		http.Error(w, "Your session ended while this request ran. Please sign in and try again.", http.StatusConflict)
	case outage(err), errors.Is(err, ErrFull), errors.Is(err, ErrCorrupt):
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Your session cannot be reached just now. You are still signed in; please try again shortly.", http.StatusServiceUnavailable)
	case errors.Is(err, ErrConflict):
		http.Error(w, "Your session was changed by another request. Please try again.", http.StatusConflict)
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
