package possessions

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/sojourntest"
)

// The kinds of back-ends. own is a program's own Storer.
var (
	everywhere = []string{"memory", "disk", "redis", "own", "cookie"}
	storers    = []string{"memory", "disk", "redis", "own"} // those whose sessions can be listed and ended
	natives    = []string{"memory", "disk", "redis"}        // this package's storers
)

// on runs a test on an overseer of each kind, and its storer if it has one.
func on(t *testing.T, kinds []string, test func(t *testing.T, o Overseer, s Storer)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var s Storer
			switch kind {
			case "memory":
				s = must(NewDefaultMemoryStorer())
			case "disk":
				s = newDisk(t, defaultMaxAge)
			case "redis":
				s = newRedis(t, defaultMaxAge)
			case "own":
				s = newOwn(defaultMaxAge)
			case "cookie":
				test(t, NewCookieOverseer(NewCookieOptions(), randomKey()), nil)
				return
			}
			test(t, NewStorageOverseer(NewCookieOptions(), s), s)
		})
	}
}

func randomKey() (k [32]byte) {
	copy(k[:], sojourn.NewKey())
	return k
}

func newDisk(t testing.TB, maxAge time.Duration) *DiskStorer {
	t.Helper()
	d, err := NewDiskStorer(t.TempDir(), maxAge, maxAge)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// own is a program's own Storer, as simple as they are.
type own struct {
	mu     sync.Mutex
	maxAge time.Duration
	m      map[string]ownSession
	broken error // what every call fails with
}

type ownSession struct {
	value string
	ends  time.Time
}

type ownMissing struct{ error }

func (ownMissing) NoSession() {}

func newOwn(maxAge time.Duration) *own { return &own{maxAge: maxAge, m: map[string]ownSession{}} }

func (o *own) live(key string) (ownSession, error) {
	s, ok := o.m[key]
	switch {
	case o.broken != nil:
		return s, o.broken
	case !ok, o.maxAge > 0 && !time.Now().Before(s.ends):
		return s, ownMissing{errors.New("nothing here")}
	}
	return s, nil
}

func (o *own) All(context.Context) (keys []string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range o.m {
		if _, err := o.live(k); err == nil {
			keys = append(keys, k)
		}
	}
	return keys, o.broken
}

func (o *own) Get(_ context.Context, key string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.live(key)
	return s.value, err
}

func (o *own) Set(_ context.Context, key, value string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken == nil {
		o.m[key] = ownSession{value, time.Now().Add(o.maxAge)}
	}
	return o.broken
}

func (o *own) Del(_ context.Context, key string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken == nil {
		delete(o.m, key)
	}
	return o.broken
}

func (o *own) ResetExpiry(_ context.Context, key string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.live(key)
	if err == nil {
		o.m[key] = ownSession{s.value, time.Now().Add(o.maxAge)}
	}
	return err
}

// site is a program with a route for each function of the package.
func site(o Overseer) http.Handler {
	mux := http.NewServeMux()
	route := func(path string, f func(w http.ResponseWriter, r *http.Request) string) {
		mux.HandleFunc("/"+path, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, f(w, r)) })
	}
	route("none", func(http.ResponseWriter, *http.Request) string { return "" })
	route("set", func(w http.ResponseWriter, r *http.Request) string {
		Set(w, r.FormValue("k"), r.FormValue("v"))
		return ""
	})
	route("get", func(w http.ResponseWriter, r *http.Request) string {
		v, ok := Get(r.Context(), r.FormValue("k"))
		if !ok {
			return "<none>"
		}
		return v
	})
	route("del", func(w http.ResponseWriter, r *http.Request) string { Del(w, r.FormValue("k")); return "" })
	route("delall", func(w http.ResponseWriter, r *http.Request) string { DelAll(w, r.URL.Query()["keep"]); return "" })
	route("flash", func(w http.ResponseWriter, r *http.Request) string {
		AddFlash(w, r.FormValue("k"), r.FormValue("v"))
		return ""
	})
	route("show", func(w http.ResponseWriter, r *http.Request) string {
		v, ok := GetFlash(w, r.Context(), r.FormValue("k"))
		if !ok {
			return "<none>"
		}
		return v
	})
	route("refresh", func(w http.ResponseWriter, r *http.Request) string { Refresh(w); return "" })
	mux.Handle("/kept", NewRefreshMiddleware().Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return NewOverseeingMiddleware(o).Wrap(mux)
}

// visitor is a browser at a site.
type visitor struct {
	testing.TB
	*sojourntest.Client
}

func visit(t testing.TB, o Overseer) visitor { return visitor{t, sojourntest.NewClient(t, site(o))} }

// at asks for a path with alternating names and values, and gives the page.
func (v visitor) at(path string, args ...string) string {
	v.Helper()
	q := url.Values{}
	for i := 0; i < len(args); i += 2 {
		q.Add(args[i], args[i+1])
	}
	resp := v.Get("/" + path + "?" + q.Encode())
	body := sojourntest.Body(v, resp)
	if resp.StatusCode != http.StatusOK {
		v.Errorf("%s: status %d: %s", path, resp.StatusCode, body)
	}
	return body
}

func (v visitor) want(what, path string, args ...string) {
	v.Helper()
	if got := v.at(path, args...); got != what {
		v.Errorf("%s %v: %q, want %q", path, args, got, what)
	}
}

func ids(t testing.TB, s Storer) []string {
	t.Helper()
	all, err := s.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// only gives the ID of the one session there is.
func only(t testing.TB, s Storer) string {
	t.Helper()
	all := ids(t, s)
	if len(all) != 1 {
		t.Fatalf("%d sessions, want 1", len(all))
	}
	return all[0]
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("unexpected error: %v", err)
	}
}

// record is the page that h has for r's cookies at path.
func record(h http.Handler, r *http.Request, path string) string {
	again := httptest.NewRequest("GET", sojourntest.Origin+path, nil)
	again.Header = r.Header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, again)
	return w.Body.String()
}

// serve gives the status of h's answer to r.
func serve(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}
