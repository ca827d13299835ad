package sojourn

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/envelope"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// From returns the request's session without loading it: for Login and Logout, which load by
// themselves, and for handlers below a middleware that has loaded it ([Manager.RequireUser] and its
// kin). It does no I/O. It panics if [Manager.Handler] is not around the handler.
func (m *Manager) From(r *http.Request) *Session { return &m.visitOf(r.Context()).s }

// Load returns the request's session with its record read: once a request, however often it is
// called. Unknown, expired and forged tokens are no errors but a new, empty session. It panics if
// [Manager.Handler] is not around the handler.
// Errors: [ErrUnavailable] and other outages, [ErrCorrupt], [ErrAmbiguous], [ErrConflict].
func (m *Manager) Load(r *http.Request) (*Session, error) {
	s := m.From(r)
	s.lock()
	defer s.mu.Unlock()
	if err := s.load(r.Context()); err != nil {
		return nil, err // nil, so that an ignored error cannot be read as "nobody"
	}
	return s, nil
}

// Open is Load without [Manager.Handler], for frameworks that are not net/http: build a request from
// what they have (Method, URL, Host, Header, RemoteAddr, TLS), call Open once for it, and when the
// handler is done call [Session.Commit] and copy the header that it returns. Errors: those of Load.
func (m *Manager) Open(ctx context.Context, r *http.Request) (*Session, error) {
	s := &Session{}
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
	if s.standing != unread {
		return s.err
	}
	s.reading = &reading{st: s.m.store}
	got, err := s.m.receive(s.r)
	s.got = got.arrival
	if err != nil {
		return s.refuse(err)
	}
	if s.got.reissue {
		s.event(ctx, DuplicateCookie, "", nil)
	}
	if s.m.sealed != nil && s.got.from != fromBearer {
		s.st = newSealedStore(s.m, got.sealed)
	}
	if !s.got.genuine {
		if s.got.from != fromNowhere {
			s.event(ctx, TokenRefused, "", nil)
		}
		s.turn(turnNothing)
		return nil
	}
	return s.look(ctx, got.ticket)
}

// look reads the record that the request's token leads to.
func (s *Session) look(ctx context.Context, t ticket) error {
	t, a, err := s.find(ctx, t, false)
	if err != nil {
		s.event(ctx, StoreFailed, "load", err)
		err = s.refuse(err)
		s.damaged = &store.Key{Tag: t.key.Tag, ID: t.key.ID}
		return err
	}
	if a == liveHere && s.got.reissue {
		a = liveElsewhere
	}
	s.turn(turnOf[a])
	if !s.standing.holds() {
		return nil
	}
	s.resetView()
	s.keepAlive()
	return nil
}

func (s *Session) refuse(err error) error {
	s.turn(turnFailed)
	s.err = opError("load", err)
	return s.err
}

// keepAlive sees to it that the session does not expire for lack of use while this request runs: use
// counts from a request's arrival. Where too little time is left the session is touched, if the
// request still runs, when half of that has passed: until then, Peek may be called. Without
// [Manager.Handler] nobody would say when the request is over.
func (s *Session) keepAlive() {
	if s.rec.Idle == 0 || s.peek || s.w == nil {
		return
	}
	left := s.rec.Seen.Add(s.rec.Idle).Sub(s.now)
	if left >= min(s.m.opts.LongestRequest, s.rec.Idle/2) {
		return
	}
	s.alive = time.AfterFunc(left/2, func() {
		s.lock()
		defer s.mu.Unlock()
		if s.stage < stageOver && s.standing.holds() {
			s.touch(s.r.Context(), s.storeNow())
		}
	})
}

// letGo ends keepAlive.
func (s *Session) letGo() {
	if s.reading != nil && s.alive != nil {
		s.alive.Stop()
	}
}

// An answer is what the store says of a token.
type answer uint8

const (
	nothing       answer = iota // no record
	over                        // the token led to a session that has ended or gone on without it
	liveHere                    // a live record under this token
	liveElsewhere               // a live record under a token that has replaced this one
)

var turnOf = [...]turn{nothing: turnNothing, over: turnEnded, liveHere: turnShown, liveElsewhere: turnMoved}

// maxHops bounds how many renewals in a row an old token is led through.
const maxHops = 16

