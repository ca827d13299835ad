// Package address reads the addresses of servers that may be several: URLs with a list of hosts,
//
//	scheme://user:password@host:port,host:port/path?query
//
// It is for those who write stores with an Open, and for programs that show to people what they
// have opened.
package address

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// Address is a URL. The Host of the embedded URL is the first of Hosts.
type Address struct {
	*url.URL
	Hosts []string // at least one; with or without a port
}

// Parse reads an address. Its errors do not show the address: there may be a password in it.
func Parse(text string) (Address, error) {
	bad := errors.New("the address is not like scheme://user:password@host:port,host:port/path")
	scheme, rest, ok := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts := strings.Split(rest[at:end], ",")
	var first *url.URL
	for i, host := range hosts {
		u, err := url.Parse(scheme + "://" + rest[:at] + host + rest[end:]) // knows of one host only
		if !ok || err != nil || !strings.EqualFold(u.Scheme, scheme) || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), "[]") {
			return Address{}, bad
		}
		if i == 0 {
			first = u
		}
	}
	return Address{first, hosts}, nil
}

// At returns the hosts, with port where they name none.
func (a Address) At(port string) []string {
	hosts := make([]string, len(a.Hosts))
	for i, host := range a.Hosts {
		name, own, err := net.SplitHostPort(host)
		switch {
		case err != nil:
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		case own == "":
			host = net.JoinHostPort(name, port)
		}
		hosts[i] = host
	}
	return hosts
}

// Redacted returns the address for people: without password, and without the query, which may hold
// one too.
func (a Address) Redacted() string {
	u := *a.URL
	u.Host, u.RawQuery, u.Fragment = strings.Join(a.Hosts, ","), "", ""
	return u.Redacted()
}

// String is Redacted, so that an address that is printed shows no password.
func (a Address) String() string { return a.Redacted() }
