package shop

import (
	"io"
	"net/http"
	"strings"

	"github.com/sojourn-go/sojourn"
)

// Pages for requests that go wrong. They have the shop's frame, and the menu where it is known who
// asks.

// problem is the data of such a page.
type problem struct{ Text string }

// known answers what no route of pages takes with a page, in place of the multiplexer's line of
// text.
func (sh *shop) known(pages *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := pages.Handler(r)
		if pattern != "" {
			pages.ServeHTTP(w, r)
			return
		}
		said := &overheard{header: http.Header{}}
		h.ServeHTTP(said, r)
		if allow := said.header["Allow"]; allow != nil {
			w.Header()["Allow"] = allow
		}
		sh.web.RequireLoaded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if said.status == http.StatusMethodNotAllowed {
				sh.problem(w, r, said.status, "Not like that", "This page is there, but it does not take what your browser sent.")
				return
			}
			sh.problem(w, r, said.status, "Nothing here", "The shop has no such page.")
		})).ServeHTTP(w, r)
	})
}

// overheard is a response that only its status and header are wanted of.
type overheard struct {
	header http.Header
	status int
	text   string
}

func (o *overheard) Header() http.Header { return o.header }

func (o *overheard) WriteHeader(status int) { o.status = status }

func (o *overheard) Write(b []byte) (int, error) {
	o.text += string(b)
	return len(b), nil
}

// problem writes a page below the session, which is loaded. Messages for the next page wait for one
// that the visitor asked for.
func (sh *shop) problem(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	s := sh.web.From(r)
	w.Header().Set("Cache-Control", "no-store")
	writePage(w, status, "problem.html", view{
		Title: title, Path: r.URL.Path, User: s.User(), InCart: cart.Get(s).count(), Kept: sh.kept, Data: problem{text},
	})
}

// badRequest is for forms that no page of the shop has sent.
func (sh *shop) badRequest(w http.ResponseWriter, r *http.Request, text string) error {
	sh.problem(w, r, http.StatusBadRequest, "That did not work", text)
	return nil
}

// fail answers a request that went wrong in the library or the shop, where nothing may be known of
// the session. An outage gets a page that says so: the visitor is still signed in, and the cookie
// stays.
func (sh *shop) fail(w http.ResponseWriter, r *http.Request, err error) {
	if sojourn.IsOutage(err) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Retry-After", "5")
		writePage(w, http.StatusServiceUnavailable, "outage.html", view{Title: "Closed for a moment", Bare: true})
		return
	}
	said := &overheard{header: w.Header()}
	sojourn.DefaultOnError(said, r, err)
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") { // a program asked, which wants no page
		w.WriteHeader(said.status)
		_, _ = io.WriteString(w, said.text) // a client that went away
		return
	}
	writePage(w, said.status, "problem.html", view{Title: "That did not work", Bare: true, Data: problem{said.text}})
}

func noSuchAPI(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/me" {
		w.Header().Set("Allow", "GET, HEAD")
		writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "only GET"})
		return
	}
	writeJSON(w, http.StatusNotFound, map[string]string{"error": "no such address"})
}
