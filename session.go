package sojourn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/internal/envelope"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// Session is what a handler holds during one request. It may be used by several
// goroutines of that request, until the handler returns.
//
// Methods that read the session need it loaded, by [Manager.Load] or by a
// middleware such as [Manager.RequireUser], and panic otherwise: a programming
// error that shows on the first try, whereas an empty answer could be mistaken
// for "not signed in".
type Session struct {
	m     *Manager
	r     *http.Request
	w     *writer // nil without Manager.Handler
	began instant // for Admission.Age
	ended string  // the user whose sessions this request itself has ended: a sign-in of theirs is after that

	mu     sync.Mutex
	loaded bool
	peek   bool
	late   bool // the response's header is gone
	over   bool // the session ended around this request: it begins no visitor's session in its place
	fresh  bool // the session's only token was made by this request, and not sent yet
	keep   bool // renew nothing: the header may not reach the client
	clear  bool // send Clear-Site-Data
	send   sendState
	got    arrival

	*reading // made by load: a request that does not ask for its session pays for none
}

// reading is what a session has once it is loaded, or was tried to be.
type reading struct {
	loadErr error
	failed  error       // what Fail was given
	st      store.Store // the manager's, or this request's sealed record
	first   callContext // of the first read, which is the only one of most requests
	asked   bool        // first is in use
	state
}

// state is what is known of a loaded session.
type state struct {
	live     bool // rec is a live record
	exact    bool // rec's instants are the store's own
	rec      store.Record
	meta     meta.Facts       // of rec.Meta
	cred     token.Credential // but for its secret, where unopened is not empty: see Session.credential
	unopened string           // the text of a token whose secret nobody has needed yet
	now      time.Time        // the store's clock at the last read
	at       instant          // ours, then; 0 = nothing was read

	view view
	ops  []op
}

// view is the session as this request has changed it.
type view struct {
	envelope.Values
	idle, life time.Duration
}

// An op is one change of the request. It is applied to the view at once, and again to
// the fresh record when another request has come between.
type op func(*view) error

// sendState says what the response tells the client about its token.
type sendState byte

const (
	sendNothing sendState = iota
	sendToken
	sendRemoval
)

// Level is the strength of a sign-in, as the program defines it; greater is stronger.
type Level uint8

// Suggested levels.
const (
	LevelNone   Level = 0 // not signed in
	LevelSingle Level = 1 // one factor; what Login sets
	LevelMulti  Level = 2 // several factors
)

func (s *Session) init(m *Manager, r *http.Request) {
	s.m, s.r, s.began = m, r, sinceStart()
}

// Format prints nothing of the session: its token and data are in it.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[session]") }

// LogValue hides the session from slog; log its Handle.
func (s *Session) LogValue() slog.Value { return slog.StringValue("[session]") }

// Load reads the session's record, once. See [Manager.Load].
func (s *Session) Load(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(ctx)
}

func (s *Session) load(ctx context.Context) error {
	if s.loaded {
		return s.loadErr
	}
	s.loaded, s.reading = true, &reading{st: s.m.store}
	got, err := s.m.receive(s.r)
	s.got = got.arrival
	if err != nil {
		s.loadErr = opError("load", err)
		return s.loadErr
	}
	if s.got.reissue {
		s.event(ctx, DuplicateCookie, "", nil)
	}
	s.reset()
	if s.m.sealed != nil && s.got.from != fromBearer {
		s.st = newSealedStore(s.m, got.sealed)
	}
	if !s.got.genuine {
		if s.got.from != fromNowhere {
			s.event(ctx, TokenRefused, "", nil)
		}
		return nil
	}
	s.cred, s.unopened = got.cred, got.unopened
	err = s.fetch(ctx, got.key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		s.event(ctx, StoreFailed, "load", err)
		s.loadErr = opError("load", err)
		return s.loadErr
	}
	if s.got.reissue {
		s.send = sendToken
	}
	return nil
}

// reset makes the session a new, anonymous one.
func (s *Session) reset() {
	s.live, s.exact, s.rec, s.meta, s.ops = false, false, store.Record{}, meta.Facts{}, nil
	s.view = view{idle: s.m.opts.Idle, life: s.m.opts.Lifetime}
}

