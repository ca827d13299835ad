package sojourn

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"

	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// checkSite refuses unsafe requests that carry the session's cookie but do not come
// from this site (OWASP Cross-Site Request Forgery Prevention, fetch metadata with Origin as
// fallback). net/http's CrossOriginProtection admits requests with neither header; where a cookie
// speaks for the user, this does not.
func (m *Manager) checkSite(r *http.Request) error {
	if safe(r.Method) || m.opts.Custom != nil { // what browsers do with another transport is the program's to know
		return nil
	}
	var values [cookie.Max]string
	if cookie.Values(r.Header, m.jar.Name, &values) == 0 {
		return nil
	}
	if m.sameSite(r) || m.opts.InsecureCSRFBypass != nil && m.opts.InsecureCSRFBypass(r) {
		return nil
	}
	m.event(r.Context(), CrossSiteRefused, store.Handle{}, "", "", nil)
	return &Error{Op: "load", Err: ErrCrossSite}
}

// safe reports whether requests of this method change nothing (RFC 9110 section 9.2.1).
func safe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// cookieWithheld reports whether the browser that sends r may hold a session cookie that it did not
// send, since the request comes from another site: a Lax cookie does not go with unsafe requests, a
// Strict one with none (RFC 6265bis section 5.8.3).
func (m *Manager) cookieWithheld(r *http.Request) bool {
	switch {
	case m.opts.Custom != nil, m.opts.Cookie.SameSite == http.SameSiteNoneMode:
		return false
	case m.opts.Cookie.SameSite == http.SameSiteLaxMode && safe(r.Method):
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "cross-site"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false // no browser of today sends an unsafe request without it
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

func (m *Manager) sameSite(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	for _, o := range m.opts.TrustedOrigins {
		if o == origin {
			return true
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Host != r.Host {
		return false
	}
	return u.Scheme == "https" || m.opts.InsecureLoopbackHTTP // what plain HTTP serves under our name may be anybody's
}

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

// RequireCSRFToken loads the session and refuses unsafe requests whose header X-CSRF-Token or form field csrf_token does
// not hold its [Session.CSRFToken]. Requests with a bearer token need none.
func (m *Manager) RequireCSRFToken(next http.Handler) http.Handler {
	return m.require(next, func(s *Session, r *http.Request) error {
		if safe(r.Method) || s.got.from == fromBearer {
			return nil
		}
		token := r.Header.Get("X-CSRF-Token")
		if token == "" {
			token = r.PostFormValue("csrf_token")
		}
		if err := s.VerifyCSRF(token); err != nil {
			return fmt.Errorf("%w: no valid CSRF token", err)
		}
		return nil
	})
}
