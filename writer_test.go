package sojourn_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// failingWrites is a memstore whose Creates and Updates fail with err, if there is one.
type failingWrites struct {
	*memstore.Store
	err    atomic.Pointer[error]
	writes atomic.Int32
}

func newFailingWrites() *failingWrites { return &failingWrites{Store: memstore.New(nil)} }

func (f *failingWrites) fail(err error) { f.err.Store(&err) }

func (f *failingWrites) failure() error {
	f.writes.Add(1)
	if p := f.err.Load(); p != nil {
		return *p
	}
	return nil
}

func (f *failingWrites) Create(ctx context.Context, r store.Record, a store.Admission) (store.Admitted, error) {
	if err := f.failure(); err != nil {
		return store.Admitted{}, err
	}
	return f.Store.Create(ctx, r, a)
}

func (f *failingWrites) Update(ctx context.Context, r store.Record, v uint64) error {
	if err := f.failure(); err != nil {
		return err
	}
	return f.Store.Update(ctx, r, v)
}

// ways to begin a response; each gives what the client's body must then be.
var beginnings = []struct {
	name  string
	begin func(http.ResponseWriter) error
	body  string
	h2    bool
}{
	{"nothing", func(http.ResponseWriter) error { return nil }, "", true},
	{"Write", func(w http.ResponseWriter) error { _, err := w.Write([]byte("page")); return err }, "page", true},
	{"WriteString", func(w http.ResponseWriter) error { _, err := io.WriteString(w, "page"); return err }, "page", true},
	{"WriteHeader", func(w http.ResponseWriter) error { w.WriteHeader(201); _, err := io.WriteString(w, "page"); return err }, "page", true},
	{"Flush", func(w http.ResponseWriter) error {
		w.(http.Flusher).Flush()
		_, err := io.WriteString(w, "page")
		return err
	}, "page", true},
	{"controller", func(w http.ResponseWriter) error {
		c := http.NewResponseController(w)
		if err := c.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		return c.Flush()
	}, "", true},
	{"ReadFrom", func(w http.ResponseWriter) error {
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("page"))
		return err
	}, "page", true},
	{"Copy", func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("page")); return err }, "page", true},
	{"early hints", func(w http.ResponseWriter) error {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		_, err := io.WriteString(w, "page")
		return err
	}, "page", true},
	{"Hijack", func(w http.ResponseWriter) error {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nConnection: close\r\n")
		if err := w.Header().Write(rw); err != nil {
			return err
		}
		fmt.Fprint(rw, "\r\npage")
		return rw.Flush()
	}, "page", false},
}

// server runs h behind TLS, as HTTP/1 or HTTP/2.
func server(t *testing.T, h http.Handler, h2 bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = h2
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *httptest.Server, ctx context.Context) (*http.Response, string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	rigOK(t, err)
	return resp, string(b)
}

// R48: whichever way the response begins, the change is durable and its cookie is in the header.
func TestWriterCommitsFirst(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for _, tt := range beginnings {
			if h2 && !tt.h2 {
				continue
			}
			st := newFailingWrites()
			g := newWebRig(t, st, sojourn.Options{})
			informational := 0
			s := server(t, g.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sess, err := g.m.Load(r)
				rigOK(t, err)
				if v := rigNote.Get(sess); v != "" {
					fmt.Fprint(w, v)
					return
				}
				rigOK(t, rigNote.Set(sess, "kept"))
				if tt.name == "Hijack" {
					if err := tt.begin(w); !errors.Is(err, sojourn.ErrNoToken) {
						t.Errorf("Hijack of a response that owes a token: %v", err)
					}
					if _, err := sess.Commit(r.Context()); err != nil {
						t.Error(err)
					}
				}
				if err := tt.begin(w); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			})), h2)
			jar, _ := cookiejar.New(nil)
			s.Client().Jar = jar
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
					informational++
					if h["Set-Cookie"] != nil {
						t.Errorf("%s: a 1xx carries the cookie", tt.name)
					}
					return nil
				},
			})
			resp, body := get(t, s, ctx)
			if resp.ProtoMajor != map[bool]int{false: 1, true: 2}[h2] || body != tt.body || len(resp.Cookies()) != 1 || st.writes.Load() != 1 {
				t.Errorf("%s: HTTP/%d, body %q, cookies %q, %d writes", tt.name, resp.ProtoMajor, body, resp.Header["Set-Cookie"], st.writes.Load())
			}
			if tt.name == "early hints" && informational != 2 {
				t.Errorf("%d informational responses, want 2", informational)
			}
			if _, body := get(t, s, t.Context()); body != "kept" {
				t.Errorf("%s: the next page reads %q", tt.name, body)
			}
		}
	}
}

