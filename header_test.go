package sojourn_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// outerHeader is what middlewares around Handler have set before it runs.
var outerHeader = http.Header{
	"Access-Control-Allow-Credentials": {"true"},
	"Access-Control-Allow-Origin":      {"https://app.example.com"},
	"Content-Encoding":                 {"gzip"},
	"Content-Security-Policy":          {"default-src 'self'"},
	"Referrer-Policy":                  {"no-referrer"},
	"Set-Cookie":                       {"outer=1"},
	"Vary":                             {"Origin"},
	"X-Frame-Options":                  {"DENY"},
	"X-Request-Id":                     {"42"},
}

// underOuter serves r by h below Handler, below a middleware that sets outerHeader.
func (g *webRig) underOuter(r *http.Request, h http.Handler) http.Header {
	w := httptest.NewRecorder()
	maps.Copy(w.Header(), outerHeader.Clone())
	g.m.Handler(h).ServeHTTP(w, r)
	return w.Result().Header
}

func sameHeader(t *testing.T, name string, got, want http.Header) {
	t.Helper()
	for field := range maps.Keys(got) {
		if !slices.Equal(got[field], want[field]) {
			t.Errorf("%s: %s: %q, want %q", name, field, got[field], want[field])
		}
	}
	for field := range want {
		if got[field] == nil {
			t.Errorf("%s: no %s", name, field)
		}
	}
}

// An error page keeps what was set before Handler ran, whatever the handler did to it, and nothing
// of the handler's.
func TestErrorPageHeader(t *testing.T) {
	errorPage := outerHeader.Clone()
	errorPage.Add("Vary", "Accept")
	errorPage.Set("Cache-Control", "no-store")
	errorPage.Set("Content-Type", "text/plain; charset=utf-8")
	errorPage.Set("X-Content-Type-Options", "nosniff")
	outage := errorPage.Clone()
	outage.Set("Retry-After", "5")

	t.Run("a commit that fails", func(t *testing.T) {
		st := newFailingWrites()
		st.fail(store.ErrFull)
		g := newWebRig(t, st, sojourn.Options{})
		got := g.underOuter(rigRequest("POST"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			rigOK(t, err)
			rigOK(t, rigNote.Set(s, "lost"))
			h := w.Header()
			h.Set("X-Frame-Options", "SAMEORIGIN")
			h.Del("Referrer-Policy")
			h.Add("Vary", "Accept-Language")
			h["Access-Control-Allow-Origin"][0] = "*"
			h.Set("Content-Type", "application/pdf")
			h.Set("Content-Length", "4")
			h.Set("Location", "/welcome")
			h.Set("Etag", `"1"`)
			h.Set("Connection", "Upgrade")
			h.Set("Access-Control-Expose-Headers", "X-Page")
			h.Add("Set-Cookie", "page=1")
			fmt.Fprint(w, "page")
		}))
		sameHeader(t, "commit", got, outage)
	})
	t.Run("a store that does not answer", func(t *testing.T) {
		st := &sojourntest.Faulty{Store: memstore.New(nil)}
		g := newWebRig(t, st, sojourn.Options{})
		cookie := g.login("")
		st.Fail(store.ErrUnavailable)
		sameHeader(t, "load", g.underOuter(rigRequest("GET", cookie), g.m.RequireLoaded(http.NotFoundHandler())), outage)
	})
	t.Run("a cross-site request", func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{})
		r := rigRequest("POST", g.login(""))
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		sameHeader(t, "refusal", g.underOuter(r, http.NotFoundHandler()), errorPage)
	})
}

// What an earlier Commit of the request told the client stays, too: as a cookie, and by a transport
// of the program's own.
func TestErrorPageKeepsToken(t *testing.T) {
	custom := &sojourn.CustomTransport{
		Receive: func(*http.Request) string { return "" },
		Send: func(h http.Header, tok sojourn.Token, _ time.Duration) error {
			h.Set("X-Session", tok.Reveal())
			return nil
		},
		Delete: func(h http.Header) error { h.Set("X-Session", ""); return nil },
	}
	for name, opts := range map[string]sojourn.Options{"cookie": {}, "custom": {Custom: custom}} {
		st := newFailingWrites()
		g := newWebRig(t, st, opts)
		got := g.underOuter(rigRequest("POST"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := g.m.From(r)
			rigOK(t, s.Login(r.Context(), "ada"))
			_, err := s.Commit(r.Context())
			rigOK(t, err)
			st.fail(store.ErrFull)
			rigOK(t, rigNote.Set(s, "lost"))
			w.Header().Set("X-Page", "secret")
		}))
		if len(got["Set-Cookie"]) != map[string]int{"cookie": 2, "custom": 1}[name] || (got.Get("X-Session") != "") != (name == "custom") ||
			got.Get("X-Page") != "" || got.Get("X-Request-Id") != "42" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Without Handler, Save may be called again: the header keeps what the first one has put there, once.
func TestSaveTwice(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	r, w := rigRequest("POST"), httptest.NewRecorder()
	s := must(g.m.Open(t.Context(), r))
	rigOK(t, s.Login(t.Context(), "ada"))
	for _, note := range []string{"", "a", "b"} {
		rigOK(t, rigNote.Set(s, note))
		rigOK(t, s.Save(w))
		if lines := w.Header()["Set-Cookie"]; len(lines) != 1 {
			t.Errorf("after %q: %v", note, lines)
		}
	}
}
