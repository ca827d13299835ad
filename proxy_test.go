package sojourn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// A way is how a request came.
type way struct {
	peer string
	host string // "" = example.com
	tls  bool
	unix bool // accepted on a Unix socket
	head http.Header
}

func (w way) request(method, cookie string) *http.Request {
	r := rigRequest(method, cookie)
	r.RemoteAddr, r.TLS = w.peer, nil
	if w.host != "" {
		r.Host = w.host
	}
	if w.tls {
		r.TLS = &tls.ConnectionState{}
	}
	if w.unix {
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.UnixAddr{Name: "/run/app.sock", Net: "unix"})))
	}
	for name, lines := range w.head {
		r.Header[name] = lines
	}
	return r
}

// pairs makes a header of names and values; a name may come again.
func pairs(list ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(list); i += 2 {
		h.Add(list[i], list[i+1])
	}
	return h
}

// signsIn signs ada in by a request that came this way and gives her session and what was told of
// it.
func signsIn(t *testing.T, o sojourn.Options, w way) (*sojourn.Info, *httptest.ResponseRecorder, []sojourn.Event) {
	t.Helper()
	g := newWebRig(t, nil, o)
	var in *sojourn.Info
	out := g.serve(w.request("POST", ""), func(rw http.ResponseWriter, r *http.Request) {
		s := g.m.From(r)
		if err := s.Login(r.Context(), "ada"); err != nil {
			if !errors.Is(err, sojourn.ErrInsecure) {
				t.Errorf("%+v: %v", w, err)
			}
			sojourn.DefaultOnError(rw, r, err)
			return
		}
		info := s.Info()
		in = &info
	})
	return in, out, g.ev
}

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10")}

