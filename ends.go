package sojourn

import (
	"context"
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Logout ends the session on the server, or all if the tokens of several came, and takes the token
// away. If the store fails, nothing has changed for the client and the error says so: the user is
// still signed in. Errors: outages; [ErrNoToken] where only the response could end the session,
// which is gone (a sealed session without a record in a store); [ErrCrossSite]. Logging nobody out
// is no error and writes nothing.
func (s *Session) Logout(ctx context.Context) error {
	s.lock()
	defer s.mu.Unlock()
	whole := s.m.calls.Whole(detached(ctx)) // a closed tab does not cancel its own sign-out
	defer whole.Stop()
	ctx = whole
	if err := s.loadToLeave(ctx); err != nil {
		return opError("logout", err)
	}
	if s.site != siteOwn && s.got.from != fromNowhere {
		return opError("logout", errWithheld)
	}
	if s.standing.holds() {
		if s.stage > stageTold && s.m.sealed != nil && (s.m.store == nil || s.rec.User == "") {
			return opError("logout", ErrNoToken)
		}
		if err := s.end(ctx, func(s *Session, ctx context.Context) error { return s.endStep(ctx, markSignedOut) }); err != nil {
			return s.report(ctx, "logout", err)
		}
		s.event(ctx, SessionExpired, "logout", nil)
	} else if err := s.endUnheld(ctx); err != nil {
		return s.report(ctx, "logout", err)
	}
	s.leave()
	return nil
}

// leave notes that this request has signed out.
func (s *Session) leave() {
	switch {
	case s.got.from == fromBearer, s.stage > stageTold:
		s.turn(turnReleased)
		s.stage = max(s.stage, stageTold) // the page is nobody's but this client's, all the same
	case s.standing == ended && s.past.isMark(): // the client may have a newer token, which shall stay
		s.turn(turnReleased)
	case s.standing.holds(), s.got.from != fromNowhere:
		s.turn(turnLeft)
		s.signedOut = true
	}
	s.dropChanges()
}

// loadToLeave loads the session for a sign-out or a sign-in, which are the way out of a record that
// no other request can use: one from the future, as after a clock was put right, is held.
func (s *Session) loadToLeave(ctx context.Context) error {
	err := s.load(ctx)
	if !errors.Is(err, ErrClock) {
		return err
	}
	var got received
	_ = s.m.receive(s.r, &got) // as before, unless a Sealer of the program's own has failed since
	if got.outage != nil {
		return s.refuse(s.sealFailed("open token", got.outage))
	}
	s.unpack(&got.candidate)
	s.err = nil
	return s.look(ctx, &got, leaver)
}

// end ends the held session, whoever changes it meanwhile. step does so by [Session.endStep].
func (s *Session) end(ctx context.Context, step func(*Session, context.Context) error) error {
	rec, begun := s.rec, sinceStart()
	var last error
	err := s.converge(ctx, func(s *Session, ctx context.Context) error {
		if rec.User != "" && errors.Is(last, ErrConflict) && begun.ago() > s.m.opts.Timeout/2 {
			return errAlwaysFaster // the other half of the time is for what follows
		}
		last = step(s, ctx)
		return last
	})
	switch {
	case err == nil, rec.User == "" && errors.Is(err, ErrEnded):
		return nil
	case outage(err), rec.User == "":
		return err
	}
	// Others change the user's session again and again; or it has ended, or goes on under a token
	// that a confirmation has given it, which nobody finds from here. Without a mark, then.
	return s.endByHandle(ctx, rec.User, rec.Handle)
}

var errAlwaysFaster = errors.New("sojourn: other requests are always faster")

// endByHandle ends a session of user wherever it is.
func (s *Session) endByHandle(ctx context.Context, user string, h store.Handle) error {
	return s.m.calls.Do(ctx, func(ctx context.Context) error {
		_, err := s.records().Revoke(ctx, user, store.Selection{Only: []store.Handle{h}})
		return err
	})
}

// endUnheld ends what the request's tokens lead to where it holds none of it: the one session of
// which a mark says that it goes on, or all of several.
func (s *Session) endUnheld(ctx context.Context) error {
	switch {
	case s.standing == torn:
		return s.endTorn(ctx)
	case s.past.reissued():
		return s.endByHandle(ctx, s.past.user, s.past.handle)
	}
	return nil
}

// endStep ends the record at the version that is held, and leaves a mark at its key: the session
// moves to a record that has no life. Where the store has no room for a mark, there is none.
func (s *Session) endStep(ctx context.Context, mark []byte) error {
	key, writer := s.rec.Key, newWriter()
	copy(key.ID[:], writer[:]) // a key that no other record has, and no token opens
	corpse := store.Record{
		Key: key, Handle: s.rec.Handle, User: s.rec.User, Writer: writer,
		// As it was, which saves some engines a read, and over since long.
		Idle: s.rec.Idle, Lifetime: s.rec.Lifetime, Created: longAgo, Seen: longAgo,
	}
	if corpse.Live(time.Now()) { // one without limits, or with very long ones
		corpse.Lifetime = 1
	}
	err := s.move(ctx, s.rec.Key, corpse, s.mark(mark))
	if err == nil || outage(err) || errors.Is(err, ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return err
	}
	corpse = s.rec
	corpse.Lifetime, corpse.Data, corpse.Writer = 1, nil, newWriter()
	return s.m.calls.Do(ctx, func(ctx context.Context) error { return s.records().Update(ctx, corpse, corpse.Version) })
}

var longAgo = time.Unix(1, 0)

// lifeless reports whether rec is what endStep writes.
func lifeless(rec *store.Record) bool { return rec.Created.Equal(longAgo) }

// RevokeOthers ends all other sessions of the signed-in user and gives this one a new token, at
// once: for "sign out everywhere else" and after a change of password. It returns how many ended.
// Errors: [ErrNoUser], and those of Renew.
func (s *Session) RevokeOthers(ctx context.Context) (int, error) {
	s.lock()
	defer s.mu.Unlock()
	whole := s.m.calls.Whole(detached(ctx))
	defer whole.Stop()
	ctx = whole
	err := s.load(ctx)
	if err == nil && s.rec.User == "" {
		err = ErrNoUser
	}
	if err != nil {
		return 0, opError("revoke", err)
	}
	if err := s.unreachable(); err != nil { // before anything ends
		return 0, s.report(ctx, "revoke", err)
	}
	user := s.rec.User
	done, err := s.m.revoke(ctx, user, store.Selection{Except: []store.Handle{s.rec.Handle}})
	if err != nil {
		if outage(err) {
			s.down = sinceStart()
		}
		return done.N, opError("revoke", err)
	}
	s.known = &revocation{user, done.At}
	return done.N, s.report(ctx, "renew", s.forestalled(s.renew(ctx, atOnce)))
}
