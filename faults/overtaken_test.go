package faults_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/store"
)

// A sign-in is on its way to the engine while the user's sessions are revoked, by another node and
// acknowledged. It began before that, so nothing of it survives: neither for its visitor nor in the
// store.
func TestOvertaken(t *testing.T) {
	for _, name := range every {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			n := network(t)
			s := m.open(t, n)
			other := m.open(t, network(t))
			for _, limit := range []int{0, 3} {
				for _, delay := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond} {
					t.Run(fmt.Sprintf("limit %d, %v", limit, delay), func(t *testing.T) {
						site := signIn(t, s, limit)
						must(t, site("warm-"+newUser()))
						user := newUser()
						revoke := func() store.Revoked {
							r, err := other.Revoke(t.Context(), user, store.Selection{})
							must(t, err)
							return r
						}
						if err := overtake(n, delay, func() { revoke() }, func() error { return site(user) }); !errors.Is(err, sojourn.ErrRevoked) {
							t.Errorf("a sign-in that was overtaken: %v, want ErrRevoked", err)
						}
						if got := alive(t, other, user); got != 0 {
							t.Errorf("%d sessions of it survive", got)
						}
						answers(t, n, s, limit, delay, user, revoke)
					})
				}
			}
		})
	}
}

// overtake has act begin on a network that stalls, and the rest happen before it goes on.
func overtake(n *wire.Network, delay time.Duration, rest func(), act func() error) error {
	n.Stall()
	defer n.Flow()
	done := make(chan error, 1)
	go func() { done <- act() }()
	time.Sleep(delay / 2) // its bytes are on their way
	rest()
	time.Sleep(delay / 2)
	n.Flow()
	return <-done
}

// answers looks at what the store itself says: it refuses, or tells of the revocation in the act's
// own step, also when it is asked again.
func answers(t *testing.T, n *wire.Network, s store.Store, limit int, delay time.Duration, user string, revoke func() store.Revoked) {
	t.Helper()
	rec := newRecord(user)
	adm := store.Admission{Max: limit, Evict: true, Began: time.Now().Add(-time.Millisecond)}
	var got store.Admitted
	var revoked store.Revoked
	create := func() (err error) { got, err = s.Create(t.Context(), rec, adm); return err }
	err := overtake(n, delay, func() { revoked = revoke() }, create)
	for _, what := range []string{"first", "sent again"} {
		switch {
		case errors.Is(err, store.ErrRevoked):
			return
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case !got.Revoked.Equal(revoked.At) || got.Now.Sub(got.Revoked) > adm.Age()+s.Traits().Skew:
			t.Errorf("%s: admitted at %v after a revocation at %v, which was at %v, by a call of %v", what, got.Now, got.Revoked, revoked.At, adm.Age())
		}
		err = create()
	}
}

func alive(t *testing.T, s store.Store, user string) (n int) {
	t.Helper()
	for _, err := range s.User(t.Context(), user) {
		must(t, err)
		n++
	}
	return n
}

// signIn returns a site's sign-in, above the store: it returns what Login does.
func signIn(t *testing.T, s store.Store, limit int) func(user string) error {
	t.Helper()
	keys, err := sojourn.NewKeyRing(sojourn.NewKey())
	must(t, err)
	m, err := sojourn.New(s, &sojourn.Options{Keys: keys, MaxSessions: limit})
	must(t, err)
	return func(user string) (err error) {
		h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err = m.From(r).Login(r.Context(), user)
		}))
		r := httptest.NewRequestWithContext(t.Context(), "POST", "https://site.example/login", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		h.ServeHTTP(httptest.NewRecorder(), r)
		return err
	}
}
