package sojourntest

import (
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// page is where a client's requests come from, and the way from there to the handler.
type page struct {
	handler http.Handler
	jar     *jar
	origin  string // "" is that of the handler's own pages
}

// RoundTrip is what a browser does around a request.
func (p page) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	from := p.introduce(out)
	p.addCookies(out, from)
	resp := Serve(p.handler, received(out))
	resp.Request = out
	for _, c := range resp.Cookies() {
		if from.takes(c.SameSite) {
			p.jar.set(r.URL, c)
		}
	}
	return resp, nil
}

// A sender is what decides about cookies: where a request comes from, and what kind it is.
type sender struct{ crossSite, navigates, safe bool }

// introduce lets the request say where it comes from.
func (p page) introduce(r *http.Request) sender {
	h := r.Header
	from := sender{navigates: h.Get("Sec-Fetch-Mode") == "navigate"}
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		from.safe = true
	}
	if p.origin == "" {
		return from
	}
	site := siteOf(p.origin, r.URL)
	from.crossSite = site == "cross-site"
	h.Set("Sec-Fetch-Site", site)
	if from.navigates {
		h.Set("Sec-Fetch-Dest", "document")
	} else {
		h.Set("Sec-Fetch-Mode", "cors")
		h.Set("Sec-Fetch-Dest", "empty")
	}
	if !from.safe || !from.navigates && site != "same-origin" {
		h.Set("Origin", p.origin)
	}
	return from
}

// addCookies adds what the jar has for this request. After a redirect, cookies that the test gave
// the first request and that an answer has replaced since are left out.
func (p page) addCookies(r *http.Request, from sender) {
	if replaced := answered(r.Response); replaced != nil {
		own := r.Cookies()
		r.Header.Del("Cookie")
		for _, c := range own {
			if !slices.Contains(replaced, c.Name) {
				r.AddCookie(c)
			}
		}
	}
	for _, c := range p.jar.Cookies(r.URL) {
		if from.brings(p.jar.sameSiteOf(c)) {
			r.AddCookie(c)
		}
	}
}

// answered names the cookies that were set on the way to a redirect.
func answered(redirect *http.Response) (names []string) {
	for ; redirect != nil; redirect = redirect.Request.Response {
		for _, c := range redirect.Cookies() {
			names = append(names, c.Name)
		}
	}
	return names
}

// brings reports whether a cookie goes with the request (RFC 6265bis section 5.8.3). One without
// the attribute is Lax, as Chromium has it.
func (f sender) brings(s http.SameSite) bool {
	switch {
	case !f.crossSite, s == http.SameSiteNoneMode:
		return true
	case s == http.SameSiteStrictMode:
		return false
	}
	return f.navigates && f.safe
}

// takes reports whether a cookie of the answer is kept (RFC 6265bis section 5.7).
func (f sender) takes(s http.SameSite) bool {
	return !f.crossSite || f.navigates || s == http.SameSiteNoneMode
}

// siteOf returns what a page's origin is to a URL, in the words of Sec-Fetch-Site.
func siteOf(origin string, to *url.URL) string {
	from, err := url.Parse(origin)
	switch {
	case err != nil || from.Host == "":
		return "cross-site"
	case from.Scheme == to.Scheme && hostPort(from) == hostPort(to):
		return "same-origin"
	case from.Scheme == to.Scheme && site(from.Hostname()) == site(to.Hostname()):
		return "same-site"
	}
	return "cross-site"
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// site is what is registered of a host: its last two labels. net/http's lists know no better,
// either.
func site(host string) string {
	if net.ParseIP(host) != nil {
		return host
	}
	labels := strings.Split(strings.ToLower(host), ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// jar adds to net/http's what browsers do besides: the rules of name prefixes (RFC 6265bis section
// 4.1.3) and of size (section 5.6), plain HTTP that cannot set Secure cookies, and the end of
// session cookies.
type jar struct {
	*cookiejar.Jar
	mu       sync.Mutex
	session  map[cookieID]*url.URL    // cookies that end with the browser, and where they came from
	sameSite map[string]http.SameSite // by name and value, which is all that net/http's gives back
}

type cookieID struct{ name, domain, path, host string }

// set keeps a cookie of a response from u.
func (j *jar) set(u *url.URL, c *http.Cookie) {
	if !acceptable(u, c) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	id := cookieID{c.Name, c.Domain, c.Path, u.Hostname()}
	if c.MaxAge == 0 && c.Expires.IsZero() {
		j.session[id] = u
	} else {
		delete(j.session, id)
	}
	j.sameSite[c.Name+"="+c.Value] = c.SameSite
	j.Jar.SetCookies(u, []*http.Cookie{c})
}

func (j *jar) sameSiteOf(c *http.Cookie) http.SameSite {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sameSite[c.Name+"="+c.Value]
}

// acceptable reports whether a browser would take the cookie from u.
func acceptable(u *url.URL, c *http.Cookie) bool {
	if len(c.Name)+len(c.Value) > 4096 || c.Secure && u.Scheme != "https" {
		return false
	}
	name := strings.ToLower(c.Name)
	host := strings.HasPrefix(name, "__host-")
	httpOnly := strings.HasPrefix(name, "__http-") || strings.HasPrefix(name, "__host-http-")
	switch {
	case (host || httpOnly || strings.HasPrefix(name, "__secure-")) && !c.Secure:
		return false
	case httpOnly && !c.HttpOnly:
		return false
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return false
	case host:
		return c.Domain == "" && c.Path == "/"
	}
	return true
}

func (j *jar) restart() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, u := range j.session {
		j.Jar.SetCookies(u, []*http.Cookie{{Name: id.name, Domain: id.domain, Path: id.path, MaxAge: -1}})
	}
	clear(j.session)
}
