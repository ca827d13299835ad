package sojourn_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// L3: the token of one manager's sign-in reaches the client though the commit of another, around
// it, fails, also where it travels some other way than in a cookie, and where a writer of the
// program's own is between. What the page itself has said goes.
func TestL3CustomBelowAnotherManager(t *testing.T) {
	custom := *quiet
	custom.Send = func(h http.Header, token sojourn.Token, _ time.Duration) error {
		h.Add("X-Token", token.Reveal())
		return nil
	}
	in := newWebRig(t, nil, sojourn.Options{Name: "in", Custom: &custom})
	cookies := newWebRig(t, nil, sojourn.Options{Name: "cookies", Cookie: sojourn.CookieOptions{Name: "__Host-in"}})
	st := newFaultStore(memstore.New(nil))
	out := newWebRig(t, st, sojourn.Options{Name: "out", Keys: rigKeys(t), Cookie: sojourn.CookieOptions{Name: "__Host-out"}})
	st.setBefore(fail(store.ErrUnavailable), opCreate)
	w := out.serve(rigRequest("POST"), func(w http.ResponseWriter, r *http.Request) {
		rigOK(t, slot("a").Set(must(out.m.Load(r)), "x"))
		w.Header().Add("X-Token", "the page's")
		w.Header().Set("X-Other", "the page's")
		in.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			rigOK(t, in.m.From(r).Login(r.Context(), "ada"))
		})).ServeHTTP(w, r)
		s := must(cookies.m.Open(t.Context(), r.WithContext(t.Context())))
		rigOK(t, s.Login(t.Context(), "eve"))
		rigOK(t, s.Save(wrapped{w}))
	})
	tokens, lines := w.Header()["X-Token"], w.Header()["Set-Cookie"]
	if w.Code != 503 || len(tokens) != 1 || tokens[0] == "the page's" || w.Header().Get("X-Other") != "" || len(lines) != 1 {
		t.Errorf("status %d, %d tokens, %d cookies: %v", w.Code, len(tokens), len(lines), w.Header())
	}
}

// wrapped is a writer of the program's own.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }
