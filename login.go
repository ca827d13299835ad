package sojourn

import (
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
	remember time.Duration
	keep     []string
	keepAll  bool
	age      time.Duration
	label    string
}

// Remember keeps the session for d after the sign-in, across restarts of the
// browser and without idle limit: "keep me signed in". d is at most
// [Options.MaxRemember]. What needs a recent sign-in still does, see [Manager.RequireFresh].
func Remember(d time.Duration) LoginOption {
	return func(l *login) error {
		if d <= 0 {
			return bad("Remember(%v) is not positive", d)
		}
		l.remember = d
		return nil
	}
}

// AtLevel says how strong the sign-in was. Without it, it is LevelSingle.
func AtLevel(level Level) LoginOption {
	return func(l *login) error { l.level = level; return nil }
}

// Keep carries these values of the visitor's session over into the user's. Without it nothing
// from before the sign-in is kept: somebody else may have put it there.
func Keep(values ...Named) LoginOption {
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

// Began says how long ago the sign-in began, where it took several requests: a
// [Manager.RevokeUser] since then makes Login fail with [ErrRevoked]. Without it, it
// began with this request. At most [store.GuardFor].
func Began(ago time.Duration) LoginOption {
	return func(l *login) error {
		if ago < 0 {
			return bad("Began(%v) is negative", ago)
		}
		l.age = ago
		return nil
	}
}

// Label names a bearer token for the list of the user's sessions, for example
// "backup script". At most 64 bytes.
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

// admission gives the conditions of a sign-in, anew for each try: its age grows meanwhile.
func (m *Manager) admission(s *Session, user string, l *login) func() store.Admission {
	start, began, after := time.Now(), s.began, s.ended == user
	return func() store.Admission {
		adm := store.Admission{Max: m.opts.MaxSessions, Evict: m.opts.AtLimit == EvictOldest}
		switch {
		case l.age > 0:
			adm.Age = l.age + time.Since(start)
		case !after:
			adm.Age = began.ago()
		}
		return adm
	}
}

// Login signs user in: the session gets a new token and a new handle, and the token from before is dead
// at once, so nobody who planted or saw it gets in (session fixation). Signing the same user in again is how a sign-in is
// confirmed ("step-up"): it keeps the session's values and its handle, and starts its lifetime anew.
// It acts at once, not with the commit, and loads the session if that was not done.
// Errors: [ErrNoUser], [ErrLimit], [ErrRevoked], [ErrInsecure], [ErrNoToken], [ErrFull], outages.
func (s *Session) Login(ctx context.Context, user string, opts ...LoginOption) error {
	l, err := s.m.login(user, opts)
	if err != nil {
		return opError("login", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = detached(ctx)
	if err := s.loadOrDiscard(ctx); err != nil {
		return opError("login", err)
	}
	if err := s.canSend(); err != nil {
		return opError("login", err)
	}
	if s.live && s.rec.User == user {
		err = s.confirm(ctx, &l)
	} else {
		err = s.signIn(ctx, user, &l)
	}
	if err == nil {
		s.clear = false // it would clear the new cookie
	}
	return opError("login", err)
}

// loadOrDiscard loads the session, and deletes a damaged record: signing in or out is
// the way out of it.
func (s *Session) loadOrDiscard(ctx context.Context) error {
	err := s.load(ctx)
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	key := s.credential().Key()
	if err := s.m.call(detached(ctx), func(ctx context.Context) error { return s.st.Delete(ctx, key) }); err != nil {
		return err
	}
	s.loadErr = nil
	s.reset()
	return nil
}

// loginRecord is the record and metadata of a fresh sign-in.
func (s *Session) loginRecord(user string, l *login) (store.Record, meta.Meta) {
	rec := store.Record{User: user, Idle: s.m.opts.Idle, Lifetime: s.m.opts.Lifetime}
	mt := meta.Meta{Facts: meta.Facts{Level: uint8(l.level), Persistent: s.m.opts.Cookie.Persistent}, Label: l.label}
	mt.Addr, mt.Agent = s.m.client(s.r)
	if l.remember > 0 {
		rec.Idle, rec.Lifetime, mt.Persistent = 0, l.remember, true
	}
	return rec, mt
}

// confirm signs the session's own user in again.
func (s *Session) confirm(ctx context.Context, l *login) error {
	pending := s.ops
	for i := 0; ; i++ {
		rec, mt := s.loginRecord(s.rec.User, l)
		rec.Key, rec.Handle, rec.Data = s.rec.Key, s.rec.Handle, s.rec.Data
		if l.remember == 0 && s.meta.Persistent {
			rec.Idle, rec.Lifetime, mt.Persistent = s.rec.Idle, s.rec.Lifetime, true
		}
		err := s.rotate(ctx, rec, mt, false)
		if err == nil {
			s.ops = pending
			return s.replay()
		}
		if errors.Is(err, store.ErrNotFound) {
			return s.end(ctx)
		}
		if !errors.Is(err, ErrConflict) || i == maxReplays || !sleep(ctx, i) {
			return err
		}
		if err := s.refetch(ctx); err != nil {
			return err
		}
	}
}

// signIn makes the user's session and ends the one from before.
func (s *Session) signIn(ctx context.Context, user string, l *login) error {
	old := s.past()
	rec, mt := s.loginRecord(user, l)
	rec.Data = old.kept(l)
	if err := s.insert(ctx, rec, mt, s.m.admission(s, user, l)); err != nil {
		if errors.Is(err, ErrLimit) {
			s.m.event(ctx, SessionLimit, store.Handle{}, user, "refused", nil)
		}
		return err
	}
	if err := s.retire(ctx, old, l); err != nil {
		// The old token must not outlive the sign-in: better no session than two.
		s.discard(ctx, s.rec.Key)
		s.restore(old)
		return err
	}
	s.event(ctx, SessionCreated, "", nil)
	return nil
}

// past is the session before a sign-in.
type past struct {
	state
	send   sendState
	sealed sealedStore // of a sealed session: its record is in the request, too
}

func (s *Session) past() past {
	p := past{state: s.state, send: s.send}
	if st, ok := s.st.(*sealedStore); ok {
		p.sealed = *st
	}
	return p
}

func (s *Session) restore(p past) {
	s.state, s.send = p.state, p.send
	if st, ok := s.st.(*sealedStore); ok {
		*st = p.sealed
	}
}

// kept gives the data that goes over into the user's session. Nothing ever
// goes from one user to another.
func (p *past) kept(l *login) []byte {
	if p.rec.User != "" || !l.keepAll && len(l.keep) == 0 {
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

// retire ends the session from before a sign-in. Where its values were kept, it ends at the version
// that they were read from, or else what another request has just added is read and kept, too.
func (s *Session) retire(ctx context.Context, old past, l *login) error {
	if !old.live {
		return nil
	}
	if old.rec.User != "" {
		return s.revokeOnly(ctx, &old.rec)
	}
	present := s.past()
	for i := 0; ; i++ {
		err := s.supersede(ctx, &old.rec)
		if err == nil || errors.Is(err, store.ErrNotFound) {
			s.restore(present)
			return nil
		}
		if !errors.Is(err, ErrConflict) || i == maxReplays || !sleep(ctx, i) {
			return err
		}
		s.restore(old)
		err = s.refetch(ctx)
		if errors.Is(err, ErrEnded) {
			s.restore(present)
			return nil
		}
		if err != nil {
			s.restore(present)
			return err
		}
		old = s.past()
		s.restore(present)
		s.view.Values = envelope.Of(old.kept(l))
		if err := s.swap(ctx, false); err != nil {
			return err
		}
		present = s.past()
	}
}

// supersede ends a visitor's record at a sign-in, if nobody has changed it; see nowhere.
func (s *Session) supersede(ctx context.Context, rec *store.Record) error {
	if s.m.sealed != nil {
		return s.endVersion(ctx, rec)
	}
	mark, tm := *rec, meta.Meta{Tail: nowhere}
	mark.Writer, mark.Data, mark.Meta, mark.Idle = newWriter(), nil, tm.Encode(), 0
	mark.Lifetime = max(0, s.storeNow().Sub(rec.Created)) + s.m.opts.RenewGrace
	return s.m.call(ctx, func(ctx context.Context) error { return s.st.Update(ctx, mark, rec.Version) })
}

// endVersion ends an anonymous record if nobody has changed it.
func (s *Session) endVersion(ctx context.Context, rec *store.Record) error {
	over := *rec
	over.Writer, over.Lifetime, over.Data = newWriter(), 1, nil
	return s.m.call(ctx, func(ctx context.Context) error { return s.st.Update(ctx, over, rec.Version) })
}

// revokeOnly ends a user's session by its handle, under whatever key another request
// may just have moved it to.
func (s *Session) revokeOnly(ctx context.Context, rec *store.Record) error {
	return s.m.call(ctx, func(ctx context.Context) error {
		_, err := s.st.Revoke(ctx, rec.User, store.Selection{Only: []store.Handle{rec.Handle}})
		return err
	})
}