// find reads the record that t leads to, and follows renewals. If there is one it becomes the
// session's, and its ticket is returned. late says that the request held the session before: however
// slow it is, it goes on with it.
func (s *Session) find(ctx context.Context, t ticket, late bool) (ticket, answer, error) {
	a := [...]answer{nothing, liveHere} // where no renewal was followed
	for range maxHops {
		rec, now, err := s.get(ctx, t.key)
		if errors.Is(err, store.ErrNotFound) {
			s.event(ctx, SessionUseAfterExpire, "", nil)
			return t, a[0], nil
		}
		if err != nil {
			return t, nothing, err
		}
		if skew := s.m.opts.ClockSkew; rec.Created.Sub(now) > skew || rec.Seen.Sub(now) > skew {
			return t, nothing, errors.Join(ErrUnavailable, ErrClock)
		}
		if !rec.Live(now) { // the store leaves this to its engine's sweeper
			s.expired(ctx, &rec)
			return t, a[0], nil
		}
		mt, err := meta.DecodeFacts(rec.Meta)
		if err == nil {
			err = envelope.Check(rec.Data)
		}
		if err != nil {
			return t, nothing, errors.Join(ErrCorrupt, errors.New(rec.String()), err)
		}
		if mt.Tail == nil {
			rec.Key = t.key
			s.show(&rec, mt.Facts, t, now)
			return t, a[1], nil
		}
		a = [...]answer{over, liveElsewhere}
		if len(mt.Tail) != len(t.bytes) {
			s.m.event(ctx, SessionUseAfterExpire, rec.Handle, mt.User, "", nil)
			if late || s.sentBefore(&rec, now, s.m.graceOf(mt.Tail)) {
				return t, over, nil
			}
			return t, nothing, nil // its client never had the answer: a visitor like any other
		}
		if !s.leads(ctx, &rec, &mt, now, late) {
			return t, nothing, nil
		}
		t = s.m.successor(t, mt.Tail)
	}
	return t, nothing, ErrConflict
}

// sentBefore reports whether this request may have been sent before rec, a tail, took the session's
// place: it came before that, or within grace after it.
func (s *Session) sentBefore(rec *store.Record, now time.Time, grace time.Duration) bool {
	return now.Sub(rec.Created)-s.began.ago() <= grace
}

// graceOf returns how long after a mark's making requests may still come that were sent before it. A
// client that was signed out, and comes again with its old token, is a visitor at once.
func (m *Manager) graceOf(mark []byte) time.Duration {
	if bytes.Equal(mark, markSignedOut) {
		return 0
	}
	return m.opts.RenewGrace
}

// leads reports whether the tail rec still leads this request to the successor.
func (s *Session) leads(ctx context.Context, rec *store.Record, mt *meta.Meta, now time.Time, late bool) bool {
	if late || s.sentBefore(rec, now, s.m.opts.RenewGrace) {
		return true
	}
	s.m.event(ctx, SessionReuse, rec.Handle, mt.User, "", nil)
	if s.m.opts.EndReused && mt.User != "" {
		// A failure is in the log, and the next use of the token tries again.
		_, _ = s.m.revoke(ctx, mt.User, store.Selection{Only: []store.Handle{rec.Handle}})
	}
	return false
}

// show makes a record that was just read the session's.
func (s *Session) show(rec *store.Record, f meta.Facts, t ticket, now time.Time) {
	s.held = held{rec: *rec, facts: f, secret: t.secret}
	s.now, s.at = now, sinceStart()
	if s.m.opts.Assurance != NoAssurance && s.m.opts.Idle > 0 && now.Sub(rec.Seen) > s.m.opts.Idle && f.Level > 0 {
		s.lapse()
	}
}

// lapse takes the level of the sign-in away, for good: the session was idle for too long.
func (s *Session) lapse() {
	mt := s.fullMeta()
	mt.Level = 0
	s.facts.Level, s.rec.Meta, s.unsaved = 0, mt.Encode(), true
}

// fullMeta is the session's metadata with its texts.
func (s *Session) fullMeta() meta.Meta {
	mt, _ := meta.Decode(s.rec.Meta) // DecodeFacts has accepted it, or Encode made it
	return mt
}

func (s *Session) get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	// The first try is spelled out: a closure would cost every read an allocation.
	if s.first.Context == nil && s.m.calls.Begin(&s.first, ctx) {
		if rec, now, err = s.st.Get(&s.first, key); err != nil {
			return s.getAgain(key, err)
		}
		return rec, now, s.m.calls.End(&s.first, nil, nil)
	}
	err = s.m.calls.Do(ctx, func(ctx context.Context) (err error) {
		rec, now, err = s.st.Get(ctx, key)
		return err
	})
	return rec, now, err
}

// getAgain goes on after a first try that failed, in what is left of its time.
func (s *Session) getAgain(key store.Key, err error) (rec store.Record, now time.Time, _ error) {
	err = s.m.calls.End(&s.first, err, func(ctx context.Context) (err error) {
		rec, now, err = s.st.Get(ctx, key)
		return err
	})
	return rec, now, err
}

func (s *Session) expired(ctx context.Context, rec *store.Record) {
	reason := "idle"
	if rec.Lifetime > 0 && rec.Expires().Equal(rec.Created.Add(rec.Lifetime)) {
		reason = "lifetime"
	}
	s.m.event(ctx, SessionExpired, rec.Handle, rec.User, reason, nil)
}
