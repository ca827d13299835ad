package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

const page = "https://app.example.com" // sojourntest.Origin is https://example.com: the same site

// script is the page's: it sends JSON to the API with the browser's cookies.
type script struct {
	*testing.T
	from *sojourntest.Client
	csrf string
}

type answer struct {
	*http.Response `json:"-"`
	User, Csrf     string
	Notes          []string
	Type           string // of problem details
}

func (s *script) call(method, path, body string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, sojourntest.Origin+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header = http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}
	if s.csrf != "" {
		r.Header.Set("X-CSRF-Token", s.csrf)
	}
	a := answer{Response: s.from.Do(r)}
	if text := sojourntest.Body(s, a.Response); text != "" {
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			s.Errorf("%s %s: %v in %q", method, path, err, text)
		}
	}
	return a
}

// readable reports whether a browser shows the answer to the page's script.
func (a answer) readable() bool {
	return a.Header.Get("Access-Control-Allow-Origin") == page && a.Header.Get("Access-Control-Allow-Credentials") == "true"
}

func newAPI(t *testing.T) (*sojourntest.Faulty, *sojourntest.Client) {
	t.Helper()
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	sessions, err := sojourn.New(st, &sojourn.Options{TrustedOrigins: []string{page}})
	if err != nil {
		t.Fatal(err)
	}
	return st, sojourntest.NewClient(t, api(sessions, page))
}

const docs = "https://pkg.go.dev/github.com/sojourn-go/sojourn#"

func TestPage(t *testing.T) {
	st, browser := newAPI(t)
	s := &script{T: t, from: browser.From(page)}
	if a := s.call("GET", "/notes", ""); a.StatusCode != 401 || a.Type != docs+"ErrNoUser" || !a.readable() {
		t.Errorf("nobody: %s, %s, %v", a.Status, a.Type, a.Header)
	}
	a := s.call("POST", "/sign-in", `{"user":"ada"}`)
	if a.StatusCode != 200 || a.User != "ada" || a.Csrf == "" || !a.readable() {
		t.Fatalf("sign-in: %s, %+v", a.Status, a)
	}
	if a := s.call("POST", "/notes", `{"text":"tea"}`); a.StatusCode != 403 || a.Type != docs+"ErrCrossSite" || !a.readable() {
		t.Errorf("without the token: %s, %s", a.Status, a.Type)
	}
	s.csrf = a.Csrf
	if a := s.call("POST", "/notes", `{"text":"tea"}`); a.StatusCode != 200 || len(a.Notes) != 1 || !a.readable() {
		t.Errorf("with the token: %s, %v", a.Status, a.Notes)
	}
	st.Fail(store.ErrFull, sojourntest.OpUpdate)
	if a := s.call("POST", "/notes", `{"text":"salt"}`); a.StatusCode != 503 || a.Type != docs+"ErrUnavailable" || !a.readable() {
		t.Errorf("a commit that fails: %s, %s, %v", a.Status, a.Type, a.Header)
	}
	st.Heal()
	if a := s.call("POST", "/sign-out", ""); a.StatusCode != 200 {
		t.Errorf("sign-out: %s", a.Status)
	}
	if a := s.call("GET", "/notes", ""); a.StatusCode != 401 {
		t.Errorf("after the sign-out: %s", a.Status)
	}
}

// A browser asks before it sends JSON or the token's header.
func TestPreflight(t *testing.T) {
	_, browser := newAPI(t)
	for origin, want := range map[string]string{page: page, "https://evil.example": ""} {
		r, err := http.NewRequestWithContext(t.Context(), "OPTIONS", sojourntest.Origin+"/notes", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-csrf-token"}}
		resp := browser.From(origin).Do(r)
		if resp.Header.Get("Access-Control-Allow-Origin") != want || (resp.Header.Get("Access-Control-Allow-Headers") != "") != (want != "") ||
			resp.Header.Get("Set-Cookie") != "" || resp.Header["Vary"][0] != "Origin" {
			t.Errorf("%s: %v", origin, resp.Header)
		}
	}
}

// Other origins do nothing in the user's name, sister domains included, whose requests carry the
// cookie.
func TestForeignPage(t *testing.T) {
	_, browser := newAPI(t)
	s := &script{T: t, from: browser.From(page)}
	s.csrf = s.call("POST", "/sign-in", `{"user":"ada"}`).Csrf
	for _, origin := range []string{"https://evil.example", "https://blog.example.com", "null"} {
		evil := browser.From(origin)
		for name, resp := range map[string]*http.Response{
			"form": evil.PostForm("/notes", nil), "sign-out": evil.PostForm("/sign-out", nil), "link": evil.Get("/notes"),
		} {
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s may read the answer to its %s", origin, name)
			}
		}
	}
	if a := s.call("GET", "/notes", ""); a.User != "ada" || len(a.Notes) != 0 {
		t.Errorf("afterwards: %q, %v", a.User, a.Notes)
	}
}
