package sojourn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// ErrNotFound: no live session has the handle, or it is another user's.
var ErrNotFound = store.ErrNotFound

// Info describes one session for a list. Nothing in it opens a session. Instants are in the store's
// clock.
type Info struct {
	Handle     store.Handle
	User       string
	Created    time.Time // sign-in
	Seen       time.Time // last use, as exact as Options.TouchEvery
	Expires    time.Time // if it is not used again; zero = never
	Issued     time.Time // of the present token
	AuthTime   time.Time // sign-in or its last confirmation; zero for a visitor
	Level      Level     // what is left of it, see Session.Level
	Remembered bool
	Bearer     bool   // a bearer token, not a browser
	Label      string // of a bearer token
	Network    string // where the token was issued to, as a prefix such as 192.0.2.0/24; "" = not kept
	Agent      string // the User-Agent, as the client sent it: escape it; "" = not kept
	Damaged    bool   // what the manager keeps beside it cannot be read; it can be revoked all the same
}

func (m *Manager) info(rec *store.Record, now time.Time) Info {
	in := Info{Handle: rec.Handle, User: rec.User, Created: rec.Created, Seen: rec.Seen, Expires: rec.Expires()}
	mt, err := meta.Decode(rec.Meta)
	if err != nil {
		in.Damaged = true
		return in
	}
	in.Issued, in.Level = rec.Created.Add(mt.Issued), m.levelOf(rec, mt.Facts, now)
	if m.idled(rec, now) {
		in.Level = 0
	}
	in.Remembered, in.Bearer, in.Label = mt.Remembered, mt.Bearer, mt.Label
	in.Network, in.Agent = mt.Addr, mt.Agent
	if rec.User != "" {
		in.AuthTime = rec.Created.Add(mt.Auth)
	}
	if now.Sub(in.Issued) > m.opts.ClientRetention {
		in.Network, in.Agent = "", ""
	}
	return in
}

func (m *Manager) needStore() error {
	if m.store == nil {
		return fmt.Errorf("%w: sealed sessions without a store cannot be listed or revoked: set SealedOptions.Store", errors.ErrUnsupported)
	}
	return nil
}

