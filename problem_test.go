package sojourn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// readProblem reads an answer that must be problem details.
func readProblem(t *testing.T, w *httptest.ResponseRecorder) (p struct {
	Type, Title string
	Status      int
}) {
	t.Helper()
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" || d.More() {
		t.Errorf("not problem details: %v, %v", err, w.Header())
	}
	if p.Status != w.Code || p.Title == "" || strings.Contains(p.Title, "SECRET") || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Length") != "" {
		t.Errorf("status %d, header %v, problem %+v", w.Code, w.Header(), p)
	}
	return p
}

const docs = "https://pkg.go.dev/github.com/sojourn-go/sojourn#"

// RFC 9457: each error has its status and a type that tells it from the others, and the cause stays
// here.
func TestProblemDetails(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		kind   string
	}{
		{sojourn.ErrUnavailable, 503, docs + "ErrUnavailable"},
		{sojourn.ErrFull, 503, docs + "ErrUnavailable"},
		{sojourn.ErrEnded, 409, docs + "ErrEnded"},
		{sojourn.ErrRevoked, 409, docs + "ErrEnded"},
		{sojourn.ErrConflict, 409, docs + "ErrConflict"},
		{sojourn.ErrLimit, 409, docs + "ErrLimit"},
		{sojourn.ErrNoUser, 401, docs + "ErrNoUser"},
		{sojourn.ErrNotFresh, 401, docs + "ErrNotFresh"},
		{sojourn.ErrAmbiguous, 400, docs + "ErrAmbiguous"},
		{sojourn.ErrCrossSite, 403, docs + "ErrCrossSite"},
		{sojourn.ErrTooLarge, 413, docs + "ErrTooLarge"},
		{sojourn.ErrNotFound, 404, docs + "ErrNotFound"},
		{sojourn.ErrInsecure, 500, docs + "ErrInsecure"},
		{errors.New("other"), 500, "about:blank"},
	} {
		r := rigRequest("GET")
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		w.Header().Set("Content-Length", "4")
		sojourn.DefaultOnError(w, r, fmt.Errorf("%w: SECRET DSN", tt.err))
		if p := readProblem(t, w); p.Status != tt.status || p.Type != tt.kind {
			t.Errorf("%v: %+v", tt.err, p)
		}
		if (w.Header().Get("Retry-After") != "") != (tt.status == 503) {
			t.Errorf("%v: Retry-After %q", tt.err, w.Header().Get("Retry-After"))
		}
	}
}

// Who gets problem details, and who words: what browsers and usual clients send.
func TestProblemAccept(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                  false,
		"*/*":                               false, // fetch, curl
		"application/*":                     false,
		"application/json":                  true,
		"Application/JSON":                  true,
		"application/problem+json":          true,
		"application/json, text/plain, */*": true, // axios
		"application/json, text/javascript, */*; q=0.01":                  true, // jQuery
		"application/vnd.api+json":                                        false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": false, // browsers
		"text/html, application/json":                                     false,
		"text/html;q=0.5, application/json;q=0.9":                         true,
		"application/json;q=0.5, text/html":                               false,
		"text/plain;q=0.5 , application/problem+json; Q=0.5":              false,
		"application/json;q=0":                                            false,
		"application/json;q=x":                                            false,
		"application/json; charset=utf-8":                                 true,
		"text/html;q=0.1|application/json":                                true, // two lines
	} {
		r := rigRequest("GET")
		if accept != "" {
			r.Header["Accept"] = strings.Split(accept, "|")
		}
		w := httptest.NewRecorder()
		sojourn.DefaultOnError(w, r, sojourn.ErrNoUser)
		if got := w.Header().Get("Content-Type") == "application/problem+json"; got != want || w.Header().Get("Vary") != "Accept" {
			t.Errorf("Accept %q: problem details %v, Vary %q", accept, got, w.Header().Get("Vary"))
		}
		if !want && w.Body.String() != "Please sign in.\n" {
			t.Errorf("Accept %q: body %q", accept, w.Body)
		}
	}
}

// The answers that Handler and the middlewares give by themselves are problem details for programs,
// too.
func TestProblemAnswers(t *testing.T) {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	g := newWebRig(t, st, sojourn.Options{Bearer: &sojourn.BearerOptions{Realm: "shop"}})
	cookie := g.login("")
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, err := g.m.Load(r); err == nil {
			rigOK(t, rigNote.Set(s, "lost"))
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "page")
	})
	ask := func(r *http.Request, h http.Handler) *httptest.ResponseRecorder {
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		g.m.Handler(h).ServeHTTP(w, r)
		return w
	}
	w := ask(rigRequest("GET"), g.m.RequireUser(page))
	if p := readProblem(t, w); p.Type != docs+"ErrNoUser" || w.Header().Get("WWW-Authenticate") != `Bearer realm="shop"` {
		t.Errorf("nobody: %+v, %v", p, w.Header())
	}
	if p := readProblem(t, ask(rigRequest("GET", cookie), g.m.RequireLevel(sojourn.LevelMulti, page))); p.Type != docs+"ErrNotFresh" {
		t.Errorf("too weak: %+v", p)
	}
	r := rigRequest("POST", cookie)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if p := readProblem(t, ask(r, page)); p.Type != docs+"ErrCrossSite" {
		t.Errorf("cross-site: %+v", p)
	}
	if p := readProblem(t, ask(rigRequest("POST", cookie), g.m.RequireCSRFToken(page))); p.Type != docs+"ErrCrossSite" {
		t.Errorf("no CSRF token: %+v", p)
	}
	st.Fail(store.ErrFull, sojourntest.OpUpdate)
	if p := readProblem(t, ask(rigRequest("POST", cookie), page)); p.Status != 503 {
		t.Errorf("a commit that fails: %+v", p)
	}
	st.Fail(store.ErrUnavailable)
	if p := readProblem(t, ask(rigRequest("GET", cookie), g.m.RequireLoaded(page))); p.Status != 503 {
		t.Errorf("a load that fails: %+v", p)
	}

	// What the program answers itself stays its own.
	own := newWebRig(t, nil, sojourn.Options{
		OnAnonymous: http.RedirectHandler("/sign-in", http.StatusSeeOther),
		OnStale:     http.RedirectHandler("/confirm", http.StatusSeeOther),
	})
	g = own
	if w := ask(rigRequest("GET"), g.m.RequireUser(page)); w.Header().Get("Location") != "/sign-in" {
		t.Errorf("OnAnonymous: %v", w.Header())
	}
	if w := ask(rigRequest("GET", g.login("")), g.m.RequireFresh(time.Nanosecond, page)); w.Header().Get("Location") != "/confirm" {
		t.Errorf("OnStale: %v", w.Header())
	}
}
