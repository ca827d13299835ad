package sojourntest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// Client is a browser for one handler, without a network: it keeps cookies by a browser's rules, those of
// "__Host-" and "__Secure-" names included, and follows redirects. Handlers run on the caller's goroutine, so it works in a
// bubble of testing/synctest, and a panic of the handler is the test's.
type Client struct {
	// Header is sent with each request that does not set the same field, for example a User-Agent.
	Header http.Header
	// NoFollow returns redirects as they are, as [Result] wants to see them.
	NoFollow bool

	t    testing.TB
	http http.Client
	jar  *jar
}

// NewClient makes a client without cookies.
func NewClient(t testing.TB, h http.Handler) *Client {
	inner, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("sojourntest: %v", err)
	}
	c := &Client{Header: http.Header{}, t: t, jar: &jar{Jar: inner, session: map[cookieID]*url.URL{}}}
	c.http = http.Client{Jar: c.jar, Transport: transport{h}}
	c.http.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if c.NoFollow {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			c.t.Fatalf("sojourntest: %s: more than 10 redirects", r.URL.Path)
		}
		return nil
	}
	return c
}

// Get asks for a page. A url such as "/cart" is one of [Origin].
func (c *Client) Get(url string) *http.Response {
	c.t.Helper()
	return c.Do(newRequest(c.t, "GET", url, nil))
}

// PostForm sends a form.
func (c *Client) PostForm(url string, form url.Values) *http.Response {
	c.t.Helper()
	return c.Do(newRequest(c.t, "POST", url, strings.NewReader(form.Encode())))
}

// Do sends r, made by [Request] or http.NewRequest with a full URL, with the client's cookies besides its own.
// The response's body need not be closed.
func (c *Client) Do(r *http.Request) *http.Response {
	c.t.Helper()
	r = r.Clone(r.Context())
	r.RequestURI = "" // http.Client wants it so
	for name, values := range c.Header {
		if r.Header[name] == nil {
			r.Header[name] = values
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("sojourntest: %v", err)
	}
	return resp
}

// Session opens the client's session, as its next request to [Origin] would, to read it. See [Outcome].
func (c *Client) Session(m *sojourn.Manager) *sojourn.Session {
	c.t.Helper()
	r := newRequest(c.t, "GET", "/", nil)
	cookies := map[string]string{}
	for _, k := range c.jar.Cookies(r.URL) {
		cookies[k.Name] = k.Value
	}
	return load(c.t, m, r, cookies)
}

// Restart closes the browser and opens it again: cookies without a lifetime are gone.
func (c *Client) Restart() { c.jar.restart() }

// Body reads a response's body.
func Body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("sojourntest: read the body: %v", err)
	}
	return string(b)
}

// transport is the way from the client to its handler.
type transport struct{ http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := Serve(t.Handler, received(r))
	resp.Request = r
	return resp, nil
}

// jar adds to net/http's what browsers do besides: the rules of name prefixes (RFC 6265bis section 4.1.3) and of
// size (section 5.6), plain HTTP that cannot set Secure cookies, and the end of session cookies.
type jar struct {
	*cookiejar.Jar
	mu      sync.Mutex
	session map[cookieID]*url.URL // cookies that end with the browser, and where they came from
}

type cookieID struct{ name, domain, path, host string }

// SetCookies is part of http.CookieJar.
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		if !acceptable(u, c) {
			continue
		}
		id := cookieID{c.Name, c.Domain, c.Path, u.Hostname()}
		if c.MaxAge == 0 && c.Expires.IsZero() {
			j.session[id] = u
		} else {
			delete(j.session, id)
		}
		j.Jar.SetCookies(u, []*http.Cookie{c})
	}
}

// acceptable tells whether a browser would take the cookie from u.
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
