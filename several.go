package sojourn

import "context"

// A browser may send several tokens: cookies of one name for different domains and paths, of which
// a sister domain may have planted some.

// findAll is find for several tokens. Only those count that lead to a live record. One session, or
// its renewals, is the request's; of two there is no telling which the user meant, nor where one of
// the records was damaged. An error of one counts for all: it could be the user's.
func (s *Session) findAll(ctx context.Context, got *received, as reader) (answer, error) {
	var seen sightings
	began, most := s.hops, uint16(0)
	a, err := s.find(ctx, got.ticket, as, &seen)
	for i := 0; err == nil && i < len(got.more); i++ {
		most, s.hops = max(most, s.hops), began // each token has a way of its own; the longest counts
		before, past, sealed := s.held, s.past, s.sealed
		s.held = held{}
		s.unpack(&got.more[i])
		var b answer
		b, err = s.find(ctx, got.more[i].ticket, as, &seen)
		keep := false // what was found before
		switch {
		case b < liveHere:
			keep = a >= b
		case a < liveHere:
		case a == several || s.rec.Handle != before.rec.Handle:
			b = several
		default: // a sealed session may have come in an older version, too
			keep = a == liveHere && (s.m.sealed == nil || before.rec.Version > s.rec.Version)
		}
		if keep {
			s.held, s.past, s.sealed = before, past, sealed
		} else {
			a = b
		}
	}
	s.hops = max(most, s.hops)
	if err != nil {
		return a, err
	}
	if a == several || a >= liveHere && seen.damage {
		s.past = nil
		s.unpack(&candidate{})
		return several, nil
	}
	for i := range seen.reused {
		if a < liveHere || seen.reused[i].handle != s.rec.Handle { // else the same client has the present token
			s.reused(ctx, &seen.reused[i])
		}
	}
	return a, nil
}

// sightings are what findAll must know of all tokens before it can tell of one.
type sightings struct {
	reused []renewal // that came back too late
	damage bool      // a damaged record was set aside
}

// endTorn ends the sessions of a request that is nobody's because there are several.
func (s *Session) endTorn(ctx context.Context) error {
	defer s.restore(s.snapshot())
	var got received
	_ = s.m.receive(s.r, &got) // as before, unless a Sealer of the program's own has failed since
	switch {
	case got.outage != nil:
		return s.sealFailed("open token", got.outage)
	case !got.genuine:
		return nil
	}
	for _, c := range append(got.more, got.candidate) {
		s.unpack(&c)
		a, err := s.find(ctx, c.ticket, leaver, nil)
		switch {
		case err != nil || a < liveHere:
		case s.rec.User == "":
			err = s.delete(ctx, s.rec.Key)
		default:
			err = s.endByHandle(ctx, s.rec.User, s.rec.Handle)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
