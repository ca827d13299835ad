package sojourn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// From returns the request's session without loading it: for Login and Logout, which load by
// themselves, and for handlers below a middleware that has loaded it ([Manager.RequireUser] and its
// kin). It does no I/O. It panics if [Manager.Handler] is not around the handler.
func (m *Manager) From(r *http.Request) *Session { return &m.visitOf(r.Context()).s }

// Load returns the request's session with its record read: once a request, however often it is
// called. Unknown, expired and forged tokens, and those of damaged records ([SessionDamaged]), are
// no errors but a new, empty session. It panics if [Manager.Handler] is not around the handler.
// Errors: [ErrUnavailable] and other outages, [ErrAmbiguous], [ErrConflict].
func (m *Manager) Load(r *http.Request) (*Session, error) {
	s := m.From(r)
	s.lock()
	defer s.mu.Unlock()
	if err := s.load(r.Context()); err != nil {
		return nil, err // nil, so that an ignored error cannot be read as "nobody"
	}
	return s, nil
}

// Open is Load without [Manager.Handler], for frameworks that are not net/http: build a request
// from what they have (Method, URL, Host, Header, RemoteAddr, TLS), call Open once for it, and when
// the handler is done call [Session.Commit] and copy the header that it returns. Nobody says when
// such a request is over, so its session may expire meanwhile: work that takes longer than what is
// left of the idle limit begins with a Commit, which is a use. Open checks where the request comes
// from, as Handler does. Errors: [ErrCrossSite], to be answered with status 403, and those of Load.
func (m *Manager) Open(ctx context.Context, r *http.Request) (*Session, error) {
	site, err := m.checkSite(r)
	if err != nil {
		return nil, err
	}
	s := &Session{site: site}
	s.init(m, r)
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (m *Manager) visitOf(ctx context.Context) *visit {
	v, ok := ctx.Value(m).(*visit)
	if !ok {
		panic("sojourn: the request has no session: wrap the handler in Manager.Handler, or use Manager.Open")
	}
	return v
}

// load reads the session's record, once.
func (s *Session) load(ctx context.Context) error {
	switch s.standing {
	case unread:
	case unreadable:
		return s.err
	default:
		return nil
	}
	s.reading = &reading{}
	var got received
	err := s.m.receive(s.r, &got)
	s.got = got.arrival
	if err != nil {
		s.m.refused(s.r, SeveralTokens, "", "a client sends one token: the cookie, or one Authorization header", err)
		return s.refuse(err)
	}
	if got.outage != nil {
		return s.refuse(s.sealFailed("open token", got.outage))
	}
	if s.got.reissue {
		s.event(ctx, SeveralTokens, "cookie", nil)
	}
	s.unpack(&got.candidate)
	if !s.got.genuine && s.got.from != fromNowhere {
		s.m.refused(s.r, TokenRefused, s.got.from.String(), tokenHint, nil)
	}
	switch {
	case s.got.flood: // a genuine one may be among those that are not looked at
		s.turn(turnTorn)
		return nil
	case !s.got.genuine:
		s.turn(turnNothing)
		return nil
	}
	if _, bounded := ctx.(*call.Context); bounded {
		return s.look(ctx, &got, newcomer)
	}
	s.m.calls.Bound(&s.first, ctx)
	err = s.look(&s.first, &got, newcomer)
	s.first.Stop()
	return err
}

// look reads the records that the request's tokens lead to.
func (s *Session) look(ctx context.Context, got *received, as reader) error {
	var a answer
	var err error
	if len(got.more) == 0 {
		a, err = s.find(ctx, got.ticket, as, nil)
	} else {
		a, err = s.findAll(ctx, got, as)
	}
	if err != nil {
		s.event(ctx, StoreFailed, "load", err)
		return s.refuse(err)
	}
	s.answered(a)
	return nil
}

// unpack makes a sealed session that came with the request the one that is read.
func (s *Session) unpack(c *candidate) {
	if s.m.sealed != nil && s.got.from != fromBearer {
		s.sealed = newSealedStore(s.m, c.sealed)
	}
}

// answered takes up what was found.
func (s *Session) answered(a answer) {
	s.got.former = s.got.former && a == liveHere
	if a == liveHere && s.got.reissue && !s.got.former {
		a = liveElsewhere
	}
	s.turn(turnOf[a])
	if s.standing.holds() {
		s.resetView()
		s.keepAlive()
	}
}

func (s *Session) refuse(err error) error {
	s.turn(turnFailed)
	s.err = opError("load", err)
	return s.err
}

// An answer is what the store says of a token.
type answer uint8

const (
	nothing       answer = iota // no record
	endedHere                   // the token led to a session that has ended or gone on without it
	liveHere                    // a live record under this token
	liveElsewhere               // a live record under a token that has replaced this one
	several                     // of several tokens: live records of two sessions
)

var turnOf = [...]turn{
	nothing: turnNothing, endedHere: turnEnded, liveHere: turnShown, liveElsewhere: turnMoved,
	several: turnTorn,
}

// maxHops bounds how many renewals in a row an old token is led through. Where a request was led
// through as many, its own included, there are no more: see tooFar.
const maxHops = 16

// A reader says on whose behalf a record is read.
type reader uint8

const (
	newcomer reader = iota // a request that reads its session
	// leaver is a sign-out or sign-in. It believes a record from the future, as after a clock was
	// put right.
	leaver
	// holder is a request that held the session before. It goes on, however slow it is, and
	// whatever became of the store's clock.
	holder
)

// find reads the record that t leads to, and follows renewals. If there is one it becomes the
// session's. seen is nil unless there are several tokens.
func (s *Session) find(ctx context.Context, t ticket, as reader, seen *sightings) (answer, error) {
	s.past = nil
	gone, live := nothing, liveHere
	for range maxHops + 1 {
		rec, now, err := s.get(ctx, t.key)
		if errors.Is(err, store.ErrNotFound) {
			s.event(ctx, SessionUseAfterExpire, "", nil)
			return gone, nil
		}
		if err != nil {
			return s.pass(ctx, t.key, gone, &rec, err, seen)
		}
		if skew := s.m.opts.ClockSkew; as == newcomer && (rec.Created.Sub(now) > skew || rec.Seen.Sub(now) > skew) {
			return nothing, fmt.Errorf("%w: %w", ErrUnavailable, ErrClock)
		}
		if !rec.Live(now) { // the store leaves this to its engine's sweeper
			s.expired(ctx, &rec)
			return gone, nil
		}
		var mt meta.Meta
		if err := readable(&rec, &mt); err != nil {
			return s.pass(ctx, t.key, gone, &rec, err, seen)
		}
		if live == liveElsewhere && as != holder && !s.leads(ctx, s.past, &mt.Facts, now, seen) {
			return nothing, nil
		}
		if mt.Tail == nil {
			rec.Key = t.key
			s.show(&rec, mt.Facts, t, now)
			if live == liveHere && as != holder && mt.Awaited() {
				s.cameBack()
			}
			return live, nil
		}
		gone, live = nothing, liveElsewhere
		if s.arrived(now).Sub(rec.Created) <= s.m.graceOf(mt.Tail) {
			gone = endedHere // this request may have been sent before rec took the session's place
		}
		s.past = &renewal{rec.Created, rec.Handle, mt.User, mt.Tail}
		if s.past.isMark() {
			s.m.event(ctx, SessionUseAfterExpire, rec.Handle, mt.User, "", nil)
			return gone, nil
		}
		t = s.m.successor(t, mt.Tail)
		s.hops++
	}
	return nothing, ErrConflict
}

// arrived is when this request came, in the store's clock.
func (s *Session) arrived(now time.Time) time.Time { return now.Add(-s.began.ago()) }

// graceOf returns how long after a tail's making requests may still come that were sent before it.
// A client that was signed out, and comes again with its old token, is a visitor at once.
func (m *Manager) graceOf(tail []byte) time.Duration {
	if bytes.Equal(tail, markSignedOut) {
		return 0
	}
	return m.opts.RenewGrace
}

// A renewal is what a tail tells of one, and a mark of an end.
type renewal struct {
	at     time.Time
	handle store.Handle
	user   string
	tail   []byte // the nonce that leads on, or a mark
}

// isMark reports whether it is one, and leads nowhere.
func (n *renewal) isMark() bool { return n != nil && len(n.tail) == len(markReplaced) }

// reissued reports whether the session goes on all the same.
func (n *renewal) reissued() bool { return n != nil && bytes.Equal(n.tail, markReissued) }

// leads reports whether a renewal still leads this request to the token that has replaced its own,
// of which f tells. A request may be under way when that token first comes back. As long as it
// never did, the answer that carried it may be lost. seen is find's.
func (s *Session) leads(ctx context.Context, n *renewal, f *meta.Facts, now time.Time, seen *sightings) bool {
	arrived, grace := s.arrived(now), s.m.opts.RenewGrace
	most := n.at.Add(s.m.opts.RenewGraceMost)
	innocent := most.Add(grace)
	if !f.Awaited() {
		innocent = time.Unix(0, f.Received).Add(grace)
	}
	switch {
	case arrived.After(innocent):
		if seen == nil {
			s.reused(ctx, n)
		} else {
			seen.reused = append(seen.reused, *n)
		}
		return false
	case arrived.After(most):
		s.m.event(ctx, SessionUseAfterExpire, n.handle, n.user, "", nil)
		return false
	}
	return true
}

// reused tells that a token came back that its owner should have replaced by now.
func (s *Session) reused(ctx context.Context, n *renewal) {
	s.m.event(ctx, SessionReuse, n.handle, n.user, "", nil)
	if s.m.opts.EndReused && n.user != "" {
		// A failure is in the log, and the next use of the token tries again.
		rest := s.m.calls.Rest(ctx)
		defer rest.Stop()
		_, _ = s.m.revoke(rest, n.user, store.Selection{Only: []store.Handle{n.handle}})
	}
}

// show makes a record that was just read the session's.
func (s *Session) show(rec *store.Record, f meta.Facts, t ticket, now time.Time) {
	s.held = held{rec: *rec, facts: f, secret: t.secret}
	s.now, s.at = now, sinceStart()
	if f.Level > 0 && s.idled() {
		s.lapse()
	}
}

// idled reports whether the session had no use for so long, when it was read, that its level is
// gone. A touch alone would hide that from the next request.
func (s *Session) idled() bool { return s.m.idled(&s.rec, s.now) }

func (m *Manager) idled(rec *store.Record, now time.Time) bool {
	return m.opts.Assurance != 0 && m.opts.Idle > 0 && now.Sub(rec.Seen) > m.opts.Idle
}

// lapse takes the level of the sign-in away, for good: the session was idle for too long.
func (s *Session) lapse() { s.note(func(mt *meta.Meta) { mt.Level = 0 }) }

// cameBack notes that the client has come back with the token of a renewal.
func (s *Session) cameBack() { s.note(func(mt *meta.Meta) { mt.Received = s.now.UnixNano() }) }

// note changes the metadata of the held session. It is written with whatever this request writes,
// or by touch.
func (s *Session) note(change func(*meta.Meta)) {
	mt := s.fullMeta()
	change(&mt)
	s.facts, s.rec.Meta, s.unsaved = mt.Facts, mt.Encode(), true
}

// fullMeta is the session's metadata with its texts.
func (s *Session) fullMeta() meta.Meta {
	mt, _ := meta.Decode(s.rec.Meta) // DecodeFacts has accepted it, or Encode made it
	return mt
}

func (s *Session) get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	// The first try is spelled out: a closure would cost every read an allocation.
	if t, bounded := ctx.(*call.Context); bounded && s.m.calls.Begin(t) {
		if rec, now, err = s.records().Get(t, key); err != nil {
			return s.getAgain(t, key, err)
		}
		err = s.m.calls.End(t, nil, nil)
		return rec, now, err
	}
	err = s.m.calls.Do(ctx, func(ctx context.Context) (err error) {
		rec, now, err = s.records().Get(ctx, key)
		return err
	})
	return rec, now, err
}

// getAgain goes on after a first try that failed, in what is left of its time.
func (s *Session) getAgain(t *call.Context, key store.Key, err error) (rec store.Record, now time.Time, _ error) {
	err = s.m.calls.End(t, err, func(ctx context.Context) (err error) {
		rec, now, err = s.records().Get(ctx, key)
		return err
	})
	return rec, now, err
}

func (s *Session) expired(ctx context.Context, rec *store.Record) {
	reason := "idle"
	if rec.Expires().Equal(rec.Created.Add(rec.Lifetime)) { // never of one without Lifetime
		reason = "lifetime"
	}
	s.m.event(ctx, SessionExpired, rec.Handle, rec.User, reason, nil)
}
