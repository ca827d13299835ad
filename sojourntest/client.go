package sojourntest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// Client is a browser for one handler, without a network: it keeps cookies by a browser's rules,
// those of "__Host-" and "__Secure-" names and of SameSite included, and follows redirects.
// Handlers run on the caller's goroutine, so it works in a bubble of testing/synctest, and a panic
// of the handler is the test's. Its requests come from the site's own pages; [Client.From] is
// another site's.
type Client struct {
	// Header is sent with each request that does not set the same field, for example a User-Agent.
	Header http.Header
	// NoFollow returns redirects as they are, as [Result] wants to see them.
	NoFollow bool

	t    testing.TB
	http http.Client
	page page
}

// NewClient makes a client without cookies.
func NewClient(t testing.TB, h http.Handler) *Client {
	inner, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("sojourntest: %v", err)
	}
	j := &jar{Jar: inner, session: map[cookieID]*url.URL{}, sameSite: map[string]http.SameSite{}}
	return newClient(t, http.Header{}, page{h, j, ""})
}

func newClient(t testing.TB, header http.Header, p page) *Client {
	c := &Client{Header: header, t: t, page: p}
	c.http = http.Client{Transport: p}
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

// From is the same browser, with the same cookies, on a page of another origin, for example
// "https://evil.example", or "null" for a sandboxed frame. Its requests say so (Origin,
// Sec-Fetch-Site), and the cookies that SameSite withholds from them stay away; those that it would
// not let in are not kept. Hosts are of one site if their last two labels are the same.
//
// Get is a link on that page and PostForm a form. Do is a script's fetch with credentials, unless
// the request has Sec-Fetch-Mode "navigate". What a script may send and read (CORS) is not judged:
// look at the answer's header. Partitioned cookies are kept like others.
func (c *Client) From(origin string) *Client {
	p := c.page
	p.origin = origin
	other := newClient(c.t, c.Header, p)
	other.NoFollow = c.NoFollow
	return other
}

// Get asks for a page. A url such as "/cart" is one of [Origin].
func (c *Client) Get(url string) *http.Response {
	c.t.Helper()
	return c.navigate(newRequest(c.t, "GET", url, nil))
}

// PostForm sends a form.
func (c *Client) PostForm(url string, form url.Values) *http.Response {
	c.t.Helper()
	return c.navigate(newRequest(c.t, "POST", url, strings.NewReader(form.Encode())))
}

func (c *Client) navigate(r *http.Request) *http.Response {
	c.t.Helper()
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return c.Do(r)
}

// Do sends r, made by [Request] or http.NewRequest with a full URL, with the client's cookies
// besides its own. The response's body need not be closed.
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

// Session opens the client's session, as its next request to [Origin] would, to read it. See
// [Outcome].
func (c *Client) Session(m *sojourn.Manager) *sojourn.Session {
	c.t.Helper()
	r := newRequest(c.t, "GET", "/", nil)
	cookies := map[string]string{}
	for _, k := range c.page.jar.Cookies(r.URL) {
		cookies[k.Name] = k.Value
	}
	return load(c.t, m, r, cookies)
}

// Restart closes the browser and opens it again: cookies without a lifetime are gone.
func (c *Client) Restart() { c.page.jar.restart() }

// Body reads a response's body.
func Body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("sojourntest: read the body: %v", err)
	}
	return string(b)
}