// Sessions lists the live sessions of user, last used first. Of one whose record the store cannot
// read, and so nobody can use, the event [SessionDamaged] tells. Errors: outages.
func (m *Manager) Sessions(ctx context.Context, user string) ([]Info, error) {
	if err := m.needStore(); err != nil {
		return nil, opError("list", err)
	}
	var list []Info
	err := m.calls.Do(ctx, func(ctx context.Context) error {
		list = nil
		for rec, err := range m.store.User(ctx, user) {
			if errors.Is(err, ErrCorrupt) { // all others were listed
				m.event(ctx, SessionDamaged, store.Handle{}, user, "list", err)
				return nil
			}
			if err != nil {
				return err
			}
			in := m.info(&rec, time.Now())
			if in.Damaged {
				m.event(ctx, SessionDamaged, rec.Handle, rec.User, "list", ErrCorrupt)
			}
			list = append(list, in)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(b.Seen.Compare(a.Seen), b.Created.Compare(a.Created), slices.Compare(a.Handle[:], b.Handle[:]))
	})
	if err != nil {
		m.event(ctx, StoreFailed, store.Handle{}, user, "list", err)
	}
	return list, opError("list", err)
}

// Revoke ends one session of user. A handle that comes back from a page is read by
// [store.ParseHandle]. When it returns nil, the session is dead for every request from then on,
// also for those under way. A sign-in by the same request afterwards, below [Manager.Handler] with
// its context, makes a new one. Errors: [ErrNotFound], outages.
func (m *Manager) Revoke(ctx context.Context, user string, handle store.Handle) error {
	sel := store.Selection{Only: []store.Handle{handle}}
	done, err := m.revoke(detached(ctx), user, sel)
	if v, ok := ctx.Value(m).(*visit); ok && err == nil {
		v.s.revoked(user, sel, nil)
	}
	if err == nil && done.N == 0 {
		err = ErrNotFound
	}
	return opError("revoke", err)
}

// revoked notes what this request has revoked itself, for a Login that follows. known is nil where
// only some sessions were meant.
func (s *Session) revoked(user string, sel store.Selection, known *revocation) {
	s.lock()
	defer s.mu.Unlock()
	if known != nil {
		s.known = known
	}
	if s.standing.holds() && s.rec.User == user && sel.Picks(s.rec.Handle) {
		s.selfRevoked = true
	}
}

// RevokeUser ends all sessions of user but those named, and also refuses sign-ins of user that have
// begun before and are not done yet. It returns how many ended. A sign-in of user by the same
// request afterwards, below [Manager.Handler] with its context, is accepted, and so is one that
// begins afterwards in this process, also where the store's nodes have clocks of their own. Errors:
// outages; then some may have ended, and it should be called again.
func (m *Manager) RevokeUser(ctx context.Context, user string, keep ...store.Handle) (int, error) {
	sel := store.Selection{Except: keep}
	done, err := m.revoke(detached(ctx), user, sel)
	if v, ok := ctx.Value(m).(*visit); ok && err == nil {
		v.s.revoked(user, sel, &revocation{user, done.At})
	}
	return done.N, opError("revoke", err)
}

// revoke ends sessions. Where an answer was lost and a later try finds nothing more to end, one is
// counted: the try whose answer was lost has ended it.
func (m *Manager) revoke(ctx context.Context, user string, sel store.Selection) (done store.Revoked, err error) {
	if err := m.needStore(); err != nil {
		return done, err
	}
	lost := false
	err = m.calls.Do(ctx, func(ctx context.Context) error {
		got, err := m.store.Revoke(ctx, user, sel)
		done.N += got.N
		done.At = got.At
		lost = lost || err != nil && !errors.Is(err, ErrUnavailable)
		return err
	})
	if err != nil {
		m.event(ctx, StoreFailed, store.Handle{}, user, "revoke", err)
		return done, err
	}
	var h store.Handle
	if len(sel.Only) > 0 { // one, here
		h = sel.Only[0]
		if lost {
			done.N = 1
		}
	} else {
		m.lately.note(user, done.At)
	}
	if done.N > 0 {
		m.event(ctx, SessionExpired, h, user, "revoked", nil)
	}
	return done, nil
}

// RevokeEveryone ends every session in the store, one user after the other: those of visitors, too.
// It returns how many ended. Errors: outages; call it again then. ErrCorrupt says that damaged
// records are left, which nobody can use, and that all others have ended.
func (m *Manager) RevokeEveryone(ctx context.Context) (n int, err error) {
	if err := m.needStore(); err != nil {
		return 0, opError("revoke", err)
	}
	done := make(map[string]bool)
	for range maxWalks {
		ended, again, err := m.revokeAll(ctx, done)
		n += ended
		if err != nil {
			return n, opError("revoke", err)
		}
		if !again {
			break
		}
	}
	return n, nil
}

// maxWalks bounds how often RevokeEveryone goes over the store for visitors who renew again and
// again.
const maxWalks = 5

// revokeAll is one walk for [Manager.RevokeEveryone]. done are the users whose sessions have ended.
// A walk may miss a session that is renewed meanwhile, but not what the renewal has left: that has
// the user's name. A visitor's has none: where one was left since about this walk began, the walk
// is to be done again.
func (m *Manager) revokeAll(ctx context.Context, done map[string]bool) (n int, again bool, err error) {
	began := time.Now().Add(-m.opts.ClockSkew)
	for rec, err := range m.store.All(ctx) {
		if err != nil {
			return n, again, err
		}
		mt, damage := meta.DecodeFacts(rec.Meta)
		tail, user := damage == nil && mt.Tail != nil, rec.User
		if tail {
			user = mt.User
		}
		switch {
		case rec.Key.Tag == store.Reserved: // no session
		case user == "" && tail:
			again = again || len(mt.Tail) != len(markReplaced) && rec.Created.After(began)
		case user == "":
			if err := m.calls.Do(ctx, func(ctx context.Context) error { return m.store.Delete(ctx, rec.Key) }); err != nil {
				return n, again, err
			}
			n++
		case !done[user]:
			done[user] = true
			got, err := m.revoke(detached(ctx), user, store.Selection{})
			n += got.N
			if err != nil {
				return n, again, err
			}
		}
	}
	return n, again, nil
}

// IssueBearer makes a session of user that is opened by a bearer token, to be shown once. r is the
// request that asks for it; only its client data are used. The token is listed and revoked like
// every session. Errors: those of Login, and [ErrOptions] without [Options.Bearer].
func (m *Manager) IssueBearer(r *http.Request, user string, opts ...LoginOption) (Token, Info, error) {
	if m.opts.Bearer == nil { // as in sealed mode
		return Token{}, Info{}, opError("login", bad("IssueBearer needs Options.Bearer"))
	}
	l, err := m.login(user, opts)
	if err != nil {
		return Token{}, Info{}, opError("login", err)
	}
	s := &Session{reading: &reading{}}
	s.init(m, r)
	s.turn(turnNothing)
	if v, ok := r.Context().Value(m).(*visit); ok {
		v.s.lock()
		s.began, s.known = v.s.began, v.s.known
		v.s.mu.Unlock()
	}
	rec, mt := s.loginRecord(user, &l)
	mt.Bearer, mt.Remembered = true, false
	if l.remember == 0 {
		rec.Lifetime, rec.Idle = m.opts.Bearer.Lifetime, 0
		if m.opts.Bearer.Idle {
			rec.Idle = m.opts.Idle
		}
	}
	ctx := s.m.calls.Whole(detached(r.Context()))
	defer ctx.Stop()
	if err := s.insert(ctx, rec, mt, m.admission(s, user, &l)); err != nil {
		return Token{}, Info{}, s.report(ctx, "login", err)
	}
	text, err := m.sealBearer(s.ticket())
	if err != nil {
		s.erase(ctx, s.rec.Key)
		return Token{}, Info{}, opError("login", s.sealFailed("seal token", err))
	}
	s.event(ctx, SessionCreated, "bearer", nil)
	return newToken(text), m.info(&s.rec, s.storeNow()), nil
}

// sweepBatch is how many expired records one call of Sweep deletes.
const sweepBatch = 1000

// RunSweeper deletes expired records about every so often until ctx ends, whose error it returns.
// Run it in one goroutine of each process; failures go to the observer, and the next round tries
// again. Stores whose engine expires records by itself make it cheap. every below 1 s counts as 1
// s. It also calls [Manager.CheckKeys], at once and every few minutes.
func (m *Manager) RunSweeper(ctx context.Context, every time.Duration) error {
	every = max(every, time.Second)
	// Jitter keeps the processes of a cluster from acting in step.
	pause := func(d time.Duration) time.Duration { return d/2 + call.Jitter(d) }
	sweep, keys := time.NewTimer(pause(every)), time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-keys.C:
			m.tellKeys(ctx)
			keys.Reset(pause(ringRests))
		case <-sweep.C:
			if _, err := m.Sweep(ctx); err != nil && ctx.Err() == nil {
				m.event(ctx, StoreFailed, store.Handle{}, "", "sweep", err)
			}
			sweep.Reset(pause(every))
		}
	}
}

// Sweep deletes the records that are expired now and returns how many. Errors: outages; ErrCorrupt,
// after all else, where it met damaged records, which it has deleted in their time.
func (m *Manager) Sweep(ctx context.Context) (total int, err error) {
	if m.store == nil {
		return 0, nil
	}
	var met error // damage
	for {
		var n int
		err := m.calls.Do(ctx, func(ctx context.Context) (err error) {
			n, err = m.store.Sweep(ctx, sweepBatch)
			return err
		})
		if errors.Is(err, ErrCorrupt) {
			met, err = err, nil
		}
		if total += n; err != nil || n < sweepBatch {
			return total, opError("sweep", cmp.Or(err, met))
		}
	}
}
