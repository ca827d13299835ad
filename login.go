package sojourn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/internal/envelope"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// A LoginOption adjusts one sign-in.
type LoginOption func(*login) error

type login struct {
	level    Level
	atLevel  bool // level was asked for
	remember time.Duration
	keep     []string
	keepAll  bool
	age      time.Duration
	label    string
}

// Remember keeps the session for d after the sign-in, across restarts of the browser and without
// idle limit: "keep me signed in". d is at most [Options.MaxRemember]. What needs a recent sign-in
// still does, see [Manager.RequireFresh].
func Remember(d time.Duration) LoginOption {
	return func(l *login) error {
		if d <= 0 {
			return bad("Remember(%v) is not positive", d)
		}
		l.remember = d
		return nil
	}
}

// AtLevel says how strong the sign-in was. Without it, it is LevelSingle, or what the session has
// where its own user signs in again.
func AtLevel(level Level) LoginOption {
	return func(l *login) error { l.level, l.atLevel = level, true; return nil }
}

// Keep carries these, each a [Value] or a [Flash], of the visitor's session over into the user's.
// Without it nothing from before the sign-in is kept: somebody else may have put it there.
func Keep(values ...interface{ Name() string }) LoginOption {
	return func(l *login) error {
		for _, v := range values {
			l.keep = append(l.keep, v.Name())
		}
		return nil
	}
}

// KeepAll carries all values of the visitor's session over.
func KeepAll() LoginOption {
	return func(l *login) error { l.keepAll = true; return nil }
}

// Began says how long ago the sign-in began, where it took several requests: a [Manager.RevokeUser]
// since then makes Login fail with [ErrRevoked]. Without it, it began with this request. At most
// [store.GuardFor].
func Began(ago time.Duration) LoginOption {
	return func(l *login) error {
		if ago < 0 {
			return bad("Began(%v) is negative", ago)
		}
		l.age = ago
		return nil
	}
}

// Label names a bearer token for the list of the user's sessions, for example "backup script". At
// most 64 bytes.
func Label(label string) LoginOption {
	return func(l *login) error {
		if len(label) > 64 {
			return bad("Label has %d bytes, at most 64", len(label))
		}
		l.label = label
		return nil
	}
}

func (m *Manager) login(user string, opts []LoginOption) (l login, err error) {
	if user == "" {
		return l, fmt.Errorf("%w: Login needs a user id", ErrNoUser)
	}
	if len(user) > store.MaxUser {
		return l, fmt.Errorf("%w: user id of %d bytes, at most %d", store.ErrInvalid, len(user), store.MaxUser)
	}
	l.level = LevelSingle
	for _, o := range opts {
		if err := o(&l); err != nil {
			return l, err
		}
	}
	if l.remember > m.opts.MaxRemember {
		return l, bad("Remember(%v) exceeds MaxRemember %v", l.remember, m.opts.MaxRemember)
	}
	return l, nil
}

// admission returns the conditions of a sign-in.
func (m *Manager) admission(s *Session, user string, l *login) store.Admission {
	ago := s.began.ago()
	if l.age > 0 {
		ago = l.age
	}
	adm := store.Admission{Max: m.opts.MaxSessions, Evict: !m.opts.RefuseAtLimit, Began: time.Now().Add(-ago)}
	if s.known != nil && s.known.user == user {
		adm.Known = s.known.at
	} else {
		adm.Known = m.lately.known(user, ago)
	}
	return adm
}

// Login signs user in: the session gets a new token and a new handle, and the token from before is
// dead at once, so nobody who planted or saw it gets in (session fixation); of several that came,
// all are. Signing the same user in again is how a sign-in is confirmed ("step-up"): it keeps the
// session's values and its handle, and starts its lifetime anew. It acts at once, not with the
// commit, and loads the session if that was not done.
//
// A confirmation that overlaps another one or a [Session.RevokeOthers], and with [Keep] or
// [KeepAll], or after a change, a sign-in that overlaps another of the same session, fails with
// [ErrConflict]: the values went with the other. Errors: [ErrNoUser], [ErrLimit], [ErrRevoked],
// [ErrConflict], [ErrEnded], [ErrInsecure], [ErrNoToken], [ErrCrossSite], [ErrFull], [ErrTooLarge]
// of a sealed session, outages.
func (s *Session) Login(ctx context.Context, user string, opts ...LoginOption) error {
	l, err := s.m.login(user, opts)
	if err != nil {
		return opError("login", err)
	}
	s.lock()
	defer s.mu.Unlock()
	whole := s.m.calls.Whole(detached(ctx))
	defer whole.Stop()
	ctx = whole
	if err := s.loadToLeave(ctx); err != nil {
		return opError("login", err)
	}
	at := s.site
	if at == siteSignIn {
		s.site = siteOwn // the browser's cookie is to be this request's
	}
	if err = s.unreachable(); err == nil {
		if s.selfRevoked {
			s.turn(turnEnded) // nothing is left to confirm
		}
		if s.rec.User == user {
			err = s.confirm(ctx, &l)
		} else {
			err = s.signIn(ctx, user, &l)
		}
	}
	if err != nil {
		s.site = at
	}
	return s.report(ctx, "login", err)
}

