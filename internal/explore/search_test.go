package explore

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// choices are what a run is determined by: at each point where it could go on in several ways, the
// number of the way that it took. They come from a search of all runs, from chance, or from a
// replay.
type choices struct {
	path   []choice
	at     int
	rng    *rand.Rand // beyond path; nil takes the first way
	faults int        // how many may happen in the run
	all    bool       // a search: leave out runs that differ from another only in the order of calls that do not see each other
}

type choice struct{ took, of int }

// pick chooses one of several ways.
func (c *choices) pick(of int) int {
	if of == 1 {
		return 0
	}
	if c.at == len(c.path) {
		took := 0
		if c.rng != nil {
			took = c.rng.IntN(of)
		}
		c.path = append(c.path, choice{took, of})
	}
	here := &c.path[c.at]
	c.at++
	here.of = of
	return min(here.took, of-1)
}

// rarely chooses a way other than the first with a probability of 1 in n, in a random run.
func (c *choices) rarely(of, n int) int {
	if of > 1 && c.rng != nil && c.at == len(c.path) && c.rng.IntN(n) != 0 {
		c.path = append(c.path, choice{0, of})
	}
	return c.pick(of)
}

// peek chooses like pick between two ways of which the second may not be worth trying: it counts
// only once widen has been called with what peek returned.
func (c *choices) peek() (second bool, at int) {
	if c.at == len(c.path) {
		c.path = append(c.path, choice{0, 1})
	}
	c.at++
	return c.path[c.at-1].took == 1, c.at - 1
}

func (c *choices) widen(at int) { c.path[at].of = 2 }

// next moves on to the next run of a search, and reports whether there is one.
func (c *choices) next() bool {
	c.path = c.path[:c.at]
	c.at = 0
	for n := len(c.path) - 1; n >= 0; n-- {
		if c.path[n].took+1 < c.path[n].of {
			c.path[n].took++
			c.path = c.path[:n+1]
			return true
		}
	}
	return false
}

const digits = "0123456789abcdefghijklmnopqrstuvwxyz"

// String spells the choices for a replay.
func (c *choices) String() string {
	var b strings.Builder
	for _, ch := range c.path[:c.at] {
		b.WriteByte(digits[ch.took])
	}
	kind := "r"
	if c.all {
		kind = "x"
	}
	return fmt.Sprint(kind, c.faults, strings.TrimRight(b.String(), "0"))
}

// parseChoices reads what String wrote.
func parseChoices(s string) (*choices, error) {
	if len(s) < 2 || s[0] != 'x' && s[0] != 'r' || s[1] < '0' || s[1] > '9' {
		return nil, fmt.Errorf("a schedule begins with x or r and the number of faults, not with %q", s)
	}
	c := &choices{all: s[0] == 'x', faults: int(s[1] - '0')}
	for _, d := range s[2:] {
		n := strings.IndexRune(digits, d)
		if n < 0 {
			return nil, fmt.Errorf("a schedule has no character %q", d)
		}
		c.path = append(c.path, choice{n, n + 1})
	}
	return c, nil
}
