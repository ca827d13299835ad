package shop

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn"
)

// The page of overlapping requests: two frames, each with a form that puts something into the cart.
// The request that comes first has loaded its session and waits for the other, so neither has seen
// what the other writes. Both things are in the cart afterwards.

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
		sh.problem(w, r, http.StatusNotFound, "Nothing here", "The shop has no such page.")
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
		sh.problem(w, r, http.StatusNotFound, "Nothing here", "The shop has no such page.")
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

// rendezvous lets two requests wait for each other, though different processes may answer them: it
// is a folder that they share. Who comes to the right side leaves a file there, and who comes to
// the left side takes it away.
type rendezvous struct{ dir string }

const lookEvery = 20 * time.Millisecond

// wait returns true when a request of the other side has come to the place of this name, and false
// after d or when ctx ends.
func (v rendezvous) wait(ctx context.Context, name, side string, d time.Duration) bool {
	if os.MkdirAll(v.dir, 0o700) != nil {
		return false
	}
	place := filepath.Join(v.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(name))))
	meet := func() bool {
		left, _ := filepath.Glob(place + "-*") // fails for bad patterns only
		return slices.ContainsFunc(left, func(f string) bool { return os.Remove(f) == nil })
	}
	if side != "left" {
		mine := place + "-" + rand.Text()
		if os.WriteFile(mine, nil, 0o600) != nil {
			return false
		}
		defer os.Remove(mine)
		meet = func() bool {
			_, err := os.Stat(mine)
			return errors.Is(err, fs.ErrNotExist)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !meet() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
