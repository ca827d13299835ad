package possessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/sojourntest"
)

// What the older library did wrong, re-enacted. docs/promises.md says what the numbers are.

// slow is a request that has loaded its session and waits.
type slow struct{ reached, release, done chan struct{} }

// slowly starts a request by a copy of v's browser that does f once it is released.
func slowly(v visitor, o Overseer, f http.HandlerFunc) *slow {
	v.Helper()
	s := &slow{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	h := NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(s.reached)
		<-s.release
		f(w, r)
	}))
	r := request(v)
	go func() {
		defer close(s.done)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}()
	select {
	case <-s.reached:
	case <-s.done:
		v.Fatal("the request was answered before it reached its handler: its store fails")
	}
	return s
}

func (s *slow) finish() {
	close(s.release)
	<-s.done
}

// request is one with the cookies of v.
func request(v visitor) *http.Request {
	r := httptest.NewRequest("GET", sojourntest.Origin+"/", nil)
	r.Header = v.Get("/none").Request.Header.Clone()
	return r
}

// D15: two overlapping requests on one session, one sets a, the other b: both are kept.
func TestP15aOverlap(t *testing.T) {
	on(t, storers, func(t *testing.T, o Overseer, s Storer) {
		v := visit(t, o)
		v.at("set", "k", "init", "v", "0")
		late := slowly(v, o, func(w http.ResponseWriter, _ *http.Request) { Set(w, "b", "2") })
		v.at("set", "k", "a", "v", "1")
		late.finish()
		for _, k := range []string{"init", "a", "b"} {
			if v.at("get", "k", k) == "<none>" {
				t.Errorf("%s is lost", k)
			}
		}
		var wg sync.WaitGroup
		var all []*slow
		for i := range 8 {
			all = append(all, slowly(v, o, func(w http.ResponseWriter, _ *http.Request) {
				Set(w, fmt.Sprint("k", i), "x")
				AddFlash(w, fmt.Sprint("f", i), "x")
				Del(w, "init")
			}))
		}
		for _, s := range all {
			wg.Go(s.finish)
		}
		wg.Wait()
		for i := range 8 {
			v.want("x", "get", "k", fmt.Sprint("k", i))
			v.want("x", "show", "k", fmt.Sprint("f", i))
		}
		v.want("<none>", "get", "k", "init")
	})
}

// D15: a session that somebody ended during a slow request is not back afterwards.
func TestP15bEnded(t *testing.T) {
	on(t, storers, func(t *testing.T, o Overseer, s Storer) {
		for name, act := range map[string]http.HandlerFunc{
			"set":     func(w http.ResponseWriter, _ *http.Request) { Set(w, "k", "late") },
			"delall":  func(w http.ResponseWriter, _ *http.Request) { DelAll(w, nil) },
			"refresh": func(w http.ResponseWriter, _ *http.Request) { Refresh(w) },
			"read":    func(_ http.ResponseWriter, r *http.Request) { Get(r.Context(), "k") },
		} {
			v := visit(t, o)
			v.at("set", "k", "k", "v", "1")
			late := slowly(v, o, act)
			ok(t, s.Del(t.Context(), only(t, s)))
			late.finish()
			if n := len(ids(t, s)); n != 0 {
				t.Errorf("%s: %d sessions are back", name, n)
			}
			v.want("<none>", "get", "k", "k")
		}
	})
}

// D16: a handler that sets a value and writes no body.
func TestP16aNoBody(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, _ Storer) {
		c := sojourntest.NewClient(t, NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { Set(w, "k", "1") })))
		c.Get("/")
		v := visitor{t, c}
		m := must(o.Manager(t.Context()))
		if got := v.Session(m); got == nil || !got.Exists() {
			t.Error("the value is lost")
		}
	})
}

