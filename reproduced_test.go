package sojourn_test

// What trials have reproduced on earlier versions, with the right outcome: sign-ins, renewals and
// answers that were lost. What concerns the edge is in reproduced_edge_test.go, what concerns lives
// and lists in reproduced_use_test.go; and L3, L5, L8 and L9 have tests of their own for
//
//   - acts on identity before an outage, Fail or a panic: TestL3LaterFailures;
//   - a sealed cookie from the future, which is nobody's outage: TestL5ClientsAreNoOutage;
//   - a request of three minutes at minute 28 of 30: TestL8SlowNearTheEnd;
//   - sealed changes and sign-outs after the first byte: TestL9AfterTheFirstByte.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// sameEverywhere checks that this process, which may have cached it, and another one read a token
// alike.
func (g *site) sameEverywhere(b *browser, want string) {
	g.Helper()
	here := b.copy().ok("who")
	there, _ := g.opens(b.cookie)
	if here != want || there != want {
		g.Errorf("the browser's token is that of %q here and of %q in another process, want %q", here, there, want)
	}
}

// A token that was renewed is led on for the grace time. If the session went on from there, to
// another user or by a confirmation, the old token leads to nobody, and costs the browser nothing.
func TestRenewedThenReplaced(t *testing.T) {
	for _, paths := range [][]string{{"logout", "login?user=eve"}, {"login?user=eve"}, {"login?user=ada"}, {"others"}, {"renew", "login?user=ada"}} {
		for _, late := range []string{"user", "append?v=x", "renew"} {
			bubble(t, func(t *testing.T, g *site) {
				b := g.signedIn("ada")
				stale, slow := b.copy(), b.copy().start(late)
				b.ok("renew")
				for _, path := range paths {
					b.ok(path)
				}
				answers := map[string]*http.Response{"sent before, loaded before": slow().Result()}
				if paths[0] != "logout" || late == "user" { // once signed out, a token that comes anew is a visitor's
					answers["come after"] = stale.get(late).Result()
				}
				for what, w := range answers {
					if c := w.Cookies(); len(c) != 0 {
						t.Errorf("%s, then %s, %s: a cookie is sent", late, paths, what)
					}
				}
				want := "ada"
				if strings.HasSuffix(paths[len(paths)-1], "eve") {
					want = "eve"
				}
				g.sameEverywhere(b, want)
			})
		}
	}
}

// Two requests meet at a renewal, and the reads of the slower one fail at any point: a token that
// it sends opens the session in every process.
func TestRenewalMetByAnOutage(t *testing.T) {
	for _, path := range []string{"user", "append?v=x", "renew"} {
		for first := range 5 {
			bubble(t, func(t *testing.T, g *site) {
				b := g.signedIn("ada")
				time.Sleep(2 * time.Minute)
				slow := b.copy()
				finish := slow.start(path)
				b.ok("user")
				var n atomic.Int32
				g.store.setBefore(func(context.Context) error {
					if i := int(n.Add(1)) - 1; i >= first && i < first+3 { // all tries of one act
						return store.ErrUnavailable
					}
					return nil
				}, opGet)
				finish()
				g.store.heal()
				g.sameEverywhere(slow, "ada")
				g.sameEverywhere(b, "ada")
			}, func(o *sojourn.Options) { o.RenewAfter = time.Minute })
		}
	}
}

// The same after many renewals in a row, without any outage.
func TestManyRenewalsInARow(t *testing.T) {
	for _, n := range []int{1, 3, 4, 5, 16} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			slow, stale := b.copy(), b.copy()
			finish := slow.start("append?v=x")
			for range n {
				b.ok("renew")
			}
			g.status(finish(), 200)
			stale.wants("get?k=list", "x")
			for _, c := range []*browser{slow, stale, b} {
				g.sameEverywhere(c, "ada")
				if _, older := g.opens(c.cookie); older {
					t.Errorf("after %d renewals one was led to a token that is not the last", n)
				}
			}
		})
	}
}

