package sojourn_test

// What Handler does around a request, at its edges.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// However a handler ends, its session is over then, and using it says so and does not wait.
func TestOverHoweverItEnds(t *testing.T) {
	for name, end := range map[string]func(){
		"returns": func() {}, "panics": func() { panic("defect") }, "ends its goroutine": runtime.Goexit,
	} {
		g := newWebRig(t, nil, sojourn.Options{})
		cookie := g.login("")
		var s *sojourn.Session
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); (p != nil) != (name == "panics") {
					t.Errorf("%s: panic %v", name, p)
				}
			}()
			g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
				s = must(g.m.Load(r))
				end()
			})
		}()
		<-done
		if err := rigNote.Set(s, "late"); !errors.Is(err, sojourn.ErrOver) {
			t.Errorf("%s: a change after the end: %v", name, err)
		}
	}
}

// Nothing is begun in the answer to a request that is refused for where it comes from.
func TestNothingInARefusal(t *testing.T) {
	var g *webRig
	g = newWebRig(t, nil, sojourn.Options{OnError: func(w http.ResponseWriter, r *http.Request, err error) {
		s := must(g.m.Load(r))
		if err := rigNote.Set(s, "x"); !errors.Is(err, sojourn.ErrOver) {
			t.Errorf("a change: %v", err)
		}
		sojourn.DefaultOnError(w, r, err)
	}})
	r := rigRequest("POST")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := g.serve(r, func(http.ResponseWriter, *http.Request) { t.Error("served") }); w.Code != http.StatusForbidden || w.Header()["Set-Cookie"] != nil {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
}

// The context of a request prints nothing of its session.
func TestContextPrints(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	g.do(g.login(""), func(*sojourn.Session) {})
	g.serve(rigRequest("GET"), func(_ http.ResponseWriter, r *http.Request) {
		if got := fmt.Sprintf("%+v", r.Context()); got != "sojourn.visit" {
			t.Error(got)
		}
	})
}

// A request within another one's context is another's where it has another token, whatever carries
// that.
func TestHandlerWithinHandlerByTransport(t *testing.T) {
	custom := *quiet
	custom.Receive = func(r *http.Request) string { return r.Header.Get("X-Token") }
	for name, o := range map[string]sojourn.Options{
		"Authorization": {Bearer: &sojourn.BearerOptions{}}, "X-Token": {Keys: rigKeys(t), Custom: &custom},
	} {
		g := newWebRig(t, nil, o)
		token := func(user string) string {
			if o.Bearer != nil {
				return "Bearer " + g.bearer(user)
			}
			var text string
			g.do("", func(s *sojourn.Session) {
				rigOK(t, s.Login(t.Context(), user))
				text = must(s.Token()).Reveal()
			})
			return text
		}
		user := func(r *http.Request) string { return must(g.m.Load(r)).User() }
		r, other := rigRequest("GET"), token("eve")
		r.Header.Set(name, token("ada"))
		g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			for text, want := range map[string]string{r.Header.Get(name): "ada", other: "eve"} {
				inner := r.Clone(r.Context())
				inner.Header.Set(name, text)
				g.serve(inner, func(_ http.ResponseWriter, r *http.Request) {
					if got := user(r); got != want {
						t.Errorf("%s: user %q, want %q", name, got, want)
					}
				})
			}
		})
	}
}

