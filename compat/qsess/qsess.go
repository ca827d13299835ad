package qsess

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// AuthTypeEnum says how clients carry the reference to their session.
type AuthTypeEnum int

// The ways: in a cookie, or as a token that the program sends by its own means.
const (
	CookieAuth AuthTypeEnum = iota
	TokenAuth
)

// String is "cookie" or "token".
func (a AuthTypeEnum) String() string {
	switch a {
	case CookieAuth:
		return "cookie"
	case TokenAuth:
		return "token"
	}
	return fmt.Sprintf("AuthTypeEnum(%d)", int(a))
}

// ParseAuthType reads what String wrote, in upper or lower case. Errors: [ErrConfig].
func ParseAuthType(s string) (AuthTypeEnum, error) {
	for _, a := range []AuthTypeEnum{CookieAuth, TokenAuth} {
		if strings.EqualFold(s, a.String()) {
			return a, nil
		}
	}
	return 0, badConfig("%q is no auth type: use cookie or token", s)
}

// Defaults of a new [Store].
const (
	DefaultAuthType       = CookieAuth
	DefaultMaxAgeSecs     = 24 * 60 * 60
	DefaultMinRefreshSecs = 1 * 60 * 60
	DefaultCookieName     = "qsess_session"
	DefaultCookieDomain   = ""
	DefaultCookiePath     = "/"
	DefaultCookieSecure   = false
	DefaultCookieHTTPOnly = true
	DefaultCookieSameSite = http.SameSiteDefaultMode
)

// SessBackEnd is a back-end of the older form, for programs that have one of their own. Its ids are
// its own business: it makes them in Save. Every store of Sojourn does more, see [NewStoreOver].
//
// Errors: Get returns one that matches [ErrNoSession] where there is no such session, and so does
// Save where the session of *sessID is gone; any other is taken for an outage, so that a broken
// database signs nobody out.
type SessBackEnd interface {
	// Save writes a session. If *sessID is nil it is a new one, whose id Save makes and puts there.
	Save(sessID *[]byte, data []byte, userID []byte, maxAgeSecs int, minRefreshSecs int) error
	// Get reads a session. uID is what the client's token says; it matters only to a back-end with
	// uidToClient, see [NewStore].
	Get(sessID []byte, uID []byte) (data []byte, userID []byte, timeToLiveSecs int, maxAgeSecs int, minRefreshSecs int, err error)
	// Delete ends a session; one that is not there is no error.
	Delete(sessID []byte, uID []byte) error
	// DeleteByUserID ends all sessions of a user.
	DeleteByUserID(userID []byte) error
}

// Store makes and finds sessions. Set its fields before it is first used. A copy of a Store is one
// of the same sessions, with fields of its own.
type Store struct {
	// NewSessData makes an empty value of the program's own type of session data. The default makes
	// a [VarMap]; nil means that sessions have no data but their user id.
	NewSessData func() SessData

	// MaxAgeSecs is how long a session lives after it was last saved, in seconds, 1 or more. A
	// Session's own MaxAgeSecs overrides it.
	MaxAgeSecs int

	// MinRefreshSecs is how old a session gets, in seconds since it was last saved, before it is
	// worth another Save; below 0 it is never refreshed. This package only keeps it, for the
	// program and for qctx.MwRequireSess. A Session's own MinRefreshSecs overrides it.
	MinRefreshSecs int

	// Attributes of the cookie.
	CookieName     string
	CookieDomain   string
	CookiePath     string
	CookieSecure   bool
	CookieHTTPOnly bool
	CookieSameSite http.SameSite

	// AuthType is how clients carry their session.
	AuthType AuthTypeEnum

	// SendToken, if not nil, gives a saved session's token to the client. DeleteToken, if not nil,
	// takes it away. GetToken, if not nil, finds it in a request, in place of the header
	// "Authorization: Bearer TOKEN"; an error from it means that there is none, unless it is an
	// outage. All three are for TokenAuth.
	SendToken   func(token string, timeToLiveSecs int, w http.ResponseWriter) error
	DeleteToken func(w http.ResponseWriter) error
	GetToken    func(w http.ResponseWriter, r *http.Request) (token string, err error)

	// Encrypt and Decrypt replace the cipher of cookies and tokens, and then the keys mean nothing.
	// Set both or neither. Decrypt gets the bytes that Encrypt returned, and must fail for others
	// where it can.
	Encrypt func(data []byte) ([]byte, error)
	Decrypt func(data []byte) ([]byte, error)

	// SessionSaved, if not nil, is called after each Save with the session's user id and the time.
	// An error from it is returned by Save; the session is saved all the same.
	SessionSaved func(UserID []byte, timestamp time.Time) error

	// PruneInterval and PruneKill control the goroutine that deletes expired sessions, where the
	// back-end needs one; else they are nil. A number of seconds, 1 or more, sent to PruneInterval
	// is its new interval, which begins anew. Anything sent to PruneKill ends it: when the send
	// returns, no sweep is running and none will, so the database may be closed. Nobody receives
	// after that. Closing a channel does no harm: a closed PruneKill ends the goroutine, too.
	PruneInterval chan int
	PruneKill     chan int

	in *inside
}

