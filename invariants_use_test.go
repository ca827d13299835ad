package sojourn_test

// The invariants of a session's life, L4 to L7: what nobody asked for, bad clients, ends, and data.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// due makes a renewal, a touch and a lapse of the level due at the next request.
func due(o *sojourn.Options) {
	o.Assurance, o.Idle, o.Lifetime, o.Deviation = sojourn.AAL3, 15*time.Minute, 12*time.Hour, ""
	o.RenewAfter = time.Minute
}

// L4: what nobody asked for fails no request and takes no cookie away, whatever the store answers.
func TestL4UnaskedActsNeverFail(t *testing.T) {
	answers := map[string]error{
		"conflict": store.ErrConflict, "unsupported": errors.ErrUnsupported, "invalid": store.ErrInvalid, "exists": store.ErrExists, "limit": store.ErrLimit,
	}
	type fault struct{ before, after hook }
	all := map[string]fault{}
	for name, f := range faults {
		all[name] = fault{f.before, f.after}
	}
	for name, err := range answers {
		all[name] = fault{before: fail(err)}
	}
	for _, sealed := range []bool{false, true} {
		for name, f := range all {
			for _, op := range []string{opTouch, opRotate, opUpdate, opGet} {
				for _, steps := range []string{"read", "set"} {
					t.Run(fmt.Sprintf("sealed=%v/%s/%s/%s", sealed, name, op, steps), func(t *testing.T) {
						if steps == "set" && (op == opUpdate || op == opTouch || name == "conflict" || name == "invalid") || op == opGet && sealed && steps == "set" {
							return // the write itself is asked for, and is in conflict with others all the time
						}
						synctest.Test(t, func(t *testing.T) {
							g := newSiteOf(t, sealed, due).chain()
							b := g.client("ada")
							time.Sleep(14 * time.Minute)
							break1 := func() {
								g.store.setBefore(f.before, op)
								g.store.setAfter(f.after, op)
							}
							if op == opGet { // the session's own read is asked for; what comes after it is not
								g.store.setAfter(once(break1), opGet)
							} else {
								break1()
							}
							w := b.get("do?steps=" + steps)
							g.status(w, http.StatusOK)
							g.store.heal()
							time.Sleep(2 * time.Second)
							b.wants("user", "ada")
							if steps == "set" {
								b.wants("get?k=x", "x")
							}
						})
					})
				}
			}
		}
	}
}

// L4: the same of a level that lapses, which is written with the touch.
func TestL4LapseNeverFails(t *testing.T) {
	for name, f := range faults {
		bubble(t, func(t *testing.T, g *site) {
			b := g.browser()
			g.on("remember", func(s *sojourn.Session, r *http.Request) (string, error) {
				return "", s.Login(r.Context(), "ada", sojourn.Remember(10*time.Hour), sojourn.AtLevel(sojourn.LevelMulti))
			})
			g.onLoaded("level", func(s *sojourn.Session, _ *http.Request) (string, error) { return fmt.Sprint(s.Level()), nil })
			b.ok("remember")
			b.wants("level", "2")
			time.Sleep(16 * time.Minute)
			g.store.setBefore(f.before, opUpdate)
			g.store.setAfter(f.after, opUpdate)
			for range 2 {
				b.wants("level", "0")
			}
			g.store.heal()
			time.Sleep(2 * time.Second)
			b.wants("level", "0")
			b.wants("level", "0") // and it stays so, though the session has been used
			if t.Failed() {
				t.Fatal(name)
			}
		}, due, func(o *sojourn.Options) { o.RenewAfter = sojourn.Unlimited })
	}
}

