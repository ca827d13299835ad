package explore

import (
	"fmt"
	"strings"
)

// A scene is what runs have in common: how sessions are kept, the situation in which a run begins,
// and the scripts of its requests.
type scene struct {
	sealed    bool
	situation *situation
	scripts   []*script
}

func (s *scene) String() string {
	mode := "stored"
	if s.sealed {
		mode = "sealed"
	}
	var names []string
	for _, sc := range s.scripts {
		names = append(names, sc.name)
	}
	return mode + "/" + s.situation.name + "/" + strings.Join(names, "+")
}

// parseScene reads what String wrote.
func parseScene(text string) (*scene, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] != "stored" && parts[0] != "sealed" {
		return nil, fmt.Errorf("%q is not of the form stored/situation/script+script", text)
	}
	s := &scene{sealed: parts[0] == "sealed"}
	for _, sit := range situations {
		if sit.name == parts[1] {
			s.situation = sit
		}
	}
	if s.situation == nil {
		return nil, fmt.Errorf("there is no situation %q", parts[1])
	}
	for name := range strings.SplitSeq(parts[2], "+") {
		sc := scriptNamed(name)
		if sc == nil {
			return nil, fmt.Errorf("there is no script %q", name)
		}
		s.scripts = append(s.scripts, sc)
	}
	return s, nil
}

// symmetric reports whether it does not matter which of two requests is which.
func (s *scene) symmetric() bool {
	return len(s.scripts) == 2 && s.scripts[0] == s.scripts[1] && !s.situation.two
}

// meet reports whether two scripts are explored together in a situation.
func (sit *situation) meet(a, b *script) bool {
	slow := a.slow || b.slow
	switch {
	case sit.slow:
		return slow
	case slow && !sit.two, sit.few && !(a.plain && b.plain), a.stranger && b.stranger:
		return false
	}
	return true
}

// A pair are two scripts that are explored together, and the scenes in which they are.
type pair struct {
	name   string
	scenes []*scene
}

// pairs gives every pair of scripts. Where the first request was sent with an older cookie, they
// meet both ways round.
func pairs() (all []*pair) {
	for i, a := range scripts {
		for _, b := range scripts[i:] {
			p := &pair{name: a.name + "+" + b.name}
			for _, sit := range situations {
				if !sit.meet(a, b) {
					continue
				}
				for _, mode := range []modes{stored, sealed} {
					if sit.modes&mode == 0 {
						continue
					}
					p.scenes = append(p.scenes, &scene{mode == sealed, sit, []*script{a, b}})
					if sit.two && a != b {
						p.scenes = append(p.scenes, &scene{mode == sealed, sit, []*script{b, a}})
					}
				}
			}
			if len(p.scenes) > 0 {
				all = append(all, p)
			}
		}
	}
	return all
}
