package sojourn

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/internal/envelope"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// Session is what a handler holds during one request. It may be used by several goroutines of that
// request, until the handler returns. [Session.Commit] and [Session.Save], like the response's
// first byte, write into the response's header, which no other goroutine may use meanwhile.
//
// Methods that read the session need it loaded, by [Manager.Load] or by a middleware such as
// [Manager.RequireUser], and panic otherwise: a programming error that shows on the first try,
// whereas an empty answer could be mistaken for "not signed in".
type Session struct {
	m     *Manager
	r     *http.Request
	w     *writer // nil without Manager.Handler
	began instant // for Admission.Age
	known *revocation

	mu       sync.Mutex
	running  atomic.Bool // code of the program runs under mu
	standing standing
	stage    stage
	named    bool // the header has what the response owes; see told
	// signedOut: this request has signed out; a value that it keeps may have begun a session since.
	signedOut bool
	// forgone: ops were dropped because of a status of 5xx, and no Commit was told of it yet.
	forgone bool
	site    site
	peek    bool
	hops    uint16 // renewals that this request was led through or has made: see tooFar
	got     arrival

	*reading // made by load: a request that does not ask for its session pays for none
}

// revocation is the latest by this request itself: a sign-in that follows knows of it.
type revocation struct {
	user string
	at   time.Time // in the store's clock
}

// reading is what a session has once it is loaded, or was tried to be.
type reading struct {
	err     error         // of load; of a session that is known, what door.Fail was given
	past    *renewal      // that the request's token met last, if any
	alive   *time.Timer   // see keepAlive
	form    *formID       // of the visitor's forms in this response
	sealed  *sealedStore  // this request's sealed record; nil if the session is in the manager's store
	first   call.Context  // the time of load
	act     *call.Context // that of the commit; see whole
	carried *change       // of the header, by a custom transport
	held
	now time.Time // the store's clock at the last read
	at  instant   // ours, then

	down instant // when this request last met an outage; 0 = never

	view view
	ops  []op
}

// held is the session that the request holds. It is replaced as a whole, when the store has
// acknowledged or shown the record.
type held struct {
	rec         store.Record
	facts       meta.Facts // of rec.Meta
	secret      secret
	unsaved     bool // rec.Meta is not what the store has: see note
	selfRevoked bool // by this request: see Session.revoked
}

// view is the session as this request has changed it.
type view struct {
	envelope.Values
	idle, life time.Duration
}

// An op is one change of the request. It is applied to the view at once, and again to the fresh
// record when another request has come between.
type op func(*view) error

// Level is the strength of a sign-in, as the program defines it; greater is stronger.
type Level uint8

// Suggested levels. Who is not signed in has level 0.
const (
	LevelSingle Level = 1 // one factor; what Login sets
	LevelMulti  Level = 2 // several factors
)

// records is where the session's records are.
func (s *Session) records() store.Store {
	if s.sealed != nil {
		return s.sealed
	}
	return s.m.store
}

func (s *Session) init(m *Manager, r *http.Request) {
	s.m, s.r, s.began = m, r, sinceStart()
}

// Format prints nothing of the session: its token and data are in it.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[session]") }

// LogValue hides the session from slog; log its Handle.
func (s *Session) LogValue() slog.Value { return slog.StringValue("[session]") }

// lock locks the session. It panics where the caller would wait for itself for ever: in code of the
// program that the session runs while it is locked.
func (s *Session) lock() {
	if s.running.Load() && insideRun() {
		panic("sojourn: the session is used inside a function given to Update, or inside a codec or OnDecodeError: " +
			"use the function's argument only")
	}
	s.mu.Lock()
}

