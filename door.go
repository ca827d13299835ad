package sojourn

import "github.com/sojourn-go/sojourn/internal/door"

// What compat/door offers.
func init() {
	door.Fail = func(session any, err error) { session.(*Session).fail(err) }
	door.Refresh = func(session any) { session.(*Session).refresh() }
}

func (s *Session) fail(err error) {
	s.ready()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *Session) refresh() {
	s.ready()
	defer s.mu.Unlock()
	s.peek = false
	if s.standing.holds() && s.persistent() {
		s.turn(turnMoved)
	}
}
