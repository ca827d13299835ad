package sojourntest

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// Origin is the site that a URL without scheme and host, such as "/cart", belongs to.
const Origin = "https://example.com"

// A State brings a new session into the state that a test begins with. [User] and [With] make the
// usual ones; any such function will do. They run in their order: User before With, since a sign-in
// drops the values from before.
type State func(context.Context, *sojourn.Session) error

// User signs the user in.
func User(user string, opts ...sojourn.LoginOption) State {
	return func(ctx context.Context, s *sojourn.Session) error { return s.Login(ctx, user, opts...) }
}

// With sets a value.
func With[T any](value sojourn.Value[T], x T) State {
	return func(_ context.Context, s *sojourn.Session) error { return value.Set(s, x) }
}

// Request makes a request as a server receives it, like [httptest.NewRequest], with the cookie of a
// new session in the given state; without states it is a visitor's first. A body is sent as a form
// unless the test sets another Content-Type. The request says that it comes from the site's own
// pages (Sec-Fetch-Site: same-origin), as a browser would.
//
// The session is made by m's own Handler in m's own store, where requests find it. What fails ends
// the test; so does a custom transport, whose tokens only the program can place.
func Request(t testing.TB, m *sojourn.Manager, method, url string, body io.Reader, states ...State) *http.Request {
	t.Helper()
	r := newRequest(t, method, url, body)
	if len(states) == 0 {
		return r
	}
	var failed error
	enter := func(_ http.ResponseWriter, r *http.Request) {
		s, err := m.Load(r)
		for i := 0; err == nil && i < len(states); i++ {
			err = states[i](r.Context(), s)
		}
		failed = err
	}
	resp := Serve(m.Handler(http.HandlerFunc(enter)), newRequest(t, "GET", r.URL.String(), nil))
	switch {
	case failed != nil:
		t.Fatalf("sojourntest: bring the session into its state: %v", failed)
	case resp.StatusCode != http.StatusOK:
		t.Fatalf("sojourntest: the session was not made: status %s", resp.Status)
	case len(resp.Cookies()) == 0:
		t.Fatalf("sojourntest: the manager sent no cookie: the states keep nothing, or its transport is a custom one")
	}
	for _, c := range resp.Cookies() {
		r.AddCookie(c)
	}
	return r
}

func newRequest(t testing.TB, method, target string, body io.Reader) *http.Request {
	t.Helper()
	base, _ := url.Parse(Origin)
	u, err := base.Parse(target)
	if err != nil {
		t.Fatalf("sojourntest: %v", err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, u.String(), body)
	if err != nil {
		t.Fatalf("sojourntest: %v", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return received(r)
}

// received makes a client's request one that a server has received.
func received(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI()
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "192.0.2.1:1234" // RFC 5737, as in httptest
	if r.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	} else if h := r.URL.Hostname(); h == "localhost" || strings.HasPrefix(h, "127.") || h == "::1" {
		r.RemoteAddr = "127.0.0.1:1234" // for Options.InsecureLoopbackHTTP
	}
	if r.Header.Get("Sec-Fetch-Site") == "" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r
}

// Serve lets h answer r and returns the answer, whose Request is r.
func Serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp
}
