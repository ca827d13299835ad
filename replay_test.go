package sojourn_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// brittle changes three values, the second by a function that panics when it runs again.
func brittle(s *sojourn.Session) error {
	ran := false
	return errors.Join(slot("a").Set(s, "new"), slot("b").Update(s, func(x *string) error {
		if ran {
			panic("a defect of the program")
		}
		ran, *x = true, "new"
		return nil
	}), slot("c").Set(s, "new"))
}

// L7: a change that panics when it runs again, since another request has come between, takes all of
// its request's changes along: below a recoverer, too, whatever that answers. No session is left
// that nobody has.
func TestPanicInReplay(t *testing.T) {
	acts := map[string]action{ // each meets the conflict
		"page": func(*sojourn.Session, *http.Request) (string, error) { return "", nil },
		"commit": func(s *sojourn.Session, r *http.Request) (string, error) {
			_, err := s.Commit(r.Context())
			return "", err
		},
		"renew": func(s *sojourn.Session, r *http.Request) (string, error) { return "", s.Renew(r.Context()) },
		"step-up": func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.Login(r.Context(), "ada")
		},
		"sign-in": func(s *sojourn.Session, r *http.Request) (string, error) {
			return "", s.Login(r.Context(), "eve", sojourn.KeepAll())
		},
	}
	for name, act := range acts {
		for _, c := range []struct {
			status, want int  // what the recoverer answers, and what the client gets
			again        bool // the recoverer commits
		}{{200, 409, false}, {500, 500, false}, {200, 200, true}, {500, 500, true}} {
			g := newSite(t)
			b := g.browser()
			b.ok("set?k=a&v=old")
			if name != "sign-in" {
				b.ok("login?user=ada&keep=a")
			}
			panicked := false
			g.mux.HandleFunc("/brittle", func(w http.ResponseWriter, r *http.Request) {
				s := must(g.Load(r))
				defer func() {
					if panicked = recover() != nil; !panicked {
						return
					}
					rigOK(t, slot("late").Set(s, "new"))
					if c.again {
						if _, err := s.Commit(r.Context()); !errors.Is(err, sojourn.ErrConflict) {
							t.Errorf("%s: the next commit: %v", name, err)
						}
					}
					w.WriteHeader(c.status)
				}()
				rigOK(t, brittle(s))
				b.copy().ok("set?k=x&v=other") // meanwhile
				_, err := act(s, r)
				rigOK(t, err)
				_, err = io.WriteString(w, "page")
				rigOK(t, err)
			})
			if g.status(b.get("brittle"), c.want); !panicked {
				t.Fatalf("%s: nothing ran again", name)
			}
			b.wants("names", "a x")
			b.wants("get?k=a", "old")
			if n := g.records(); n != 1 {
				t.Errorf("%s: %d sessions, want 1", name, n)
			}
		}
	}
}

// L3: what was owed to the client when the change panicked goes with the page of whoever recovers.
func TestPanicInReplayKeepsTheSignIn(t *testing.T) {
	g := newSite(t)
	b := g.browser()
	g.mux.HandleFunc("/brittle", func(w http.ResponseWriter, r *http.Request) {
		s := must(g.Load(r))
		defer func() {
			if recover() == nil {
				t.Error("nothing ran again")
			}
			w.WriteHeader(http.StatusInternalServerError)
		}()
		rigOK(t, s.Login(r.Context(), "ada"))
		other := b.copy()
		other.cookie = must(s.Token()).Reveal()
		other.ok("user") // it has come back, by whatever way
		rigOK(t, brittle(s))
		other.ok("set?k=x&v=other")
		_, err := io.WriteString(w, "page")
		rigOK(t, err)
	})
	g.status(b.get("brittle"), http.StatusInternalServerError)
	b.wants("user", "ada")
	b.wants("names", "x")
}

// L3: … also where nobody below Handler recovers, since the handler has returned: its commit is
// Handler's own.
func TestPanicInReplayAtTheEnd(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	before := b.cookie
	g.mux.HandleFunc("/brittle", func(_ http.ResponseWriter, r *http.Request) {
		s := must(g.Load(r))
		rigOK(t, s.Renew(r.Context()))
		rigOK(t, brittle(s))
		other := b.copy()
		other.cookie = must(s.Token()).Reveal()
		other.ok("set?k=x&v=other")
	})
	inner := g.handler
	g.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() == nil && r.URL.Path == "/brittle" {
				t.Error("nothing ran again")
			}
			w.WriteHeader(http.StatusInternalServerError)
		}()
		inner.ServeHTTP(w, r)
	})
	if b.get("brittle"); b.cookie == before {
		t.Error("the page of the recoverer has no token of the renewal")
	}
	g.handler = inner
	b.wants("names", "x")
}