// insideRun reports whether this goroutine is in one of the session's run methods. They are found
// by their names.
func insideRun() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for f, more := frames.Next(); ; f, more = frames.Next() {
			if strings.Contains(f.Function, "sojourn.(*Session).run") {
				return true
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

// runChange runs a function that was given to Update, under the session's lock.
//
//go:noinline
func (s *Session) runChange(v *view, f op) error {
	defer s.running.Store(s.running.Swap(true))
	return f(v)
}

// runEncode runs the codec, under the session's lock.
//
//go:noinline
func (s *Session) runEncode(p any) ([]byte, error) {
	defer s.running.Store(s.running.Swap(true))
	return s.m.opts.Codec.Append(nil, p)
}

// runDecode runs the codec, under the session's lock.
//
//go:noinline
func (s *Session) runDecode(raw []byte, p any) error {
	defer s.running.Store(s.running.Swap(true))
	return s.m.opts.Codec.Decode(raw, p)
}

// runOnDecodeError runs that option, under the session's lock.
//
//go:noinline
func (s *Session) runOnDecodeError(name string, raw []byte, err error) ([]byte, error) {
	defer s.running.Store(s.running.Swap(true))
	return s.m.opts.OnDecodeError(s.r.Context(), name, bytes.Clone(raw), err)
}

// ready locks the session for reading and panics if it is not loaded.
func (s *Session) ready() {
	s.lock()
	if !s.standing.known() {
		s.mu.Unlock()
		panic("sojourn: session is not loaded: call Manager.Load and check its error, " +
			"or put the route below Manager.RequireLoaded or RequireUser")
	}
}

// read returns one fact of a loaded session.
func read[T any](s *Session, f func() T) T {
	s.ready()
	defer s.mu.Unlock()
	return f()
}

// User is the id of the signed-in user, "" for a visitor.
func (s *Session) User() string { return read(s, func() string { return s.rec.User }) }

// Exists reports whether the session has a record: a visitor's has none until a value is kept.
func (s *Session) Exists() bool { return read(s, func() bool { return s.standing.holds() }) }

// Handle is the session's public name; zero if the session has no record.
func (s *Session) Handle() store.Handle {
	return read(s, func() store.Handle { return s.rec.Handle })
}

// Info describes the session as [Manager.Sessions] does.
func (s *Session) Info() Info {
	return read(s, func() Info { return s.m.info(&s.rec, s.storeNow()) })
}

// Level is the strength of the sign-in; 0 for a visitor.
//
// A remembered session has it for [Options.Lifetime] after the sign-in; later, 0: being remembered
// says who it is and is no authentication (NIST SP 800-63B-4 section 5.1). Under
// [Options.Assurance] every session, whatever carries it, has its level for no longer than
// Options.Lifetime after the sign-in and Options.Idle without use; then only a new sign-in brings
// the level back.
func (s *Session) Level() Level {
	return read(s, func() Level { return s.m.levelOf(&s.rec, s.facts, s.storeNow()) })
}

// levelOf returns what is left of the level of a sign-in.
func (m *Manager) levelOf(rec *store.Record, f meta.Facts, now time.Time) Level {
	most := m.opts.Lifetime
	if m.opts.Assurance == 0 && !f.Remembered {
		most = 0 // the session itself ends in time, or nothing bounds its level
	}
	if most > 0 && sinceAuth(rec, f, now) > most {
		return 0
	}
	return Level(f.Level)
}

// sinceAuth returns the time since the user signed in, or confirmed it.
func sinceAuth(rec *store.Record, f meta.Facts, now time.Time) time.Duration {
	return now.Sub(rec.Created.Add(f.Auth))
}

// Fresh reports whether the user signed in, or confirmed it, less than d ago.
func (s *Session) Fresh(d time.Duration) bool {
	return read(s, func() bool {
		return s.rec.User != "" && sinceAuth(&s.rec, s.facts, s.storeNow()) <= d
	})
}

// ExpiresIn is the time left if the session is not used again; [store.MaxLife] if it has no limit,
// 0 if it has no record.
func (s *Session) ExpiresIn() time.Duration {
	return read(s, func() time.Duration {
		if !s.standing.holds() {
			return 0
		}
		return s.left()
	})
}

func (s *Session) left() time.Duration {
	e := s.rec.Expires()
	if e.IsZero() {
		return store.MaxLife
	}
	return max(0, e.Sub(s.storeNow()))
}

// storeNow is the store's present time, from its last answer and the time passed since. Of a
// visitor, for whom the store was not asked, it says nothing.
func (s *Session) storeNow() time.Time { return s.now.Add(s.at.ago()) }

// Peek keeps this request from counting as use of the session: for polling and health checks. The
// token is not renewed unasked, then; [Session.Renew], [Session.Login] and [Session.RevokeOthers]
// count as use all the same. See [Manager.Peek].
func (s *Session) Peek() {
	s.lock()
	s.peek = true
	s.mu.Unlock()
}

// SetIdle changes this session's idle limit. 0 < d <= its lifetime. It needs a loaded session.
func (s *Session) SetIdle(d time.Duration) error {
	return s.setLife(d, func(v *view) error { v.idle = d; return nil })
}

// SetLifetime changes this session's absolute life, counted from its sign-in. It can shorten it and
// never lengthen it: only signing in again does (NIST SP 800-63B-4 section 2.1.3).
func (s *Session) SetLifetime(d time.Duration) error {
	return s.setLife(d, func(v *view) error {
		if v.life == 0 {
			v.life = d
		}
		v.life = min(v.life, d) // another request may have shortened it more
		return nil
	})
}

func (s *Session) setLife(d time.Duration, f op) error {
	s.ready()
	defer s.mu.Unlock()
	most := s.view.life
	if most == 0 {
		most = store.MaxLife
	}
	if d <= 0 || d > most {
		return bad("limit %v is not within 0 and the session's lifetime %v", d, most)
	}
	return s.apply(f)
}

// apply does one change now, and keeps it for a replay. Errors: f's, [ErrOver].
func (s *Session) apply(f op) error {
	if s.stage == stageOver {
		s.event(s.r.Context(), ChangeLost, "the request is over", ErrOver)
		return ErrOver
	}
	if err := s.runChange(&s.view, f); err != nil {
		return err
	}
	s.ops = append(s.ops, f)
	return nil
}

// Discard drops the changes of values that this request has not committed, for a handler that ends
// in an error after the first of them. It does not undo Login and the other acts on identity.
func (s *Session) Discard() {
	s.ready()
	defer s.mu.Unlock()
	s.dropChanges()
}

func (s *Session) dropChanges() {
	if s.standing.known() {
		s.err, s.ops = nil, nil
		s.resetView()
	}
}

// resetView makes the view that of the record, or of a session that has none.
func (s *Session) resetView() {
	if s.standing.holds() {
		s.view = view{envelope.Of(s.rec.Data), s.rec.Idle, s.rec.Lifetime}
	} else {
		s.view = view{idle: s.m.opts.Idle, life: s.m.opts.Lifetime}
	}
}

// vacate makes the session one without a record.
func (s *Session) vacate() {
	if s.reading != nil {
		s.held, s.ops = held{}, nil
		s.resetView()
	}
}

// errNotRepeated: a change panicked when it ran again, so that none of the request's changes
// counts.
var errNotRepeated = fmt.Errorf("%w: a function given to Update panicked when it ran again", ErrConflict)

// replay does the changes of this request again, on a fresh view.
func (s *Session) replay() error {
	s.resetView()
	returned := false
	defer func() {
		if !returned { // a recoverer may go on: what was done half must not be committed
			s.dropChanges()
			s.err = errNotRepeated
		}
	}()
	for _, f := range s.ops {
		if err := s.runChange(&s.view, f); err != nil {
			s.dropChanges() // none of them counts, also for a second commit
			returned = true
			return err
		}
	}
	returned = true
	return nil
}

func (s *Session) event(ctx context.Context, name EventName, reason string, err error) {
	var h store.Handle
	user := ""
	if s.reading != nil {
		h, user = s.rec.Handle, s.rec.User
		if name == StoreFailed && outage(err) && !hungUp(ctx, name) {
			s.down = sinceStart()
		}
	}
	s.m.event(ctx, name, h, user, reason, err)
}