// L5: whatever a client sends, the store is asked as before for the next one.
func TestL5ClientsAreNoOutage(t *testing.T) {
	stale := map[bool]string{} // tokens of another age, under the same keys
	keys := must(sojourn.NewKeyRing(sojourn.NewKey()))
	opts := func(o *sojourn.Options) { o.Keys, o.Bearer = keys, nil }
	for _, sealed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { // its clock begins long ago, and goes on for years
			time.Sleep(10 * 365 * 24 * time.Hour)
			stale[sealed] = newSiteOf(t, sealed, opts).client("ada").cookie
		})
	}
	for _, sealed := range []bool{false, true} {
		hostile := map[string]func(g *site, b *browser, r *http.Request) *http.Request{
			"junk": func(_ *site, _ *browser, r *http.Request) *http.Request {
				r.Header.Set("Cookie", cookieName+"=junk")
				return r
			},
			"long": func(_ *site, _ *browser, r *http.Request) *http.Request {
				r.Header.Set("Cookie", cookieName+"="+strings.Repeat("A", 1<<16))
				return r
			},
			"many": func(_ *site, _ *browser, r *http.Request) *http.Request {
				r.Header.Set("Cookie", strings.Repeat(cookieName+"=x; ", 500))
				return r
			},
			"tampered": func(_ *site, b *browser, r *http.Request) *http.Request {
				r.Header.Set("Cookie", cookieName+"="+b.cookie[:90]+"AAAA"+b.cookie[94:])
				return r
			},
			"future": func(_ *site, _ *browser, r *http.Request) *http.Request {
				r.Header.Set("Cookie", cookieName+"="+stale[sealed])
				return r
			},
			"two": func(_ *site, b *browser, r *http.Request) *http.Request {
				r.Header.Add("Cookie", cookieName+"="+stale[sealed])
				return r
			},
			"forged": func(_ *site, _ *browser, r *http.Request) *http.Request {
				r.Method = "POST"
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				return r
			},
			"gone": func(g *site, _ *browser, r *http.Request) *http.Request {
				ctx, hangUp := context.WithCancel(r.Context())
				g.store.setBefore(func(ctx context.Context) error { hangUp(); return store.FromContext(ctx) }, opGet)
				return r.WithContext(ctx)
			},
			"gone before": func(_ *site, _ *browser, r *http.Request) *http.Request {
				ctx, hangUp := context.WithCancel(r.Context())
				hangUp()
				return r.WithContext(ctx)
			},
		}
		for name, send := range hostile {
			for _, steps := range []string{"read", "set", "ada", "logout", "renew"} {
				t.Run(fmt.Sprintf("sealed=%v/%s/%s", sealed, name, steps), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						g := newSiteOf(t, sealed, opts).chain()
						b, victim := g.client("ada"), g.client("eve")
						for range 25 {
							g.handler.ServeHTTP(httptest.NewRecorder(), send(g, b, b.request(t.Context(), "do?steps="+steps)))
							g.store.heal()
						}
						g.store.reset()
						victim.wants("user", "eve")
						victim.wants("get?k=cart", "tea")
						if n := g.store.count(opGet); n < 2 {
							t.Errorf("%d reads of two requests", n)
						}
					})
				})
			}
		}
	}
}

// ends are the ways to end ada's session, which is in b and has had the tokens before it.
var ends = map[string]func(g *site, b *browser){
	"logout":    func(_ *site, b *browser) { b.ok("logout") },
	"another":   func(_ *site, b *browser) { b.ok("login?user=eve") },
	"revoke":    func(g *site, _ *browser) { g.must(g.Revoke(g.Context(), "ada", g.infos("ada")[0].Handle)) },
	"user":      func(g *site, _ *browser) { must(g.RevokeUser(g.Context(), "ada")) },
	"everyone":  func(g *site, _ *browser) { must(g.RevokeEveryone(g.Context())) },
	"elsewhere": func(g *site, _ *browser) { time.Sleep(time.Second); g.signedIn("ada").ok("others") },
	"one too many": func(g *site, _ *browser) {
		time.Sleep(time.Second)
		g.signedIn("ada")
		g.signedIn("ada")
	},
	"unused": func(*site, *browser) { time.Sleep(31 * time.Minute) },
	"old": func(_ *site, b *browser) {
		for range 25 * 12 {
			time.Sleep(150 * time.Second)
			b.ok("peek")
			b.ok("get?k=x")
		}
	},
}

func (g *site) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// L6: after each end no token of the session, however it was renewed, opens or writes anything.
func TestL6EndedMeansEnded(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for name, end := range ends {
			synctest.Test(t, func(t *testing.T) {
				g := newSiteOf(t, sealed, func(o *sojourn.Options) { o.MaxSessions = 2 }).chain()
				b := g.client("ada")
				tokens := []string{b.cookie}
				for _, path := range []string{"renew", "login?user=ada", "renew", "renew", "set?k=x"} {
					b.ok(path)
					tokens = append(tokens, b.cookie)
				}
				slow := b.copy().start("append?v=late")
				end(g, b)
				w := slow()
				handles := g.infos("ada")
				for i, cookie := range tokens {
					if who, _ := g.opens(cookie); who != "" {
						t.Errorf("token %d opens the session of %s", i, who)
					}
					old := g.browser()
					old.cookie = cookie
					for _, steps := range []string{"set", "append", "renew", "others"} {
						old.copy().get("do?v=x&steps=" + steps)
					}
				}
				if text, removed := sentToken(w); text != "" && !removed {
					t.Error("the request that was under way was sent a token")
				}
				if after := g.infos("ada"); len(after) != len(handles) {
					t.Errorf("%d sessions of ada, then %d", len(handles), len(after))
				}
				if t.Failed() {
					t.Fatalf("sealed %v: %s", sealed, name)
				}
			})
		}
	}
}

// L6: an end that overlaps another act stands: it is not undone by what was under way.
func TestL6OverlappingEnds(t *testing.T) {
	eachOverlap(t, acts, []act{{"logout", "ada", ""}, {"eve", "ada", "eve"}}, func(t *testing.T, o *overlapped) {
		if !o.fastOK {
			return
		}
		if who, _ := o.opens(o.old); who != "" {
			t.Errorf("the old token is that of %s", who)
		}
		infos := o.infos("ada")
		if slices.ContainsFunc(infos, func(i sojourn.Info) bool { return i.Handle == o.handle }) {
			t.Error("the session that ended lives")
		}
		if n := len(infos); n > 1 || n == 1 && !(strings.Contains(o.slow.steps, "ada") && o.w.Code == http.StatusOK) {
			t.Errorf("%d sessions after the end, where only a sign-in may have followed it", n)
		}
	})
}

