package sojourntest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
)

// Which cookies go with which requests, and what these say of themselves (RFC 6265bis section
// 5.8.3, Fetch Metadata).
func TestFromSends(t *testing.T) {
	var seen http.Header
	c := sojourntest.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cookies" {
			for _, line := range []string{"none=1; SameSite=None; Secure", "lax=1; SameSite=Lax", "strict=1; SameSite=Strict", "bare=1"} {
				w.Header().Add("Set-Cookie", line)
			}
		}
		seen = r.Header.Clone()
	}))
	c.Get("/cookies")
	fetch := func(method string) func(*sojourntest.Client) {
		return func(c *sojourntest.Client) {
			r, err := http.NewRequest(method, sojourntest.Origin+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			c.Do(r)
		}
	}
	link := func(c *sojourntest.Client) { c.Get("/") }
	form := func(c *sojourntest.Client) { c.PostForm("/", nil) }
	const all = "bare lax none strict"
	for _, tt := range []struct {
		name, origin          string
		send                  func(*sojourntest.Client)
		site, sendsOrigin, in string
	}{
		{"own link", "", link, "same-origin", "", all},
		{"own form", "", form, "same-origin", "", all},
		{"own origin", "https://example.com", form, "same-origin", "https://example.com", all},
		{"own origin with a port", "https://EXAMPLE.com:443", link, "same-origin", "", all},
		{"sister link", "https://app.example.com", link, "same-site", "", all},
		{"sister form", "https://app.example.com", form, "same-site", "https://app.example.com", all},
		{"sister fetch", "https://app.example.com", fetch("GET"), "same-site", "https://app.example.com", all},
		{"other port", "https://example.com:8443", fetch("DELETE"), "same-site", "https://example.com:8443", all},
		{"plain HTTP", "http://example.com", link, "cross-site", "", "bare lax none"},
		{"foreign link", "https://evil.example", link, "cross-site", "", "bare lax none"},
		{"foreign form", "https://evil.example", form, "cross-site", "https://evil.example", "none"},
		{"foreign fetch", "https://evil.example", fetch("GET"), "cross-site", "https://evil.example", "none"},
		{"foreign fetch that changes", "https://evil.example", fetch("PUT"), "cross-site", "https://evil.example", "none"},
		{"sandboxed form", "null", form, "cross-site", "null", "none"},
		{"an address", "https://192.0.2.1", link, "cross-site", "", "bare lax none"},
	} {
		from := c
		if tt.origin != "" {
			from = c.From(tt.origin)
		}
		tt.send(from)
		in := ""
		for _, name := range strings.Fields(all) {
			if strings.Contains(seen.Get("Cookie"), name+"=") {
				in += " " + name
			}
		}
		if seen.Get("Sec-Fetch-Site") != tt.site || seen.Get("Origin") != tt.sendsOrigin || strings.TrimSpace(in) != tt.in {
			t.Errorf("%s: %v", tt.name, seen)
		}
	}
}

// Which cookies of an answer are kept: a foreign page's form brings the browser to the site, its
// script does not.
func TestFromKeeps(t *testing.T) {
	var seen string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Cookie")
		w.Header().Add("Set-Cookie", "lax=1; SameSite=Lax")
		w.Header().Add("Set-Cookie", "none=1; SameSite=None; Secure")
		w.Header().Add("Set-Cookie", "open=1; SameSite=None")
	})
	for name, want := range map[string]string{"script": "none=1", "form": "lax=1; none=1"} {
		c := sojourntest.NewClient(t, h)
		evil := c.From("https://evil.example")
		if name == "form" {
			evil.PostForm("/", nil)
		} else {
			r, _ := http.NewRequest("POST", sojourntest.Origin+"/", nil)
			evil.Do(r)
		}
		if c.Get("/"); seen != want {
			t.Errorf("after a foreign %s: %q, want %q", name, seen, want)
		}
	}
}

// A foreign page uses nobody's session, and one that the program trusts does.
func TestFromSession(t *testing.T) {
	const page = "https://app.example.com"
	for name, m := range managers(t) {
		if name == "domain" {
			continue // its Domain is below the origin's
		}
		t.Run(name, func(t *testing.T) { foreign(t, m, page, false) })
	}
	m, err := sojourn.New(memstore.New(nil), &sojourn.Options{TrustedOrigins: []string{page}})
	if err != nil {
		t.Fatal(err)
	}
	foreign(t, m, page, true)
}

func foreign(t *testing.T, m *sojourn.Manager, page string, trusted bool) {
	c := sojourntest.NewClient(t, app(m))
	c.NoFollow = true
	c.PostForm("/login", url.Values{"user": {"ada"}})
	evil := c.From("https://evil.example")
	for name, resp := range map[string]*http.Response{
		"form": evil.PostForm("/cart", url.Values{"item": {"tea"}}), "sign-out": evil.PostForm("/logout", nil),
	} {
		if o := sojourntest.Result(t, m, resp); o.Token != sojourntest.Unchanged {
			t.Errorf("a foreign %s: token %v", name, o.Token)
		}
	}
	if resp := evil.Get("/"); resp.StatusCode != http.StatusOK {
		t.Errorf("a link on a foreign page: %s", resp.Status)
	}
	want := http.StatusForbidden
	if trusted {
		want = http.StatusOK
	}
	if resp := c.From(page).PostForm("/cart", url.Values{"item": {"tea"}}); resp.StatusCode != want {
		t.Errorf("a form of a sister site, trusted %v: %s", trusted, resp.Status)
	}
	if s := c.Session(m); s.User() == "" || len(cart.Get(s)) != map[bool]int{false: 0, true: 1}[trusted] {
		t.Errorf("signed in %v, cart %v", s.User() != "", cart.Get(s))
	}
}

// The cookie of [sojourntest.Request] goes with redirects until an answer replaces or removes it.
func TestDoReplacesCookie(t *testing.T) {
	m, err := sojourn.New(memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := sojourntest.NewClient(t, app(m))
	resp := c.Do(sojourntest.Request(t, m, "POST", "/login", strings.NewReader("user=eve"), sojourntest.User("ada")))
	if got := sojourntest.Body(t, resp); got != "Hello eve, 0 in your cart." {
		t.Errorf("after a redirect: %q", got)
	}
}
