package sojourn

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// What a request says of its way here. A proxy's word counts only if the connection itself is that
// of a trusted proxy, and then the nearest one decides: docs/http.md has the table.

// proxies checks the options about the way.
func (o *Options) proxies() error {
	for _, p := range o.TrustedProxies {
		if !p.IsValid() || p.Addr().Is4In6() {
			return bad("TrustedProxies: %v is no network that a peer can be in", p)
		}
	}
	if o.InsecureContainerHTTP && (len(o.TrustedProxies) > 0 || o.TrustUnixSockets || o.HTTPS != nil) {
		return bad("InsecureContainerHTTP is for a developer's machine: where a proxy ends TLS, drop it")
	}
	return nil
}

// insecure reports whether the options let sessions travel over plain HTTP anywhere.
func (o *Options) insecure() bool { return o.InsecureLoopbackHTTP || o.InsecureContainerHTTP }

// secure reports whether a session may travel with this request.
func (m *Manager) secure(r *http.Request) bool {
	if m.opts.InsecureContainerHTTP {
		return m.developing(r)
	}
	return m.https(r) || m.opts.InsecureLoopbackHTTP && m.developing(r)
}

// developing reports whether r is what a browser on the developer's own machine sends. The name
// that it asks for is what keeps development out of production, and the page it comes from: a proxy
// with its settings untouched asks for localhost, too.
func (m *Manager) developing(r *http.Request) bool {
	peer := peerOf(r)
	near := peer.IsLoopback()
	if m.opts.InsecureContainerHTTP {
		near = near || peer.IsPrivate() || peer.IsLinkLocalUnicast()
	}
	return near && r.TLS == nil && loopbackHost(r.Host) && !foreignOrigin(r)
}

// foreignOrigin reports whether the browser says that its page is not of this machine.
func foreignOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	return err != nil || u.Host != "" && !loopbackHost(u.Host)
}

// plainOwn reports whether r comes from a page of our own name over plain HTTP, where anybody may
// have written the page: that it is no page of this site is then not what is wrong.
func (m *Manager) plainOwn(r *http.Request) bool {
	page, _ := parseOrigin(r.Header.Get("Origin"))
	own, ok := parseOrigin("http://" + r.Host)
	return ok && page == own && !m.secure(r)
}

// https reports whether the client spoke TLS, with us or with a trusted proxy. That a proxy speaks
// it with us does not say that the client did.
func (m *Manager) https(r *http.Request) bool {
	if s := m.schemes(r); s.said() {
		return s.https()
	}
	return r.TLS != nil || m.opts.HTTPS != nil && m.opts.HTTPS(r)
}

// schemes is what the nearest trusted proxy said of its client's connection, in each of the two
// headers; nil where it said nothing.
type schemes struct{ forwarded, xForwarded *string }

func (s schemes) said() bool { return s.forwarded != nil || s.xForwarded != nil }

// https reports whether all that was said says so. Most proxies set one header and let the client's
// own in the other through, so one that says something else is not to be passed over.
func (s schemes) https() bool { return overTLS(s.forwarded) && overTLS(s.xForwarded) }

func overTLS(scheme *string) bool {
	return scheme == nil || strings.EqualFold(*scheme, "https") || strings.EqualFold(*scheme, "wss")
}

