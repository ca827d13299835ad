package sojourn_test

// The invariants of a session's life, L1 and L2, and what the tests of all share. L3 is in
// invariants_act_test.go, L4 to L7 in invariants_use_test.go, L8 and L9 in invariants_late_test.go.
// Each test names its number, and docs/design.md has them in words.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
	"github.com/sojourn-go/sojourn/store"
)

// steps are what the route "do" does one after the other.
var steps = map[string]func(g *site, s *sojourn.Session, r *http.Request) error{
	"ada": func(_ *site, s *sojourn.Session, r *http.Request) error { return s.Login(r.Context(), "ada") },
	"eve": func(_ *site, s *sojourn.Session, r *http.Request) error { return s.Login(r.Context(), "eve") },
	"keep": func(_ *site, s *sojourn.Session, r *http.Request) error {
		return s.Login(r.Context(), "ada", sojourn.KeepAll())
	},
	"renew":  func(_ *site, s *sojourn.Session, r *http.Request) error { return s.Renew(r.Context()) },
	"logout": func(_ *site, s *sojourn.Session, r *http.Request) error { return s.Logout(r.Context()) },
	"others": func(_ *site, s *sojourn.Session, r *http.Request) error {
		_, err := s.RevokeOthers(r.Context())
		return err
	},
	"commit": func(_ *site, s *sojourn.Session, r *http.Request) error { _, err := s.Commit(r.Context()); return err },
	"read":   func(g *site, _ *sojourn.Session, r *http.Request) error { _, err := g.Load(r); return err },
	"set": func(g *site, _ *sojourn.Session, r *http.Request) error {
		s, err := g.Load(r)
		if err != nil {
			return err
		}
		return slot("x").Set(s, "x")
	},
	"append": func(g *site, _ *sojourn.Session, r *http.Request) error {
		s, err := g.Load(r)
		if err != nil {
			return err
		}
		return slot("list").Update(s, func(l *string) error { *l += r.FormValue("v"); return nil })
	},
	"fail": func(g *site, _ *sojourn.Session, r *http.Request) error {
		s, err := g.Load(r)
		if err == nil {
			door.Fail(s, sojourn.ErrUnavailable)
		}
		return err
	},
	"panic": func(*site, *sojourn.Session, *http.Request) error { panic("a defect of the program") },
	"abort": func(*site, *sojourn.Session, *http.Request) error { panic(http.ErrAbortHandler) },
}

func runSteps(g *site, s *sojourn.Session, r *http.Request, list string) error {
	for step := range strings.SplitSeq(list, ".") {
		if err := steps[step](g, s, r); err != nil {
			return err
		}
	}
	return nil
}

// chain adds the route "do?steps=ada.set", and a page of the program's own for panics around
// everything. net/http answers http.ErrAbortHandler to nobody.
func (g *site) chain() *site {
	g.on("do", func(s *sojourn.Session, r *http.Request) (string, error) {
		return "", runSteps(g, s, r, r.FormValue("steps"))
	})
	inner := g.handler
	g.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				clear(w.Header())
				w.WriteHeader(http.StatusTeapot) // what nobody sees
			default:
				http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			}
		}()
		inner.ServeHTTP(w, r)
	})
	return g
}

// An act is what a client in some state asks for.
type act struct{ steps, before, after string }

var acts = []act{
	{"set", "", aVisitor}, {"ada", "", "ada"}, {"logout", "", ""}, {"ada.set", "", "ada"}, {"ada.commit.set", "", "ada"},
	{"set", aVisitor, aVisitor}, {"keep", aVisitor, "ada"}, {"ada", aVisitor, "ada"}, {"logout", aVisitor, ""}, {"keep.set", aVisitor, "ada"},
	{"read", "", ""}, {"read", aVisitor, aVisitor}, {"read", "ada", "ada"}, {"set", "ada", "ada"}, {"append", "ada", "ada"}, {"renew", "ada", "ada"}, {"others", "ada", "ada"}, {"ada", "ada", "ada"}, {"eve", "ada", "eve"},
	{"logout", "ada", ""}, {"renew.set", "ada", "ada"}, {"others.set", "ada", "ada"}, {"ada.set", "ada", "ada"}, {"eve.set", "ada", "eve"},
	{"logout.set", "ada", aVisitor}, {"logout.eve", "ada", "eve"}, {"renew.ada.renew", "ada", "ada"}, {"ada.commit.logout", "ada", ""}, {"ada.commit", "", "ada"},
}