// NewMapStore makes a Store in the memory of this process. cipherkeys are one or more, of 32 bytes
// each: the first seals cookies and tokens, all open them, so that keys can be changed. Errors:
// [ErrConfig].
func NewMapStore(cipherkeys ...[]byte) (*Store, error) {
	return NewStoreOver(memstore.New(nil), cipherkeys...)
}

// NewStoreOver makes a Store that keeps its sessions in any store of Sojourn's. It starts nothing:
// the caller sweeps, or uses [NewPrunedStore]. Stores for different purposes are separated by keep,
// so give each its own table or prefix. In one table tokens are separated only by AuthType and
// CookieName: two Stores that have the same there, or two with TokenAuth, are one, as in two
// processes. [Session.DeleteByUserID] ends a user's sessions in the whole table.
//
// cipherkeys are those of [NewMapStore]. Errors: [ErrConfig].
func NewStoreOver(keep store.Store, cipherkeys ...[]byte) (*Store, error) {
	if keep == nil {
		return nil, badConfig("no store")
	}
	return newStore(&inside{keep: keep}, cipherkeys)
}

// NewStore makes a Store over a back-end of the program's own; the others come from [NewMapStore],
// [NewStoreOver] and the packages qsldb, qspgx, qsmy and qscql. With uidToClient the token holds
// the user id too, sealed, and the back-end gets it from there. What such a Store promises of
// overlapping requests is what the back-end keeps: there is nothing like compare-and-swap in its
// methods.
//
// A token holds the back-end's id and is bound to the keys, AuthType and cookie name, but not to
// the back-end, which has no name. Two back-ends that give out the same ids therefore open each
// other's sessions if all three are the same. Give each Store a key or a CookieName of its own;
// with TokenAuth, a key. And a back-end must never give out an id again, also after a restart.
//
// cipherkeys are those of [NewMapStore]. Errors: [ErrConfig].
func NewStore(backend SessBackEnd, uidToClient bool, cipherkeys ...[]byte) (*Store, error) {
	return newStore(&inside{backEnd: backend, uidToClient: uidToClient}, cipherkeys)
}

func newStore(in *inside, cipherkeys [][]byte) (*Store, error) {
	var err error
	if in.ring, err = newRing(cipherkeys); err != nil {
		return nil, fail("new store", err)
	}
	return &Store{
		NewSessData:    newVarMap,
		MaxAgeSecs:     DefaultMaxAgeSecs,
		MinRefreshSecs: DefaultMinRefreshSecs,
		CookieName:     DefaultCookieName,
		CookieDomain:   DefaultCookieDomain,
		CookiePath:     DefaultCookiePath,
		CookieSecure:   DefaultCookieSecure,
		CookieHTTPOnly: DefaultCookieHTTPOnly,
		CookieSameSite: DefaultCookieSameSite,
		AuthType:       DefaultAuthType,
		in:             in,
	}, nil
}

// NewSession makes a session, which is kept nowhere until it is saved. userID is the program's own
// name of the user, at most 255 bytes; empty is for sessions of nobody, which
// [Session.DeleteByUserID] cannot end. A session with a user id must be saved within 15 minutes,
// and before its user's sessions are revoked by somebody else; otherwise Save fails with
// sojourn.ErrRevoked. In Cassandra, whose nodes' clocks may differ, it also fails if the session
// was made within a second after a revocation by another process: make another one then.
func (st *Store) NewSession(userID []byte) *Session {
	s := new(Session)
	st.begin(s)
	s.userID, s.made = append([]byte{}, userID...), time.Now()
	return s
}

// begin gives a session what is the Store's.
func (st *Store) begin(s *Session) {
	s.Data = noSessData{}
	if st.NewSessData != nil {
		s.Data = st.NewSessData()
	}
	s.MaxAgeSecs, s.MinRefreshSecs, s.store = st.MaxAgeSecs, st.MinRefreshSecs, st
}

// BackEnd is what keeps the sessions, in the form of a back-end, for tests. Where a store of
// Sojourn's does, its session ids are sealed like tokens, and Save writes whatever the session
// holds.
func (st *Store) BackEnd() SessBackEnd {
	if st.in.keep == nil {
		return st.in.backEnd
	}
	return managedBackEnd{st}
}
