package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/store"
)

// trips says how many round trips each act may take, when its connection is warm: docs/engines.md,
// section 2.
type trips map[string]int

// most returns the bound of an act: that of its whole name, else of its first word, else 1.
func (b trips) most(act string) int {
	word, _, _ := strings.Cut(act, " ")
	word = strings.TrimSuffix(word, ",")
	for _, name := range []string{act, word} {
		if n, ok := b[name]; ok {
			return n
		}
	}
	return 1
}

var (
	// A sign-in under MaxSessions looks once more before its token is sent: another may have
	// evicted it.
	most = trips{"login": 2, "read, login of a visitor": 4}
	// A Create that has to evict takes six trips, and one for each record that goes.
	mysqlTrips = trips{"create, first of a user": 3, "create, evicts": 7, "login": 2, "read, login of a visitor": 4}
	allTrips   = map[string]trips{
		"mariadb": mysqlTrips,
		"mysql":   mysqlTrips,
		"cassandra": {"create, limit": 2, "create, evicts": 2, "create, first of a user": 2, "touch": 2, "revoke": 2,
			"login": 3, "read, login of a visitor": 5},
	}
)

// Every act takes as few round trips as docs/engines.md says: a read 1, a write 1, a sign-in 2.
func TestRoundTrips(t *testing.T) {
	for _, name := range every {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			n := network(t)
			s := m.open(t, n)
			direct := m.open(t, network(t))
			bounds := allTrips[name]
			if bounds == nil {
				bounds = most
			}
			var seen []string
			check := func(act string, once func()) {
				got := turns(n, bounds.most(act), once)
				seen = append(seen, fmt.Sprintf("%s %d", act, got))
				if got > bounds.most(act) {
					t.Errorf("%s takes %d round trips, at most %d", act, got, bounds.most(act))
				}
			}
			for i, a := range acts(store.Record{}, store.Record{}) {
				check(a.name, func() {
					rec, other := pair(t, direct)
					before(n)
					must(t, acts(rec, other)[i].do(t.Context(), s))
				})
			}
			rec, _ := pair(t, direct)
			check("read", func() { before(n); read(t, s, rec.Key) })
			check("user", func() {
				before(n)
				for _, err := range s.User(t.Context(), rec.User) {
					must(t, err)
				}
			})
			check("touch, too soon", func() { before(n); must(t, s.Touch(t.Context(), rec, time.Hour)) })
			login(t, n, s, check)
			t.Log(strings.Join(seen, ", "))
		})
	}
}

// began is where the count of the present act begins.
var began int

// before says that what was done so far is no part of the act.
func before(n *wire.Network) { began = n.Turns() }

// turns returns the round trips of an act: the median of several, for a driver may talk to its
// server meanwhile. On a busy machine it does so for long, after it has connected: what is over the
// bound is counted anew, a few times.
func turns(n *wire.Network, bound int, once func()) (median int) {
	const times = 9
	for range 5 {
		var counts []int
		for range times {
			once()
			counts = append(counts, n.Turns()-began)
		}
		slices.Sort(counts)
		if median = counts[times/2]; median <= bound {
			break
		}
	}
	return median
}

// login counts a sign-in with a full manager above the store: in a new browser, and in one that has
// a visitor's session, which the request reads first.
func login(t *testing.T, n *wire.Network, s store.Store, check func(string, func())) {
	t.Helper()
	keys, err := sojourn.NewKeyRing(sojourn.NewKey())
	must(t, err)
	m, err := sojourn.New(s, &sojourn.Options{Keys: keys, MaxSessions: 100})
	must(t, err)
	cart := sojourn.NewValue[int]("cart")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := m.From(r).Login(r.Context(), r.FormValue("user"), sojourn.Keep(cart)); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		if s, err := m.Load(r); err != nil {
			sojourn.DefaultOnError(w, r, err)
		} else {
			cart.Set(s, 1)
		}
	})
	h := m.Handler(mux)
	post := func(path, cookie string) string {
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), "POST", "https://site.example"+path, nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
			t.Fatalf("%s: status %d, %d cookies", path, w.Code, len(w.Result().Cookies()))
		}
		c := w.Result().Cookies()[0]
		return c.Name + "=" + c.Value
	}
	user := newUser()
	post("/login?user="+user, "")
	check("login, new browser", func() {
		before(n)
		post("/login?user="+user, "")
	})
	check("read, login of a visitor", func() {
		cookie := post("/cart", "")
		before(n)
		post("/login?user="+user, cookie)
	})
}
