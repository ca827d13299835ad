package possessions

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/sojourntest"
)

// Several overseers around one handler: the innermost is the handler's, and the others' sessions are left as they were.
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

// A session whose text no request can read is an error, and no empty session.
func TestDamagedValue(t *testing.T) {
	m := must(NewDefaultMemoryStorer())
	o := NewStorageOverseer(NewCookieOptions(), m)
	v := visit(t, o)
	v.at("set", "k", "a", "v", "1")
	ok(t, m.Set(t.Context(), only(t, m), "no JSON"))
	if resp := v.Get("/get?k=a"); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", resp.StatusCode)
	}
	if _, err := o.ReadState(request(v)); err == nil || IsNoSessionError(err) {
		t.Errorf("ReadState: %v", err)
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

// Section 7.4: a store that fails is an error page and no panic, the cookie stays, and the session is there when the store is.
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

// Note 3 and 5: a request that changes nothing writes nothing, and what does not fit is an error page.
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
