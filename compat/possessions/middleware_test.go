package possessions

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/sojourntest"
)

// Several overseers around one handler: the innermost is the handler's, and the others' sessions
// are left as they were.
func TestSeveralOverseers(t *testing.T) {
	outer, inner := must(NewDefaultMemoryStorer()), must(NewDefaultMemoryStorer())
	o := NewCookieOptions()
	o.Name = "outer"
	h := NewOverseeingMiddleware(NewStorageOverseer(o, outer)).Wrap(site(NewStorageOverseer(NewCookieOptions(), inner)))
	v := visitor{t, sojourntest.NewClient(t, h)}
	v.at("set", "k", "a", "v", "1")
	v.want("1", "get", "k", "a")
	if len(ids(t, outer)) != 0 || len(ids(t, inner)) != 1 {
		t.Errorf("%d outer, %d inner sessions", len(ids(t, outer)), len(ids(t, inner)))
	}
}

// The route is known to logs outside the middleware, and no temporary file of an upload stays.
func TestRouteAndUploads(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /photos/{id}", func(w http.ResponseWriter, r *http.Request) {
		ok(t, r.ParseMultipartForm(1))
		if _, found := Get(r.Context(), "a"); found {
			t.Error("a new visitor has a value")
		}
		if files := must(os.ReadDir(os.TempDir())); len(files) != 1 {
			t.Errorf("%d temporary files below the handler, want 1", len(files))
		}
	})
	h := NewOverseeingMiddleware(NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer()))).Wrap(mux)
	body := "--b\r\nContent-Disposition: form-data; name=file; filename=a.jpg\r\n\r\nphoto\r\n--b--\r\n"
	r := httptest.NewRequest("POST", "https://example.com/photos/7", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if files := must(os.ReadDir(os.TempDir())); len(files) != 0 || w.Code != 200 {
		t.Errorf("status %d, %d temporary files stay", w.Code, len(files))
	}
	if r.Pattern != "POST /photos/{id}" || r.PathValue("id") != "7" {
		t.Errorf("outside: route %q, id %q", r.Pattern, r.PathValue("id"))
	}
}

// As in the older library, a page of any status writes what its handler has set.
func TestFailedPageIsWritten(t *testing.T) {
	o := NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer()))
	mux := http.NewServeMux()
	mux.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) {
		Set(w, "a", "1")
		w.WriteHeader(http.StatusInternalServerError)
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		v, _ := Get(r.Context(), "a")
		io.WriteString(w, v)
	})
	c := sojourntest.NewClient(t, NewOverseeingMiddleware(o).Wrap(mux))
	if resp := c.Get("/broken"); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %s", resp.Status)
	}
	if got := sojourntest.Body(t, c.Get("/get")); got != "1" {
		t.Errorf("the next page reads %q", got)
	}
}

// wrapped is a middleware's own writer.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) UnderlyingResponseWriter() http.ResponseWriter { return w.ResponseWriter }

type unwrapped struct{ http.ResponseWriter }

func (w unwrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A middleware's own writer leads on.
func TestUnderlyingResponseWriter(t *testing.T) {
	m := must(NewDefaultMemoryStorer())
	h := NewOverseeingMiddleware(NewStorageOverseer(NewCookieOptions(), m)).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Set(wrapped{unwrapped{w}}, "a", "1")
	}))
	sojourntest.NewClient(t, h).Get("/")
	if text, err := m.Get(t.Context(), only(t, m)); err != nil || text != `{"a":"1"}` {
		t.Errorf("%q, %v", text, err)
	}
}

// A storer's Set takes any text. To requests one that they cannot read is an empty session, and no
// error page: the visitor goes on, may sign out, and the text stays for tools until something is
// set.
func TestDamagedValue(t *testing.T) {
	on(t, natives, func(t *testing.T, _ Overseer, s Storer) {
		var dropped atomic.Int64
		opts := NewCookieOptions()
		opts.Sojourn = &sojourn.Options{Observe: func(_ context.Context, e sojourn.Event) {
			if e.Name == sojourn.ValueDropped {
				dropped.Add(1)
			}
		}}
		o, ctx := NewStorageOverseer(opts, s), t.Context()
		v := visit(t, o)
		v.at("set", "k", "a", "v", "1")
		id := only(t, s)
		damage := func(text string) {
			t.Helper()
			ok(t, s.Set(ctx, id, text))
			v.want("<none>", "get", "k", "a")
			if got, err := s.Get(ctx, id); got != text || err != nil {
				t.Errorf("after a request: %q, %v", got, err)
			}
		}
		for _, text := range []string{"no JSON", "", "[]", `{"a":1}`, `"a"`, "{} {}", "\xff"} {
			before := dropped.Load()
			damage(text)
			if dropped.Load() == before {
				t.Errorf("%q: no event", text)
			}
			v.want("<none>", "show", "k", "a")
			v.at("del", "k", "a")
			v.at("kept")
			v.at("set", "k", "a", "v", "2")
			v.want("2", "get", "k", "a")
		}
		damage("no JSON")
		v.at("delall")
		if got, err := s.Get(ctx, id); got != "{}" || err != nil {
			t.Errorf("after DelAll: %q, %v", got, err)
		}
		damage("no JSON")
		sess, err := o.ReadState(request(v))
		if err != nil {
			t.Fatal(err)
		}
		ok(t, o.WriteState(ctx, httptest.NewRecorder(), sess, []Event{{Kind: EventDelClientState}}))
		if n := len(ids(t, s)); n != 0 {
			t.Errorf("%d sessions after a logout", n)
		}
	})
}

