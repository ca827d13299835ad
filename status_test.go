package sojourn_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

var statusFlash = sojourn.NewFlash[string]("saved")

// recoverer answers a panic below it, as those of chi, gin and echo do.
func recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// ways to end a handler that has done half of its work, and whether its values count.
var endings = []struct {
	name   string
	commit bool
	wrap   func(http.Handler) http.Handler
	end    func(http.ResponseWriter, *http.Request)
}{
	{"return", true, nil, func(http.ResponseWriter, *http.Request) {}},
	{"status 204", true, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
	{"redirect", true, nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) }},
	{"status 422", true, nil, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnprocessableEntity) }},
	{"status 500", false, nil, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", 500) }},
	{"status 503", false, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }},
	{"status 599", false, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) }},
	{"recovered panic", false, recoverer, func(http.ResponseWriter, *http.Request) { panic("broken") }},
	{"panic", false, nil, func(http.ResponseWriter, *http.Request) { panic("broken") }},
	{"timeout", false, func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Second, "slow") },
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
}

// managersOfBothKinds are a stored and a sealed one.
func managersOfBothKinds(t *testing.T, o sojourn.Options) map[string]*webRig {
	return map[string]*webRig{
		"stored": newWebRig(t, nil, o),
		"sealed": newSealedRig(t, sojourn.SealedOptions{Store: memstore.New(nil)}, o),
	}
}

// run serves a request whose handler does act and then ends as told. It gives the answer and the
// cookie that the browser has after it.
func (g *webRig) run(wrap func(http.Handler) http.Handler, cookie string, act func(*sojourn.Session, *http.Request), end func(http.ResponseWriter, *http.Request)) (*httptest.ResponseRecorder, string) {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := g.m.Load(r)
		rigOK(g, err)
		act(s, r)
		end(w, r)
	})
	if wrap != nil {
		h = wrap(h)
	}
	w := httptest.NewRecorder()
	func() {
		defer func() { recover() }()
		g.m.Handler(h).ServeHTTP(w, rigRequest("POST", cookie))
	}()
	if got := rigCookies(w); got != "" {
		cookie = got
	}
	return w, cookie
}

// A handler that ends in a 5xx, in a panic or in a time-out commits no values, keeps the messages
// that it took, and makes no record of a visitor. All else does.
func TestFailedPageCommitsNoValues(t *testing.T) {
	for _, on := range []bool{false, true} {
		for _, tt := range endings {
			want := tt.commit || on && tt.name != "panic"
			synctest.Test(t, func(t *testing.T) {
				for kind, g := range managersOfBothKinds(t, sojourn.Options{CommitOn5xx: on}) {
					what := fmt.Sprintf("%s, %s, CommitOn5xx %v", tt.name, kind, on)
					cookie := g.login("")
					_, cookie = g.run(nil, cookie, func(s *sojourn.Session, _ *http.Request) {
						rigOK(t, statusFlash.Add(s, "hello"))
					}, func(http.ResponseWriter, *http.Request) {})
					_, cookie = g.run(tt.wrap, cookie, func(s *sojourn.Session, _ *http.Request) {
						rigOK(t, rigNote.Set(s, "half"))
						if got := statusFlash.Take(s); len(got) != 1 {
							t.Errorf("%s: messages %q", what, got)
						}
					}, tt.end)
					g.do(cookie, func(s *sojourn.Session) {
						if rigNote.Has(s) != want || (len(statusFlash.Take(s)) == 0) != want {
							t.Errorf("%s: note kept %v, want %v; and messages gone so", what, rigNote.Has(s), want)
						}
					})
					_, cookie = g.run(tt.wrap, "", func(s *sojourn.Session, _ *http.Request) { rigOK(t, rigNote.Set(s, "half")) }, tt.end)
					if (cookie != "") != want {
						t.Errorf("%s: a visitor has cookie %q", what, cookie)
					}
					if lost := g.seen(sojourn.ChangeLost); (lost != 0) != (!want && tt.name != "panic") {
						t.Errorf("%s: %d events", what, lost)
					}
				}
			})
		}
	}
}

// What the handler did on purpose counts however it ends: Login and its cookie, and Commit.
func TestFailedPageKeepsActs(t *testing.T) {
	for _, tt := range endings {
		if tt.name == "panic" {
			continue // nobody answers it
		}
		synctest.Test(t, func(t *testing.T) {
			for kind, g := range managersOfBothKinds(t, sojourn.Options{}) {
				_, cookie := g.run(tt.wrap, "", func(s *sojourn.Session, r *http.Request) {
					rigOK(t, rigNote.Set(s, "before"))
					_, err := s.Commit(r.Context())
					rigOK(t, err)
					rigOK(t, s.Login(r.Context(), "ada", sojourn.Keep(rigNote)))
					rigOK(t, rigNote.Set(s, "half"))
				}, tt.end)
				want := "before"
				if tt.commit {
					want = "half"
				}
				g.do(cookie, func(s *sojourn.Session) {
					if s.User() != "ada" || rigNote.Get(s) != want {
						t.Errorf("%s, %s: user %q, note %q, want %q", tt.name, kind, s.User(), rigNote.Get(s), want)
					}
				})
				_, cookie = g.run(tt.wrap, cookie, func(s *sojourn.Session, r *http.Request) { rigOK(t, s.Logout(r.Context())) }, tt.end)
				if g.user(cookie) != "" {
					t.Errorf("%s, %s: signed in after signing out", tt.name, kind)
				}
			}
		})
	}
}

