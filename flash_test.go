package sojourn_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// A list that was taken is gone, name and all; messages that do not decode are dropped, and what
// cannot be encoded is an error.
func TestFlashTake(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	texts, numbers := sojourn.NewFlash[string]("list"), sojourn.NewFlash[int]("list")
	cookie := rigCookies(g.do("", func(s *sojourn.Session) {
		rigOK(t, texts.Add(s, "one"))
		rigOK(t, numbers.Add(s, 2))
		if err := sojourn.NewFlash[func()]("other").Add(s, func() {}); err == nil {
			t.Error("a function is encoded")
		}
	}))
	g.do(cookie, func(s *sojourn.Session) {
		if got := s.Names(); !slices.Equal(got, []string{"list"}) {
			t.Errorf("names %q", got)
		}
		if got := numbers.Take(s); !slices.Equal(got, []int{2}) {
			t.Errorf("numbers %v", got)
		}
		if got := s.Names(); len(got) != 0 {
			t.Errorf("names %q after all was taken", got)
		}
	})
}

// To take nothing is no change, which a page that fails could lose.
func TestFlashTakeNothing(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	g.serve(rigRequest("GET", g.login("")), func(w http.ResponseWriter, r *http.Request) {
		if got := sojourn.NewFlash[string]("list").Take(must(g.m.Load(r))); got != nil {
			t.Errorf("%q", got)
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	if n := g.seen(sojourn.ChangeLost); n != 0 {
		t.Errorf("%d events of changes that were lost", n)
	}
}
