package sojourn_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// L9: a handler's goroutines may commit while another one writes the page, and around the moment at
// which an http.TimeoutHandler gives up. The race detector watches: net/http reads the header then.
func TestCommitBesideThePage(t *testing.T) {
	m := must(sojourn.New(memstore.New(nil), &sojourn.Options{Keys: rigKeys(t)}))
	var late sync.WaitGroup
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		rigOK(t, m.From(r).Login(r.Context(), "ada"))
	})
	mux.HandleFunc("GET /write", func(w http.ResponseWriter, r *http.Request) {
		s := must(m.Load(r))
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = rigNumber.Set(s, 1)
			_, _ = s.Commit(r.Context())
		})
		_, _ = io.WriteString(w, "page")
		wg.Wait()
	})
	mux.Handle("GET /timeout", http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		late.Add(1)
		defer late.Done()
		s, err := m.Load(r)
		for begun := time.Now(); err == nil && time.Since(begun) < 6*time.Millisecond; {
			_ = rigNumber.Set(s, 1)
			_, _ = s.Commit(r.Context())
		}
	}), 3*time.Millisecond, "late"))
	srv := httptest.NewTLSServer(m.Handler(mux))
	defer srv.Close()
	client := srv.Client()
	client.Jar = must(cookiejar.New(nil))
	for range 40 {
		for _, call := range []string{"POST /login", "GET /write", "GET /timeout"} {
			method, path, _ := strings.Cut(call, " ")
			req := must(http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil))
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			resp := must(client.Do(req))
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || method == "POST" && resp.StatusCode != 200 {
				t.Fatalf("%s: status %d, %v", call, resp.StatusCode, err)
			}
			resp.Body.Close()
		}
	}
	late.Wait()
	req := rigRequest("GET")
	req.Header.Set("Cookie", jarLine(client.Jar, srv.URL))
	if s := must(m.Open(t.Context(), req)); s.User() != "ada" {
		t.Errorf("in the end the browser is %q", s.User())
	}
}

// jarLine is the Cookie header that the jar has for that address.
func jarLine(jar http.CookieJar, at string) string {
	var line []string
	for _, c := range jar.Cookies(must(url.Parse(at))) {
		line = append(line, c.Name+"="+c.Value)
	}
	return strings.Join(line, "; ")
}