// maxHops bounds how many renewals in a row an old token is led through.
const maxHops = 4

// fetch reads the record at key, which is that of s.cred, follows renewals within their grace, and makes the
// result the session's state. It gives store.ErrNotFound for every way of having no session.
func (s *Session) fetch(ctx context.Context, key store.Key) error {
	for range maxHops {
		rec, now, err := s.get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			s.event(ctx, SessionUseAfterExpire, "", nil)
		}
		if err != nil {
			return err
		}
		if rec.Created.After(now.Add(s.m.opts.ClockSkew)) {
			return errors.Join(ErrUnavailable, ErrClock)
		}
		if !rec.Live(now) { // a store that leaves this to its engine's sweeper is wrong; do not trust it
			s.expired(ctx, &rec)
			return store.ErrNotFound
		}
		mt, err := meta.DecodeFacts(rec.Meta)
		if err == nil {
			err = envelope.Check(rec.Data)
		}
		if err != nil {
			return errors.Join(ErrCorrupt, errors.New(rec.String()), err)
		}
		if mt.Tail == nil {
			rec.Key = key
			s.adopt(&rec, mt.Facts, now)
			return nil
		}
		if len(mt.Tail) != len(s.cred.Secret) { // see nowhere
			s.over = true
			s.m.event(ctx, SessionUseAfterExpire, rec.Handle, "", "", nil)
			return store.ErrNotFound
		}
		// A request that had the session before its renewal goes on with it, however slow it is.
		if !s.live && now.Sub(rec.Created) > s.m.opts.RenewGrace {
			s.m.event(ctx, SessionReuse, rec.Handle, "", "", nil)
			return store.ErrNotFound
		}
		s.hold(s.credential().Successor(mt.Tail))
		key = s.cred.Key()
		s.send = sendToken // the answer with the new token may have been lost
	}
	return store.ErrNotFound
}

func (s *Session) get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	// The first try is spelled out: a closure would cost every read an allocation.
	if !s.asked && s.m.breaker.closed() {
		s.asked = true
		s.first.Context, s.first.timeout = ctx, s.m.opts.Timeout
		rec, now, err = s.st.Get(&s.first, key)
		if err == nil {
			s.m.breaker.done(nil)
		} else {
			rec, now, err = s.getAgain(key, known(err))
		}
		s.first.stop()
		return rec, now, err
	}
	err = s.m.call(ctx, func(ctx context.Context) (err error) {
		rec, now, err = s.st.Get(ctx, key)
		return err
	})
	return rec, now, err
}

// getAgain goes on after a first try that failed, in what is left of its time.
func (s *Session) getAgain(key store.Key, err error) (rec store.Record, now time.Time, _ error) {
	err = s.m.retry(&s.first, err, func(ctx context.Context) (err error) {
		rec, now, err = s.st.Get(ctx, key)
		return err
	})
	return rec, now, err
}

func (s *Session) adopt(rec *store.Record, mt meta.Facts, now time.Time) {
	s.rec, s.meta, s.now, s.at = *rec, mt, now, sinceStart()
	s.live, s.exact = true, true
	s.view = view{Values: envelope.Of(rec.Data), idle: rec.Idle, life: rec.Lifetime}
}

func (s *Session) expired(ctx context.Context, rec *store.Record) {
	reason := "idle"
	if rec.Lifetime > 0 && rec.Expires().Equal(rec.Created.Add(rec.Lifetime)) {
		reason = "lifetime"
	}
	s.m.event(ctx, SessionExpired, rec.Handle, rec.User, reason, nil)
}

func (s *Session) event(ctx context.Context, name EventName, reason string, err error) {
	s.m.event(ctx, name, s.rec.Handle, s.rec.User, reason, err)
}

// storeNow is the store's present time, from its last answer and the time passed since.
func (s *Session) storeNow() time.Time {
	if s.at == 0 {
		return time.Now()
	}
	return s.now.Add(s.at.ago())
}

// ready locks the session for reading and panics if it is not loaded.
func (s *Session) ready() {
	s.mu.Lock()
	if !s.loaded || s.loadErr != nil {
		s.mu.Unlock()
		panic("sojourn: session is not loaded: call Manager.Load and check its error, or put the route below Manager.RequireLoaded or RequireUser")
	}
}

