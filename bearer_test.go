package sojourn_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
)

// L9: where the answer to a bearer token would have to be another token, what the client has sent
// is what is wrong: 401 where the token opens nothing (any more), with the challenge of RFC 6750,
// and 403 where it does.
func TestBearerCannotBeTold(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) {
		o.Bearer = &sojourn.BearerOptions{Prefix: "acme_", Realm: "shop", Lifetime: time.Minute}
	})
	issue := func() (string, sojourn.Info) {
		tok, info, err := g.IssueBearer(g.browser().request(t.Context(), ""), "ada")
		rigOK(t, err)
		return tok.Reveal(), info
	}
	live, _ := issue()
	revoked, info := issue()
	rigOK(t, g.Revoke(t.Context(), "ada", info.Handle))
	for _, c := range []struct {
		name, tok, path string
		want            int
	}{
		{"junk", "acme_junk", "login?user=ada", 401},
		{"revoked", revoked, "login?user=ada", 401},
		{"revoked, a visitor's value", revoked, "set?k=a&v=x", 401},
		{"revoked, nothing to renew", revoked, "renew", 200},
		{"revoked, nobody to sign out", revoked, "logout", 200},
		{"live, confirmed", live, "login?user=ada", 403},
		{"live, another user", live, "login?user=eve", 403},
		{"live, renewed", live, "renew", 403},
		{"live, others", live, "others", 403},
		{"live, a value", live, "set?k=a&v=x", 200},
	} {
		r := g.browser().request(t.Context(), c.path)
		r.Header.Set("Authorization", "Bearer "+c.tok)
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		challenge := ""
		if c.want == http.StatusUnauthorized {
			challenge = `Bearer realm="shop", error="invalid_token"`
		}
		if got := w.Header().Get("WWW-Authenticate"); w.Code != c.want || got != challenge {
			t.Errorf("%s: status %d with %q, want %d with %q: %s", c.name, w.Code, got, c.want, challenge, w.Body)
		}
		g.noCookie(w)
	}
	if n := g.sessions("ada"); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