// loginRecord is the record and metadata of a fresh sign-in.
func (s *Session) loginRecord(user string, l *login) (store.Record, meta.Meta) {
	rec := store.Record{User: user, Idle: s.m.opts.Idle, Lifetime: s.m.opts.Lifetime}
	mt := meta.Meta{Facts: meta.Facts{Level: uint8(l.level)}, Label: l.label}
	mt.Addr, mt.Agent = s.m.client(s.r)
	if l.remember > 0 {
		rec.Idle, rec.Lifetime, mt.Remembered = 0, l.remember, true
	}
	return rec, mt
}

// confirm signs the session's own user in again.
func (s *Session) confirm(ctx context.Context, l *login) error {
	err := s.converge(ctx, func(s *Session, ctx context.Context) error {
		rec, mt := s.loginRecord(s.rec.User, l)
		rec.Key, rec.Handle, rec.Data = s.rec.Key, s.rec.Handle, s.rec.Data
		if l.remember == 0 && s.facts.Remembered {
			rec.Idle, rec.Lifetime, mt.Remembered = s.rec.Idle, s.rec.Lifetime, true
		}
		if !l.atLevel {
			mt.Level = max(mt.Level, uint8(s.m.levelOf(&s.rec, s.facts, s.storeNow())))
		}
		mt.Confirmed = s.facts.Confirmed + 1
		rec.Created = s.storeNow() // known exactly, then; never ahead of the store's clock
		return s.rotate(ctx, rec, mt, atOnce)
	})
	if err != nil {
		return s.forestalled(err)
	}
	return s.replay()
}

// errWentOn says that an act on identity came too late for the session's values.
var errWentOn = fmt.Errorf("%w: the session went on without this token, and its values with it", ErrConflict)

// forestalled makes the end that a rotation at once has met a conflict, where it was another one's:
// the session lives, and the answer to that one has its token.
func (s *Session) forestalled(err error) error {
	if errors.Is(err, ErrEnded) && !errors.Is(err, ErrIndeterminate) && s.past.reissued() {
		return errWentOn
	}
	return err
}

// signIn makes the user's session and ends the one from before.
func (s *Session) signIn(ctx context.Context, user string, l *login) error {
	if s.standing == ended {
		switch changed := len(s.ops) > 0; {
		case s.past.reissued() && s.past.user == user, s.past.isMark() && (l.keeps() || changed):
			return errWentOn
		case changed:
			return ErrEnded
		}
	}
	before := s.snapshot()
	unheld := s.crowds()
	if unheld {
		if err := s.endUnheld(ctx); err != nil {
			return err
		}
	}
	rec, mt := s.loginRecord(user, l)
	rec.Data = before.kept(l)
	adm := s.m.admission(s, user, l)
	evicts := adm.Max > 0 && adm.Evict && before.standing.holds()
	adm.Evict = adm.Evict && !evicts // nobody's session may end for a sign-in that then fails
	err := s.insert(ctx, rec, mt, adm)
	switch {
	case errors.Is(err, ErrLimit) && evicts:
		adm.Evict = true
		err = s.retireFirst(ctx, l, rec, mt, adm)
	case errors.Is(err, ErrLimit):
		s.m.event(ctx, SessionLimit, store.Handle{}, user, "refused", nil)
	case err == nil && !unheld: // else nothing of them is left
		err = s.retireOrUndo(ctx, before, l)
	}
	if err != nil {
		return err
	}
	s.event(ctx, SessionCreated, "", nil)
	return nil
}

// retireFirst makes the user's session where another one of the user's has to end for it. The
// session from before ends first: if that fails, none has ended.
func (s *Session) retireFirst(ctx context.Context, l *login, rec store.Record, mt meta.Meta, adm store.Admission) error {
	took := len(s.ops) > 0
	err := s.ending()(s, ctx, func(s *Session, ctx context.Context) error {
		was := s.snapshot()
		rec.Data = was.kept(l)
		return s.endStep(ctx, markReplaced)
	})
	if err = s.retired(err, len(rec.Data) > 0 || took); err != nil {
		return err
	}
	if err = s.insert(ctx, rec, mt, adm); err != nil {
		s.turn(turnEnded)
	}
	return err
}