// D16: a value set after the first byte is kept where there is a session, and reported where there
// is none.
func TestP16bLate(t *testing.T) {
	for _, name := range []string{"memory", "disk"} {
		t.Run(name, func(t *testing.T) {
			var st Storer = must(NewDefaultMemoryStorer())
			if name == "disk" {
				st = newDisk(t, time.Hour)
			}
			var lost []error
			opts := NewCookieOptions()
			opts.Sojourn = &sojourn.Options{Observe: func(_ context.Context, e sojourn.Event) {
				if e.Name == sojourn.ChangeLost {
					lost = append(lost, e.Err)
				}
			}}
			o := NewStorageOverseer(opts, st)
			late := sojourntest.NewClient(t, NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, "page")
				Set(w, "late", "1")
			})))
			late.Get("/")
			if len(lost) != 1 || !errors.Is(lost[0], sojourn.ErrNoToken) || len(ids(t, st)) != 0 {
				t.Errorf("without a session: %v told, %d sessions", lost, len(ids(t, st)))
			}
			v := visit(t, o)
			v.at("set", "k", "a", "v", "1")
			r := request(v)
			w := httptest.NewRecorder()
			NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, "page")
				Set(w, "late", "1")
			})).ServeHTTP(w, r)
			v.want("1", "get", "k", "late")
			if len(lost) != 1 {
				t.Errorf("with a session: %v", lost[1:])
			}
		})
	}
}

// D16: what a request has set, it reads.
func TestP16cReadOwn(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, _ Storer) {
		sojourntest.NewClient(t, NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Set(w, "k", "1")
			if v, ok := Get(r.Context(), "k"); !ok || v != "1" {
				t.Errorf("Get: %q, %v", v, ok)
			}
			AddFlash(w, "f", "now")
			if v, ok := GetFlash(w, r.Context(), "f"); !ok || v != "now" {
				t.Errorf("GetFlash: %q, %v", v, ok)
			}
			if _, ok := GetFlash(w, r.Context(), "f"); ok {
				t.Error("a flash shown twice in one request")
			}
			Del(w, "k")
			if _, ok := Get(r.Context(), "k"); ok {
				t.Error("a deleted value is read")
			}
		}))).Get("/")
	})
}

// D16: flushing works, in every way, and the cookie is out before the first byte; so does
// hijacking.
func TestP16dFlush(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, _ Storer) {
		for name, flush := range map[string]func(http.ResponseWriter) error{
			"Flusher":            func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
			"ResponseController": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
			"ReaderFrom": func(w http.ResponseWriter) error {
				_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("page"))
				return err
			},
			"deadline": func(w http.ResponseWriter) error {
				return errors.Join(http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)), http.NewResponseController(w).Flush())
			},
			"hijack": func(w http.ResponseWriter) error {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nSet-Cookie: %s\r\nContent-Length: 0\r\n\r\n", w.Header().Get("Set-Cookie"))
					err = conn.Close()
				}
				return err
			},
		} {
			srv := httptest.NewTLSServer(NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				Set(w, "k", "1")
				if err := flush(w); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})))
			resp, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			srv.Close()
			if !strings.HasPrefix(resp.Header.Get("Set-Cookie"), "id=") {
				t.Errorf("%s: no cookie", name)
			}
		}
	})
}

// D16: hits without a cookie on a handler that never touches the session leave nothing, nor do
// forged and old cookies.
func TestP16eVisitors(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, s Storer) {
		h := site(o)
		for i := range 1000 {
			r := httptest.NewRequest("GET", "https://example.com/none", nil)
			if i%2 == 1 {
				r.AddCookie(&http.Cookie{Name: "id", Value: "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"})
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Header()["Set-Cookie"] != nil {
				t.Fatalf("a cookie: %v", w.Header())
			}
		}
		if s != nil && len(ids(t, s)) != 0 {
			t.Errorf("%d sessions", len(ids(t, s)))
		}
	})
}

