package sojourn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Manager holds all policy of one kind of session: lifetimes, tokens, cookies, limits. It is
// safe for concurrent use and keeps nothing per session.
type Manager struct {
	store   store.Store // nil in sealed mode without a store
	sealed  *SealedOptions
	opts    Options
	keys    Sealer
	jar     cookieJar
	aad     struct{ cookie, bearer, sealed []byte }
	known   struct{ cookie, bearer tokenCache }
	breaker breaker
}

// sentinels are the errors that a store may answer with.
var sentinels = []error{
	store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate,
	store.ErrLimit, store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt, errors.ErrUnsupported,
	ErrTooLarge, // of a sealed session
}

// New makes a manager of sessions kept in st. opts may be nil. Errors: [ErrOptions], with a text that
// says which option to change.
func New(st store.Store, opts *Options) (*Manager, error) {
	if st == nil {
		return nil, bad("no store: pass memstore.New(nil), or use NewSealed")
	}
	return newManager(st, nil, opts)
}

func newManager(st store.Store, sealed *SealedOptions, opts *Options) (*Manager, error) {
	m := &Manager{store: st, sealed: sealed}
	if opts != nil {
		m.opts = *opts
	}
	if err := m.opts.complete(); err != nil {
		return nil, err
	}
	m.jar = newCookieJar(&m.opts.Cookie, m.opts.InsecureLoopbackHTTP)
	m.aad.cookie = sealAAD(purposeCookie, m.opts.Name, m.jar.name)
	m.aad.bearer = sealAAD(purposeBearer, m.opts.Name, "")
	m.aad.sealed = sealAAD(purposeSealed, m.opts.Name, m.jar.name)
	if err := m.setKeys(); err != nil {
		return nil, err
	}
	if lag := m.RevocationLag(); m.opts.MaxRevocationLag > 0 && lag > m.opts.MaxRevocationLag {
		return nil, bad("a revoked session could be served for %v, more than MaxRevocationLag %v", lag, m.opts.MaxRevocationLag)
	}
	return m, nil
}

func (m *Manager) setKeys() (err error) {
	if m.keys = m.opts.Keys; m.keys == nil {
		if m.store == nil || !m.store.Traits().Volatile {
			return bad("Keys are needed, since sessions survive a restart: use LoadKeys(path)")
		}
		m.keys, err = NewKeyRing(NewKey())
		return err
	}
	// A foreign Sealer is tried once, so that a wrong one fails here and not at a user's sign-in.
	c := newCredential("")
	text, err := sealToken(m.keys, m.aad.cookie, &c)
	if err != nil {
		return bad("Keys do not seal: %w", err)
	}
	if back, err := openToken(m.keys, m.aad.cookie, text); err != nil || back != c {
		return bad("Keys do not open what they seal (or tokens exceed %d characters)", maxToken)
	}
	if _, err := openToken(m.keys, m.aad.bearer, text); err == nil {
		return bad("Keys ignore the associated data")
	}
	return nil
}

// RevocationLag is the longest time for which an ended session may still be served, by this
// configuration. [Forever] means until the session expires.
func (m *Manager) RevocationLag() time.Duration {
	if m.store == nil {
		return Forever
	}
	return m.store.Traits().Lag
}

// Forever is longer than any session.
const Forever = store.MaxLife

func random64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func newWriter() (w store.Writer) {
	rand.Read(w[:])
	return w
}

func newHandle() (h store.Handle) {
	rand.Read(h[:])
	return h
}

// From gives the request's session without loading it: for Login and Logout, which load by themselves,
// and for handlers below a middleware that has loaded it ([Manager.RequireUser] and its
// kin). It panics if [Manager.Handler] is not around the handler.
func (m *Manager) From(r *http.Request) *Session { return m.FromContext(r.Context()) }

// FromContext is [Manager.From] for code that has only the request's context.
func (m *Manager) FromContext(ctx context.Context) *Session {
	v, ok := ctx.Value(m).(*visit)
	if !ok {
		panic("sojourn: From outside Manager.Handler: wrap the handler, or use Open")
	}
	return &v.s
}

// Load gives the request's session with its record read: once a request, however often it
// is called. Unknown, expired and forged tokens are no errors but a new, empty session.
// Without [Manager.Handler] around the handler, end with [Session.Save].
// Errors: [ErrUnavailable] and other outages, [ErrCorrupt], [ErrAmbiguous].
func (m *Manager) Load(r *http.Request) (*Session, error) {
	if v, ok := r.Context().Value(m).(*visit); ok {
		if err := v.s.Load(r.Context()); err != nil {
			return nil, err // nil, so that an ignored error cannot be read as "nobody"
		}
		return &v.s, nil
	}
	return m.Open(r.Context(), r)
}

// Open is Load for frameworks that are not net/http: build a request from what they
// have (Method, URL, Host, Header, RemoteAddr, TLS), and when the handler is done call
// [Session.Commit] and copy the header that it gives. Errors: those of Load.
func (m *Manager) Open(ctx context.Context, r *http.Request) (*Session, error) {
	s := &Session{}
	s.init(m, r)
	if err := s.Load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}
