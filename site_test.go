package sojourn_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// R37: method x headers x transport.
func TestCrossSiteMatrix(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}, TrustedOrigins: []string{"https://pay.example.com"}})
	cookie, tok := g.login(""), g.bearer("ada")
	headers := []struct {
		site, origin string
		ok           bool
	}{
		{"same-origin", "https://example.com", true},
		{"same-origin", "", true},
		{"none", "", true},
		{"cross-site", "https://evil.example", false},
		{"cross-site", "https://example.com", false}, // fetch metadata decides
		{"same-site", "https://sub.example.com", false},
		{"same-site", "", false},
		{"SAME-ORIGIN", "", false},
		{"junk", "https://example.com", false},
		{"", "https://example.com", true},
		{"", "HTTPS://EXAMPLE.com:443", true}, // as the Fetch standard compares
		{"", "http://example.com", false},     // whoever sits in the network speaks for plain HTTP
		{"", "http://example.com:443", false},
		{"", "https://example.com:80", false},
		{"", "https://example.com:8443", false},
		{"", "https://example.com.", false},
		{"", "https://example.com.evil.example", false},
		{"", "https://evil.example", false},
		{"", "https://sub.example.com", false},
		{"", "null", false},
		{"", "example.com", false},
		{"", "//example.com", false},
		{"", "https:example.com", false},
		{"", "https://example.com/", false},
		{"", "https://example.com?", false},
		{"", "https://example.com#", false},
		{"", "https://example.com@", false},
		{"", "https://a@example.com", false},
		{"", "ftp://example.com", false},
		{"", "https://evil.example@example.com.", false},
		{"", "https://evil.example https://example.com", false},
		{"", "::", false},
		{"cross-site", "https://pay.example.com", true},
		{"", "https://pay.example.com", true},
		{"", "https://PAY.example.com:443", true},
		{"cross-site", "http://pay.example.com", false},
		{"cross-site", "https://pay.example.com.", false},
		{"", "", false}, // net/http's CrossOriginProtection admits it: see below
	}
	methods := map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true,
		"POST": false, "PUT": false, "PATCH": false, "DELETE": false, "CONNECT": false, "get": false, "PROPFIND": false, "": false}
	for method, safe := range methods {
		for _, h := range headers {
			for transport, fill := range map[string]func(*http.Request){
				"cookie":  func(r *http.Request) { r.Header.Set("Cookie", cookie) },
				"junk":    func(r *http.Request) { r.Header.Set("Cookie", "__Host-session=junk") },
				"second":  func(r *http.Request) { r.Header["Cookie"] = []string{"a=b", "c=d; " + cookie} },
				"bearer":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) },
				"visitor": func(r *http.Request) { r.Header.Set("Cookie", "other=1") },
				"both": func(r *http.Request) {
					r.Header.Set("Cookie", "__Host-session=junk")
					r.Header.Set("Authorization", "Bearer "+tok)
				},
			} {
				r := httptest.NewRequest("POST", "https://example.com/", nil)
				r.Method = method
				if h.site != "" {
					r.Header.Set("Sec-Fetch-Site", h.site)
				}
				if h.origin != "" {
					r.Header.Set("Origin", h.origin)
				}
				fill(r)
				ran := false
				w := g.serve(r, func(http.ResponseWriter, *http.Request) { ran = true })
				want := safe || h.ok || transport == "bearer" || transport == "visitor" && h.site+h.origin == ""
				if ran != want || (w.Code == 403) == want {
					t.Errorf("%s %+v %s: ran %v, status %d", method, h, transport, ran, w.Code)
				}
				if _, err := g.m.Open(t.Context(), r); errors.Is(err, sojourn.ErrCrossSite) == want {
					t.Errorf("%s %+v %s: Open: %v", method, h, transport, err)
				}
			}
		}
	}
	if g.seen(sojourn.CrossSiteRefused) == 0 {
		t.Error("no event")
	}
	r := httptest.NewRequest("POST", "https://example.com/", nil)
	if http.NewCrossOriginProtection().Check(r) != nil {
		t.Error("net/http now refuses requests without headers too: say so in site.go")
	}
}

// The request's own host may be spelled in other ways, too.
func TestCrossSiteHosts(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie := g.login("")
	for _, tt := range []struct {
		host, origin string
		ok           bool
	}{
		{"example.com:443", "https://example.com", true},
		{"EXAMPLE.com", "https://example.com", true},
		{"example.com:8443", "https://example.com:8443", true},
		{"example.com:8443", "https://example.com", false},
		{"[2001:DB8::1]:443", "https://[2001:db8::1]", true},
		{"[2001:db8::1]", "https://[2001:db8::2]", false},
		{"", "https://", false},
		{":443", "https://:443", false},
		{"example.com:port", "https://example.com:port", false},
	} {
		r := httptest.NewRequest("POST", "https://example.com/", nil)
		r.Host = tt.host
		r.Header.Set("Origin", tt.origin)
		r.Header.Set("Cookie", cookie)
		if w := g.serve(r, func(http.ResponseWriter, *http.Request) {}); (w.Code == 200) != tt.ok {
			t.Errorf("host %q, origin %q: status %d", tt.host, tt.origin, w.Code)
		}
	}
}

// A client that is no browser is told which header to send, and that one does it.
func TestCrossSiteOtherClients(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) { rigOK(t, g.m.From(r).Login(r.Context(), "ada")) })
	mux.HandleFunc("POST /act", func(http.ResponseWriter, *http.Request) {})
	post := func(path, cookie, header string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "https://example.com"+path, nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		g.m.Handler(mux).ServeHTTP(w, r)
		return w
	}
	in := post("/login", "", "")
	cookie := rigCookies(in)
	if in.Code != 200 || cookie == "" {
		t.Fatalf("sign-in: %d", in.Code)
	}
	refused := post("/act", cookie, "")
	_, header, ok := strings.Cut(strings.TrimSpace(refused.Body.String()), "browser sends this header with it: ")
	if refused.Code != 403 || !ok {
		t.Fatalf("second request: %d, %q", refused.Code, refused.Body)
	}
	if w := post("/act", cookie, header); w.Code != 200 {
		t.Errorf("with %q: %d", header, w.Code)
	}
	if w := post("/act", cookie, "Origin: https://example.com"); w.Code != 200 {
		t.Errorf("with Origin: %d", w.Code)
	}
	if w := post("/act", cookie, "Origin: https://evil.example"); w.Code != 403 || strings.Contains(w.Body.String(), "Sec-Fetch") {
		t.Errorf("another site's: %d, %q", w.Code, w.Body)
	}
}