// R48: after a commit that fails nothing of the handler's page arrives.
func TestWriterFailedCommit(t *testing.T) {
	const secretText = "dial tcp 10.0.0.7:5432: password authentication failed"
	for _, h2 := range []bool{false, true} {
		for _, tt := range beginnings {
			if h2 && !tt.h2 {
				continue
			}
			st := newFailingWrites()
			st.fail(fmt.Errorf("%w: %s", store.ErrFull, secretText))
			g := newWebRig(t, st, sojourn.Options{})
			s := server(t, g.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sess, err := g.m.Load(r)
				rigOK(t, err)
				rigOK(t, rigNote.Set(sess, "lost"))
				w.Header().Set("Content-Type", "application/pdf")
				w.Header().Set("Location", "/welcome")
				w.Header().Set("X-Page", "secret")
				w.Header().Set("Content-Length", "4")
				w.Header().Add("Set-Cookie", "other=1")
				w.Header().Set("Strict-Transport-Security", "max-age=1")
				if err := tt.begin(w); err == nil && tt.body != "" {
					t.Errorf("%s: the handler was told that it has written", tt.name)
				}
				w.WriteHeader(200)
				fmt.Fprint(w, "page")
			})), h2)
			resp, body := get(t, s, t.Context())
			if resp.StatusCode != 503 || strings.Contains(body, "page") || strings.Contains(body, "10.0.0.7") || !strings.Contains(body, "session") {
				t.Errorf("%s: status %d, body %q", tt.name, resp.StatusCode, body)
			}
			for _, h := range []string{"Location", "X-Page", "Set-Cookie"} {
				if resp.Header[h] != nil {
					t.Errorf("%s: header %s: %q", tt.name, h, resp.Header[h])
				}
			}
			if resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || resp.Header.Get("Strict-Transport-Security") == "" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: header %v", tt.name, resp.Header)
			}
		}
	}
}

// R48: a panic commits nothing before the first byte, and nothing more after it.
func TestWriterPanic(t *testing.T) {
	st := newFailingWrites()
	g := newWebRig(t, st, sojourn.Options{})
	cookie := g.login("")
	for _, first := range []bool{false, true} {
		before := st.writes.Load()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
				s, err := g.m.Load(r)
				rigOK(t, err)
				if first {
					fmt.Fprint(w, "first")
				}
				rigOK(t, rigNote.Set(s, "half done"))
				panic(http.ErrAbortHandler)
			})
		}()
		if n := st.writes.Load() - before; n != 0 {
			t.Errorf("panic after first byte %v: %d writes", first, n)
		}
	}
	g.do(cookie, func(s *sojourn.Session) {
		if rigNote.Has(s) {
			t.Error("a panicking handler's change was committed")
		}
	})
}

