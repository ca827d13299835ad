package sojourn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// cluster is a store whose nodes have clocks of their own, as Cassandra's: it refuses what may have
// begun before a revocation by any of them.
type cluster struct {
	store.Store
	skew    time.Duration
	revoked map[string]time.Time
}

func (c *cluster) Traits() store.Traits { return store.Traits{Volatile: true, Skew: c.skew} }

func (c *cluster) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	r, err := c.Store.Revoke(ctx, user, sel)
	if err == nil && len(sel.Only) == 0 {
		c.revoked[user] = r.At
	}
	return r, err
}

func (c *cluster) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	at := c.revoked[rec.User]
	if rec.User != "" && !adm.Began.IsZero() && at.After(adm.Known) && !at.Before(time.Now().Add(-adm.Age()-c.skew)) {
		return store.Admitted{}, store.ErrRevoked
	}
	return c.Store.Create(ctx, rec, adm)
}

// A sign-in that begins after a revocation by this process has returned is accepted at once, also
// where the store could not tell; one that began before, or that another process has revoked since,
// is not.
func TestSignInAfterRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &cluster{memstore.New(nil), time.Second, map[string]time.Time{}}
		g := newWebRig(t, st, sojourn.Options{})
		other := newWebRig(t, st, sojourn.Options{}) // another process
		login := func(user string, ago time.Duration) (err error) {
			g.do("", func(s *sojourn.Session) { err = s.Login(t.Context(), user, sojourn.Began(ago)) })
			return err
		}
		revoke := func(by *webRig, user string) {
			t.Helper()
			time.Sleep(time.Millisecond)
			if _, err := by.m.RevokeUser(t.Context(), user); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		want := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) || want == nil && got != nil {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		revoke(g, "ada")
		want("at once", login("ada", time.Microsecond), nil)
		want("begun before", login("ada", 2*time.Millisecond), store.ErrRevoked)
		want("begun before, by much", login("ada", time.Minute), store.ErrRevoked)

		revoke(other, "ada")
		want("another process has revoked", login("ada", time.Microsecond), store.ErrRevoked)
		time.Sleep(2 * time.Second)
		want("and two seconds later", login("ada", time.Microsecond), nil)

		revoke(other, "ada")
		revoke(g, "ada")
		want("both, this one last", login("ada", time.Microsecond), nil)
		revoke(g, "ada")
		revoke(other, "ada")
		want("both, the other last", login("ada", time.Microsecond), store.ErrRevoked)

		revoke(g, "eve")
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		time.Sleep(10 * time.Minute)
		want("it began at once, and took ten minutes", login("eve", time.Since(began)), nil)

		revoke(g, "bob")
		for i := range 5000 { // more than are remembered
			if _, err := g.m.RevokeUser(t.Context(), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		want("forgotten among many", login("bob", time.Microsecond), store.ErrRevoked)
	})
}