// A session whose token cannot be sealed ends, for nobody would have it; an error page that cannot
// say what binds it is told.
func TestSealerFailsAtTheEnd(t *testing.T) {
	for _, full := range []bool{false, true} {
		keys := &breakable{Sealer: rigKeys(t)}
		st := newFaultStore(memstore.New(nil))
		g := newWebRig(t, st, sojourn.Options{Keys: keys})
		w := g.do("", func(s *sojourn.Session) {
			rigOK(t, s.Login(t.Context(), "ada"))
			keys.broken = true
			if _, err := s.Token(); err == nil {
				t.Error("Token returns no error")
			}
			if full {
				st.setBefore(fail(store.ErrFull), opUpdate)
				rigOK(t, rigNote.Set(s, "x"))
			}
		})
		if w.Code < 500 || w.Header()["Set-Cookie"] != nil {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
		if list := must(g.m.Sessions(t.Context(), "ada")); len(list) != 0 {
			t.Errorf("%d sessions that nobody has", len(list))
		}
		told := map[string]int{}
		for _, e := range g.ev {
			if e.Name == sojourn.ChangeLost {
				told[e.Reason]++
			}
		}
		if told["the client cannot be told of its session, which ends"] != 1 || told["the client cannot be told"] != map[bool]int{true: 1}[full] {
			t.Errorf("store full %v: told %v", full, told)
		}
	}
	// What can be told is told, and no event says otherwise.
	st := newFaultStore(memstore.New(nil))
	g := newWebRig(t, st, sojourn.Options{})
	g.do("", func(s *sojourn.Session) {
		rigOK(t, s.Login(t.Context(), "ada"))
		st.setBefore(fail(store.ErrFull), opUpdate)
		rigOK(t, rigNote.Set(s, "x"))
	})
	for _, e := range g.ev {
		if e.Name == sojourn.ChangeLost {
			t.Errorf("event %+v", e)
		}
	}
}

// An upgrade needs what a sealed session has changed in its cookie, and nothing of a session that
// was not asked for, or whose answer has begun.
func TestUpgradeSealed(t *testing.T) {
	for _, c := range []struct {
		sealed      bool
		user, steps string
		late        bool
		want        error
	}{
		{true, "ada", "set", false, sojourn.ErrNoToken}, {true, "ada", "read", false, nil}, {true, "ada", "", false, nil},
		{false, "ada", "set", false, nil}, {false, "", "set", false, sojourn.ErrNoToken}, {false, "", "set", true, nil},
	} {
		g := newSiteOf(t, c.sealed).chain()
		b := g.client(c.user)
		w := &hijackRecorder{ResponseRecorder: httptest.NewRecorder()}
		g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.late {
				io.WriteString(w, "first")
			}
			if c.steps != "" {
				rigOK(t, runSteps(g, g.From(r), r, c.steps))
			}
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%+v: %v", c, err)
			}
		})).ServeHTTP(w, b.request(t.Context(), ""))
	}
}

// Token is for a session that is in the store.
func TestTokenOfNone(t *testing.T) {
	for name, g := range map[string]*webRig{"visitor": newWebRig(t, nil, sojourn.Options{}), "sealed": newSealedRig(t, noReplayGuard, sojourn.Options{})} {
		g.do("", func(s *sojourn.Session) {
			if name == "sealed" {
				rigOK(t, s.Login(t.Context(), "ada"))
			}
			if tok, err := s.Token(); err != nil || tok.Reveal() != "" {
				t.Errorf("%s: %q, %v", name, tok.Reveal(), err)
			}
		})
	}
}

// A custom transport that fails fails the commit; what it has put into an empty field goes with a
// session that ends, field and all.
func TestCustomTransportFails(t *testing.T) {
	errGone := errors.New("no way to say so")
	var failing error
	g := newWebRig(t, nil, sojourn.Options{Keys: rigKeys(t), Custom: &sojourn.CustomTransport{
		Receive: func(r *http.Request) string { return r.Header.Get("X-Token") },
		Send: func(h http.Header, token sojourn.Token, _ time.Duration) error {
			h.Set("X-Token", token.Reveal())
			return failing
		},
		Delete: func(h http.Header) error { h.Set("X-Token", ""); return failing }, Explicit: true,
	}})
	r := rigRequest("POST")
	r.Header.Set("X-Token", g.do("", func(s *sojourn.Session) { rigOK(t, s.Login(t.Context(), "ada")) }).Header().Get("X-Token"))
	w := g.serve(r.Clone(t.Context()), func(w http.ResponseWriter, r *http.Request) {
		s := must(g.m.Load(r))
		rigOK(t, s.Renew(r.Context()))
		must(s.Commit(r.Context()))
		if w.Header().Get("X-Token") == "" {
			t.Error("not sent")
		}
		must(g.m.RevokeUser(t.Context(), "ada"))
	})
	if _, there := w.Header()["X-Token"]; there {
		t.Errorf("header %v", w.Header())
	}
	failing = errGone
	g.serve(r.Clone(t.Context()), func(http.ResponseWriter, *http.Request) {})
	for name, act := range map[string]func(*sojourn.Session) error{
		"Send": func(s *sojourn.Session) error { return s.Login(t.Context(), "ada") },
		"Delete": func(s *sojourn.Session) error {
			failing = nil
			rigOK(t, s.Login(t.Context(), "ada"))
			must(s.Commit(t.Context()))
			failing = errGone
			return s.Logout(t.Context())
		},
	} {
		s := must(g.m.Open(t.Context(), rigRequest("POST")))
		rigOK(t, act(s))
		if _, err := s.Commit(t.Context()); !errors.Is(err, errGone) {
			t.Errorf("%s: Commit returns %v", name, err)
		}
	}
}