// client is a browser in the state that an act begins from.
func (g *site) client(state string) *browser {
	g.Helper()
	b := g.browser()
	switch state {
	case aVisitor:
		b.ok("set?k=cart&v=tea")
	case "":
	default:
		b.ok("login?user=" + state)
		b.ok("set?k=cart&v=tea")
	}
	return b
}

// sentToken is the session's token in a response, if there is one; removed says that it is taken
// away.
func sentToken(w *httptest.ResponseRecorder) (text string, removed bool) {
	for _, c := range w.Result().Cookies() {
		if c.Name == cookieName {
			text, removed = c.Value, c.MaxAge < 0
		}
	}
	return text, removed
}

// eachFault does each act while the store fails: each operation that the act makes, in each way, at
// one of its calls or at all.
func eachFault(t *testing.T, judge func(t *testing.T, g *site, b *browser, a act, w *httptest.ResponseRecorder)) {
	for _, sealed := range []bool{false, true} {
		for _, a := range acts {
			calls := map[string]int{}
			t.Run(fmt.Sprintf("sealed=%v/%s as %q", sealed, a.steps, a.before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					faulty(t, sealed, a, judge, func(g *site) { g.store.reset() }, func(g *site) {
						for _, op := range allOps {
							calls[op] = g.store.count(op)
						}
					})
				})
				for op, most := range calls {
					for name, f := range faults {
						if name == "corrupt" && op != opGet {
							continue // only reads answer this
						}
						for n := 0; n <= most && most > 0; n++ {
							t.Run(fmt.Sprintf("%s/%s/%d", op, name, n), func(t *testing.T) {
								synctest.Test(t, func(t *testing.T) {
									faulty(t, sealed, a, judge, func(g *site) {
										g.store.setBefore(nth(n, f.before), op)
										g.store.setAfter(nth(n, f.after), op)
									}, func(g *site) {})
								})
							})
						}
					}
				}
			})
		}
	}
}

// faulty does one act, and heals the store before the judge looks.
func faulty(t *testing.T, sealed bool, a act, judge func(*testing.T, *site, *browser, act, *httptest.ResponseRecorder), before, after func(*site)) {
	g := newSiteOf(t, sealed).chain()
	b := g.client(a.before)
	time.Sleep(2 * time.Minute) // a touch is due
	before(g)
	w := b.copy().get("do?v=x&steps=" + a.steps)
	after(g)
	g.store.heal()
	time.Sleep(2 * time.Second) // the breaker closes
	if judge(t, g, b, a, w); t.Failed() {
		t.Logf("status %d: %s", w.Code, w.Body)
	}
}

// nth is h at the nth call only; at each if n is 0.
func nth(n int, h hook) hook {
	if n == 0 || h == nil {
		return h
	}
	return failNth(n, h)
}

// L1: a token that is sent opens a record that the store has acknowledged, or shown, to this
// request, whatever its other answers were.
func TestL1TokensOpenRecords(t *testing.T) {
	sent := 0
	eachFault(t, func(t *testing.T, g *site, _ *browser, _ act, w *httptest.ResponseRecorder) {
		if text, removed := sentToken(w); text != "" && !removed {
			sent++
			if who, _ := g.opens(text); who == "" {
				t.Error("a token that opens nothing")
			}
		}
	})
	if sent < 1000 {
		t.Errorf("only %d responses had a token", sent)
	}
}

// eachOverlap does each act while another of the same browser is under way: it begins, is answered
// and its cookie is taken, before or after each of the slow act's calls of the store. Each
// signed-in act also comes late, with the token before a renewal.
func eachOverlap(t *testing.T, slows, fasts []act, judge func(*testing.T, *overlapped)) {
	for _, sealed := range []bool{false, true} {
		for _, slow := range slows {
			t.Run(fmt.Sprintf("sealed=%v/%s as %q", sealed, slow.steps, slow.before), func(t *testing.T) {
				for _, fast := range fasts {
					if fast.before == slow.before {
						overlaps(t, overlapped{slow: slow, fast: fast}, sealed, judge)
					}
					if fast.before == "ada" && slow.before == "ada" && !sealed {
						overlaps(t, overlapped{slow: slow, fast: fast, stale: true}, sealed, judge)
					}
				}
			})
		}
	}
}

