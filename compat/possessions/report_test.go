package possessions

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
)

// Default options on http://localhost, the first thing that everybody who moves sees: page and log
// say what to do.
func TestPlainHTTP(t *testing.T) {
	for name, o := range map[string]Overseer{
		"memory": NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer())),
		"own":    NewStorageOverseer(NewCookieOptions(), newOwn(time.Hour)),
		"cookie": NewCookieOverseer(NewCookieOptions(), randomKey()),
	} {
		var lines strings.Builder
		srv := httptest.NewUnstartedServer(site(o))
		srv.Config.ErrorLog = log.New(&lines, "", 0)
		srv.Start()
		resp, err := http.Get(srv.URL + "/set?k=a&v=secret")
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		srv.Close()
		for what, text := range map[string]string{"page": string(page), "log": lines.String()} {
			for _, word := range []string{"plain HTTP", "CookieOptions.Secure to false", "CookieOptions.Sojourn.TrustedProxies"} {
				if !strings.Contains(text, word) {
					t.Errorf("%s: the %s does not name %s: %q", name, what, word, text)
				}
			}
		}
		if resp.StatusCode != http.StatusInternalServerError || strings.Contains(lines.String(), "secret") || strings.Count(lines.String(), "\n") != 1 {
			t.Errorf("%s: status %d, log %q", name, resp.StatusCode, lines.String())
		}
	}
}

// Others than the developer learn nothing of the options.
func TestPlainHTTPElsewhere(t *testing.T) {
	for peer, host := range map[string]string{
		"192.0.2.1:1": "localhost", "127.0.0.1:1": "shop.example", "[2001:db8::1]:1": "127.0.0.1", "": "localhost", "[::1]:1": "192.0.2.7:80",
	} {
		o := newOverseer(NewCookieOptions())
		r := httptest.NewRequest("GET", "http://"+host+"/", nil)
		r.RemoteAddr = peer
		if atThisMachine(r) {
			t.Errorf("%s asks for %s: this machine", peer, host)
		}
		w := httptest.NewRecorder()
		o.fail(w, r, sojourn.ErrInsecure)
		if strings.Contains(w.Body.String(), "CookieOptions") || w.Code != http.StatusInternalServerError {
			t.Errorf("%s asks for %s: %d %s", peer, host, w.Code, w.Body)
		}
	}
	for peer, host := range map[string]string{"127.0.0.1:1": "localhost:8080", "[::1]:1": "[::1]:8080", "[::ffff:127.0.0.1]:1": "127.0.0.1", "127.0.0.2:1": "LOCALHOST"} {
		r := httptest.NewRequest("GET", "http://"+host+"/", nil)
		r.RemoteAddr = peer
		if !atThisMachine(r) {
			t.Errorf("%s asks for %s: not this machine", peer, host)
		}
	}
}

// WriteState and the program's own OnError get the same words; errors.Is still finds the core's.
func TestPlainHTTPOwnHandlers(t *testing.T) {
	var told error
	opts := NewCookieOptions()
	opts.Sojourn = &sojourn.Options{OnError: func(_ http.ResponseWriter, _ *http.Request, err error) { told = err }}
	o := NewStorageOverseer(opts, must(NewDefaultMemoryStorer()))
	r := httptest.NewRequest("GET", "http://localhost/set?k=a&v=1", nil)
	site(o).ServeHTTP(httptest.NewRecorder(), r)
	s, err := o.ReadState(r)
	ok(t, err)
	wrote := o.WriteState(context.Background(), httptest.NewRecorder(), s, []Event{{Kind: EventSet, Key: "a", Val: "1"}})
	for what, err := range map[string]error{"OnError": told, "WriteState": wrote} {
		if !errors.Is(err, sojourn.ErrInsecure) || !strings.Contains(err.Error(), "CookieOptions.Secure") {
			t.Errorf("%s got %v", what, err)
		}
	}
}

// An outage does not fill the log, and what a visitor does is not in it.
func TestReporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		rep := &reporter{out: &lines}
		fail := func(err error) int {
			w := httptest.NewRecorder()
			rep.answer(w, httptest.NewRequest("GET", "https://shop.example/a?secret=1", nil), err)
			return w.Code
		}
		for err, code := range map[error]int{sojourn.ErrConflict: 409, sojourn.ErrCrossSite: 403, sojourn.ErrAmbiguous: 400, sojourn.ErrEnded: 409} {
			if got := fail(err); got != code || lines.Len() > 0 {
				t.Errorf("%v: status %d, log %q", err, got, lines.String())
			}
		}
		for range 5 {
			for range 100 {
				if code := fail(sojourn.ErrUnavailable); code != 503 {
					t.Errorf("an outage: status %d", code)
				}
			}
			time.Sleep(reportEvery)
		}
		if n := strings.Count(lines.String(), "\n"); n != 5 || strings.Count(lines.String(), "99 errors") != 4 || strings.Contains(lines.String(), "secret") {
			t.Errorf("%d lines of 500 errors: %s", n, lines.String())
		}
	})
}
