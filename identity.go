package sojourn

import (
	"context"
	"errors"

	"github.com/sojourn-go/sojourn/store"
)

// Logout ends the session on the server and takes the token away. If the store fails,
// nothing has changed for the client and the error says so: the user is still signed in.
// Errors: outages. Logging nobody out is no error and writes nothing.
func (s *Session) Logout(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = detached(ctx) // a closed tab does not cancel its own sign-out
	if err := s.loadOrDiscard(ctx); err != nil {
		return opError("logout", err)
	}
	if s.live {
		if err := s.endNow(ctx); err != nil {
			s.event(ctx, StoreFailed, "logout", err)
			return opError("logout", err)
		}
		s.event(ctx, SessionExpired, "logout", nil)
	}
	if s.got.from != fromNowhere || s.send == sendToken {
		s.send = sendRemoval
	}
	s.clear, s.over = true, false
	s.reset()
	return nil
}

func (s *Session) endNow(ctx context.Context) error {
	if s.rec.User != "" {
		return s.revokeOnly(ctx, &s.rec)
	}
	for i := 0; ; i++ {
		err := s.endVersion(ctx, &s.rec)
		if err == nil || errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if !errors.Is(err, ErrConflict) || i == maxReplays || !sleep(ctx, i) {
			return err
		}
		if err := s.fetch(ctx, s.credential().Key()); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
	}
}

// Renew gives the session a new token now, for example after a change of rights. The old token leads to the
// same session for [Options.RenewGrace]; sign-in time, level and lifetime stay.
// Errors: [ErrEnded], [ErrConflict], [ErrInsecure], [ErrNoToken], outages. A visitor without a record has nothing to renew: nil.
func (s *Session) Renew(ctx context.Context) error { return s.renew(ctx, true) }

func (s *Session) renew(ctx context.Context, grace bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = detached(ctx)
	if err := s.load(ctx); err != nil {
		return opError("renew", err)
	}
	if !s.live {
		return nil
	}
	if err := s.canSend(); err != nil {
		return opError("renew", err)
	}
	if !s.exact { // made by this request: ask for the store's own instants
		pending := s.ops
		if err := s.fetch(ctx, s.credential().Key()); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				err = s.end(ctx)
			}
			return opError("renew", err)
		}
		s.ops = pending
		if err := s.replay(); err != nil {
			return opError("renew", err)
		}
	}
	for i := 0; ; i++ {
		pending := s.ops
		err := s.rotate(ctx, s.rec, s.fullMeta(), grace)
		if err == nil {
			s.ops = pending
			return opError("renew", s.replay())
		}
		if errors.Is(err, store.ErrNotFound) {
			err = s.end(ctx)
		}
		if !errors.Is(err, ErrConflict) || i == maxReplays || !sleep(ctx, i) {
			return opError("renew", err)
		}
		if err := s.refetch(ctx); err != nil {
			return opError("renew", err)
		}
	}
}

// RevokeOthers ends all other sessions of the signed-in user and gives this one a new token, at once: for "sign out
// everywhere else" and after a change of password. It tells how many ended.
// Errors: [ErrNoUser], and those of Renew.
func (s *Session) RevokeOthers(ctx context.Context) (int, error) {
	ctx = detached(ctx)
	s.mu.Lock()
	err := s.load(ctx)
	user, handle := s.rec.User, s.rec.Handle
	if err == nil && user == "" {
		err = ErrNoUser
	}
	if err == nil {
		err = s.canSend() // before anything ends
	}
	s.mu.Unlock()
	if err != nil {
		return 0, opError("revoke", err)
	}
	n, err := s.m.RevokeUser(ctx, user, handle)
	if err != nil {
		return n, err
	}
	return n, s.renew(ctx, false)
}