// A sign-in that takes the cart along, and then an outage: of its own calls, or of the commit.
func TestCartSurvivesAnOutage(t *testing.T) {
	for _, op := range []string{opCreate, opRotate, opUpdate, opGet} {
		for name, f := range faults {
			if name == "corrupt" || name == "full" && op == opRotate {
				continue // a damaged visitor is put away; without room for a mark there is another way
			}
			for _, sealed := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					g := newSiteOf(t, sealed).chain()
					b := g.client(aVisitor)
					g.store.setBefore(f.before, op)
					g.store.setAfter(f.after, op)
					w := b.get("do?steps=keep.set")
					g.store.heal()
					time.Sleep(2 * time.Second)
					b.wants("get?k=cart", "tea")
					if who, _ := g.opens(b.cookie); w.Code == 200 && who != "ada" || w.Code != 200 && who == "" {
						t.Errorf("sealed %v, %s %s: status %d, and the browser is %q", sealed, op, name, w.Code, who)
					}
				})
			}
		}
	}
}

// Three lost answers of one rotation: what became of it is found out, not guessed.
func TestThreeLostAnswers(t *testing.T) {
	for path, want := range map[string]string{"renew": "ada", "login?user=ada": "ada", "others": "ada", "login?user=eve": "eve", "logout": ""} {
		for _, sealed := range []bool{false, true} {
			for _, applied := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					g := newSiteOf(t, sealed)
					b := g.client("ada")
					if lose := failTimes(3, store.ErrIndeterminate); applied {
						g.store.setAfter(lose, opRotate)
					} else {
						g.store.setBefore(lose, opRotate)
					}
					g.status(b.get(path), 200)
					g.sameEverywhere(b, want)
					if want == "ada" {
						b.wants("get?k=cart", "tea")
					}
					if n := g.sessions("ada") + g.sessions("eve"); n != min(1, len(want)) || t.Failed() {
						t.Fatalf("sealed %v, applied %v: %s leaves %d sessions", sealed, applied, path, n)
					}
				})
			}
		}
	}
}

// A full store has no room for a renewal's tail. Pages that read, and changes that fit, go on under
// the token that there is, and there is a renewal when there is room again.
func TestFullStoreAndDueRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := openSite(t, newFaultStore(memstore.New(&memstore.Options{MaxRecords: 2})), false,
			sojourn.Options{Keys: rigKeys(t), RenewAfter: time.Minute})
		b, other := g.signedIn("ada"), g.signedIn("eve")
		old := b.cookie
		for range 3 {
			time.Sleep(2 * time.Minute)
			b.wants("user", "ada")
			b.ok("set?k=x&v=" + fmt.Sprint(time.Now().UnixNano()))
			if b.cookie != old {
				t.Error("renewed without room")
			}
		}
		if g.log.count(sojourn.StoreFailed) == 0 {
			t.Error("no event")
		}
		must(g.RevokeUser(t.Context(), "eve"))
		other.wants("user", "")
		if b.wants("user", "ada"); b.cookie == old {
			t.Error("not renewed though there is room")
		}
	})
}

