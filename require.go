package sojourn

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// require loads the session, answers outages, and lets through what check accepts.
func (m *Manager) require(next http.Handler, check func(*Session, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := m.Load(r)
		if err == nil {
			err = check(s, r)
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, ErrNoUser):
			m.answer(w, r, m.opts.OnAnonymous, m.From(r).challenge("invalid_token"), err)
		case errors.Is(err, ErrNotFresh):
			m.answer(w, r, m.opts.OnStale, m.From(r).challenge("insufficient_user_authentication"), err)
		default:
			m.opts.OnError(w, r, err)
		}
	})
}

func (m *Manager) answer(w http.ResponseWriter, r *http.Request, custom http.Handler, challenge string, err error) {
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if custom != nil {
		custom.ServeHTTP(w, r)
		return
	}
	problemOf(err).answer(w, r)
}

// errBearer: the session of a bearer token cannot be given another one.
var errBearer = fmt.Errorf("%w in answer to a bearer token: send the request without it", ErrNoToken)

// A deadBearer refuses a request that would begin a session, but came with a bearer token that
// opens none: an API client takes no cookie, and is told that it needs another token.
type deadBearer struct{ challenge string }

func (*deadBearer) Error() string {
	return ErrNoToken.Error() + ": the request's bearer token opens no session: send the request without it"
}
func (*deadBearer) Is(err error) bool { return err == ErrNoToken }

// challenge is the WWW-Authenticate value (RFC 6750 section 3): the error code only if a bearer
// token was sent.
func (s *Session) challenge(code string) string {
	b := s.m.opts.Bearer
	if b == nil {
		return ""
	}
	c := "Bearer"
	if b.Realm != "" {
		c += " realm=" + strconv.Quote(b.Realm)
	}
	if s.got.from == fromBearer {
		if b.Realm != "" {
			c += ","
		}
		c += ` error="` + code + `"`
	}
	return c
}

// RequireLoaded loads the session for all handlers below, which can then use [Manager.From] and
// need no error path: an outage is answered here.
func (m *Manager) RequireLoaded(next http.Handler) http.Handler {
	return m.require(next, func(*Session, *http.Request) error { return nil })
}

// RequireUser is RequireLoaded for signed-in users; others get [Options.OnAnonymous].
func (m *Manager) RequireUser(next http.Handler) http.Handler {
	return m.require(next, func(s *Session, _ *http.Request) error { return s.needs(0, 0) })
}

// RequireFresh is RequireUser for users who signed in, or confirmed it by signing in again, at most
// d ago; others get [Options.OnStale]. d is positive; a remembered session is no fresher than its
// last sign-in.
func (m *Manager) RequireFresh(d time.Duration, next http.Handler) http.Handler {
	return m.require(next, func(s *Session, _ *http.Request) error { return s.needs(max(d, 1), 0) })
}

// RequireLevel is RequireUser for sign-ins of at least level; others get [Options.OnStale].
func (m *Manager) RequireLevel(level Level, next http.Handler) http.Handler {
	return m.require(next, func(s *Session, _ *http.Request) error { return s.needs(0, level) })
}

func (s *Session) needs(fresh time.Duration, level Level) error {
	switch {
	case s.User() == "":
		return ErrNoUser
	case fresh > 0 && !s.Fresh(fresh), s.Level() < level:
		return ErrNotFresh
	}
	return nil
}

// Peek makes requests below it not count as use of the session, so that a page that polls does not
// keep its user signed in for ever. What they change is written all the same.
func (m *Manager) Peek(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.From(r).Peek()
		next.ServeHTTP(w, r)
	})
}
