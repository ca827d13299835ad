package sojourn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// Manager holds all policy of one kind of session: lifetimes, tokens, cookies, limits. It is safe
// for concurrent use and keeps nothing per session.
type Manager struct {
	store       store.Store // nil in sealed mode without a store
	traits      store.Traits
	sealed      *SealedOptions
	opts        Options
	keys        Sealer
	jar         cookie.Jar
	formJar     cookie.Jar   // of visitors' CSRF tokens
	former      []cookie.Jar // spellings of the cookie from before
	formerNames []formerName
	aad         struct{ cookie, bearer, sealed, csrf, form []byte }
	opened      struct{ cookie, bearer token.Cache }
	calls       call.Caller
	damaged     damaged
	lately      lately
	origins     []webOrigin    // Options.TrustedOrigins
	exempt      *http.ServeMux // knows the routes of Options.InsecureCrossSite; nil without
}

// New makes a manager of sessions kept in st. opts may be nil. Errors: [ErrOptions], with a text
// that says which option to change.
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
	var err error
	if m.exempt, err = exemptions(m.opts.InsecureCrossSite); err != nil {
		return nil, err
	}
	for _, text := range m.opts.TrustedOrigins {
		o, _ := parseOrigin(text) // complete has accepted it
		m.origins = append(m.origins, o)
	}
	if st != nil {
		m.traits = st.Traits()
	}
	m.calls.Timeout, m.calls.Known = m.opts.Timeout, ErrTooLarge
	m.jar = cookie.New(m.opts.Cookie.cookie(m.opts.insecure()))
	m.setFormer()
	m.formJar = cookie.New(m.opts.Cookie.formCookie(m.opts.insecure()))
	m.aad.cookie = token.AAD(token.Cookie, m.opts.Name, m.jar.Name)
	m.aad.bearer = token.AAD(token.Bearer, m.opts.Name, "")
	m.aad.sealed = token.AAD(token.Sealed, m.opts.Name, m.jar.Name)
	m.aad.csrf = token.AAD(token.CSRF, m.opts.Name, m.jar.Name)
	m.aad.form = token.AAD(token.Form, m.opts.Name, m.jar.Name)
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
		if !m.traits.Volatile {
			return bad("Keys are needed, since sessions survive a restart: make a key file once, with CreateKeys(path), and set Keys to what LoadKeys(path) returns")
		}
		m.keys, err = NewKeyRing(NewKey())
		return err
	}
	// A foreign Sealer is tried once, so that a wrong one fails here and not at a user's sign-in.
	c := token.New("")
	text, err := token.Seal(m.keys, m.aad.cookie, &c)
	if err != nil {
		return bad("Keys do not seal: %w", err)
	}
	if back, err := token.Open(m.keys, m.aad.cookie, text); err != nil || back != c {
		if errors.Is(err, ErrUnavailable) {
			return bad("Keys do not open: %w", err)
		}
		return bad("Keys do not open what they seal (or tokens exceed %d characters)", token.MaxLen)
	}
	switch _, err := token.Open(m.keys, m.aad.bearer, text); {
	case err == nil:
		return bad("Keys ignore the associated data")
	case errors.Is(err, ErrUnavailable):
		return bad("Keys do not open: %w", err)
	}
	return nil
}

// RevocationLag is the longest time for which an ended session may still be served, by this
// configuration. [store.MaxLife] means until the session expires.
func (m *Manager) RevocationLag() time.Duration {
	if m.store == nil {
		return store.MaxLife
	}
	return m.traits.Lag
}

// instant is a reading of the process's monotonic clock: half the cost of time.Now, of which every
// request would need several, and a third of the size.
type instant time.Duration

var processStart = time.Now()

func sinceStart() instant { return instant(time.Since(processStart)) }

func (i instant) ago() time.Duration { return time.Duration(sinceStart() - i) }

// detached is a context for acts that a client's hanging up must not abort.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

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
