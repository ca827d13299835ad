package sojourn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
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
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return nil
	}
	if m.opts.Custom != nil {
		return nil // what browsers do with it is the program's to know
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

// csrfSize is the size of the session-bound token and of its mask.
const csrfSize = sha256.Size

func (s *Session) csrf() (mac [csrfSize]byte) {
	h := hmac.New(sha256.New, s.credential().Secret[:])
	h.Write([]byte("sojourn csrf v1"))
	h.Sum(mac[:0])
	return mac
}

// CSRFToken gives a token for the session's forms, bound to it and changed by every
// sign-in and renewal. The origin check of [Manager.Handler] already stands on its own; the token is the second, session-bound
// proof that NIST SP 800-63B-4 section 5.1 asks for. It is spelled anew each time, so that compressed pages give nothing away.
// A visitor without a record has none: "".
func (s *Session) CSRFToken() string {
	s.ready()
	defer s.mu.Unlock()
	if !s.live {
		return ""
	}
	var out [2 * csrfSize]byte
	mac := s.csrf()
	rand.Read(out[:csrfSize])
	subtle.XORBytes(out[csrfSize:], out[:csrfSize], mac[:])
	return token.Encoding.EncodeToString(out[:])
}

// VerifyCSRF accepts what CSRFToken of this session gave. Errors: [ErrCrossSite].
func (s *Session) VerifyCSRF(text string) error {
	s.ready()
	defer s.mu.Unlock()
	b, err := token.AppendDecode(nil, text)
	if err != nil || len(b) != 2*csrfSize || !s.live {
		return ErrCrossSite
	}
	mac := s.csrf()
	subtle.XORBytes(b[csrfSize:], b[:csrfSize], b[csrfSize:])
	if subtle.ConstantTimeCompare(mac[:], b[csrfSize:]) != 1 {
		return ErrCrossSite
	}
	return nil
}

// RequireCSRFToken loads the session and refuses unsafe requests whose header X-CSRF-Token or form field csrf_token does
// not hold its [Session.CSRFToken]. Requests with a bearer token need none.
func (m *Manager) RequireCSRFToken(next http.Handler) http.Handler {
	return m.require(next, func(s *Session, r *http.Request) error {
		switch r.Method {
		case "GET", "HEAD", "OPTIONS", "TRACE":
			return nil
		}
		if s.got.from == fromBearer {
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