// R48: data changed after the first byte are committed at the end; what needs a cookie is refused, and told.
func TestWriterLateChanges(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie := g.login("")
	w := g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first")
		s, err := g.m.Load(r)
		rigOK(t, err)
		rigOK(t, rigNote.Set(s, "late"))
		for name, err := range map[string]error{"login": s.Login(r.Context(), "eve"), "renew": s.Renew(r.Context())} {
			if !errors.Is(err, sojourn.ErrNoToken) {
				t.Errorf("late %s: %v", name, err)
			}
		}
	})
	if w.Header()["Set-Cookie"] != nil || w.Body.String() != "first" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	g.do(cookie, func(s *sojourn.Session) {
		if rigNote.Get(s) != "late" {
			t.Error("the late change is lost")
		}
	})
	if g.seen(sojourn.ChangeLost) != 0 {
		t.Error("ChangeLost without a loss")
	}
	g.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first")
		s, err := g.m.Load(r)
		rigOK(t, err)
		rigOK(t, rigNote.Set(s, "nobody's"))
	})
	if g.seen(sojourn.ChangeLost) != 1 {
		t.Errorf("a visitor's late value: %d ChangeLost events, want 1", g.seen(sojourn.ChangeLost))
	}
}

// A token is not renewed by a response that may not carry the new one.
func TestWriterHijackKeepsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{Idle: 10 * time.Hour})
		cookie := g.login("")
		time.Sleep(2 * time.Hour) // past RenewAfter
		w := &hijackRecorder{ResponseRecorder: httptest.NewRecorder()}
		g.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := g.m.Load(r)
			rigOK(t, err)
			_, _, err = w.(http.Hijacker).Hijack()
			rigOK(t, err)
		})).ServeHTTP(w, rigRequest("GET", cookie))
		time.Sleep(time.Hour)
		if got := g.user(cookie); got != "ada" || g.seen(sojourn.SessionRenewed) == 0 {
			t.Errorf("after a hijack: user %q, %d renewals", got, g.seen(sojourn.SessionRenewed))
		}
	})
}

type hijackRecorder struct{ *httptest.ResponseRecorder }

func (h *hijackRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

// An upgrade that fails with the commit of a later change is answered by an error page, which has the
// token that was in the header.
func TestWriterHijackAfterLogin(t *testing.T) {
	st := newFailingWrites()
	g := newWebRig(t, st, sojourn.Options{})
	w := &hijackRecorder{ResponseRecorder: httptest.NewRecorder()}
	g.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := g.m.From(r)
		rigOK(t, s.Login(r.Context(), "ada"))
		must(s.Commit(r.Context()))
		rigOK(t, rigNote.Set(s, "lost"))
		st.fail(store.ErrFull)
		if _, _, err := w.(http.Hijacker).Hijack(); err == nil {
			t.Error("the connection is taken over, and the change is lost")
		}
	})).ServeHTTP(w, rigRequest("POST"))
	if w.Code != http.StatusServiceUnavailable || len(w.Header()["Set-Cookie"]) != 1 {
		t.Errorf("status %d, %v", w.Code, w.Header()["Set-Cookie"])
	}
}

// Where the connection cannot be hijacked nothing has happened, and the handler goes on.
func TestWriterHijackUnsupported(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	w := g.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("hijack: %v", err)
		}
		rigOK(t, g.m.From(r).Login(r.Context(), "ada"))
	})
	if len(w.Header()["Set-Cookie"]) != 1 {
		t.Errorf("sign-in after a refused hijack: %v", w.Header())
	}
}

// R48: each error of a commit has its status; none says why, or touches the cookie.
func TestDefaultOnError(t *testing.T) {
	for want, errs := range map[int][]error{
		503: {sojourn.ErrUnavailable, sojourn.ErrIndeterminate, sojourn.ErrFull, sojourn.ErrCorrupt, errors.Join(sojourn.ErrUnavailable, sojourn.ErrClock)},
		409: {sojourn.ErrConflict, sojourn.ErrEnded},
		400: {sojourn.ErrAmbiguous},
		403: {sojourn.ErrCrossSite},
		413: {sojourn.ErrTooLarge},
		500: {errors.New("other"), sojourn.ErrNoToken, sojourn.ErrInsecure},
	} {
		for _, err := range errs {
			w := httptest.NewRecorder()
			sojourn.DefaultOnError(w, nil, fmt.Errorf("%w: SECRET DSN", err))
			if w.Code != want || strings.Contains(w.Body.String(), "SECRET") || w.Header()["Set-Cookie"] != nil || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v: %d %q %v", err, w.Code, w.Body, w.Header())
			}
		}
	}
}
