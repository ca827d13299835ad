package possessions

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
)

// Overseer stands between storers and cookies. Programs use it through [OverseeingMiddleware]; its
// own methods are for those that work with a session directly.
//
// Another kind of overseer is a [sojourn.Manager] of the program's own, for example with a
// CustomTransport.
type Overseer interface {
	// ReadState gives the request's session. An empty one is no error. Errors: outages.
	ReadState(r *http.Request) (Session, error)
	// WriteState applies the events to a session that ReadState gave, or if it is nil to that of
	// ctx, writes it, and puts what the client must know into the header of w, whose body is not
	// begun. Errors: those of sojourn's Session.Commit.
	WriteState(ctx context.Context, w http.ResponseWriter, session Session, events []Event) error
	// Manager gives the core's manager behind the overseer, for what this package has no name for.
	// It is made at the first call, from keys that may be in the store. Errors: outages.
	Manager(ctx context.Context) (*sojourn.Manager, error)

	session(*sojourn.Session) *session
	onError(http.ResponseWriter, *http.Request, error)
}

// EventKind says what an [Event] does.
type EventKind int

// The kinds of events.
const (
	EventSet            EventKind = iota // sets Key to Val
	EventDel                             // removes Key
	EventDelAll                          // removes all keys but Keys
	EventRefresh                         // pushes the expiry back
	EventDelClientState                  // ends the session and takes the cookie away
)

// Event is one change of a session, for [Overseer].WriteState.
type Event struct {
	Kind EventKind
	Key  string
	Val  string
	Keys []string
}

// overseer is what both overseers are.
type overseer struct {
	make func(context.Context) (*sojourn.Manager, error)
	uses bool // loading the session pushes its expiry back
	m    atomic.Pointer[sojourn.Manager]
	fail func(http.ResponseWriter, *http.Request, error)
}

func newOverseer(opts CookieOptions) *overseer {
	answer := new(reporter).answer
	if opts.Sojourn != nil && opts.Sojourn.OnError != nil {
		answer = opts.Sojourn.OnError
	}
	return &overseer{fail: func(w http.ResponseWriter, r *http.Request, err error) { answer(w, r, explain(err)) }}
}

func (o *overseer) onError(w http.ResponseWriter, r *http.Request, err error) { o.fail(w, r, err) }

// session makes one of a loaded session of the core.
func (o *overseer) session(s *sojourn.Session) *session {
	if !o.uses {
		s.Peek()
	}
	return &session{s: s, of: o}
}

// Manager is part of [Overseer].
func (o *overseer) Manager(ctx context.Context) (*sojourn.Manager, error) {
	if m := o.m.Load(); m != nil {
		return m, nil
	}
	m, err := o.make(ctx) // by several requests at once, rather than one after the other in an outage
	if err != nil {
		return nil, fail("open", err)
	}
	o.m.CompareAndSwap(nil, m)
	return o.m.Load(), nil
}

// ReadState is part of [Overseer]. Below the overseer's own middleware it gives the session that is
// there.
func (o *overseer) ReadState(r *http.Request) (Session, error) {
	if s, ok := r.Context().Value(CTXKeyPossessions{}).(*session); ok && s.of == o {
		return s, nil
	}
	m, err := o.Manager(r.Context())
	if err != nil {
		return nil, err
	}
	s, err := m.Open(r.Context(), r)
	if err != nil {
		return nil, err
	}
	return o.session(s), nil
}

// WriteState is part of [Overseer].
func (o *overseer) WriteState(ctx context.Context, w http.ResponseWriter, sess Session, events []Event) error {
	if sess == nil {
		sess, _ = ctx.Value(CTXKeyPossessions{}).(Session)
	}
	s, ok := sess.(*session)
	if !ok {
		return errors.New("possessions: write state: the session is not one that ReadState gave")
	}
	for _, e := range events {
		switch e.Kind {
		case EventSet:
			_ = s.set(e.Key, e.Val) // the commit tells
		case EventDel:
			s.del(e.Key)
		case EventDelAll:
			s.delAll(e.Keys)
		case EventRefresh:
			door.Refresh(s.s)
		case EventDelClientState:
			if err := s.s.Logout(ctx); err != nil {
				return err
			}
		}
	}
	h, err := s.commit(ctx)
	for name, values := range h {
		w.Header()[name] = append(w.Header()[name], values...)
	}
	return explain(err)
}

