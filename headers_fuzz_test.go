package sojourn

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// What a proxy wrote into Forwarded is read back, after whatever the client had sent before it; and
// what does not parse gives a scheme that is none.
func FuzzForwarded(f *testing.F) {
	for _, seed := range [][2]string{
		{"for=192.0.2.1;proto=https", "https"}, {`for="[2001:db8::1]:80", for=unknown`, `a"b\`}, {`for="`, ""}, {",;,", "é"}, {"=;==", "\x00"}, {`a="b" c`, "x,y;z"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, line, value string) {
		for _, hop := range forwardedHops([]string{line}) {
			for name := range hop {
				if name != strings.ToLower(name) || strings.ContainsAny(name, " \t,;\"") {
					t.Fatalf("%q has the parameter %q", line, name)
				}
			}
		}
		quoted := `proto="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		hops := forwardedHops([]string{line, quoted})
		if last := hops[len(hops)-1]["proto"]; last != value && last != "" {
			t.Fatalf("%q, %s: the proxy's own is read as %q", line, quoted, last)
		}
		if hops := forwardedHops([]string{quoted}); len(hops) != 1 || hops[0]["proto"] != value {
			t.Fatalf("%s is read as %q", quoted, hops)
		}
	})
}

// The address in a header, however it is written, is one that networks can be asked for, and comes
// back from each spelling that proxies use.
func FuzzHopAddr(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "[2001:db8::1]", "::ffff:192.0.2.1", "fe80::1%eth0", "unknown", "_hidden", "[", " 1.2.3.4 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := hopAddr(s)
		if a.Is4In6() || a.Zone() != "" {
			t.Fatalf("%q is read as %v", s, a)
		}
		if !a.IsValid() {
			return
		}
		for _, again := range []string{a.String(), " " + a.String(), "[" + a.String() + "]", netip.AddrPortFrom(a, 443).String()} {
			if got := hopAddr(again); got != a {
				t.Fatalf("%q is %v, and spelled %q it is %v", s, a, again, got)
			}
		}
	})
}

// Two origins are the same only if a browser takes them for the same: what is read is written in one
// way, and reading that gives the same again.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://example.com", "HTTPS://EXAMPLE.com:443", "http://[::1]:80", "null", "", "https://a@b", "https://a/", "https://a?", "https://a#", "ftp://a", "https://é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, ok := parseOrigin(s)
		if !ok {
			if o.scheme == "https" && o.port != "" {
				t.Fatalf("%q is no origin, and has a port: %v", s, o)
			}
			return
		}
		if o.scheme != "http" && o.scheme != "https" || o.host == "" || o.port == "" || o.host != strings.ToLower(o.host) {
			t.Fatalf("%q is read as %q", s, o)
		}
		if strings.ContainsAny(s, "@?#") {
			t.Fatalf("%q is taken for an origin", s)
		}
	})
}

// Headers of a peer that is no proxy change nothing.
func FuzzForwardedByAnybody(f *testing.F) {
	m := &Manager{opts: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Add("192.0.2.1", "for=192.0.2.1;proto=https", "https")
	f.Fuzz(func(t *testing.T, x, forwarded, proto string) {
		r := &http.Request{Method: "GET", Host: "example.com", RemoteAddr: "203.0.113.9:4711", Header: http.Header{
			"X-Forwarded-For": {x}, "Forwarded": {forwarded}, "X-Forwarded-Proto": {proto}}}
		if a := m.clientAddr(r); a != netip.MustParseAddr("203.0.113.9") {
			t.Fatalf("the peer's address is read as %v", a)
		}
		if m.schemes(r).said() {
			t.Fatal("the peer's scheme is believed")
		}
		r.RemoteAddr = "10.1.2.3:4711" // a proxy: whatever comes, an address that can be looked at
		if a := m.clientAddr(r); !a.IsValid() || a.Zone() != "" || a.Is4In6() {
			t.Fatalf("behind a proxy the address is %v", a)
		}
	})
}
