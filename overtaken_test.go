package sojourn_test

// Renewals whose answers are lost, and commits that come late.

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A renewal that took a change with it, and whose answers were lost, is found out about: where
// another request came after it the change is not made again, and where the session went on or
// ended after it that is followed, or told.
func TestRenewalThatWasOvertaken(t *testing.T) {
	for _, c := range []struct {
		path, other string
		status      int
		user, list  string
	}{
		{"append?v=x", "append?v=y", 200, "ada", "xy"}, {"append?v=x", "renew", 200, "ada", "x"}, {"append?v=x", "logout", 409, "", ""},
		{"user", "append?v=y", 200, "ada", "y"}, {"user", "renew", 200, "ada", ""}, {"user", "logout", 200, "", ""},
		{"append?v=x", "login?user=ada", 409, "", ""},
	} {
		bubble(t, func(t *testing.T, g *site) {
			b := g.signedIn("ada")
			time.Sleep(14 * time.Minute)
			tab, old, calls := b.copy(), b.copy(), 0
			g.store.setAfter(func(context.Context) error {
				if calls++; calls == 3 { // the last try of an act
					g.store.setAfter(nil, opRotate)
					tab.ok(c.other)
				}
				return store.ErrIndeterminate
			}, opRotate)
			g.status(b.get(c.path), c.status)
			if calls != 3 {
				t.Fatalf("%d tries", calls)
			}
			if c.status == 200 && c.user != "" {
				b.wants("user", c.user)
				b.wants("get?k=list", c.list)
			}
			if c.other == "logout" {
				old.wants("user", "")
			} else {
				tab.wants("user", "ada")
			}
			if t.Failed() {
				t.Fatalf("%+v", c)
			}
		}, func(o *sojourn.Options) { o.RenewAfter = 10 * time.Minute })
	}
}

// The commit at a request's end has a time of its own, however long ago that of the first byte was.
func TestLateCommitHasItsTime(t *testing.T) {
	bubble(t, func(t *testing.T, g *site) {
		g.store.setBefore(func(ctx context.Context) error {
			ctx.Done()
			return store.FromContext(ctx)
		}, allOps...)
		b := g.signedIn("ada")
		g.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
			s := must(g.Load(r))
			rigOK(t, slot("a").Set(s, "x"))
			w.WriteHeader(200)
			time.Sleep(10 * time.Second)
			rigOK(t, slot("b").Set(s, "y"))
		})
		b.ok("late")
		b.wants("names", "a b")
	})
}
