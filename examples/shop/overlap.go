package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn"
)

// The page of overlapping requests: two frames, each with a form that puts something into the cart. The
// request that comes first has loaded its session and waits for the other, so neither has seen what the other writes.
// Both things are in the cart afterwards.

// How long requests wait for each other.
const (
	waitToOverlap = 20 * time.Second
	waitForSaved  = 5 * time.Second
)

var sides = map[string]string{"left": "honey", "right": "salt"}

// frame is the data of one side.
type frame struct {
	Side     string
	Product  product
	Done     bool
	Together bool
	Lines    []line
}

func (sh *shop) overlapPage(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	return sh.render(w, r, s, "overlap.html", "Two at once", nil)
}

func (sh *shop) overlapFrame(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	side := r.PathValue("side")
	p, ok := productByID(sides[side])
	if !ok {
		http.NotFound(w, r)
		return nil
	}
	together := r.FormValue("together")
	writePage(w, http.StatusOK, "frame.html", view{Title: p.Name, Bare: true, Sealed: sh.sealed, Data: frame{
		Side: side, Product: p, Done: together != "", Together: together == "yes", Lines: cart.Get(s).lines(),
	}})
	return nil
}

func (sh *shop) overlapAdd(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	side := r.PathValue("side")
	id, ok := sides[side]
	if !ok {
		http.NotFound(w, r)
		return nil
	}
	name := s.Handle().String()
	// The session is loaded here, and the other request's, too, when wait returns true.
	together := sh.overlap.wait(r.Context(), name+" loaded", side, waitToOverlap)
	if err := add(s, id, 1); err != nil {
		return err
	}
	if err := s.Save(w); err != nil {
		return err
	}
	answer := "no"
	if together {
		answer = "yes"
		sh.overlap.wait(r.Context(), name+" saved", side, waitForSaved)
	}
	return back(w, r, "/overlap/"+side+"?together="+answer)
}

// rendezvous lets two requests wait for each other. The zero rendezvous is ready.
type rendezvous struct {
	mu      sync.Mutex
	waiting map[string]*guest
}

type guest struct {
	side string
	met  chan struct{}
}

// wait returns true when a request of the other side has come to the place of this name, and false
// after d or when ctx ends.
func (v *rendezvous) wait(ctx context.Context, name, side string, d time.Duration) bool {
	me, met := v.arrive(name, side)
	if met {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-me.met:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.waiting[name] != me { // met, or replaced by the same button pressed again
		select {
		case <-me.met:
			return true
		default:
			return false
		}
	}
	delete(v.waiting, name)
	return false
}

// arrive meets the guest of the other side who waits already, or else makes this one wait.
func (v *rendezvous) arrive(name, side string) (me *guest, met bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.waiting[name]; g != nil && g.side != side {
		delete(v.waiting, name)
		close(g.met)
		return nil, true
	}
	if v.waiting == nil {
		v.waiting = map[string]*guest{}
	}
	me = &guest{side: side, met: make(chan struct{})}
	v.waiting[name] = me
	return me, false
}