// D16: an expired session is not served, cleaner or not.
func TestP16fExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := must(NewMemoryStorer(time.Hour, 10*time.Minute))
		o := NewStorageOverseer(NewCookieOptions(), m)
		v := visit(t, o)
		v.at("set", "k", "a", "v", "1")
		id := only(t, m)
		time.Sleep(time.Hour - 1)
		v.want("1", "get", "k", "a")
		time.Sleep(time.Nanosecond)
		v.want("<none>", "get", "k", "a")
		if _, err := m.Get(t.Context(), id); !IsNoSessionError(err) {
			t.Errorf("Get: %v", err)
		}
		if err := m.ResetExpiry(t.Context(), id); !IsNoSessionError(err) {
			t.Errorf("ResetExpiry: %v", err)
		}
	})
}

// D16: the cleaner runs until it is stopped, and not once only. Stopping one that never ran is
// nothing, nor is starting twice.
func TestP16gCleaner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := must(NewMemoryStorer(time.Hour, 10*time.Minute))
		runs, told := 0, 0
		m.OnCleanError = func(error) { told++ }
		clean := m.clean
		m.clean = func(ctx context.Context) error { runs++; return errors.Join(clean(ctx), io.ErrUnexpectedEOF) }
		m.StopCleaner()
		m.StartCleaner()
		m.StartCleaner()
		time.Sleep(10*time.Hour + time.Minute)
		m.StopCleaner()
		if runs != 60 || told != 60 {
			t.Errorf("%d runs in ten hours and %d failures told, want 60", runs, told)
		}
		m.StopCleaner()
		time.Sleep(time.Hour)
		m.StartCleaner()
		time.Sleep(11 * time.Minute)
		m.StopCleaner()
		if runs != 61 {
			t.Errorf("%d runs, want 61", runs)
		}
		forever := must(NewMemoryStorer(0, 0))
		forever.StartCleaner()
		forever.Clean()
		forever.StopCleaner()
	})
}

// D16: ResetExpiry, Get, Set, All and Clean at the same time, under the race detector.
func TestP16hParallel(t *testing.T) {
	on(t, storers, func(t *testing.T, o Overseer, s Storer) {
		v := visit(t, o)
		v.at("set", "k", "a", "v", "1")
		id, ctx := only(t, s), t.Context()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if err := s.ResetExpiry(ctx, id); err != nil {
						t.Error(err)
					}
					if _, err := s.Get(ctx, id); err != nil {
						t.Error(err)
					}
					if _, own := s.(*own); !own { // Set replaces the record of an own Storer
						if err := s.Set(ctx, id, `{"a":"1"}`); err != nil {
							t.Error(err)
						}
					}
					if _, err := s.All(ctx); err != nil {
						t.Error(err)
					}
					if c, ok := s.(interface{ Clean() }); ok {
						c.Clean()
					}
				}
			})
		}
		wg.Wait()
		v.want("1", "get", "k", "a")
	})
}

// D16: DiskStorer.Clean leaves what is not its own, however old and whatever its name.
func TestP16iCleanOnlyOurs(t *testing.T) {
	d := newDisk(t, time.Second)
	folder := d.faces.root.Name()
	old := time.Now().Add(-1000 * time.Hour)
	names := []string{"notes.txt", "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6", ".hidden"}
	for _, name := range names {
		ok(t, os.WriteFile(filepath.Join(folder, name), []byte("mine"), 0o600))
		ok(t, os.Chtimes(filepath.Join(folder, name), old, old))
	}
	d.Clean()
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
}

// D16: the default storer's folder is one of its own.
func TestP16jDefaultFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, name := range []string{"", "shop"} {
		d, err := NewDefaultDiskStorer(name)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		folder := d.faces.root.Name()
		fi, err := os.Stat(folder)
		if err != nil || filepath.Dir(folder) != os.TempDir() || fi.Mode().Perm() != 0o700 {
			t.Errorf("%q: folder %s, %v, %v", name, folder, fi.Mode(), err)
		}
	}
	ok(t, os.Symlink(t.TempDir(), filepath.Join(os.TempDir(), "link")))
	for _, name := range []string{"..", "a/b", "/etc", ".", "link"} {
		if _, err := NewDefaultDiskStorer(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}
