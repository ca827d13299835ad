package sojourn_test

// The invariants of a session's life, L1 to L3, where something else takes part in the response: a
// revocation of this request's own, another manager, a custom transport, a limit.

import (
	"net/http"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// L3: a sign-in after this request's own revocation makes a new session, also where the old one was
// loaded before: a change of password below RequireUser. So it does whoever signs in, and for each
// way to revoke.
func TestL3RevokeThenLogin(t *testing.T) {
	for _, way := range []string{"user", "handle"} {
		for _, load := range []bool{false, true} {
			for _, user := range []string{"ada", "eve"} {
				for _, sealed := range []bool{false, true} {
					g := newSiteOf(t, sealed)
					g.on("password", func(s *sojourn.Session, r *http.Request) (string, error) {
						if load {
							must(g.Load(r))
							if err := slot("a").Set(s, "x"); err != nil {
								return "", err
							}
						}
						var err error
						if way == "user" {
							_, err = g.RevokeUser(r.Context(), "ada")
						} else {
							err = g.Revoke(r.Context(), "ada", g.infos("ada")[0].Handle)
						}
						if err != nil {
							return "", err
						}
						if err := s.Login(r.Context(), user); err != nil {
							return "", err
						}
						return "", s.Login(r.Context(), user) // the new one is confirmed
					})
					b := g.signedIn("ada")
					before := g.infos("ada")[0].Handle
					b.ok("password")
					b.wants("user", user)
					if l := g.infos(user); len(l) != 1 || l[0].Handle == before {
						t.Errorf("%s, loaded %v, %s, sealed %v: sessions %v", way, load, user, sealed, l)
					}
				}
			}
		}
	}
}

// A session that the request's own RevokeUser has spared is confirmed, and keeps its values.
func TestL3RevokeOthersThenLogin(t *testing.T) {
	g := newSite(t)
	var kept store.Handle
	g.onLoaded("password", func(s *sojourn.Session, r *http.Request) (string, error) {
		kept = s.Handle()
		if _, err := g.RevokeUser(r.Context(), "ada", kept); err != nil {
			return "", err
		}
		return "", s.Login(r.Context(), "ada")
	})
	b := g.signedIn("ada")
	b.ok("set?k=a&v=x")
	b.ok("password")
	b.wants("get?k=a", "x")
	if l := g.infos("ada"); len(l) != 1 || l[0].Handle != kept {
		t.Error(l)
	}
}
