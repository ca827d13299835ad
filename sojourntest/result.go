package sojourntest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// TokenChange is what a response did to the client's token.
type TokenChange int

// The changes.
const (
	Unchanged TokenChange = iota
	Issued                // the client got a token; a sealed session gets one with each change
	Removed               // the client was told to drop its token
)

// String is the change in one word.
func (c TokenChange) String() string {
	switch c {
	case Unchanged:
		return "unchanged"
	case Issued:
		return "issued"
	case Removed:
		return "removed"
	}
	return "unknown"
}

// Outcome is what a response did to the client's session.
type Outcome struct {
	// Token is what happened to the client's token.
	Token TokenChange
	// Session is what the client's next request finds: read it with User, [sojourn.Value.Get] and
	// so on. It is loaded, and looking at it does not count as use.
	Session *sojourn.Session
}

// Result is what a response of m's handler did. resp.Request is the request that it answers:
// [Serve] and [Client] set it; without one, the response is taken for a visitor's first. The
// session is opened as the next request would open it, which m's observer sees. A store that fails
// ends the test.
func Result(t testing.TB, m *sojourn.Manager, resp *http.Response) Outcome {
	t.Helper()
	r := resp.Request
	if r == nil {
		r = newRequest(t, "GET", "/", nil)
	}
	cookies := map[string]string{}
	for _, c := range r.Cookies() {
		cookies[c.Name] = c.Value
	}
	issued := map[string]string{}
	var removed []string
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(cookies, c.Name)
			removed = append(removed, c.Name)
		} else {
			cookies[c.Name], issued[c.Name] = c.Value, c.Value
		}
	}
	o := Outcome{Session: load(t, m, r, cookies)}
	switch {
	case len(issued) > 0 && load(t, m, r, issued).Exists():
		o.Token = Issued
	case removes(t, m, r, removed):
		o.Token = Removed
	}
	return o
}

// load opens the session that a client with these cookies has, and with r's Authorization.
func load(t testing.TB, m *sojourn.Manager, r *http.Request, cookies map[string]string) *sojourn.Session {
	t.Helper()
	s, err := m.Open(context.WithoutCancel(r.Context()), after(t, r, cookies))
	if err != nil {
		t.Fatalf("sojourntest: open the session: %v", err)
	}
	s.Peek()
	return s
}

// after is a request that the client could send next.
func after(t testing.TB, r *http.Request, cookies map[string]string) *http.Request {
	t.Helper()
	next := newRequest(t, "GET", Origin+"/", nil)
	if a := r.Header["Authorization"]; a != nil {
		next.Header["Authorization"] = a
	}
	for name, value := range cookies {
		next.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return next
}

// removes reports whether one of the removed cookies is m's: then m takes it away, too, from a
// client whose token it does not know.
func removes(t testing.TB, m *sojourn.Manager, r *http.Request, names []string) bool {
	t.Helper()
	for _, name := range names {
		s, err := m.Open(r.Context(), after(t, &http.Request{}, map[string]string{name: "unknown"}))
		if err == nil {
			err = s.Logout(r.Context())
		}
		if err != nil {
			t.Fatalf("sojourntest: %v", err)
		}
		h, err := s.Commit(r.Context())
		if err != nil {
			t.Fatalf("sojourntest: %v", err)
		}
		if strings.HasPrefix(h.Get("Set-Cookie"), name+"=") {
			return true
		}
	}
	return false
}