// R39: what the nearest trusted proxy says of its client's connection decides, and nothing else.
func TestForwardedProto(t *testing.T) {
	const proto = "X-Forwarded-Proto"
	trust, near := sojourn.Options{TrustedProxies: proxies}, "10.1.2.3:1"
	for _, tt := range []struct {
		name string
		opts sojourn.Options
		way  way
		ok   bool
	}{
		{"websocket", trust, way{peer: near, head: pairs(proto, "wss")}, true},
		{"plain websocket", trust, way{peer: near, head: pairs(proto, "ws")}, false},
		{"two hops", trust, way{peer: near, head: pairs(proto, "https, https")}, true},
		{"two hops, tight", trust, way{peer: near, head: pairs(proto, "https,https")}, true},
		{"nearest plain", trust, way{peer: near, head: pairs(proto, "https,http")}, false},
		{"nearest over TLS", trust, way{peer: near, head: pairs(proto, "http, https")}, true},
		{"two lines", trust, way{peer: near, head: pairs(proto, "https", proto, "https")}, true},
		{"two lines, nearest plain", trust, way{peer: near, head: pairs(proto, "https", proto, "http")}, false},
		{"empty", trust, way{peer: near, head: pairs(proto, "")}, false},
		{"list that ends empty", trust, way{peer: near, head: pairs(proto, "https,")}, false},
		{"other word", trust, way{peer: near, head: pairs(proto, "httpsx")}, false},
		{"zone", trust, way{peer: "[fe80::1%eth0]:1", head: pairs(proto, "https")}, true},

		{"Forwarded", trust, way{peer: near, head: pairs("Forwarded", "for=192.0.2.60;proto=https;by=203.0.113.43")}, true},
		{"Forwarded in capitals", trust, way{peer: near, head: pairs("Forwarded", "For=192.0.2.60; Proto=HTTPS")}, true},
		{"Forwarded quoted", trust, way{peer: near, head: pairs("Forwarded", `for="[2001:db8::17]:4711";proto="https"`)}, true},
		{"Forwarded, plain", trust, way{peer: near, head: pairs("Forwarded", "proto=http;for=192.0.2.60")}, false},
		{"Forwarded, nearest plain", trust, way{peer: near, head: pairs("Forwarded", "proto=https, proto=http")}, false},
		{"Forwarded, nearest over TLS", trust, way{peer: near, head: pairs("Forwarded", "proto=http", "Forwarded", "proto=https")}, true},
		{"Forwarded, a quoted comma", trust, way{peer: near, head: pairs("Forwarded", `proto=http;for="x, proto=https"`)}, false},
		{"Forwarded, nearest silent", trust, way{peer: near, head: pairs("Forwarded", "proto=https, for=10.0.0.1")}, false},
		{"Forwarded torn", trust, way{peer: near, head: pairs("Forwarded", `proto=https;for="x`)}, false},
		{"Forwarded nonsense", trust, way{peer: near, head: pairs("Forwarded", "https")}, false},
		{"Forwarded by a stranger", trust, way{peer: "192.0.2.1:1", head: pairs("Forwarded", "proto=https")}, false},
		{"both agree", trust, way{peer: near, head: pairs("Forwarded", "proto=https", proto, "https")}, true},
		{"the client's Forwarded came through", trust, way{peer: near, head: pairs("Forwarded", "proto=https", proto, "http")}, false},
		{"the client's X-Forwarded-Proto came through", trust, way{peer: near, head: pairs("Forwarded", "proto=http", proto, "https")}, false},
		{"Forwarded nonsense beside the other", trust, way{peer: near, head: pairs("Forwarded", "https", proto, "https")}, false},
		{"Forwarded with a space in a name", trust, way{peer: near, head: pairs("Forwarded", "f or=192.0.2.60;proto=https")}, false},
		{"Forwarded with a quote in a name", trust, way{peer: near, head: pairs("Forwarded", `f"or=192.0.2.60;proto=https`)}, false},
		{"Forwarded that ends empty", trust, way{peer: near, head: pairs("Forwarded", "proto=https,")}, false},
		{"Forwarded with an empty value", trust, way{peer: near, head: pairs("Forwarded", "for=;proto=https")}, true},
		{"Forwarded with a quoted pair", trust, way{peer: near, head: pairs("Forwarded", `proto="http\s"`)}, true},
		{"Forwarded torn at a quoted pair", trust, way{peer: near, head: pairs("Forwarded", `proto=https;for="x\`)}, false},
		{"Forwarded empty beside the other", trust, way{peer: near, head: pairs("Forwarded", "", proto, "https")}, true},
		{"Forwarded without proto", trust, way{peer: near, head: pairs("Forwarded", "for=192.0.2.60", proto, "https")}, true},

		{"Unix socket", sojourn.Options{TrustUnixSockets: true}, way{peer: "@", unix: true, head: pairs(proto, "https")}, true},
		{"Unix socket, unnamed", sojourn.Options{TrustUnixSockets: true}, way{unix: true, head: pairs(proto, "https")}, true},
		{"Unix socket without net/http", sojourn.Options{TrustUnixSockets: true}, way{peer: "@", head: pairs(proto, "https")}, true},
		{"Unix socket, plain", sojourn.Options{TrustUnixSockets: true}, way{peer: "@", unix: true, head: pairs(proto, "http")}, false},
		{"Unix socket, silent", sojourn.Options{TrustUnixSockets: true}, way{peer: "@", unix: true}, false},
		{"Unix socket, not trusted", trust, way{peer: "@", unix: true, head: pairs(proto, "https")}, false},
		{"no Unix socket", sojourn.Options{TrustUnixSockets: true}, way{peer: "192.0.2.1:1", head: pairs(proto, "https")}, false},

		// chi's RealIP and gorilla's ProxyHeaders put a header's value into RemoteAddr.
		{"RealIP outside", trust, way{peer: "192.0.2.7", head: pairs(proto, "https")}, false},
		{"RealIP outside, a client that claims to be the proxy", trust, way{peer: "10.1.2.3", head: pairs(proto, "https")}, false},

		{"layer 4", sojourn.Options{HTTPS: func(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "10.") }}, way{peer: near}, true},
		{"layer 4, another way in", sojourn.Options{HTTPS: func(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "10.") }}, way{peer: "192.0.2.1:1"}, false},
		{"layer 4, the client's header", sojourn.Options{HTTPS: func(*http.Request) bool { return true }}, way{peer: near, head: pairs(proto, "http")}, true},
		{"a proxy's word before HTTPS", sojourn.Options{TrustedProxies: proxies, HTTPS: func(*http.Request) bool { return true }}, way{peer: near, head: pairs(proto, "http")}, false},
	} {
		in, out, ev := signsIn(t, tt.opts, tt.way)
		if (in != nil) != tt.ok {
			t.Errorf("%s: signed in: %t, want %t", tt.name, in != nil, tt.ok)
		}
		if c := strings.Join(out.Header()["Set-Cookie"], ""); tt.ok != strings.Contains(c, "; Secure") {
			t.Errorf("%s: Set-Cookie %q", tt.name, c)
		}
		if !tt.ok && (len(ev) != 1 || ev[0].Name != sojourn.InsecureRefused || ev[0].Reason != "login" || ev[0].Hint == "") {
			t.Errorf("%s: events %+v", tt.name, ev)
		}
	}
}

// The client is whom the last trusted proxy saw.
func TestClientAddress(t *testing.T) {
	const xff = "X-Forwarded-For"
	trust, near := sojourn.Options{TrustedProxies: proxies}, "10.1.2.3:1"
	secure := func(list ...string) http.Header { return pairs(append(list, "X-Forwarded-Proto", "https")...) }
	for _, tt := range []struct {
		name string
		opts sojourn.Options
		way  way
		want string
	}{
		{"address", trust, way{peer: near, head: secure(xff, "203.0.113.9")}, "203.0.113.0/24"},
		{"port", trust, way{peer: near, head: secure(xff, "203.0.113.9:4711")}, "203.0.113.0/24"},
		{"IPv6", trust, way{peer: near, head: secure(xff, "2001:db8:1:2::9")}, "2001:db8:1::/48"},
		{"IPv6 in brackets", trust, way{peer: near, head: secure(xff, "[2001:db8:1:2::9]")}, "2001:db8:1::/48"},
		{"IPv6 with port", trust, way{peer: near, head: secure(xff, "[2001:db8:1:2::9]:4711")}, "2001:db8:1::/48"},
		{"IPv4 in IPv6", trust, way{peer: near, head: secure(xff, "::ffff:203.0.113.9")}, "203.0.113.0/24"},
		{"chain", trust, way{peer: near, head: secure(xff, "198.51.100.1, 203.0.113.9:1, [fd00::7]:2, 10.0.0.1:3")}, "203.0.113.0/24"},
		{"lines", trust, way{peer: near, head: secure(xff, "198.51.100.1", xff, "203.0.113.9", xff, "10.0.0.1")}, "203.0.113.0/24"},
		{"all trusted", trust, way{peer: near, head: secure(xff, "10.9.9.9, 10.0.0.1")}, "10.9.9.0/24"},
		{"unknown", trust, way{peer: near, head: secure(xff, "203.0.113.9, unknown")}, "10.1.2.0/24"},
		{"half a bracket", trust, way{peer: near, head: secure(xff, "[2001:db8::1")}, "10.1.2.0/24"},
		{"stranger", sojourn.Options{}, way{peer: "192.0.2.1:1", tls: true, head: pairs(xff, "203.0.113.9")}, "192.0.2.0/24"},
		{"stranger beside proxies", trust, way{peer: "192.0.2.1:1", tls: true, head: pairs(xff, "203.0.113.9", "Forwarded", "for=203.0.113.9")}, "192.0.2.0/24"},
		{"IPv6 by itself", sojourn.Options{}, way{peer: "[2001:db8:1:2::9]:1", tls: true}, "2001:db8:1::/48"},
		{"omitted", sojourn.Options{OmitClient: true}, way{peer: "192.0.2.1:1", tls: true}, ""},
		{"Forwarded", trust, way{peer: near, head: secure("Forwarded", `for="[2001:db8:1::9]:4711", for=10.0.0.1`)}, "2001:db8:1::/48"},
		{"Forwarded, hidden", trust, way{peer: near, head: secure("Forwarded", "for=_hidden")}, "10.1.2.0/24"},
		{"both agree", trust, way{peer: near, head: secure("Forwarded", "for=203.0.113.9", xff, "203.0.113.9:7")}, "203.0.113.0/24"},
		{"one of them is the client's", trust, way{peer: near, head: secure("Forwarded", "for=198.51.100.1", xff, "203.0.113.9")}, "10.1.2.0/24"},
		{"Unix socket", sojourn.Options{TrustUnixSockets: true}, way{peer: "@", unix: true, head: secure(xff, "203.0.113.9")}, "203.0.113.0/24"},
		{"Unix socket, silent", sojourn.Options{TrustUnixSockets: true}, way{peer: "@", unix: true, head: secure()}, ""},
		{"RealIP outside", sojourn.Options{HTTPS: func(*http.Request) bool { return true }}, way{peer: "203.0.113.9"}, "203.0.113.0/24"},
	} {
		in, _, ev := signsIn(t, tt.opts, tt.way)
		if in == nil {
			t.Errorf("%s: not signed in: %+v", tt.name, ev)
		} else if in.Network != tt.want {
			t.Errorf("%s: network %q, want %q", tt.name, in.Network, tt.want)
		}
	}
}

// TestTraefikHeaders has the headers that Traefik v3 sets, as its source has them: it could not be
// run here. A WebSocket's scheme is its own.
func TestTraefikHeaders(t *testing.T) {
	common := []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "example.com", "X-Forwarded-Port", "443", "X-Forwarded-Server", "edge", "X-Real-Ip", "203.0.113.9"}
	for name, c := range map[string]struct {
		head []string
		ok   bool
	}{
		"page":            {[]string{"X-Forwarded-Proto", "https"}, true},
		"websocket":       {[]string{"X-Forwarded-Proto", "wss", "Connection", "Upgrade", "Upgrade", "websocket"}, true},
		"plain page":      {[]string{"X-Forwarded-Proto", "http"}, false},
		"plain websocket": {[]string{"X-Forwarded-Proto", "ws", "Connection", "Upgrade", "Upgrade", "websocket"}, false},
	} {
		in, _, _ := signsIn(t, sojourn.Options{TrustedProxies: proxies}, way{peer: "10.1.2.3:1", head: pairs(append(c.head, common...)...)})
		if (in != nil) != c.ok || in != nil && in.Network != "203.0.113.0/24" {
			t.Errorf("%s: %+v", name, in)
		}
	}
}

// A program in a container sees its developer's browser at the bridge's gateway. The option for
// that serves nothing else, so that whoever deploys it sees it at the first request.
func TestContainerDevelopment(t *testing.T) {
	dev := sojourn.Options{InsecureContainerHTTP: true}
	for _, tt := range []struct {
		name string
		way  way
		ok   bool
	}{
		{"published port", way{peer: "172.17.0.1:40000", host: "localhost:8080"}, true},
		{"by address", way{peer: "192.168.65.1:40000", host: "127.0.0.1:8080"}, true},
		{"IPv6", way{peer: "[fd00:d0c::1]:40000", host: "[::1]:8080"}, true},
		{"IPv6 without a port", way{peer: "[fd00:d0c::1]:40000", host: "[::1]"}, true},
		{"link-local", way{peer: "169.254.1.1:40000", host: "localhost:8080"}, true},
		{"from a page that does not say where it is", way{peer: "172.17.0.1:40000", host: "localhost:8080", head: pairs("Origin", "http://%zz")}, false},
		{"from within", way{peer: "127.0.0.1:40000", host: "localhost:8080"}, true},
		{"from the page of another port", way{peer: "172.17.0.1:40000", host: "localhost:8080", head: pairs("Origin", "http://localhost:5173")}, true},
		{"a public name", way{peer: "172.17.0.1:40000", host: "shop.example.com"}, false},
		{"a public name over TLS", way{peer: "172.17.0.1:40000", host: "shop.example.com", tls: true}, false},
		{"TLS", way{peer: "172.17.0.1:40000", host: "localhost:8080", tls: true}, false},
		{"a public address", way{peer: "203.0.113.9:40000", host: "localhost:8080"}, false},
		{"a proxy that keeps the name for itself", way{peer: "172.17.0.1:40000", host: "localhost:8080", head: pairs("Origin", "https://shop.example.com")}, false},
		{"a proxy that says so", way{peer: "172.17.0.2:40000", host: "shop.example.com", head: pairs("X-Forwarded-Proto", "https")}, false},
	} {
		in, out, ev := signsIn(t, dev, tt.way)
		if (in != nil) != tt.ok {
			t.Errorf("%s: signed in: %t, want %t", tt.name, in != nil, tt.ok)
		}
		if c := strings.Join(out.Header()["Set-Cookie"], ""); tt.ok && (!strings.HasPrefix(c, "session=") || strings.Contains(c, "; Secure")) {
			t.Errorf("%s: Set-Cookie %q", tt.name, c)
		}
		if !tt.ok && (len(ev) != 1 || !strings.Contains(ev[0].Hint, "drop the option")) {
			t.Errorf("%s: events %+v", tt.name, ev)
		}
	}
	for name, o := range map[string]sojourn.Options{
		"proxies": {InsecureContainerHTTP: true, TrustedProxies: proxies},
		"sockets": {InsecureContainerHTTP: true, TrustUnixSockets: true},
		"layer 4": {InsecureContainerHTTP: true, HTTPS: func(*http.Request) bool { return true }},
	} {
		if _, err := sojourn.New(memstore.New(nil), &o); !errors.Is(err, sojourn.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A first deployment is told what to write, whatever stands in front of it.
func TestInsecureHints(t *testing.T) {
	trust := sojourn.Options{TrustedProxies: proxies}
	dev := sojourn.Options{InsecureLoopbackHTTP: true}
	for _, tt := range []struct {
		name string
		opts sojourn.Options
		way  way
		want string
	}{
		{"nothing in front", sojourn.Options{}, way{peer: "203.0.113.9:1"}, "serve TLS"},
		{"on this machine", sojourn.Options{}, way{peer: "127.0.0.1:1", host: "localhost:8080"}, "set Options.InsecureLoopbackHTTP"},
		{"in a container", sojourn.Options{}, way{peer: "172.17.0.1:1", host: "localhost:8080"}, "set Options.InsecureContainerHTTP"},
		{"in a container, loopback only", dev, way{peer: "172.17.0.1:1", host: "localhost:8080"}, "set Options.InsecureContainerHTTP"},
		{"a proxy that is not named", dev, way{peer: "127.0.0.1:1", head: pairs("X-Forwarded-Proto", "https")}, `add netip.MustParsePrefix("127.0.0.1/32") to Options.TrustedProxies`},
		{"a proxy that is not named, IPv6", dev, way{peer: "[::1]:1", head: pairs("X-Forwarded-For", "203.0.113.9")}, `add netip.MustParsePrefix("::1/128") to Options.TrustedProxies`},
		{"a proxy that says nothing", trust, way{peer: "10.0.0.1:1"}, "proxy_set_header X-Forwarded-Proto $scheme;"},
		{"a proxy that says http", trust, way{peer: "10.0.0.1:1", head: pairs("X-Forwarded-Proto", "https,http")}, "redirect to https"},
		{"a proxy that says both", trust, way{peer: "10.0.0.1:1", head: pairs("X-Forwarded-Proto", "https", "Forwarded", "proto=http")}, "delete the other"},
		{"a proxy with its settings untouched", dev, way{peer: "127.0.0.1:1", host: "localhost:8080", head: pairs("Origin", "https://shop.example.com")}, "drop InsecureLoopbackHTTP"},
		{"another name, loopback only", dev, way{peer: "127.0.0.1:1", host: "shop.test:8080"}, "Options.InsecureLoopbackHTTP serves http://localhost on this machine and nothing else"},
		{"another machine, loopback only", dev, way{peer: "192.168.1.7:1", host: "192.168.1.5:8080"}, `from 192.168.1.7 for the host "192.168.1.5:8080"`},
		{"RealIP outside", trust, way{peer: "203.0.113.9", head: pairs("X-Forwarded-Proto", "https")}, "put Handler outside of it"},
		{"Unix socket", trust, way{peer: "@", unix: true, head: pairs("X-Forwarded-Proto", "https")}, "set Options.TrustUnixSockets"},
		{"PROXY protocol", trust, way{peer: "203.0.113.9:1"}, "set Options.HTTPS"},
	} {
		in, out, ev := signsIn(t, tt.opts, tt.way)
		if in != nil || len(ev) != 1 || ev[0].Name != sojourn.InsecureRefused || !strings.Contains(ev[0].Hint, tt.want) {
			t.Errorf("%s: signed in: %t, events %+v; want %q", tt.name, in != nil, ev, tt.want)
		}
		if out.Code != 500 || !strings.Contains(out.Body.String(), "log") {
			t.Errorf("%s: %d %s", tt.name, out.Code, out.Body)
		}
	}
}

// A token that is ignored since the connection is taken for plain HTTP is told of, wherever it is.
func TestInsecureTokenIsTold(t *testing.T) {
	custom := &sojourn.CustomTransport{
		Receive: func(r *http.Request) string { return r.Header.Get("X-Session") },
		Send:    func(http.Header, sojourn.Token, time.Duration) error { return nil },
		Delete:  func(http.Header) error { return nil },
	}
	for reason, c := range map[string]struct {
		opts sojourn.Options
		head http.Header
	}{
		"cookie": {sojourn.Options{}, pairs("Cookie", "__Host-session=x")},
		"bearer": {sojourn.Options{Bearer: &sojourn.BearerOptions{Prefix: "acme_"}}, pairs("Authorization", "Bearer acme_x")},
		"custom": {sojourn.Options{Custom: custom}, pairs("X-Session", "x")},
		"":       {sojourn.Options{Bearer: &sojourn.BearerOptions{Prefix: "acme_"}}, pairs("Authorization", "Bearer other_x", "Cookie", "other=x")},
	} {
		g := newWebRig(t, nil, c.opts)
		w := way{peer: "203.0.113.9:1", head: c.head}
		g.serve(w.request("GET", ""), func(_ http.ResponseWriter, r *http.Request) {
			if s, err := g.m.Load(r); err != nil || s.User() != "" {
				t.Errorf("%s: %v", reason, err)
			}
		})
		if reason == "" {
			if len(g.ev) != 0 {
				t.Errorf("nothing of ours came, and told was %+v", g.ev)
			}
			continue
		}
		if len(g.ev) != 1 || g.ev[0].Name != sojourn.InsecureRefused || g.ev[0].Reason != reason || !errors.Is(g.ev[0].Err, sojourn.ErrInsecure) || g.ev[0].Hint == "" {
			t.Errorf("%s: events %+v", reason, g.ev)
		}
	}
}