// Header fields that say nothing more are left alone.
func TestHeaderLeftAlone(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}})
	w := g.serve(rigRequest("POST", g.login("")), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "*")
		rigOK(t, g.m.From(r).Logout(r.Context()))
	})
	if got := w.Header()["Vary"]; !slices.Equal(got, []string{"*"}) {
		t.Errorf("Vary %q", got)
	}
	if got, there := w.Header()["Clear-Site-Data"]; there {
		t.Errorf("Clear-Site-Data %q", got)
	}
}

// Who peeks before the session is read keeps it no more alive than who does so after; a session
// that has no idle limit, or no record in a store, needs nobody to.
func TestSlowRequestsThatKeepNothing(t *testing.T) {
	for name, c := range map[string]struct {
		sealed, visitor bool
		begin           time.Duration
		act             func(g *site, s *sojourn.Session, r *http.Request)
		user            string
	}{
		"peek before":          {false, false, 28 * time.Minute, func(_ *site, s *sojourn.Session, _ *http.Request) { s.Peek() }, ""},
		"sealed visitor":       {true, true, 28 * time.Minute, nil, ""},
		"remembered":           {false, false, 28 * time.Minute, nil, "ada"},
		"signed out":           {false, false, 28 * time.Minute, nil, ""},
		"revoked":              {false, false, 28 * time.Minute, nil, ""},
		"loaded in the middle": {false, false, 16 * time.Minute, func(*site, *sojourn.Session, *http.Request) { time.Sleep(5 * time.Minute) }, "ada"},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newSiteOf(t, c.sealed, func(o *sojourn.Options) { o.RenewAfter = sojourn.Unlimited })
			b := g.browser()
			switch {
			case c.visitor:
				b = g.client(aVisitor)
			case name == "remembered":
				g.on("remember", func(s *sojourn.Session, r *http.Request) (string, error) {
					return "", s.Login(r.Context(), "ada", sojourn.Remember(100*time.Hour))
				})
				b.ok("remember")
			default:
				b = g.signedIn("ada")
			}
			slow := 3 * time.Minute
			g.on("slow", func(s *sojourn.Session, r *http.Request) (string, error) {
				if c.act != nil {
					c.act(g, s, r)
				}
				must(g.Load(r))
				switch name {
				case "signed out":
					rigOK(t, s.Logout(r.Context()))
				case "revoked":
					must(g.RevokeUser(t.Context(), "ada"))
				case "loaded in the middle":
					slow = 4*time.Minute + 50*time.Second
				}
				g.store.reset()
				time.Sleep(slow)
				if n := g.store.count(opTouch); n != 0 {
					t.Errorf("%s: %d touches", name, n)
				}
				s.Peek() // not by its end, either
				return "", nil
			})
			time.Sleep(c.begin)
			b.ok("slow")
			if n := g.log.count(sojourn.StoreFailed); n != 0 {
				t.Errorf("%s: %d events", name, n)
			}
			if c.user == "ada" && name != "remembered" {
				return
			}
			b.wants("user", c.user)
		})
	}
	synctest.Test(t, func(t *testing.T) { // nor is there anything to ask where there is no store
		g := newSealedRig(t, noReplayGuard, sojourn.Options{})
		cookie := g.login("")
		time.Sleep(28 * time.Minute)
		g.do(cookie, func(*sojourn.Session) { time.Sleep(3 * time.Minute) })
	})
}

// Errors are named by the act that failed, once.
func TestErrorsNameTheInnerAct(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		g.store.setBefore(fail(store.ErrFull), opGet)
		for name, act := range map[string]func(*sojourn.Session) error{
			"login":  func(s *sojourn.Session) error { return s.Login(t.Context(), "ada") },
			"logout": func(s *sojourn.Session) error { return s.Logout(t.Context()) },
			"renew":  func(s *sojourn.Session) error { return s.Renew(t.Context()) },
		} {
			g.serveWith(b, func(s *sojourn.Session) {
				if err := act(s); err == nil || !strings.HasPrefix(err.Error(), "sojourn: load: ") {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	})
}

func (g *site) serveWith(b *browser, f func(s *sojourn.Session)) {
	g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(g.From(r)) })).
		ServeHTTP(httptest.NewRecorder(), b.request(g.Context(), ""))
}