// Two requests of one visitor at once, of which one signs in and takes all values along: a change
// that was acknowledged is in the session where the browser ends, and a one-time value is had once.
func TestTwoSignInsOfOneVisitor(t *testing.T) {
	count, code := sojourn.NewValue[int]("count"), slot("code")
	visit := func(take, login bool) action {
		return func(s *sojourn.Session, r *http.Request) (string, error) {
			text := ""
			if take {
				text, _ = code.Take(s)
			}
			if err := count.Update(s, func(n *int) error { *n++; return nil }); err != nil || !login {
				return text, err
			}
			keep := sojourn.KeepAll()
			if take {
				keep = sojourn.Keep(count, code)
			}
			return text, s.Login(r.Context(), "ada", keep)
		}
	}
	both := 0
	for _, slow := range []string{"enter", "enter-with-code", "count", "use-code"} {
		for _, fast := range []string{"enter", "enter-with-code", "count", "use-code"} {
			for n, ran := 1, true; ran; n++ {
				for _, after := range []bool{false, true} {
					bubble(t, func(t *testing.T, g *site) {
						g.onLoaded("enter", visit(false, true))
						g.onLoaded("enter-with-code", visit(true, true))
						g.onLoaded("count", visit(false, false))
						g.onLoaded("use-code", visit(true, false))
						g.onLoaded("state", func(s *sojourn.Session, _ *http.Request) (string, error) {
							return fmt.Sprint(count.Get(s), code.Get(s)), nil
						})
						b := g.browser()
						b.ok("set?k=code&v=secret")
						one, two := b.copy(), b.copy()
						acknowledged, codes := 0, 0
						note := func(status int, page string) {
							if status == http.StatusOK {
								acknowledged++
								codes += strings.Count(page, "secret")
							}
						}
						later := g.store.during(n, after, func() { w := two.get(fast); note(w.Code, w.Body.String()) })
						w := one.get(slow)
						g.store.heal()
						if ran = later.Load() >= 0; !ran {
							return
						}
						note(w.Code, w.Body.String())
						if acknowledged == 2 {
							both++
						}
						states := map[string]bool{}
						for _, c := range []*browser{b, one, two} {
							if who, _ := g.opens(c.cookie); who != "" {
								states[c.ok("state")] = true
							}
						}
						want := fmt.Sprint(acknowledged, map[bool]string{true: "", false: "secret"}[codes > 0])
						if codes > 1 || len(states) != 1 || !states[want] {
							t.Fatalf("%s at call %d of %s (after it: %v): %d acknowledged, the code shown %d times; sessions with %v, want %q",
								fast, n, slow, after, acknowledged, codes, states, want)
						}
					})
				}
			}
		}
	}
	if both == 0 {
		t.Error("never did both succeed")
	}
}

// The first answer to a Revoke by handle was lost: the second try finds nothing more, and that is
// no reason to say so.
func TestRevokeWhoseAnswerWasLost(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	for _, answers := range []int{1, 2} {
		b.ok("login?user=ada")
		g.store.setAfter(failTimes(answers, store.ErrIndeterminate), opRevoke)
		if err := g.Revoke(t.Context(), "ada", g.infos("ada")[0].Handle); err != nil {
			t.Errorf("after %d lost answers: %v", answers, err)
		}
		b.wants("user", "")
	}
	if err := g.Revoke(t.Context(), "ada", store.Handle{1}); !errors.Is(err, sojourn.ErrNotFound) {
		t.Errorf("of nobody's handle: %v", err)
	}
}

// A write whose answer was lost, of a session that ended then: the error says that it may have
// happened.
func TestEndedAfterALostAnswer(t *testing.T) {
	for _, applied := range []bool{true, false} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			lose := once(func() { must(g.store.Store.Revoke(t.Context(), "ada", store.Selection{})) })
			lost := failTimes(1, store.ErrIndeterminate)
			h := func(ctx context.Context) error { return errors.Join(lose(ctx), lost(ctx)) }
			var err error
			g.onLoaded("commit", func(s *sojourn.Session, r *http.Request) (string, error) {
				rigOK(t, slot("a").Set(s, "x"))
				_, err = s.Commit(r.Context())
				return "", err
			})
			if applied {
				g.store.setAfter(h, opUpdate)
			} else {
				g.store.setBefore(h, opUpdate)
			}
			g.status(b.get("commit"), http.StatusConflict)
			if !errors.Is(err, sojourn.ErrEnded) || !errors.Is(err, sojourn.ErrIndeterminate) || sojourn.IsOutage(err) {
				t.Error(err)
			}
		})
	}
	bubble(t, func(t *testing.T, g *site) { // and where no answer was lost it does not
		b := g.signedIn("ada")
		finish := b.copy().start("set?k=a&v=x")
		b.ok("logout")
		g.status(finish(), http.StatusConflict)
		g.onLoaded("commit", func(s *sojourn.Session, r *http.Request) (string, error) {
			rigOK(t, slot("a").Set(s, "x"))
			must(g.RevokeUser(t.Context(), "eve"))
			if _, err := s.Commit(r.Context()); !errors.Is(err, sojourn.ErrEnded) || errors.Is(err, sojourn.ErrIndeterminate) {
				t.Error(err)
			}
			return "", nil
		})
		g.signedIn("eve").ok("commit")
	})
}

// distant is a store at the other end of a slow network. It learns at the near end how long ago a
// sign-in began, as the stores of servers do.
type distant struct {
	*faultStore
	way    time.Duration
	traits store.Traits
}

