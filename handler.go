package sojourn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// visit is one request's part of one manager: its context, its writer and its session in one
// allocation.
type visit struct {
	context.Context
	outer *http.Request // of which the handler has a copy
	// header is the response's. It is asked for once: net/http's Header writes fields, and
	// goroutines of the handler may commit while another one writes, or after a time-out.
	header http.Header
	found  http.Header // as it was before the handler
	below  below       // what other managers' sessions have said in the handler's header
	s      Session
	w      writer
}

// Format hides the session in a context that is printed.
func (v *visit) Format(f fmt.State, _ rune) { fmt.Fprint(f, "sojourn.visit") }

// Value finds the visit by its manager, so that several managers share a request.
func (v *visit) Value(key any) any {
	if key == any(v.s.m) || key == any(anyManager{}) {
		return v
	}
	return v.Context.Value(key)
}

// anyManager is the key of the innermost visit, whose Context has the next.
type anyManager struct{}

// Handler gives each request its session: see [Manager.From] and [Manager.Load]. It commits before
// the response's first byte, or when next returns; changes made after the first byte are committed
// at the end, but for those that need a new token, which are refused and reported to the observer.
// A commit that fails is answered by [Options.OnError] in place of the handler's page, with the
// header that Handler found, and with the token of a sign-in or renewal that succeeded before.
//
// What a handler does half is not committed unasked: nothing where next panics before the first
// byte, and no values where it answers with a status of 5xx, which is also what a recoverer or an
// [http.TimeoutHandler] below Handler does for it. Messages that it took are there again for the
// next page. Acts on identity stand, [Session.Commit] counts, and tokens are renewed and sent as
// ever. [Options.CommitOn5xx] turns this off.
//
// Unsafe requests (POST and so on) must come from this site; others are refused with status 403,
// see [ErrCrossSite].
//
// Twice around a handler it is once: the inner one finds the outer's session, and does nothing.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.around(r) {
			next.ServeHTTP(w, r)
			return
		}
		v := &visit{Context: r.Context(), outer: r}
		v.w = writer{w: w, v: v}
		r = r.WithContext(v)
		v.s.init(m, r)
		v.s.w = &v.w
		var err error
		if v.s.site, err = m.checkSite(r); err != nil {
			v.s.stage = stageOver
			m.opts.OnError(w, r, err)
			return
		}
		if v.header = w.Header(); len(v.header) > 0 {
			v.found = v.header.Clone()
		}
		v.serve(next, r)
	})
}

// around reports whether another Handler of m has given r its session. A request that a handler
// makes itself, within the context of its own, is another one's if it has other tokens.
func (m *Manager) around(r *http.Request) bool {
	v, ok := r.Context().Value(m).(*visit)
	if !ok {
		return false
	}
	outer := v.s.r
	if c := m.opts.Custom; c != nil && c.Receive(r) != c.Receive(outer) {
		return false
	}
	return slices.Equal(r.Header["Cookie"], outer.Header["Cookie"]) &&
		slices.Equal(r.Header["Authorization"], outer.Header["Authorization"])
}

func (v *visit) serve(next http.Handler, r *http.Request) {
	returned := false
	defer func() {
		v.tidy()
		if !returned {
			p := recover()
			v.panicked(p)
			if p != nil { // else the handler ended its goroutine
				panic(p)
			}
		}
	}()
	next.ServeHTTP(&v.w, r)
	if v.w.page != pagePending {
		v.finishLate()
	} else {
		v.w.start(http.StatusOK) // net/http sends it itself
		v.close()
	}
	returned = true // also from the commit: a function given to Update may panic there
}

// reveal tells the outer handlers, such as logs and metrics, what a [http.ServeMux] below has noted
// in its copy of their Request: the route.
func (v *visit) reveal() {
	in := v.s.r
	if in.Pattern == v.outer.Pattern {
		return
	}
	v.outer.Pattern = in.Pattern
	for rest := in.Pattern; ; {
		var name string
		var more bool
		if _, rest, more = strings.Cut(rest, "{"); !more {
			return
		}
		name, rest, _ = strings.Cut(rest, "}")
		name = strings.TrimSuffix(name, "...")
		v.outer.SetPathValue(name, in.PathValue(name)) // "" for "$"
	}
}