// The same in a program's own storer, whose text is a whole record.
func TestDamagedOwn(t *testing.T) {
	for _, damage := range []func(whole string) string{
		func(string) string { return "no JSON" },
		func(string) string { return "" },
		func(string) string { return "null" },
		func(string) string { return `{"a":"1"}` },
		func(whole string) string { return strings.Replace(whole, `{"a":"1"}`, `"text"`, 1) },
		func(whole string) string { return strings.Replace(whole, `{"a":"1"}`, `null`, 1) },
		func(whole string) string { return strings.Replace(whole, `,"values":{"a":"1"}`, "", 1) },
	} {
		s := newOwn(time.Hour)
		v := visit(t, NewStorageOverseer(NewCookieOptions(), s))
		v.at("set", "k", "a", "v", "1")
		id := only(t, s)
		whole := must(s.Get(t.Context(), id))
		text := damage(whole)
		if text == whole {
			t.Fatalf("%q is not damaged", whole)
		}
		ok(t, s.Set(t.Context(), id, text))
		v.want("<none>", "get", "k", "a")
		v.at("delall")
		v.at("kept")
		v.at("set", "k", "a", "v", "2")
		if v.want("2", "get", "k", "a"); t.Failed() {
			t.Fatalf("%q", text)
		}
	}
}

// What the old options could not say goes to the core; signing in does not.
func TestManager(t *testing.T) {
	opts := NewCookieOptions()
	ring := newRing()
	opts.Sojourn = &sojourn.Options{Keys: ring}
	on(t, []string{"memory"}, func(t *testing.T, _ Overseer, s Storer) {
		a, b := NewStorageOverseer(opts, s), NewStorageOverseer(opts, s)
		v := visit(t, a)
		v.at("set", "k", "a", "v", "1")
		m := must(b.Manager(t.Context()))
		sess := v.Session(m)
		if !sess.Exists() {
			t.Error("keys of the program's own do not open")
		}
		ok(t, sess.Renew(t.Context()))
		if id := only(t, s); id == "" {
			t.Error("renewed away")
		}
		if err := sess.Login(t.Context(), "ada"); err == nil {
			t.Error("Login: no error")
		}
		if n, err := m.RevokeEveryone(t.Context()); n != 1 || err != nil {
			t.Errorf("RevokeEveryone: %d, %v", n, err)
		}
		v.want("<none>", "get", "k", "a")
	})
}

// A store that fails is an error page and no panic, the cookie stays, and the session is there when
// the store is.
func TestOutage(t *testing.T) {
	st := newOwn(time.Hour)
	o := NewStorageOverseer(NewCookieOptions(), st)
	v := visit(t, o)
	v.at("set", "k", "a", "v", "1")
	st.broken = errors.New("broken")
	for _, path := range []string{"/get?k=a", "/set?k=a&v=2", "/show?k=a", "/refresh"} {
		resp := v.Get(path)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	if _, err := o.ReadState(request(v)); !sojourn.IsOutage(err) || IsNoSessionError(err) {
		t.Errorf("ReadState: %v", err)
	}
	st.broken = nil
	v.want("1", "get", "k", "a")
	d := newDisk(t, time.Hour)
	ok(t, os.RemoveAll(d.faces.root.Name()))
	d.Clean() // panicked
	d.Close()
	d.Clean()
}

// What does not fit is an error page, in place of the handler's, and no cut or lost session.
func TestTooLarge(t *testing.T) {
	for name, o := range map[string]Overseer{
		"cookie": NewCookieOverseer(NewCookieOptions(), randomKey()),
		"memory": NewStorageOverseer(NewCookieOptions(), must(NewDefaultMemoryStorer())),
	} {
		big := strings.Repeat("x", 2<<20)
		c := sojourntest.NewClient(t, NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/obj" {
				if err := SetObj(w, "big", big); !errors.Is(err, sojourn.ErrTooLarge) {
					t.Errorf("%s: SetObj: %v", name, err)
				}
			}
			Set(w, "big", big)
			io.WriteString(w, "page")
		})))
		for _, path := range []string{"/", "/obj"} {
			resp := c.Get(path)
			if resp.StatusCode != http.StatusRequestEntityTooLarge || strings.Contains(sojourntest.Body(t, resp), "page") {
				t.Errorf("%s: status %d", name, resp.StatusCode)
			}
		}
	}
}

// heard is a storer that embeds one of ours and has a Get of its own.
type heard struct {
	*MemoryStorer
	gets int
}

func (h *heard) Get(ctx context.Context, key string) (string, error) {
	h.gets++
	return h.MemoryStorer.Get(ctx, key)
}

// A storer around one of ours is a program's own: its methods are called.
func TestEmbeddedStorer(t *testing.T) {
	h := &heard{MemoryStorer: must(NewDefaultMemoryStorer())}
	v := visit(t, NewStorageOverseer(NewCookieOptions(), h))
	v.at("set", "k", "a", "v", "1")
	if v.want("1", "get", "k", "a"); h.gets == 0 {
		t.Error("its Get is not called")
	}
}