func (d *distant) Traits() store.Traits { return d.traits }

func (d *distant) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	age := adm.Age()
	time.Sleep(d.way)
	if !d.traits.Local {
		adm.Began = time.Now().Add(-age)
	}
	return d.faultStore.Create(ctx, rec, adm)
}

// A revocation that is acknowledged while a sign-in is on its way to the store ends it, or refuses
// it; one from before the sign-in, or by the same request, does neither.
func TestRevocationOvertakesASignIn(t *testing.T) {
	const ms = time.Millisecond
	for _, traits := range []store.Traits{{Local: true, Volatile: true}, {Volatile: true}, {Volatile: true, Skew: 5 * ms}} {
		for _, tt := range []struct {
			at   time.Duration // of the revocation, from the begin of the sign-in on
			want error
		}{{-50 * ms, nil}, {-6 * ms, nil}, {0, sojourn.ErrRevoked}, {1, sojourn.ErrRevoked}, {20 * ms, sojourn.ErrRevoked}, {40*ms - 1, sojourn.ErrRevoked}, {60 * ms, nil}} {
			synctest.Test(t, func(t *testing.T) {
				d := &distant{newFaultStore(memstore.New(nil)), 40 * ms, traits}
				m := must(sojourn.New(d, &sojourn.Options{Keys: rigKeys(t)}))
				b := newVisitor(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if err := m.From(r).Login(r.Context(), "ada"); !errors.Is(err, tt.want) {
						t.Errorf("%+v, revoked at %v: %v, want %v", traits, tt.at, err, tt.want)
					}
				})))
				time.Sleep(time.Second)
				begin := time.Now()
				go func() {
					time.Sleep(time.Until(begin.Add(100*ms + tt.at)))
					must(m.RevokeUser(t.Context(), "ada"))
				}()
				time.Sleep(100 * ms)
				b.do("POST", "/")
				time.Sleep(200 * ms)
				left := 0
				if tt.at < 0 {
					left = 1
				}
				if l := must(m.Sessions(t.Context(), "ada")); len(l) != left {
					t.Errorf("%+v, revoked at %v: %d sessions, want %d", traits, tt.at, len(l), left)
				}
			})
		}
		synctest.Test(t, func(t *testing.T) {
			d := &distant{newFaultStore(memstore.New(nil)), 40 * ms, traits}
			m := must(sojourn.New(d, &sojourn.Options{Keys: rigKeys(t)}))
			b := newVisitor(m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				must(m.RevokeUser(r.Context(), "ada")) // everywhere, and then sign in here
				rigOK(t, m.From(r).Login(r.Context(), "ada"))
			})))
			b.do("POST", "/")
			if l := must(m.Sessions(t.Context(), "ada")); len(l) != 1 {
				t.Errorf("%+v: %d sessions", traits, len(l))
			}
		})
	}
}

// A renewed token that comes back after its grace: the event says whose session it is and which, so
// that somebody can act on it; EndReused ends the session, and no other.
func TestReuse(t *testing.T) {
	for _, end := range []bool{false, true} {
		bubble(t, func(t *testing.T, g *site) {
			b, other := g.signedIn("ada"), g.signedIn("ada")
			g.onLoaded("handle", func(s *sojourn.Session, _ *http.Request) (string, error) { return s.Handle().String(), nil })
			mine := b.ok("handle")
			thief := b.copy()
			b.ok("renew")
			b.ok("peek") // the new token has come back
			time.Sleep(31 * time.Second)
			thief.wants("user", "")
			var told []sojourn.Event
			for _, e := range g.log.events {
				if e.Name == sojourn.SessionReuse {
					told = append(told, e)
				}
			}
			if len(told) != 1 || told[0].User != "ada" || told[0].Handle.String() != mine {
				t.Fatalf("%+v", told)
			}
			if !end {
				b.wants("user", "ada")
				rigOK(t, g.Revoke(t.Context(), told[0].User, told[0].Handle))
			}
			b.wants("user", "")
			other.wants("user", "ada")
			if n := g.sessions("ada"); n != 1 {
				t.Error(n, "sessions")
			}
		}, func(o *sojourn.Options) { o.EndReused = end })
	}
}
