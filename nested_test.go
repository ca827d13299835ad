package sojourn_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// One manager's Handler twice around a handler is once: a visitor has one session, and its commit
// is the outer one's, also where a copy of the request came between, or another manager.
func TestHandlerTwice(t *testing.T) {
	other := must(sojourn.New(memstore.New(nil), &sojourn.Options{Cookie: sojourn.CookieOptions{Name: "__Host-other"}}))
	for name, between := range map[string]func(http.Handler) http.Handler{
		"nothing": func(h http.Handler) http.Handler { return h },
		"a copy": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = r.Clone(r.Context())
				r.Header.Set("X-Between", "1")
				h.ServeHTTP(w, r)
			})
		},
		"another manager": other.Handler,
	} {
		t.Run(name, func(t *testing.T) {
			g := newSite(t)
			inner := g.handler
			g.handler = g.Handler(between(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, err := g.Load(r)
				rigOK(t, err)
				rigOK(t, slot("outer").Set(s, "1"))
				inner.ServeHTTP(w, r)
			})))
			b := g.browser()
			w := b.get("set?k=inner&v=2")
			if lines := w.Header()["Set-Cookie"]; len(lines) != 1 || g.records() != 1 {
				t.Errorf("%d cookies and %d sessions, want one each", len(lines), g.records())
			}
			b.wants("names", "inner outer")
			b.ok("login?user=ada&keep=inner")
			b.wants("user", "ada")
		})
	}
}

// A request that a handler makes itself, within its own request's context, is another one's where
// it has other tokens.
func TestHandlerWithinHandler(t *testing.T) {
	g := newSite(t)
	ada, eve := g.signedIn("ada"), g.signedIn("eve")
	g.on("ask", func(_ *sojourn.Session, r *http.Request) (string, error) {
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, eve.request(r.Context(), "user"))
		page, err := io.ReadAll(w.Body)
		return string(page), err
	})
	ada.wants("ask", "eve")
}
