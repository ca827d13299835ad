package sojourn_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
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

// breakable is a Sealer that can be made to fail.
type breakable struct {
	sojourn.Sealer
	broken bool
	opened int
}

func (b *breakable) Seal(dst, plain, aad []byte) ([]byte, error) {
	if b.broken {
		return nil, errors.New("the key service is down")
	}
	return b.Sealer.Seal(dst, plain, aad)
}

func (b *breakable) Open(dst, sealed, aad []byte) ([]byte, error) {
	b.opened++
	plain, err := b.Sealer.Open(dst, sealed, aad)
	if b.broken {
		err = errors.New("the key service is down")
	}
	return plain, err
}

// How long a bearer token lives, and what is said of it.
func TestBearerLives(t *testing.T) {
	const d = 100 * time.Hour
	for name, c := range map[string]struct {
		bearer     sojourn.BearerOptions
		opts       []sojourn.LoginOption
		life, idle time.Duration
	}{
		"default":    {sojourn.BearerOptions{}, nil, 12 * time.Hour, 0},
		"long":       {sojourn.BearerOptions{Lifetime: d}, nil, d, 0},
		"idle":       {sojourn.BearerOptions{Lifetime: d, Idle: true}, nil, d, 30 * time.Minute},
		"remembered": {sojourn.BearerOptions{Idle: true}, []sojourn.LoginOption{sojourn.Remember(d)}, d, 0},
	} {
		bubble(t, func(t *testing.T, g *site) {
			_, info, err := g.IssueBearer(g.browser().request(t.Context(), ""), "ada", append(c.opts, sojourn.Label("ci"))...)
			rigOK(t, err)
			want := c.life
			if c.idle > 0 {
				want = c.idle
			}
			if left := info.Expires.Sub(info.Created); left != want || !info.Bearer || info.Remembered || info.Label != "ci" || info.User != "ada" {
				t.Errorf("%s: %v, want %v: %+v", name, left, want, info)
			}
			if list := g.infos("ada"); len(list) != 1 || list[0] != info {
				t.Errorf("%s: listed as %+v, issued as %+v", name, list, info)
			}
			if e := g.log.named(sojourn.SessionCreated); len(e) != 1 || e[0].Reason != "bearer" || e[0].Handle != info.Handle || e[0].User != "ada" {
				t.Errorf("%s: events %+v", name, e)
			}
		}, func(o *sojourn.Options) { o.Bearer = &c.bearer })
	}
}

// A bearer token that cannot be made leaves no session.
func TestBearerFails(t *testing.T) {
	keys := &breakable{Sealer: rigKeys(t)}
	g := newSite(t, func(o *sojourn.Options) { o.Bearer, o.Keys = &sojourn.BearerOptions{}, keys })
	r := g.browser().request(t.Context(), "")
	issue := func(user string, want error) {
		t.Helper()
		tok, info, err := g.IssueBearer(r, user)
		if err == nil || want != nil && !errors.Is(err, want) || tok.Reveal() != "" || info != (sojourn.Info{}) {
			t.Errorf("%v, want %v", err, want)
		}
		if n := g.records(); n != 0 {
			t.Errorf("%v: %d records", err, n)
		}
	}
	issue("", sojourn.ErrNoUser)
	keys.broken = true
	issue("ada", nil)
	keys.broken = false
	g.store.setBefore(fail(store.ErrFull), opCreate)
	issue("ada", sojourn.ErrFull)
	if n := g.log.count(sojourn.StoreFailed); n != 1 {
		t.Errorf("%d events of a store that failed", n)
	}
	if _, _, err := newWebRig(t, nil, sojourn.Options{}).m.IssueBearer(r, "ada"); !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("without Options.Bearer: %v", err)
	}
}

// A bearer token that a request asks for is a sign-in that began with the request: who has revoked
// since refuses it, and who has revoked in it does not.
func TestBearerAfterRevocation(t *testing.T) {
	for _, own := range []bool{false, true} {
		bubble(t, func(t *testing.T, g *site) {
			g.on("bearer", func(_ *sojourn.Session, r *http.Request) (string, error) {
				time.Sleep(time.Second)
				ctx := r.Context()
				if !own {
					ctx = t.Context()
				}
				must(g.RevokeUser(ctx, "ada"))
				time.Sleep(time.Second)
				_, _, err := g.IssueBearer(r, "ada")
				return "", err
			})
			g.status(g.browser().get("bearer"), map[bool]int{true: 200, false: 409}[own])
		}, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} })
	}
}