// A failed page renews the token, counts as use, and sends the handler's own cookies.
func TestFailedPageRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{Idle: 3 * time.Hour, TouchEvery: time.Minute})
		cookie := g.login("")
		failed := func() (*httptest.ResponseRecorder, string) {
			return g.run(nil, cookie, func(s *sojourn.Session, _ *http.Request) { rigOK(t, rigNote.Set(s, "half")) }, func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
				w.WriteHeader(500)
			})
		}
		time.Sleep(59 * time.Minute)
		if w, _ := failed(); w.Header().Get("Set-Cookie") != "theme=dark" {
			t.Errorf("cookies %q", w.Header()["Set-Cookie"])
		}
		time.Sleep(150 * time.Minute) // over three hours since the sign-in, under three since the failed page
		w, fresh := failed()
		if g.seen(sojourn.SessionRenewed) != 1 || len(w.Header()["Set-Cookie"]) != 2 {
			t.Errorf("%d renewals, cookies %q", g.seen(sojourn.SessionRenewed), w.Header()["Set-Cookie"])
		}
		g.do(fresh, func(s *sojourn.Session) {
			if s.User() != "ada" || rigNote.Has(s) {
				t.Errorf("user %q, note %q", s.User(), rigNote.Get(s))
			}
		})
	})
}

// A status of 5xx that comes too late for the response, as a recoverer's does after the first byte,
// still keeps what came after that byte from being committed; what was committed before it stays.
func TestFailedPageLate(t *testing.T) {
	for _, want := range []string{"first", "half"} {
		g := newWebRig(t, nil, sojourn.Options{CommitOn5xx: want == "half"})
		cookie := g.login("")
		w, _ := g.run(recoverer, cookie, func(s *sojourn.Session, _ *http.Request) { rigOK(t, rigNote.Set(s, "first")) }, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "page")
			rigOK(t, rigNote.Set(g.m.From(r), "half"))
			panic("broken")
		})
		if !strings.HasPrefix(w.Body.String(), "page") {
			t.Errorf("body %q", w.Body)
		}
		g.do(cookie, func(s *sojourn.Session) {
			if got := rigNote.Get(s); got != want {
				t.Errorf("note %q, want %q", got, want)
			}
		})
	}
}

// What a handler does after its time-out is lost, and told so; nothing of it is committed.
func TestFailedPageTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newWebRig(t, nil, sojourn.Options{})
		cookie := g.login("")
		done := make(chan struct{})
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			s, err := g.m.Load(r)
			rigOK(t, err)
			rigOK(t, rigNote.Set(s, "half"))
			time.Sleep(2 * time.Second)
			if err := rigNote.Set(s, "late"); !errors.Is(err, sojourn.ErrOver) {
				t.Errorf("a late change: %v", err)
			}
			if err := s.Login(r.Context(), "eve"); !errors.Is(err, sojourn.ErrNoToken) {
				t.Errorf("a late sign-in: %v", err)
			}
		})
		w := httptest.NewRecorder()
		g.m.Handler(http.TimeoutHandler(h, time.Second, "slow")).ServeHTTP(w, rigRequest("POST", cookie))
		<-done
		if w.Code != 503 || w.Header()["Set-Cookie"] != nil {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
		g.do(cookie, func(s *sojourn.Session) {
			if s.User() != "ada" || rigNote.Has(s) {
				t.Errorf("user %q, note %q", s.User(), rigNote.Get(s))
			}
		})
	})
}

// A Commit after a status of 5xx says that the changes before it are gone.
func TestFailedPageThenCommit(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	cookie := g.login("")
	w := httptest.NewRecorder()
	g.m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := must(g.m.Load(r))
		rigOK(t, rigNote.Set(s, "half"))
		w.WriteHeader(http.StatusServiceUnavailable) // as a time-out does, while the handler goes on
		if _, err := s.Commit(r.Context()); !errors.Is(err, sojourn.ErrOver) {
			t.Errorf("Commit of what was dropped: %v", err)
		}
		rigOK(t, rigNote.Set(s, "anew"))
		if _, err := s.Commit(r.Context()); err != nil {
			t.Errorf("Commit of what was changed since: %v", err)
		}
	})).ServeHTTP(w, rigRequest("POST", cookie))
	g.do(cookie, func(s *sojourn.Session) {
		if got := rigNote.Get(s); got != "anew" {
			t.Errorf("in the end the note is %q", got)
		}
	})
}