func (m *Manager) schemes(r *http.Request) (s schemes) {
	if len(m.opts.TrustedProxies) == 0 && !m.opts.TrustUnixSockets {
		return s // the commonest, and each request asks
	}
	x, f := r.Header["X-Forwarded-Proto"], r.Header["Forwarded"]
	if len(x)+len(f) == 0 || !m.fromProxy(r) {
		return s
	}
	if len(x) > 0 { // each proxy adds its own at the end, or replaces all
		last := x[len(x)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		s.xForwarded = &last
	}
	if hops := forwardedHops(f); len(hops) > 0 {
		if proto, ok := hops[len(hops)-1]["proto"]; ok {
			s.forwarded = &proto
		}
	}
	return s
}

// forwardedHops reads the header Forwarded (RFC 7239 section 4): an element a proxy, the nearest
// last. Of what does not parse nothing is believed, which is one empty scheme.
func forwardedHops(lines []string) (hops []map[string]string) {
	rest := strings.Join(lines, ",")
	hop := map[string]string{}
	for rest = strings.TrimLeft(rest, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		switch rest[0] {
		case ',':
			hops, hop = append(hops, hop), map[string]string{}
			rest = rest[1:]
			continue
		case ';':
			rest = rest[1:]
			continue
		}
		name, after, ok := strings.Cut(rest, "=")
		value, after, closed := forwardedValue(after)
		if !ok || !closed || strings.ContainsAny(name, " \t,;\"") {
			return []map[string]string{{"proto": ""}}
		}
		hop[strings.ToLower(name)] = value
		rest = after
	}
	if len(hop) > 0 || len(hops) > 0 {
		hops = append(hops, hop)
	}
	return hops
}

// forwardedValue cuts a token or quoted string off, and reports whether it ends where it may.
func forwardedValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",;")
		if end < 0 {
			end = len(s)
		}
		value = strings.TrimRight(s[:end], " \t")
		return value, s[end:], !strings.ContainsAny(value, " \t\"=")
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			rest = strings.TrimLeft(s[i+1:], " \t")
			return b.String(), rest, rest == "" || rest[0] == ',' || rest[0] == ';'
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// fromProxy reports whether the connection is that of a trusted proxy.
func (m *Manager) fromProxy(r *http.Request) bool {
	return m.opts.TrustUnixSockets && overUnixSocket(r) || m.trusted(peerOf(r))
}

func (m *Manager) trusted(a netip.Addr) bool {
	for _, p := range m.opts.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// overUnixSocket reports whether the peer is on a Unix socket. net/http says which kind of listener
// accepted the connection; without net/http the address alone has to do.
func overUnixSocket(r *http.Request) bool {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a.Network() == "unix"
	}
	return r.RemoteAddr == "@"
}

// peerOf returns the address of the connection's other end. An address without a port is none:
// net/http sets no such, and a middleware that does has it from a header.
func peerOf(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return plainAddr(ap.Addr())
}

// plainAddr spells an address as networks have it, which know no zone.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, _ := netip.ParseAddr(host)
	return a.IsLoopback()
}

// clientAddr returns the last address that no trusted proxy vouches for. Where both headers came
// they must agree: which of them the proxy wrote, and which it let through, does not show.
func (m *Manager) clientAddr(r *http.Request) netip.Addr {
	if !m.fromProxy(r) {
		return hopAddr(r.RemoteAddr) // a middleware's may have no port
	}
	x, f := r.Header["X-Forwarded-For"], forwardedHops(r.Header["Forwarded"])
	names := make([]string, len(f))
	for i, hop := range f {
		names[i] = hop["for"]
	}
	byX, byF := m.lastForeign(r, strings.Split(strings.Join(x, ","), ",")), m.lastForeign(r, names)
	switch {
	case len(f) == 0, byX == byF:
		return byX
	case len(x) == 0:
		return byF
	}
	return peerOf(r)
}

// lastForeign goes back over the hops, the nearest last, as long as trusted proxies name them.
func (m *Manager) lastForeign(r *http.Request, hops []string) netip.Addr {
	a := peerOf(r)
	for i := len(hops) - 1; i >= 0 && (i == len(hops)-1 || m.trusted(a)); i-- {
		next := hopAddr(hops[i])
		if !next.IsValid() {
			break
		}
		a = next
	}
	return a
}

// hopAddr reads an address as proxies write it: with a port or without, IPv6 in brackets or not.
// What is none, such as "unknown", gives the zero Addr.
func hopAddr(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plainAddr(ap.Addr())
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return netip.Addr{}
		}
	}
	a, _ := netip.ParseAddr(s)
	return plainAddr(a)
}