func overlaps(t *testing.T, o overlapped, sealed bool, judge func(*testing.T, *overlapped)) {
	for n, ran := 1, true; ran; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stale=%v/call %d/after=%v", o.fast.steps, o.stale, n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := o
					o.site = newSiteOf(t, sealed, func(opts *sojourn.Options) { opts.TouchEvery = 5 * time.Second }).chain()
					if ran = o.meet(n, after); !ran {
						return
					}
					if judge(t, &o); t.Failed() {
						t.Logf("status %d: %s", o.w.Code, o.w.Body)
					}
				})
			})
		}
	}
}

// An overlapped is how two requests of one browser have met.
type overlapped struct {
	*site
	slow, fast act
	stale      bool                       // the slow request came with the token before a renewal
	old        string                     // the token that the slow request came with
	handle     store.Handle               // of the session that ada has in the beginning
	jar        *browser                   // what the browser has when the slow answer comes
	w          *httptest.ResponseRecorder // the slow answer
	fastOK     bool
	aware      bool // the slow request has looked at the store since the fast one
}

// meet reports whether the slow act makes an nth call at all.
func (o *overlapped) meet(n int, after bool) bool {
	o.jar = o.client(o.slow.before)
	late := o.jar.copy()
	o.old = late.cookie
	if o.slow.before == "ada" {
		o.handle = o.infos("ada")[0].Handle
	}
	if o.stale {
		o.jar.ok("renew")
	}
	time.Sleep(20 * time.Second) // a touch is due
	later := o.store.during(n, after, func() {
		time.Sleep(time.Millisecond)
		w := o.jar.get("do?v=fast.&steps=" + o.fast.steps)
		if o.fastOK = w.Code == http.StatusOK; w.Code >= 500 {
			o.Errorf("%d: %s", w.Code, w.Body)
		}
		time.Sleep(time.Millisecond)
	})
	o.w = late.get("do?v=slow.&steps=" + o.slow.steps)
	o.store.heal()
	o.aware = later.Load() > 0
	return later.Load() >= 0
}

// L2: no answer puts an older token, a dead one or a visitor's in the place of what the browser has
// by then, and none takes a living one away: as far as the last look at the store can tell, before
// the header is written. Nobody can know what else the browser of a request without any cookie is
// doing; whoever signs out wants the browser signed out; sealed visitors have nothing but their
// cookies, of which the last one wins.
func TestL2AnswersComeLate(t *testing.T) {
	sent := 0
	eachOverlap(t, acts, acts, func(t *testing.T, o *overlapped) {
		text, removed := sentToken(o.w)
		if text == "" && !removed || !o.aware || o.slow.before == "" || o.sealed && o.slow.before == aVisitor {
			return
		}
		sent++
		has, _ := o.opens(o.jar.cookie)
		if removed {
			if has != "" && has != aVisitor && o.slow.steps == "logout" {
				t.Errorf("the token of %s is taken away", has)
			}
			return
		}
		switch who, older := o.opens(text); {
		case who == "":
			t.Errorf("a dead token in the place of that of %q", has)
		case older:
			t.Errorf("an older token in the place of that of %q", has)
		case who == aVisitor && has != "" && has != aVisitor && !strings.HasPrefix(o.slow.steps, "logout"):
			t.Errorf("a visitor's token in the place of that of %s", has)
		}
	})
	if sent < 300 {
		t.Errorf("only %d answers had a token", sent)
	}
}

// L2: a token that an explicit commit has put into the header is taken back from there if the
// session ends before the header leaves, as far as the request hears of that. What the browser has
// stays.
func TestL2TakenBack(t *testing.T) {
	for _, before := range []string{"", aVisitor, "ada"} {
		for _, then := range []string{"set", "renew", "logout", "others", "set.commit"} {
			bubble(t, func(t *testing.T, g *site) {
				g.chain()
				g.on("told", func(s *sojourn.Session, r *http.Request) (string, error) {
					rigOK(t, runSteps(g, s, r, "ada.commit"))
					must(g.store.Store.Revoke(t.Context(), "ada", store.Selection{})) // by another process
					return "", runSteps(g, s, r, then)
				})
				w := g.client(before).get("told")
				if text, _ := sentToken(w); text != "" {
					t.Errorf("%s after the end, as %q: status %d with a dead token", then, before, w.Code)
				}
			})
		}
	}
}
