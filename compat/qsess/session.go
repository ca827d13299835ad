package qsess

import (
	"bytes"
	"context"
	"maps"
	"math"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn"
)

// Session is one session, as one request holds it. Its methods are not safe for concurrent use.
type Session struct {
	// Data is the session's data; Save keeps it.
	Data SessData

	// MaxAgeSecs and MinRefreshSecs are the Store's at first, and the session's own from then on: a
	// larger MaxAgeSecs is "keep me signed in". See [Store] for what they mean.
	MaxAgeSecs     int
	MinRefreshSecs int

	store  *Store
	userID []byte
	ticket *ticket         // nil: never saved; a pointer, so that no %+v shows the token
	base   content         // what this request's changes are changes of
	loaded map[any]any     // a VarMap as base has it, if it can be compared without base, else nil
	ctx    context.Context // of the request that loaded it; nil for none
	made   time.Time       // the sign-in began
}

// UserID is the user id that the session was made with; never nil. The bytes belong to the session:
// do not change them.
func (s *Session) UserID() []byte { return s.userID }

// Token gives the session's token and its time to live in seconds, for programs that send it by
// their own means. The session must have been saved. Errors: [ErrNoSession], outages.
func (s *Session) Token() (token string, timeToLiveSecs int, err error) {
	if s.ticket == nil {
		return "", 0, fail("token", ErrNoSession)
	}
	_, ttl, err := s.store.GetTokenSession(s.ticket.token)
	if err != nil {
		return "", 0, err
	}
	return s.ticket.token, ttl, nil
}

// maxSecs is the longest MaxAgeSecs that every store and every int takes: 68 years.
const maxSecs = math.MaxInt32

// Save writes the session's data and begins its life of MaxAgeSecs anew. With CookieAuth it puts
// the cookie into w's header, so it must come before the first Write or WriteHeader. With TokenAuth
// it calls Store.SendToken, if set; else the program sends what [Session.Token] gives.
//
// What happens when requests overlap is in the package comment. Errors: [ErrNoSession] if the
// session ended meanwhile, [ErrConflict], [ErrConfig], sojourn.ErrRevoked as [Store.NewSession]
// says, sojourn.ErrTooLarge, those of Data, outages. After an error nothing was written, but for
// sojourn.ErrIndeterminate and an error of SendToken or SessionSaved.
func (s *Session) Save(w http.ResponseWriter) error { return fail("save", s.save(w)) }

func (s *Session) save(w http.ResponseWriter) error {
	st := s.store
	if s.MaxAgeSecs < 1 || s.MaxAgeSecs > maxSecs {
		return badConfig("MaxAgeSecs %d is not within 1 and %d", s.MaxAgeSecs, maxSecs)
	}
	if err := st.checkCookie(); err != nil {
		return err
	}
	eng, err := st.engine()
	if err != nil {
		return err
	}
	if s.ticket == nil {
		err = s.create(eng)
	} else {
		err = s.update(eng)
	}
	if err != nil {
		return err
	}
	s.base.maxAge, s.base.minRefresh = s.MaxAgeSecs, s.MinRefreshSecs
	if err := s.send(w); err != nil {
		return err
	}
	if st.SessionSaved != nil {
		return st.SessionSaved(s.userID, time.Now())
	}
	return nil
}

// encode returns Data's encoding.
func (s *Session) encode() ([]byte, error) {
	data, err := s.Data.Marshal()
	return bytes.Clone(data), err // Marshal may use its buffer again
}

func (s *Session) create(eng engine) error {
	data, err := s.encode()
	if err != nil {
		return err
	}
	mine := content{s.MaxAgeSecs, s.MinRefreshSecs, data}
	t := new(ticket)
	if err := eng.create(s.context(), t, string(s.userID), mine, time.Since(s.made)); err != nil {
		return err
	}
	s.ticket, s.base = t, mine
	return nil
}

func (s *Session) update(eng engine) (err error) {
	c := changes{s: s, data: s.base.data}
	if now, ok := plainVars(s.Data); s.loaded == nil || !ok || !maps.Equal(now, s.loaded) {
		if c.data, err = s.encode(); err != nil {
			return err
		}
		c.changed = s.loaded != nil || !s.store.sameData(s.base.data, c.data)
	}
	if err := eng.update(s.context(), s.ticket, c.apply); err != nil {
		return err
	}
	if c.changed {
		s.base.data = c.data
		s.remember()
	}
	return nil
}

// remember notes the data that base has.
func (s *Session) remember() {
	s.loaded = nil
	if vars, ok := plainVars(s.Data); ok {
		s.loaded = maps.Clone(vars)
	}
}

// changes are what a Save of a session that was saved before has to write.
type changes struct {
	s       *Session
	data    []byte // s.Data, encoded
	changed bool   // it differs from what was loaded
}

// apply lays the changes over what is stored now. It may run several times, on newer contents.
func (c *changes) apply(now *content) error {
	s := c.s
	if s.MaxAgeSecs != s.base.maxAge {
		now.maxAge = s.MaxAgeSecs
	}
	if s.MinRefreshSecs != s.base.minRefresh {
		now.minRefresh = s.MinRefreshSecs
	}
	if !c.changed {
		return nil // a refresh leaves what others have saved
	}
	if !bytes.Equal(now.data, s.base.data) {
		m, ok := s.Data.(Merger)
		if !ok {
			return ErrConflict
		}
		if err := m.Merge(s.base.data, now.data); err != nil {
			return err
		}
		merged, err := m.Marshal()
		if err != nil {
			return err
		}
		// Data is theirs and this request's changes from here on.
		c.data, s.base.data, s.loaded = bytes.Clone(merged), bytes.Clone(now.data), nil
	}
	now.data = c.data
	return nil
}

// Delete ends the session, and takes cookie or token away from the client (with TokenAuth by
// Store.DeleteToken, if set). If the database fails it is an error and the client keeps what it
// has: the user is still signed in. A session that has ended already is no error. Errors: outages,
// DeleteToken's.
func (s *Session) Delete(w http.ResponseWriter) error {
	eng, err := s.store.engine()
	if err == nil && s.ticket != nil {
		err = eng.end(s.context(), s.ticket)
	}
	if err == nil {
		err = s.unsend(w)
	}
	return fail("delete", err)
}

// DeleteByUserID ends all sessions of the session's user, this one and any that is being made too,
// for example after a change of password. It may be called on a session that was never saved, whose
// sign-in then counts as begun afterwards: it can be saved. If it was saved, cookie or token is
// taken away from the client. Errors: sojourn.ErrNoUser if the session has no user id; outages,
// then some may have ended, and it should be called again; DeleteToken's.
func (s *Session) DeleteByUserID(w http.ResponseWriter) error {
	return fail("delete by user id", s.deleteByUserID(w))
}

// tick is the coarsest clock of any store. When one has passed, a sign-in is later than a
// revocation, and not at the same time, for all of them.
const tick = time.Millisecond

func (s *Session) deleteByUserID(w http.ResponseWriter) error {
	if len(s.userID) == 0 {
		return sojourn.ErrNoUser
	}
	eng, err := s.store.engine()
	if err != nil {
		return err
	}
	if err := eng.endUser(s.context(), string(s.userID)); err != nil {
		return err
	}
	time.Sleep(tick)
	if s.ticket == nil {
		s.made = time.Now()
		return nil
	}
	return s.unsend(w)
}

// context is that of the session's request, without its end: a client that hangs up cancels no
// sign-out.
func (s *Session) context() context.Context {
	if s.ctx == nil {
		return context.Background()
	}
	return context.WithoutCancel(s.ctx)
}