// retireOrUndo ends the session from before a sign-in or, where that fails or a change of this
// request panics, the one just made: the old token must not outlive the sign-in, and better no
// session than two.
func (s *Session) retireOrUndo(ctx context.Context, before snapshot, l *login) (err error) {
	made, retired := s.rec.Key, false
	defer func() {
		if !retired {
			s.erase(ctx, made)
			s.restore(before)
		}
	}()
	err = s.retire(ctx, before, l)
	retired = err == nil
	return err
}

// crowds reports whether a sign-in is to end sessions that no request with these tokens can use,
// and that may count towards the user's limit. They end first, so that the sign-in is not refused
// for them and evicts no other, and so that none ends for a sign-in that then fails.
func (s *Session) crowds() bool {
	if s.m.opts.MaxSessions == 0 || s.standing.holds() {
		return false
	}
	return s.standing == torn || s.past.reissued()
}

// A snapshot is all that a request knows of a session, while it has two of them.
type snapshot struct {
	standing standing
	held     held
	view     view
	ops      []op
	sealed   *sealedStore // of a sealed session: its record is in the request, too
}

func (s *Session) snapshot() snapshot {
	p := snapshot{standing: s.standing, held: s.held, view: s.view, ops: s.ops}
	if s.sealed != nil {
		was := *s.sealed
		p.sealed = &was
	}
	return p
}

func (s *Session) restore(p snapshot) {
	s.standing, s.held, s.view, s.ops = p.standing, p.held, p.view, p.ops
	if p.sealed != nil {
		*s.sealed = *p.sealed
	}
}

// kept returns the data that go over into the user's session. Nothing ever goes from one user to
// another.
func (p *snapshot) kept(l *login) []byte {
	if p.held.rec.User != "" {
		return nil
	}
	if l.keepAll {
		return p.view.Encode()
	}
	var v envelope.Values
	for _, name := range l.keep {
		if raw, ok := p.view.Get(name); ok {
			v.Set(name, raw)
		}
	}
	return v.Encode()
}

func (l *login) keeps() bool { return l.keepAll || len(l.keep) > 0 }

// retire ends the session from before a sign-in. Where the sign-in has values of it, or this
// request has taken some, it ends at the version that they were read from, or not at all: what
// another request adds meanwhile is read and kept, too.
func (s *Session) retire(ctx context.Context, before snapshot, l *login) error {
	after := s.snapshot()
	s.restore(before)
	if !before.standing.holds() {
		err := s.endUnheld(ctx)
		s.restore(after)
		return err
	}
	after, err := s.endAndCarry(ctx, s.ending(), after, l)
	err = s.retired(err, len(after.held.rec.Data) > 0 || len(before.ops) > 0)
	s.restore(after)
	return err
}

// An ending runs a step that ends the held session, as [Session.end] and [Session.converge] do.
type ending func(*Session, context.Context, func(*Session, context.Context) error) error

// ending is that of a sign-in.
func (s *Session) ending() ending {
	if len(s.ops) > 0 {
		return (*Session).converge // which does not go after it by its handle
	}
	return (*Session).end
}

// retired returns what an ending with err means for the sign-in. That the session has ended already
// will do, but not where values are at stake: another sign-in has them, or they ended, so neither
// this request's copy of them is to be trusted, nor what it has taken.
func (s *Session) retired(err error, values bool) error {
	if s.standing != ended || err != nil && !errors.Is(err, ErrEnded) {
		return err
	}
	if values {
		return ErrConflict
	}
	return nil
}

// endAndCarry ends the session from before a sign-in, and writes what is kept of it into the new
// one, which after is, as often as others change it meanwhile. It returns the new session.
func (s *Session) endAndCarry(ctx context.Context, end ending, after snapshot, l *login) (snapshot, error) {
	err := end(s, ctx, func(s *Session, ctx context.Context) error {
		old := s.snapshot()
		if data := old.kept(l); !bytes.Equal(data, after.held.rec.Data) {
			s.restore(after)
			err := s.carry(ctx, data)
			after = s.snapshot()
			s.restore(old)
			if err != nil {
				return err
			}
		}
		return s.endStep(ctx, markReplaced)
	})
	return after, err
}

// carry writes the values that go over into a session that this request has just made.
func (s *Session) carry(ctx context.Context, data []byte) error {
	rec := s.rec
	rec.Data = data
	err := s.put(ctx, rec)
	if errors.Is(err, ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return ErrRevoked // nobody else has its token
	}
	s.resetView()
	return err
}