// StorageOverseer is the [Overseer] of sessions that a [Storer] keeps. Make it with
// [NewStorageOverseer].
type StorageOverseer struct {
	// Storer is the one that the overseer was made with. Changing it changes nothing.
	Storer Storer
	*overseer
}

var _ Overseer = (*StorageOverseer)(nil)

// NewStorageOverseer makes an overseer of sessions in storer. It does no I/O. It panics if opts
// contradict each other, with a text that says what to change, or if storer is nil.
func NewStorageOverseer(opts CookieOptions, storer Storer) *StorageOverseer {
	mustName(opts)
	var r *records // concrete types: one that embeds them has methods of its own to be heard
	switch s := storer.(type) {
	case nil:
		panic("possessions: NewStorageOverseer without a storer")
	case *MemoryStorer:
		r = s.records
	case *DiskStorer:
		r = s.records
	case *RedisStorer:
		r = s.records
	}
	o := newOverseer(opts)
	so := opts.options(foreignIdle, o.fail)
	if r != nil {
		so, o.uses = opts.options(r.maxAge, o.fail), r.reads
		o.make = func(ctx context.Context) (_ *sojourn.Manager, err error) {
			so := *so
			if so.Keys == nil {
				if so.Keys, err = r.keys(ctx); err != nil {
					return nil, err
				}
			}
			return sojourn.New(byID{r.st, r.look}, &so)
		}
	} else {
		so.TouchEvery = 1 // the storer's own age counts, so it is told of each refresh
		if so.Keys == nil {
			so.Keys = newRing()
		}
		o.make = func(context.Context) (*sojourn.Manager, error) { return sojourn.New(newForeign(storer), so) }
	}
	trial(so)
	return &StorageOverseer{storer, o}
}

func mustName(opts CookieOptions) {
	if opts.Name == "" {
		panic("possessions: CookieOptions.Name is empty")
	}
}

// trial panics on options that no manager accepts.
func trial(so *sojourn.Options) {
	o := *so
	if o.Keys == nil {
		o.Keys = newRing()
	}
	if _, err := sojourn.NewSealed(&sojourn.SealedOptions{AcceptReplayUntilExpiry: true}, &o); err != nil {
		panic(err)
	}
}

func newRing() *sojourn.KeyRing { return must(sojourn.NewKeyRing(sojourn.NewKey())) }

// must is for what fails only if the program is wrong.
func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// CookieOverseer is the [Overseer] of sessions that the browser keeps, sealed with AES-GCM and in
// base64. Make it with [NewCookieOverseer].
type CookieOverseer struct{ *overseer }

var _ Overseer = (*CookieOverseer)(nil)

// cookieIdle ends an unused cookie session where its cookie has no age of its own: a stolen copy
// must not work for ever.
const cookieIdle = 30 * day

// NewCookieOverseer makes an overseer of sessions that are in the cookie alone. They hold 2,700
// bytes of keys and values, counted as JSON, with any name of the cookie up to 64 bytes, and 2,856
// with the default name; of two overlapping requests the last response wins; and a copy of the
// cookie opens the session as it was until opts.MaxAge, or 30 days without MaxAge, after it was
// sent. secretKey is 32 random bytes, the same on every node; opts.Sojourn.Keys replaces it, for
// example by a ring in which keys change. It panics if the key is a text or a repeated byte, or if
// opts contradict each other.
func NewCookieOverseer(opts CookieOptions, secretKey [32]byte) *CookieOverseer {
	mustName(opts)
	idle := opts.MaxAge
	if idle == 0 {
		idle = cookieIdle
	}
	o := newOverseer(opts)
	so := opts.options(idle, o.fail)
	if so.Keys == nil {
		so.Keys = must(sojourn.NewKeyRing(secretKey[:]))
	}
	o.m.Store(must(sojourn.NewSealed(&sojourn.SealedOptions{AcceptReplayUntilExpiry: true}, so)))
	o.uses = opts.MaxAge == 0
	return &CookieOverseer{o}
}
