package sojourn_test

// The invariants of a session's life, L1 to L4; L5 to L9 are in invariants_use_test.go. Each test
// names its number, and docs/design.md has them in words.

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
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

// sentToken is the session's token in a response, if there is one; removed says that it is taken away.
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
// and its cookie is taken, before or after each of the slow act's calls of the store. Each signed-in
// act also comes late, with the token before a renewal.
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

// whole checks that nobody has lost anybody: the browser has a session where it should, and the store
// no session that no browser can open.
func (g *site) whole(b *browser, want ...string) {
	g.Helper()
	who, _ := g.opens(b.cookie)
	if !slices.Contains(want, who) {
		g.Errorf("the browser is %q, want one of %q", who, want)
	}
	has := 1
	if who == "" || who == aVisitor && g.sealed {
		has = 0
	}
	if n, err := g.RevokeEveryone(g.Context()); n != has || err != nil {
		g.Errorf("%d sessions in the store and %d in the browser, %v", n, has, err)
	}
}

// L3: an act on identity reaches the client or has not happened, whatever the store answers.
func TestL3ActsReachTheClient(t *testing.T) {
	eachFault(t, func(t *testing.T, g *site, b *browser, a act, w *httptest.ResponseRecorder) {
		b.take(w)
		want := []string{a.after}
		if w.Code != http.StatusOK {
			want = append(want, a.before)
			if strings.HasPrefix(a.steps, "logout.") {
				want = append(want, "")
			}
		}
		g.whole(b, want...)
	})
}

// L3: what succeeded stands, and its token is sent, whatever ends the request then: a commit that
// fails, Fail, or a panic, for whose page the token is in the header.
func TestL3LaterFailures(t *testing.T) {
	down := fail(store.ErrUnavailable)
	for _, sealed := range []bool{false, true} {
		for _, a := range acts {
			if strings.HasSuffix(a.steps, "set") || a.steps == "append" || a.steps == "read" {
				continue // no act on identity, or followed by more
			}
			for _, end := range []struct {
				step   string
				fault  hook
				status int
			}{{"fail", nil, 503}, {"panic", nil, 500}, {"set", down, 503}, {"set", hang, 503}, {"set", fail(store.ErrFull), 503}} {
				if sealed && end.fault != nil || end.fault != nil && strings.HasSuffix(a.steps, "logout") {
					continue // no Update is made
				}
				synctest.Test(t, func(t *testing.T) {
					g := newSiteOf(t, sealed).chain()
					b := g.client(a.before)
					g.store.setBefore(end.fault, opUpdate)
					w := b.get("do?steps=" + a.steps + "." + end.step)
					g.store.heal()
					time.Sleep(2 * time.Second)
					g.status(w, end.status)
					if g.whole(b, a.after); t.Failed() {
						t.Fatalf("sealed %v: %s as %q, then %s", sealed, a.steps, a.before, end.step)
					}
				})
			}
		}
	}
}

// L3: where net/http aborts the connection, the header leaves with nobody: a sign-in whose token only
// it has ends, with an event; a renewal is still led to.
func TestL3Abort(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, tt := range []struct {
			steps, before, after string
			lost                 int
		}{
			{"ada", "", "", 1}, {"keep", aVisitor, "", 1}, {"eve", "ada", "", 1}, {"ada", "ada", "", 1}, {"others", "ada", "", 1},
			{"renew", "ada", "ada", 0}, {"set", "ada", "ada", 0}, {"logout", "ada", "", 0}, {"ada.set", "", "", 1}, {"renew.ada", "ada", "", 1},
			{"ada.commit", "", "", 1}, {"eve.commit", "ada", "", 1}, {"ada.commit.renew", "", "", 1}, {"renew.commit", "ada", "ada", 0}, {"set.commit", "", "", 1},
		} {
			synctest.Test(t, func(t *testing.T) {
				g := newSiteOf(t, sealed).chain()
				b := g.client(tt.before)
				if sealed && strings.HasPrefix(tt.steps, "renew") {
					return // the last cookie of a sealed session has all of it, and is lost
				}
				if tt.before == aVisitor && sealed {
					tt.after = aVisitor // whose cookie is all there is
				}
				w := b.get("do?steps=" + tt.steps + ".abort")
				g.status(w, http.StatusTeapot)
				g.whole(b, tt.after)
				if n := g.log.count(sojourn.ChangeLost); n != tt.lost {
					t.Errorf("%d events, want %d", n, tt.lost)
				}
				if t.Failed() {
					t.Fatalf("sealed %v: %s as %q", sealed, tt.steps, tt.before)
				}
			})
		}
	}
}

