package sojourn

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"net/http"

	"github.com/sojourn-go/sojourn/internal/token"
)

// csrfPlain is what a CSRF token seals: which session, and which of its sign-ins.
func (s *Session) csrfPlain() []byte {
	return binary.BigEndian.AppendUint64(s.rec.Handle[:len(s.rec.Handle):len(s.rec.Handle)], uint64(s.facts.Confirmed))
}

// CSRFToken returns a token for the session's forms: sealed by the manager's keys, bound to the
// session and its sign-in. It outlives renewals of the session's token, and dies with the next
// sign-in or confirmation and with the session. The origin check of [Manager.Handler] already stands
// on its own; the token is the second, session-bound proof that NIST SP 800-63B-4 section 5.1 asks
// for. It is spelled anew each time, so that compressed pages give nothing away. A visitor without a
// record has none: "". Errors of a [Sealer] of the program's own give "", too, and an event.
func (s *Session) CSRFToken() string {
	s.ready()
	defer s.mu.Unlock()
	if !s.standing.holds() {
		return ""
	}
	sealed, err := s.m.keys.Seal([]byte{token.Version}, s.csrfPlain(), s.m.aad.csrf)
	if err != nil {
		s.event(s.r.Context(), StoreFailed, "seal", err)
		return ""
	}
	return token.Encoding.EncodeToString(sealed)
}

// VerifyCSRF accepts what CSRFToken of this session returned. Errors: [ErrCrossSite].
func (s *Session) VerifyCSRF(text string) error {
	s.ready()
	defer s.mu.Unlock()
	if !s.standing.holds() || len(text) > token.MaxLen {
		return ErrCrossSite
	}
	b, err := token.AppendDecode(nil, text)
	if err != nil || len(b) == 0 || b[0] != token.Version {
		return ErrCrossSite
	}
	plain, err := s.m.keys.Open(nil, b[1:], s.m.aad.csrf)
	if err != nil || subtle.ConstantTimeCompare(plain, s.csrfPlain()) != 1 {
		return ErrCrossSite
	}
	return nil
}

// RequireCSRFToken loads the session and refuses unsafe requests whose header X-CSRF-Token or form
// field csrf_token does not hold its [Session.CSRFToken]. Requests with a bearer token need none.
//
// A stranger's body is not read. That of a session is read up to [Options.CSRFBodyLimit], and given
// back: the handler parses it as if nobody had read it. In a form with files the field stands before
// them.
func (m *Manager) RequireCSRFToken(next http.Handler) http.Handler {
	return m.require(next, func(s *Session, r *http.Request) error {
		if safe(r.Method) || s.got.from == fromBearer {
			return nil
		}
		token := r.Header.Get("X-CSRF-Token")
		if token == "" && s.Exists() {
			token = formField(r, "csrf_token", m.opts.CSRFBodyLimit)
		}
		if err := s.VerifyCSRF(token); err != nil {
			return fmt.Errorf("%w: no valid CSRF token", err)
		}
		return nil
	})
}