// L7: of two overlapping requests whose answers both said yes, both have left their word.
func TestL7NothingAcknowledgedIsLost(t *testing.T) {
	words := []act{
		{"append", "ada", "ada"}, {"append.renew", "ada", "ada"}, {"renew.append", "ada", "ada"}, {"append.commit.renew", "ada", "ada"}, {"append.ada", "ada", "ada"},
		{"ada.append", "ada", "ada"}, {"others.append", "ada", "ada"}, {"append.commit", "ada", "ada"}, {"append.others", "ada", "ada"},
		{"append", aVisitor, aVisitor}, {"append.keep", aVisitor, "ada"}, {"keep.append", aVisitor, "ada"}, {"append.commit.keep", aVisitor, "ada"},
	}
	both := 0
	eachOverlap(t, words, words, func(t *testing.T, o *overlapped) {
		if o.sealed {
			return // the last answer wins, as NewSealed says
		}
		slowOK := o.w.Code == http.StatusOK
		if slowOK && o.fastOK {
			both++
		}
		if text, _ := sentToken(o.w); text != "" {
			if who, _ := o.opens(text); who != "" { // else it came after its last look: see L2
				o.jar.take(o.w)
			}
		}
		list := o.jar.ok("get?k=list")
		if slowOK && strings.Count(list, "slow.") != 1 || o.fastOK && strings.Count(list, "fast.") != 1 {
			t.Errorf("%q, where slow said %v and fast %v", list, slowOK, o.fastOK)
		}
		if strings.Count(list, "slow.") > 1 || strings.Count(list, "fast.") > 1 {
			t.Errorf("said twice: %q", list)
		}
		o.jar.wants("get?k=cart", "tea")
	})
	if both < 300 {
		t.Errorf("only %d pairs both succeeded", both)
	}
}

// L7: the same of one request and a store that fails: a yes is in the store, and once.
func TestL7AcknowledgedUnderFaults(t *testing.T) {
	eachFault(t, func(t *testing.T, g *site, b *browser, a act, w *httptest.ResponseRecorder) {
		b.take(w)
		if w.Code == http.StatusOK && strings.Contains(a.steps, "set") {
			b.wants("get?k=x", "x")
		}
		if got := b.ok("get?k=list"); a.steps == "append" && (got != "x" && w.Code == http.StatusOK || strings.Count(got, "x") > 1) {
			t.Errorf("the list is %q", got)
		}
		if a.before == "ada" && a.after == "ada" && !strings.Contains(t.Name(), "/corrupt/") { // signing in puts what is damaged away
			b.wants("get?k=cart", "tea")
		}
	})
}

// L7: a use that another request has written down is not undone by an act on identity under Peek.
func TestL7PeekUndoesNoTouch(t *testing.T) {
	for _, act := range []string{"renew", "login?user=ada", "others"} {
		bubble(t, func(t *testing.T, g *site) {
			release := make(chan bool)
			g.onLoaded("poll", func(s *sojourn.Session, r *http.Request) (string, error) {
				s.Peek()
				<-release
				switch act {
				case "renew":
					return "", s.Renew(r.Context())
				case "others":
					_, err := s.RevokeOthers(r.Context())
					return "", err
				}
				return "", s.Login(r.Context(), "ada")
			})
			b := g.signedIn("ada")
			time.Sleep(28 * time.Minute)
			w, done := httptest.NewRecorder(), make(chan bool)
			go func() {
				defer close(done)
				g.handler.ServeHTTP(w, b.copy().request(context.Background(), "poll"))
			}()
			synctest.Wait()
			time.Sleep(time.Minute)
			b.ok("user")
			close(release)
			<-done
			b.take(w)
			g.status(w, http.StatusOK)
			time.Sleep(5 * time.Minute)
			if b.wants("user", "ada"); t.Failed() {
				t.Fatal(act)
			}
		})
	}
}

// A request that peeks renews no token unasked.
func TestPeekRenewsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		b := g.signedIn("ada")
		time.Sleep(2 * time.Minute)
		g.store.reset()
		b.wants("peek", "ada")
		if n := g.store.writes(); n != 0 {
			t.Errorf("%d writes under Peek", n)
		}
	}, due)
}

// L5: a client that hangs up while its session is read is no failure of the store in anybody's log.
func TestL5HangUp(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	r := rigRequest("GET", g.login(""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.m.Open(ctx, r); !errors.Is(err, context.Canceled) && !sojourn.IsOutage(err) {
		t.Errorf("read without its client: %v", err)
	}
	g.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := g.m.Load(r); err == nil {
			t.Error("read without its client")
		}
	})).ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	if n := g.seen(sojourn.StoreFailed); n != 0 {
		t.Errorf("%d events of a failed store", n)
	}
}
