package qsess

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
	"github.com/sojourn-go/sojourn/store"
)

// inside is what a Store and its copies share.
type inside struct {
	keep        store.Store // nil: backEnd
	backEnd     SessBackEnd
	uidToClient bool
	ring        *sojourn.KeyRing

	mu      sync.Mutex
	engines map[string]engine // by what their tokens are bound to
}

// engine keeps sessions under tokens. A token that does not open, or whose session is gone, is ErrNoSession.
type engine interface {
	create(ctx context.Context, user string, c content, age time.Duration) (token string, err error)
	load(ctx context.Context, token string) (user string, c content, ttl int, err error)
	update(ctx context.Context, token string, change func(*content) error) (newToken string, err error)
	end(ctx context.Context, token string) error
	endUser(ctx context.Context, user string) error
}

// engine gives the Store's engine, and makes it when it is first asked for.
func (st *Store) engine() (engine, error) {
	if st.in == nil {
		return nil, badConfig("a Store comes from NewMapStore and its kin")
	}
	bound := "token"
	if st.AuthType == CookieAuth {
		bound = "cookie " + st.CookieName
	}
	in := st.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if e := in.engines[bound]; e != nil {
		return e, nil
	}
	sealer, err := st.sealer()
	if err != nil {
		return nil, err
	}
	var e engine
	if in.keep != nil {
		e, err = newManaged(in.keep, sealer, bound, st.MaxAgeSecs)
	} else {
		e, err = newForeign(in.backEnd, sealer, bound, in.uidToClient)
	}
	if err != nil {
		return nil, badConfig("%w", err)
	}
	if in.engines == nil {
		in.engines = map[string]engine{}
	}
	in.engines[bound] = e
	return e, nil
}

// slot is the one value of a session. Everything of the older library is in it.
var slot = sojourn.NewValue[content]("qsess")

// AppendBinary is how content is stored: MaxAgeSecs and MinRefreshSecs as varints, then the data.
func (c *content) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendVarint(binary.AppendVarint(b, int64(c.maxAge)), int64(c.minRefresh))
	return append(b, c.data...), nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (c *content) UnmarshalBinary(b []byte) error {
	for _, to := range []*int{&c.maxAge, &c.minRefresh} {
		n, size := binary.Varint(b)
		if size <= 0 || int64(int(n)) != n {
			return errors.New("qsess: stored session is malformed")
		}
		*to, b = int(n), b[size:]
	}
	c.data = append([]byte(nil), b...)
	return nil
}

// managed is an engine over one of Sojourn's stores: a Manager whose transport is this package.
type managed struct {
	m      *sojourn.Manager
	maxAge int // of sessions as the Manager makes them
}

type actKey struct{}

// act is one call's part in the Manager's transport and observer.
type act struct {
	token string
	touch error // why a refresh was not written
}

func newManaged(keep store.Store, sealer sojourn.Sealer, bound string, maxAge int) (*managed, error) {
	if maxAge < 1 || maxAge > maxSecs {
		maxAge = DefaultMaxAgeSecs // Save refuses it
	}
	e := &managed{maxAge: maxAge}
	opts := &sojourn.Options{
		Name:       fmt.Sprintf("qsess %x", sha256.Sum256([]byte(bound)))[:38],
		Keys:       sealer,
		Lifetime:   sojourn.Unlimited, // these sessions slide
		Idle:       secs(maxAge),
		TouchEvery: 1, // the program says when
		RenewAfter: sojourn.Unlimited,
		OmitClient: true,
		Codec:      door.Binary,
		Custom: &sojourn.CustomTransport{
			Receive:  func(r *http.Request) string { return r.Context().Value(actKey{}).(*act).token },
			Send:     func(http.Header, sojourn.Token, time.Duration) error { return nil }, // Session.Token gives it
			Delete:   func(http.Header) error { return nil },
			Explicit: true, // it comes from the program; where requests come from is the program's to check
		},
		OnDecodeError: sojourn.RefuseValue,
		Observe: func(ctx context.Context, ev sojourn.Event) {
			if a, ok := ctx.Value(actKey{}).(*act); ok && ev.Name == sojourn.StoreFailed && ev.Reason == "touch" {
				a.touch = ev.Err
			}
		},
	}
	var err error
	e.m, err = sojourn.New(keep, opts)
	return e, err
}

func secs(n int) time.Duration { return time.Duration(n) * time.Second }

// open loads the session of a token; "" begins a new one. Whether the client's connection is secure is the
// older API's CookieSecure, so the Manager is told that it is.
func (e *managed) open(ctx context.Context, token string) (*sojourn.Session, *act, error) {
	a := &act{token: token}
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}, TLS: &tls.ConnectionState{}}
	r = r.WithContext(context.WithValue(ctx, actKey{}, a))
	s, err := e.m.Open(r.Context(), r)
	if err == nil && token != "" && !s.Exists() {
		err = ErrNoSession
	}
	return s, a, err
}

func (e *managed) create(ctx context.Context, user string, c content, age time.Duration) (string, error) {
	s, _, err := e.open(ctx, "")
	if err != nil {
		return "", err
	}
	if err := slot.Set(s, c); err != nil {
		return "", err
	}
	if user != "" {
		if err := s.Login(ctx, user, sojourn.KeepAll(), sojourn.Began(age)); err != nil {
			return "", err
		}
	}
	if c.maxAge != e.maxAge {
		err = s.SetIdle(secs(c.maxAge))
	}
	if err == nil {
		_, err = s.Commit(ctx)
	}
	if err != nil {
		_ = s.Logout(ctx) // no client has its token: if this fails too, it expires unused
		return "", err
	}
	t, err := s.Token()
	return t.Reveal(), err
}

func (e *managed) load(ctx context.Context, token string) (user string, c content, ttl int, err error) {
	s, _, err := e.open(ctx, token)
	if err != nil {
		return "", c, 0, err
	}
	if c, err = slot.Lookup(s); err != nil {
		return "", c, 0, fmt.Errorf("%w: %w", sojourn.ErrDecode, err)
	}
	return s.User(), c, int((s.ExpiresIn() + time.Second - 1) / time.Second), nil
}

func (e *managed) update(ctx context.Context, token string, change func(*content) error) (string, error) {
	s, a, err := e.open(ctx, token)
	if err != nil {
		return "", err
	}
	idle, seen := 0, s.Info().Seen
	err = slot.Update(s, func(c *content) error {
		was := c.maxAge
		if err := change(c); err != nil {
			return err
		}
		if c.maxAge != was {
			idle = c.maxAge
		}
		return nil
	})
	if err == nil && idle != 0 {
		err = s.SetIdle(secs(idle))
	}
	if err == nil {
		_, err = s.Commit(context.WithValue(ctx, actKey{}, a))
	}
	if err == nil && a.touch == nil && !s.Info().Seen.After(seen) {
		_, _, err = e.open(ctx, token) // nothing was written: it may have been ended meanwhile
	}
	if errors.Is(err, sojourn.ErrEnded) {
		err = fmt.Errorf("%w: %w", ErrNoSession, err)
	}
	return token, cmp.Or(err, a.touch)
}

func (e *managed) end(ctx context.Context, token string) error {
	s, _, err := e.open(ctx, token)
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Logout(ctx)
}

func (e *managed) endUser(ctx context.Context, user string) error {
	_, err := e.m.RevokeUser(ctx, user)
	return err
}
