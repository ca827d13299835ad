package sojourn

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// CrossSite says what the handlers of a route may do for pages of other sites; see
// [Options.InsecureCrossSite].
type CrossSite int

// The levels.
const (
	// CrossSiteRead runs the handler. It may read the session, if the browser has sent its cookie;
	// whatever would send a cookie fails with [ErrCrossSite]. For payment returns and webhooks.
	CrossSiteRead CrossSite = iota + 1
	// CrossSiteSignIn allows [Session.Login] besides, for identity providers that answer by a form
	// (SAML, OpenID Connect with form_post). The program makes sure, by a state of its own, that
	// this browser has asked for the sign-in.
	CrossSiteSignIn
)

// A site says what a request may do to the cookie that its browser holds, by where it comes from.
type site uint8

const (
	siteOwn    site = iota // everything
	siteSignIn             // nothing but Login
	siteRead               // nothing
)

var (
	errForeign = fmt.Errorf("%w: a page of another site has sent it: if that is meant to be, name the page's "+
		"origin in Options.TrustedOrigins or the route in Options.InsecureCrossSite", ErrCrossSite)
	errNoOrigin = fmt.Errorf("%w: it has a session cookie and does not say where it comes from: "+
		"a client that is no browser sends the header %q with it", ErrCrossSite, sameOriginHeader)
	errWithheld = fmt.Errorf("%w: a page of another site has sent the request, so the answer must not change the "+
		"browser's cookie", ErrCrossSite)
)

// sameOriginHeader is what clients send that are no browsers. No page can make a browser send it.
const sameOriginHeader = "Sec-Fetch-Site: same-origin"

// checkSite says where a request comes from, and refuses unsafe ones that do not come from this
// site, whether or not they carry a cookie: a form of another site can sign its visitors in as
// somebody else, too (OWASP Cross-Site Request Forgery Prevention: fetch metadata, with Origin as
// fallback). net/http's CrossOriginProtection admits requests with neither header; where a cookie
// speaks for the user, this does not.
func (m *Manager) checkSite(r *http.Request) (site, error) {
	mild := safe(r.Method)
	if mild && m.opts.Cookie.SameSite != http.SameSiteStrictMode || m.explicit(r) {
		return siteOwn, nil
	}
	switch o := m.originOf(r); {
	case o == originForeign && !mild:
		level := m.exemption(r)
		if level == 0 {
			return siteRead, m.refuseSite(r, errForeign)
		}
		return level.site(), nil
	case o == originUnsaid && !mild && m.tokenCame(r):
		return siteRead, m.refuseSite(r, errNoOrigin)
	case o >= originTrusted && m.withheld(r) && !m.tokenCame(r):
		return m.exemption(r).site(), nil
	}
	return siteOwn, nil
}

func (m *Manager) refuseSite(r *http.Request, err error) error {
	reason := "origin"
	if m.tokenCame(r) {
		reason = "cookie"
	}
	if m.plainOwn(r) {
		m.refused(r, InsecureRefused, reason, m.insecurity(r), ErrInsecure)
		return &actError{"load", ErrInsecure}
	}
	m.refused(r, CrossSiteRefused, reason, crossSiteHint(r), err)
	return &actError{"load", err}
}

// safe reports whether requests of this method change nothing (RFC 9110 section 9.2.1).
func safe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// explicit reports whether the request's token, if there is one, is of a kind that no browser adds
// by itself.
func (m *Manager) explicit(r *http.Request) bool {
	if c := m.opts.Custom; c != nil && c.Explicit {
		return true
	}
	_, bearer, _ := m.bearerToken(r)
	return bearer && !m.tokenCame(r)
}

// tokenCame reports whether the request has something that may be a token, a bearer's aside.
func (m *Manager) tokenCame(r *http.Request) bool {
	if c := m.opts.Custom; c != nil {
		return c.Receive(r) != ""
	}
	return m.cookieCame(r)
}

// withheld reports whether the browser that sends r may hold a session cookie that it did not send,
// since the request comes from another site: a Lax cookie does not go with unsafe requests, a
// Strict one with none (RFC 6265bis section 5.8.3). A new cookie would replace it.
func (m *Manager) withheld(r *http.Request) bool {
	if m.opts.Cookie.SameSite == http.SameSiteNoneMode {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "" // with Origin alone, sister domains cannot be told from others
}

// exemption is the level of the request's route in Options.InsecureCrossSite, 0 if it has none.
func (m *Manager) exemption(r *http.Request) CrossSite {
	if m.exempt == nil {
		return 0
	}
	h, _ := m.exempt.Handler(r)
	level, _ := h.(CrossSite) // others only redirect to a route: r is not of that route
	return level
}

// ServeHTTP does nothing: a ServeMux tells which level a request's route has, and is never run.
func (CrossSite) ServeHTTP(http.ResponseWriter, *http.Request) {}

func (c CrossSite) site() site {
	if c == CrossSiteSignIn {
		return siteSignIn
	}
	return siteRead
}

// exemptions makes the mux that knows the exempted routes; nil if there are none.
func exemptions(routes map[string]CrossSite) (mux *http.ServeMux, err error) {
	for pattern, level := range routes {
		if level != CrossSiteRead && level != CrossSiteSignIn {
			return nil, bad("InsecureCrossSite[%q]: %d is no level", pattern, level)
		}
		if mux == nil {
			mux = http.NewServeMux()
		}
		if err := handle(mux, pattern, level); err != nil {
			return nil, bad("InsecureCrossSite: %w", err)
		}
	}
	return mux, nil
}

// handle is mux.Handle with an error in place of its panic.
func handle(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

// An origin is what a request's header says of the page that has sent it.
type origin uint8

const (
	originOwn     origin = iota // a page of this site, or the user
	originUnsaid                // nothing
	originTrusted               // a page of an origin in Options.TrustedOrigins
	originForeign               // another page
)

func (m *Manager) originOf(r *http.Request) origin {
	text := r.Header.Get("Origin")
	if len(m.origins) > 0 {
		if from, _ := parseOrigin(text); slices.Contains(m.origins, from) {
			return originTrusted
		}
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "same-origin", site == "none":
		return originOwn
	case site != "":
		return originForeign
	case text == "": // no browser of today sends an unsafe request without it
		return originUnsaid
	}
	from, _ := parseOrigin(text)
	if from.scheme != "https" && !m.opts.insecure() { // what plain HTTP serves under our name may be anybody's
		return originForeign
	}
	if own, ok := parseOrigin(from.scheme + "://" + r.Host); !ok || own != from {
		return originForeign
	}
	return originOwn
}

// webOrigin is an origin (RFC 6454) in the form that compares, which the Fetch standard gives
// browsers: lower case, and the port always there.
type webOrigin struct{ scheme, host, port string }

// parseOrigin reads a serialized origin of HTTP. ok is false for "null" and all else.
func parseOrigin(text string) (o webOrigin, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.ContainsAny(text, "?#") || u.Path != "" {
		return o, false
	}
	o = webOrigin{u.Scheme, strings.ToLower(u.Hostname()), u.Port()}
	switch {
	case o.scheme != "http" && o.scheme != "https", o.host == "":
		return o, false
	case o.port == "" && o.scheme == "http":
		o.port = "80"
	case o.port == "":
		o.port = "443"
	}
	return o, true
}
