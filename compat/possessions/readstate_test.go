package possessions

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sojourn-go/sojourn/sojourntest"
)

// Below its own middleware an overseer reads and writes the session of the request, and makes no
// second one; below another's it reads its own.
func TestReadStateBelowMiddleware(t *testing.T) {
	on(t, everywhere, func(t *testing.T, o Overseer, s Storer) {
		other := NewCookieOverseer(NewCookieOptions(), randomKey())
		h := NewOverseeingMiddleware(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Set(w, "a", "1")
			read, err := o.ReadState(r)
			if err != nil {
				t.Fatal(err)
			}
			if v, _ := read.Get("a"); v != "1" {
				t.Errorf("what the request has set reads as %q", v)
			}
			ok(t, o.WriteState(r.Context(), w, read, []Event{{Kind: EventSet, Key: "b", Val: "2"}}))
			for key, want := range map[string]string{"a": "1", "b": "2"} {
				if v, _ := Get(r.Context(), key); v != want {
					t.Errorf("%s is %q, want %q", key, v, want)
				}
			}
			foreign, err := other.ReadState(r)
			if err != nil {
				t.Fatal(err)
			}
			if v, has := foreign.Get("a"); has {
				t.Errorf("another overseer reads %q", v)
			}
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", sojourntest.Origin+"/", nil))
		if n := len(w.Result().Cookies()); n != 1 || w.Code != http.StatusOK {
			t.Errorf("%d cookies, status %d", n, w.Code)
		}
		if s != nil {
			only(t, s)
		}
	})
}
