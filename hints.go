package sojourn

import (
	"fmt"
	"net/http"
	"net/netip"
)

// What an operator can change, told with the event of a refused request.

// insecurity says why no session travels with r, and what to change.
func (m *Manager) insecurity(r *http.Request) string {
	peer, host := peerOf(r), cut(r.Host)
	s := m.schemes(r)
	switch {
	case m.opts.InsecureContainerHTTP:
		return fmt.Sprintf("Options.InsecureContainerHTTP serves http://localhost on a developer's machine and nothing else, "+
			"and this request came from %s for %q, TLS: %t, of a page at %q: drop the option where others come, too",
			cut(r.RemoteAddr), host, r.TLS != nil, cut(r.Header.Get("Origin")))
	case s.forwarded != nil && s.xForwarded != nil && overTLS(s.forwarded) != overTLS(s.xForwarded):
		return fmt.Sprintf("the trusted proxy sends Forwarded and X-Forwarded-Proto (%q), which do not agree: "+
			"let it set one and delete the other, which is the client's", cut(*s.xForwarded))
	case s.said():
		return fmt.Sprintf("the trusted proxy says that its client spoke plain HTTP (X-Forwarded-Proto %q, Forwarded %q): redirect to https there; "+
			"where yet another proxy before it ended TLS, let it pass on what that one said",
			cut(r.Header.Get("X-Forwarded-Proto")), cut(r.Header.Get("Forwarded")))
	case m.fromProxy(r):
		return "the trusted proxy does not say whether its client spoke TLS: let it set X-Forwarded-Proto " + settings
	case m.opts.InsecureLoopbackHTTP && peer.IsLoopback() && loopbackHost(r.Host):
		return fmt.Sprintf("Options.InsecureLoopbackHTTP is for development, and the browser's page is at %q: a proxy on this machine forwarded "+
			"the request without the name that was asked for. Let it pass on Host %s and set X-Forwarded-Proto %s, %s, "+
			"and drop InsecureLoopbackHTTP", cut(r.Header.Get("Origin")), keepHost, settings, trust(peer))
	case overUnixSocket(r):
		return "the request came by a Unix socket, where no address tells who it is: set Options.TrustUnixSockets if only your proxy " +
			"can open the socket, and let it set X-Forwarded-Proto " + settings
	case proxied(r) && !peer.IsValid():
		return fmt.Sprintf("a middleware outside Manager.Handler (RealIP or its like) has put %q in the place of the proxy's address, so that "+
			"Options.TrustedProxies cannot be told: put Handler outside of it", cut(r.RemoteAddr))
	case proxied(r):
		return fmt.Sprintf("if your proxy is at %v, %s, and let it set X-Forwarded-Proto %s", peer, trust(peer), settings)
	case loopbackHost(r.Host) && peer.IsLoopback():
		return "serve TLS; while developing, set Options.InsecureLoopbackHTTP"
	case loopbackHost(r.Host) && peer.IsPrivate():
		return "serve TLS; while developing in a container whose port is published on this machine, set Options.InsecureContainerHTTP"
	}
	serve := fmt.Sprintf("serve TLS. Where a proxy at %v ends it: %s, and let it set X-Forwarded-Proto %s; where it cannot "+
		"(layer 4, PROXY protocol), set Options.HTTPS", peer, trust(peer), settings)
	if m.opts.InsecureLoopbackHTTP {
		return fmt.Sprintf("Options.InsecureLoopbackHTTP serves http://localhost on this machine and nothing else, and this request came "+
			"from %v for the host %q: ask for localhost, or ", peer, host) + serve
	}
	return serve
}

// settings are how the header is set where the proxy does not by itself.
const settings = `(nginx: "proxy_set_header X-Forwarded-Proto $scheme;", HAProxy: "http-request set-header X-Forwarded-Proto https if { ssl_fc }"; Caddy and Traefik do by themselves)`

// keepHost is how the name that was asked for is passed on where the proxy does not by itself.
const keepHost = `(nginx: "proxy_set_header Host $http_host;")`

// trust is the line that makes a proxy a trusted one.
func trust(peer netip.Addr) string {
	if !peer.IsValid() {
		return "name it in Options.TrustedProxies"
	}
	return fmt.Sprintf("add netip.MustParsePrefix(%q) to Options.TrustedProxies", netip.PrefixFrom(peer, peer.BitLen()))
}

// proxied reports whether r shows that a proxy forwarded it.
func proxied(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-Proto", "X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// cut keeps what a client wrote short.
func cut(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// crossSiteHint says what keeps a request of the site's own from being known as such.
func crossSiteHint(r *http.Request) string {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site == "" && origin == "":
		return "a browser says where its page comes from, and this client does not: let it send the header Sec-Fetch-Site: same-origin, or use bearer tokens"
	case site == "":
		return fmt.Sprintf("the page is at %q, and the request asks for the host %q: if a proxy changed the name, let it pass on the browser's "+
			keepHost+"; if the page is another of your sites, add it to Options.TrustedOrigins", cut(origin), cut(r.Host))
	}
	return fmt.Sprintf("the browser says that the request is %s, of a page at %q: if that is one of your sites, add it to Options.TrustedOrigins; "+
		"if others may send there (payments, SAML), see Options.InsecureCrossSite",
		cut(site), cut(origin))
}

// tokenHint says what a token that does not open may be.
const tokenHint = "it is forged, or sealed by keys or for a Name that this process does not have: if users are signed out by it, " +
	"give all processes the same keys, see Manager.CheckKeys"

// csrfHint says what is wrong with a CSRF token, and where it belongs. known says that the request
// has a session, or the cookie of a visitor's forms.
func (m *Manager) csrfHint(token string, known bool) string {
	switch {
	case !known:
		return "the request has neither a session nor the cookie of a visitor's forms, to which its CSRF token could belong: " +
			"let the page that shows the form call Session.CSRFToken, and see that the browser keeps its cookies"
	case token == "":
		return fmt.Sprintf("the request has no CSRF token: put Session.CSRFToken into the header X-CSRF-Token, or into the form field "+
			"csrf_token, which stands before files and within the first %d bytes (Options.CSRFBodyLimit)", m.opts.CSRFBodyLimit)
	}
	return "the CSRF token is another session's, from before the last sign-in, or a visitor's of more than 4 hours ago: " +
		"put Session.CSRFToken into each page anew"
}
