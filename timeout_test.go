package sojourn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
)

// slow waits for d, as an engine does that is nearly down, or for as long as the caller does.
func slow(d time.Duration) hook {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// afterwards is h from the nth call on.
func afterwards(n int, h hook) hook {
	calls := 0
	return func(ctx context.Context) error {
		if calls++; calls < n {
			return nil
		}
		return h(ctx)
	}
}

// P6: an act has one Timeout, however many calls it takes: the renewals that a load follows, a
// sign-in as somebody else, the last look at a token before it is sent. What it has made and the
// client will not have is taken back in as much time again.
func TestOneTimeoutAnAct(t *testing.T) {
	for name, tt := range map[string]struct {
		before []string // that another request of the client does, and its answer is lost
		path   string
		fault  hook
		most   time.Duration
	}{
		"a load through renewals":     {[]string{"renew", "renew", "renew", "renew"}, "user", slow(2 * time.Second), 5 * time.Second},
		"another's sign-in":           {nil, "login?user=eve", slow(4 * time.Second), 10 * time.Second},
		"another's sign-in, in time":  {nil, "login?user=eve", slow(time.Second), 5 * time.Second},
		"revoking the others":         {nil, "others", slow(4 * time.Second), 5 * time.Second},
		"a touch, and the last look":  {[]string{"renew"}, "user", afterwards(3, hang), 5 * time.Second},
		"a commit, and the last look": {nil, "confirm-set", afterwards(3, hang), 5 * time.Second},
	} {
		for _, sealed := range []bool{false, true} {
			if sealed && tt.before != nil {
				continue // nothing leads from one sealed session to the next
			}
			t.Run(fmt.Sprintf("%s, sealed %v", name, sealed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newSiteOf(t, sealed, func(o *sojourn.Options) { o.TouchEvery = time.Second })
					g.onLoaded("confirm-set", func(s *sojourn.Session, r *http.Request) (string, error) {
						return "", errors.Join(s.Login(r.Context(), "ada"), slot("a").Set(s, "x"))
					})
					b := g.signedIn("ada")
					for _, path := range tt.before {
						b.lose(path)
					}
					time.Sleep(time.Minute)
					g.store.setBefore(tt.fault, allOps...)
					begun := time.Now()
					w := b.get(tt.path)
					if d := time.Since(begun); d > tt.most {
						t.Errorf("%v with a Timeout of 5 s, status %d", d, w.Code)
					}
					g.store.heal()
					time.Sleep(2 * time.Second)
					if n := g.records(); n != 1 {
						t.Errorf("%d sessions are left", n)
					}
				})
			})
		}
	}
}

// An observer has the request's context, and not what is left of the time of the act that it is
// told of: it may call the store itself.
func TestObserverHasItsOwnTime(t *testing.T) {
	for _, path := range []string{"user", "login?user=eve", "set?k=a&v=x", "renew"} {
		bubble(t, func(t *testing.T, g *site) {
			failures, o := 0, g.opts
			o.Observe = func(ctx context.Context, e sojourn.Event) {
				if _, bounded := ctx.Deadline(); bounded || ctx.Err() != nil {
					t.Errorf("%s: the context of %s has a deadline: %v", path, e.Name, ctx.Err())
				}
				if e.Name == sojourn.StoreFailed {
					failures++
				}
			}
			g.Manager = must(sojourn.New(g.store, &o))
			g.handler = g.Handler(g.mux)
			b := g.signedIn("ada")
			g.store.setBefore(afterwards(2, hang), allOps...)
			if path == "user" {
				g.store.setBefore(hang, opGet)
			}
			if b.get(path); failures == 0 {
				t.Errorf("%s: no failure was told", path)
			}
		})
	}
}