// tidy removes the temporary files of an upload that was parsed below: net/http looks for them in
// its own Request only.
func (v *visit) tidy() {
	v.reveal()
	if f := v.s.r.MultipartForm; f != nil && f != v.outer.MultipartForm {
		_ = f.RemoveAll() // as net/http does
	}
}

// finish commits and writes the session's part of the header. If the commit fails, what the acts on
// identity owe the client goes with the error page.
func (v *visit) finish(h http.Header) error {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	defer s.rest()
	v.forgo()
	err := s.commit(v.Context)
	if err == nil {
		err = s.writeHeader(v.Context, h)
	}
	if err == nil {
		s.sent()
		return nil
	}
	err = s.report(detached(v.Context), "commit", err)
	if concern(err) == "" { // the handler has returned: nobody else sees why
		s.event(v.Context, ChangeLost, "commit", err)
	}
	s.dropChanges()
	if s.stage == stageUpgrading {
		s.stage = stageOpen // the answer is a page, then
	}
	v.restoreHeader(h)
	s.pay(v.Context, h)
	s.stage = stageOver
	return err
}

// sent notes that the header leaves.
func (s *Session) sent() {
	if s.standing.owes() && s.told() {
		s.turn(turnTold)
	}
	s.stage = stageSent
}

// pay writes what binds into the header of a page that tells of a failure, and nothing else.
func (s *Session) pay(ctx context.Context, h http.Header) {
	if s.standing.binds() && s.contested() {
		s.verify(s.whole(ctx))
	}
	s.takeBack(h)
	if !s.standing.binds() {
		return
	}
	if err := s.writeHeader(ctx, h); err != nil {
		s.event(ctx, ChangeLost, "the client cannot be told", err)
	}
}

// forgo drops the changes of values where the handler says by its status that it failed: what it
// has done half is not committed unasked.
func (v *visit) forgo() {
	s := &v.s
	if v.w.page != pageFailed || !s.standing.known() {
		return
	}
	if len(s.ops) > 0 {
		s.event(v.Context, ChangeLost, "the handler answered with a status of 5xx", nil)
	}
	s.forgone = s.forgone || len(s.ops) > 0 || s.err != nil
	s.dropChanges()
}

// upgrade notes that the header may never leave, unless it did already. It fails, and nothing has
// happened, where the client would have to be told of a token. Errors: [ErrNoToken].
func (v *visit) upgrade() error {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	if s.stage <= stageTold {
		if s.standing.binds() && !s.told() || s.standing.known() && s.view.Size() > 0 && !s.standing.holds() || s.m.sealed != nil && s.reading != nil && s.dirty() {
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
		v.forgo()
		if err := s.commit(v.Context); err != nil {
			s.event(v.Context, ChangeLost, "too late for the response", err)
		}
	}
	s.shut()
}

// close ends the request's use of the session.
func (v *visit) close() {
	v.s.lock()
	defer v.s.mu.Unlock()
	v.s.shut()
}

func (s *Session) shut() {
	s.rest()
	s.stage = stageOver
	s.letGo()
}

// panicked commits nothing. What the client is owed is put into the header, for whoever answers in
// the handler's place. Where http.ErrAbortHandler says that nobody will, a session ends whose token
// the client will never have.
func (v *visit) panicked(p any) {
	s := &v.s
	s.lock()
	defer s.mu.Unlock()
	defer s.shut() // also where a custom transport panics again
	ctx := v.Context
	if s.stage <= stageTold && s.standing.known() {
		s.dropChanges()
		err, _ := p.(error)
		if errors.Is(err, http.ErrAbortHandler) {
			s.abandon(ctx)
		} else {
			s.pay(ctx, v.header)
		}
	}
}