// read gives one fact of a loaded session.
func read[T any](s *Session, f func() T) T {
	s.ready()
	defer s.mu.Unlock()
	return f()
}

// User is the id of the signed-in user, "" for a visitor.
func (s *Session) User() string { return read(s, func() string { return s.rec.User }) }

// SignedIn tells whether a user is signed in.
func (s *Session) SignedIn() bool { return s.User() != "" }

// Exists tells whether the session has a record: a visitor's has none until a value is kept.
func (s *Session) Exists() bool { return read(s, func() bool { return s.live }) }

// Handle is the session's public name; zero if the session has no record.
func (s *Session) Handle() store.Handle {
	return read(s, func() store.Handle { return s.rec.Handle })
}

// Info describes the session as [Manager.Sessions] does.
func (s *Session) Info() Info {
	return read(s, func() Info {
		mt := s.fullMeta()
		return s.m.info(&s.rec, &mt, s.storeNow())
	})
}

// AuthTime is when the user signed in or confirmed it, in the store's clock; zero
// for a visitor.
func (s *Session) AuthTime() time.Time { return s.Info().AuthTime }

// Level is the strength of the sign-in; LevelNone for a visitor. A remembered session has it for
// [Options.Lifetime] after the sign-in; later, LevelNone: being remembered says who it is and is no authentication
// (NIST SP 800-63B-4 section 5.1).
func (s *Session) Level() Level {
	return read(s, func() Level {
		ordinary := s.m.opts.Lifetime
		if s.meta.Persistent && ordinary > 0 && s.rec.Lifetime > ordinary && s.sinceAuth() > ordinary {
			return LevelNone
		}
		return Level(s.meta.Level)
	})
}

func (s *Session) sinceAuth() time.Duration {
	return s.storeNow().Sub(s.rec.Created.Add(s.meta.Auth))
}

// Fresh tells whether the user signed in, or confirmed it, less than d ago.
func (s *Session) Fresh(d time.Duration) bool {
	return read(s, func() bool {
		return s.rec.User != "" && s.sinceAuth() <= d
	})
}

// ExpiresIn is the time left if the session is not used again; [Forever] if it has no limit,
// 0 if it has no record.
func (s *Session) ExpiresIn() time.Duration {
	return read(s, func() time.Duration {
		if !s.live {
			return 0
		}
		return s.left()
	})
}

func (s *Session) left() time.Duration {
	e := s.rec.Expires()
	if e.IsZero() {
		return Forever
	}
	return max(0, e.Sub(s.storeNow()))
}

// Peek keeps this request from counting as use of the session: for polling and
// health checks. See [Manager.Peek].
func (s *Session) Peek() {
	s.mu.Lock()
	s.peek = true
	s.mu.Unlock()
}

// Refresh makes this request count as use of the session, though it was told to peek, and sends a persistent
// cookie again, so that the browser's clock starts anew with the store's.
func (s *Session) Refresh() {
	s.ready()
	defer s.mu.Unlock()
	s.peek = false
	if s.live && s.meta.Persistent && s.send == sendNothing {
		s.send = sendToken
	}
}

// SetIdle changes this session's idle limit. 0 < d <= its lifetime. It needs a loaded session.
func (s *Session) SetIdle(d time.Duration) error {
	return s.setLife(d, func(v *view) error { v.idle = d; return nil })
}

// SetLifetime changes this session's absolute life, counted from its sign-in. It can shorten it and
// never lengthen it: only signing in again does (NIST SP 800-63B-4 section 2.1.3).
func (s *Session) SetLifetime(d time.Duration) error {
	return s.setLife(d, func(v *view) error {
		if v.life == 0 || d < v.life { // another request may have shortened it more
			v.life = d
		}
		return nil
	})
}

func (s *Session) setLife(d time.Duration, change op) error {
	s.ready()
	defer s.mu.Unlock()
	if d <= 0 || s.view.life > 0 && d > s.view.life {
		return bad("limit %v is not within 0 and the session's lifetime %v", d, s.view.life)
	}
	return s.apply(change)
}

// apply does one change now, and keeps it for a replay.
func (s *Session) apply(change op) error {
	if err := change(&s.view); err != nil {
		return err
	}
	s.ops = append(s.ops, change)
	return nil
}