// L3, excepted: an answer that is lost after it was sent. The client has what it had before: its own
// session, or none, and never another's. The record that it cannot reach ends unused.
func TestL3LostAnswers(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, a := range acts {
			synctest.Test(t, func(t *testing.T) {
				g := newSiteOf(t, sealed).chain()
				b := g.client(a.before)
				b.copy().ok("do?steps=" + a.steps) // and nobody takes the cookie
				if who, _ := g.opens(b.cookie); who != a.before && who != "" {
					t.Errorf("sealed %v: after the lost answer to %s the browser of %q is %q", sealed, a.steps, a.before, who)
				}
				time.Sleep(31 * time.Minute)
				if n, err := g.RevokeEveryone(t.Context()); n != 0 || err != nil {
					t.Errorf("%d sessions live on unused, %v", n, err)
				}
			})
		}
	}
}

// L3, excepted: answers that come in another order than they were sent. The last to come decides,
// and it is one that this browser's own request got.
func TestL3ReorderedAnswers(t *testing.T) {
	for _, first := range acts {
		for _, second := range acts {
			if first.before != second.before {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				g := newSite(t).chain()
				b := g.client(first.before)
				early := b.copy().get("do?steps=" + first.steps)
				late := b.get("do?steps=" + second.steps)
				b.take(late)
				b.take(early)
				who, _ := g.opens(b.cookie)
				if who != "" && who != first.before && who != first.after && who != second.after {
					t.Errorf("%s, then %s as %q: the browser is %q", first.steps, second.steps, first.before, who)
				}
			})
		}
	}
}

// L3, excepted: a record whose making is in doubt and whose deletion failed as well. Its token was
// never sent, the observer is told, and it ends unused.
func TestL3Orphan(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.store.setAfter(fail(store.ErrIndeterminate), opCreate)
		g.store.setBefore(fail(store.ErrUnavailable), opDelete)
		w := g.browser().get("login?user=ada")
		g.status(w, http.StatusServiceUnavailable)
		g.noCookie(w)
		g.store.heal()
		if n := g.sessions("ada"); n != 1 || g.log.count(sojourn.StoreFailed) == 0 {
			t.Errorf("%d records, %d events", n, g.log.count(sojourn.StoreFailed))
		}
		time.Sleep(31 * time.Minute)
		if n := g.sessions("ada"); n != 0 {
			t.Error(n, "records live on unused")
		}
	})
}

// L3, excepted: a rotation whose answers were all lost, of a store that cannot be read afterwards
// either. Nothing is claimed, and nothing is sent.
func TestL3RotationInDoubt(t *testing.T) {
	for _, steps := range []string{"renew", "ada", "others", "logout"} {
		bubble(t, func(t *testing.T, g *site) {
			g.chain()
			b := g.client("ada")
			g.store.setAfter(func(context.Context) error {
				g.store.setBefore(fail(store.ErrUnavailable), opGet)
				return store.ErrIndeterminate
			}, opRotate)
			w := b.get("do?steps=" + steps)
			g.status(w, http.StatusServiceUnavailable)
			g.noCookie(w)
			g.store.heal()
			time.Sleep(2 * time.Second)
			want := map[string]string{"renew": "ada"}[steps] // its old token leads on
			if who, _ := g.opens(b.cookie); who != want {
				t.Errorf("after %s in doubt the browser is %q, want %q", steps, who, want)
			}
		})
	}
}
