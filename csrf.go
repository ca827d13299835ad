package sojourn

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/internal/token"
)

// A formID is what a visitor's CSRF token is bound to: the random value of a cookie of its own,
// beside the session's, which says nothing of anybody.
type formID [16]byte

// formLife is how long a visitor's form can be sent.
const formLife = 4 * time.Hour

var errNoCSRF = fmt.Errorf("%w: no valid CSRF token", ErrCrossSite)

// CSRFToken returns a token for the session's forms, sealed by the manager's keys. The check of
// [Manager.Handler] where requests come from already stands on its own; the token is the second,
// session-bound proof that NIST SP 800-63B-4 section 5.1 asks for. It is spelled anew each time, so
// that compressed pages give nothing away.
//
// A session's token is bound to it and to its sign-in. It outlives renewals of the session's token,
// and dies with the next sign-in or confirmation and with the session.
//
// A visitor's, for sign-in forms, is bound to a cookie that this response sets, beside the
// session's name ("__Host-session.csrf"), and makes no record. It is valid for 4 hours, as long as
// nobody is signed in.
//
// It returns "" where there is no way to send the visitor's cookie: after the first byte (an event
// tells of it), over plain HTTP, to a form of another site's page, and to a bearer or an explicit
// [CustomTransport], which need no token. Errors of a [Sealer] of the program's own give "", too,
// and an event.
func (s *Session) CSRFToken() string {
	s.ready()
	defer s.mu.Unlock()
	plain, aad := s.csrfPlain(), s.m.aad.csrf
	if !s.standing.holds() {
		if !s.formCookie() {
			return ""
		}
		plain, aad = binary.BigEndian.AppendUint64(s.form[:], uint64(time.Now().Unix())), s.m.aad.form
	}
	sealed, err := s.m.keys.Seal([]byte{token.Version}, plain, aad)
	if err != nil {
		s.event(s.r.Context(), SealFailed, "csrf", err)
		return ""
	}
	return token.Encoding.EncodeToString(sealed)
}

// csrfPlain is what a session's CSRF token seals: which session, and which of its sign-ins.
func (s *Session) csrfPlain() []byte {
	return binary.BigEndian.AppendUint64(s.rec.Handle[:len(s.rec.Handle):len(s.rec.Handle)], uint64(s.facts.Confirmed))
}

// formCookie sees to it that the visitor has the cookie of its forms, and reports whether it can.
func (s *Session) formCookie() bool {
	switch {
	case s.form != nil:
		return true
	case s.got.from == fromBearer, s.m.opts.Custom != nil && s.m.opts.Custom.Explicit,
		!s.m.secure(s.r), s.site != siteOwn && !safe(s.r.Method):
		return false
	case s.stage > stageTold:
		s.event(s.r.Context(), ChangeLost, "a visitor's CSRF token needs a cookie: call CSRFToken before the first byte", ErrNoToken)
		return false
	}
	var id formID
	if ids := s.formIDs(); len(ids) > 0 {
		id = ids[0] // forms in other tabs go on
	} else {
		rand.Read(id[:])
	}
	s.form = &id
	return true
}

// formIDs are those of the visitor: this request's own, or what its cookies name.
func (s *Session) formIDs() (ids []formID) {
	if s.form != nil {
		ids = append(ids, *s.form)
	}
	var values [cookie.Max]string
	n := cookie.Values(s.r.Header, s.m.formJar.Name, &values)
	for _, v := range values[:min(n, cookie.Max)] {
		if b, err := token.AppendDecode(nil, v); err == nil && len(b) == len(formID{}) {
			ids = append(ids, formID(b))
		}
	}
	return ids
}

// sendForm puts the cookie of a visitor's forms into the header.
func (s *Session) sendForm(h http.Header) {
	s.m.formJar.Set(h, s.m.https(s.r), s.m.formJar.Name, token.Encoding.EncodeToString(s.form[:]), formLife)
}

// VerifyCSRF accepts what CSRFToken returned to this session, or to this visitor as long as nobody
// is signed in. Errors: [ErrCrossSite]; [ErrUnavailable] where a [Sealer] of the program's own
// cannot be reached.
func (s *Session) VerifyCSRF(text string) error {
	s.ready()
	defer s.mu.Unlock()
	sealed := unversioned(text)
	if sealed == nil {
		return ErrCrossSite // a Sealer may be far away: it is not asked about what is none
	}
	if s.standing.holds() {
		plain, err := s.m.keys.Open(nil, sealed, s.m.aad.csrf)
		if errors.Is(err, ErrUnavailable) {
			return opError("csrf", s.sealFailed("open csrf token", err))
		}
		if err == nil && subtle.ConstantTimeCompare(plain, s.csrfPlain()) == 1 {
			return nil
		}
	}
	id, made, err := s.m.openForm(sealed)
	switch {
	case s.rec.User != "":
	case errors.Is(err, ErrUnavailable):
		return opError("csrf", s.sealFailed("open csrf token", err))
	case s.ownForm(id, time.Since(made)):
		return nil
	}
	return ErrCrossSite
}

// unversioned decodes a CSRF token and takes its version away. It returns nil for what is none.
func unversioned(text string) (sealed []byte) {
	if len(text) > token.MaxLen {
		return nil
	}
	b, err := token.AppendDecode(nil, text)
	if err != nil || len(b) == 0 || b[0] != token.Version {
		return nil
	}
	return b[1:]
}

// openForm opens a visitor's CSRF token. What is none was made at the zero time, so is too old.
func (m *Manager) openForm(sealed []byte) (id formID, made time.Time, err error) {
	plain, err := m.keys.Open(nil, sealed, m.aad.form)
	if err != nil || len(plain) != len(id)+8 {
		return id, made, err
	}
	at := copy(id[:], plain)
	return id, time.Unix(int64(binary.BigEndian.Uint64(plain[at:])), 0), nil
}

// ownForm reports whether id is the visitor's, and a token of this age not too old. Ages are told
// in whole seconds, by this node's clock.
func (s *Session) ownForm(id formID, age time.Duration) bool {
	if age > formLife || age < -s.m.opts.ClockSkew-time.Second {
		return false
	}
	for _, own := range s.formIDs() {
		if subtle.ConstantTimeCompare(id[:], own[:]) == 1 {
			return true
		}
	}
	return false
}

// mayVerify reports whether any CSRF token could be valid: a stranger's body need not be read.
func (s *Session) mayVerify() bool {
	s.ready()
	defer s.mu.Unlock()
	return s.standing.holds() || len(s.formIDs()) > 0
}

// RequireCSRFToken loads the session and refuses unsafe requests whose header X-CSRF-Token or form
// field csrf_token does not hold its [Session.CSRFToken]. Requests with a bearer token need none.
//
// A stranger's body is not read, who has neither a session nor a visitor's cookie. Another is read
// up to [Options.CSRFBodyLimit], and given back: the handler parses it as if nobody had read it. In
// a form with files the field stands before them.
func (m *Manager) RequireCSRFToken(next http.Handler) http.Handler {
	return m.require(next, func(s *Session, r *http.Request) error {
		if safe(r.Method) || s.got.from == fromBearer {
			return nil
		}
		token, known := r.Header.Get("X-CSRF-Token"), s.mayVerify()
		if token == "" && known {
			token = formField(r, "csrf_token", m.opts.CSRFBodyLimit)
		}
		err := s.VerifyCSRF(token)
		if errors.Is(err, ErrCrossSite) {
			m.refused(r, CrossSiteRefused, "csrf token", m.csrfHint(token, known), errNoCSRF)
			return errNoCSRF
		}
		return err
	})
}
