// Package site is a small web application with sessions, and visitors who use it while its store
// fails. It looks at faults from where a user sits: what a browser was told, and whether that stays
// true.
package site

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

var count = sojourn.NewValue[int]("count")

// A Site is one application on several nodes, each with a store of its own that leads to the same
// records. All nodes share their keys, as those behind a load balancer do.
type Site struct {
	nodes []http.Handler
	acked atomic.Int64
}

// Acked returns how many changes visitors were told of so far.
func (s *Site) Acked() int { return int(s.acked.Load()) }

// New makes a site of one node for each store. Tokens are renewed each second and every use is
// written down after a tenth of one, so that a run of seconds goes through what is else a day's
// work.
func New(timeout time.Duration, stores ...store.Store) (*Site, error) {
	keys, err := sojourn.NewKeyRing(sojourn.NewKey())
	if err != nil {
		return nil, err
	}
	s := &Site{}
	for _, st := range stores {
		m, err := sojourn.New(st, &sojourn.Options{Keys: keys, Timeout: timeout, TouchEvery: 100 * time.Millisecond, RenewAfter: 2 * time.Second, RenewGrace: 2 * time.Second})
		if err != nil {
			return nil, err
		}
		s.nodes = append(s.nodes, handler(m))
	}
	return s, nil
}

// signedOut is the answer to somebody who is not signed in. An outage must never lead to it.
const signedOut = http.StatusUnauthorized

func handler(m *sojourn.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := m.From(r).Login(r.Context(), r.FormValue("user")); err != nil {
			answer(w, r, err)
		}
	})
	mux.HandleFunc("POST /count", func(w http.ResponseWriter, r *http.Request) {
		s := load(m, w, r)
		if s == nil {
			return
		}
		if err := count.Update(s, func(n *int) error { *n++; return nil }); err != nil {
			answer(w, r, err)
		}
	})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, r *http.Request) {
		if s := load(m, w, r); s != nil {
			fmt.Fprint(w, count.Get(s))
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := m.From(r).Logout(r.Context()); err != nil {
			answer(w, r, err)
		}
	})
	mux.HandleFunc("POST /everywhere", func(w http.ResponseWriter, r *http.Request) { // sign out
		s := load(m, w, r)
		if s == nil {
			return
		}
		if _, err := m.RevokeUser(r.Context(), s.User()); err != nil {
			answer(w, r, err)
		}
	})
	return m.Handler(mux)
}

// answer is the default answer with the cause, for the report of a breach.
func answer(w http.ResponseWriter, r *http.Request, err error) {
	sojourn.DefaultOnError(w, r, err)
	fmt.Fprintf(w, " (%v)", err)
}

// load returns the session of somebody who is signed in, or answers.
func load(m *sojourn.Manager, w http.ResponseWriter, r *http.Request) *sojourn.Session {
	s, err := m.Load(r)
	if err != nil {
		answer(w, r, err)
		return nil
	}
	if s.User() == "" {
		w.WriteHeader(signedOut)
		return nil
	}
	return s
}
