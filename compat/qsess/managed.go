package qsess

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// managed is an engine over one of Sojourn's stores: a Manager whose transport is this package.
type managed struct {
	m      *sojourn.Manager
	maxAge int // of sessions as the Manager makes them
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
		Codec:      codec{},
		Custom: &sojourn.CustomTransport{
			Receive: func(r *http.Request) string { return r.RequestURI }, // see ask
			Send: func(h http.Header, t sojourn.Token, _ time.Duration) error {
				h[tokenField] = []string{t.Reveal()}
				return nil
			},
			Delete:   func(http.Header) error { return nil },
			Explicit: true, // it comes from the program; where requests come from is the program's to check
		},
		OnDecodeError: sojourn.RefuseValue,
		Observe: func(ctx context.Context, ev sojourn.Event) {
			if ev.Name == sojourn.SessionDamaged {
				logDamage(ctx, ev)
			}
			if ev.Name != sojourn.StoreFailed || ev.Reason != "touch" {
				return
			}
			if r, ok := ctx.Value(refreshKey{}).(*refresh); ok {
				r.failed = ev.Err
			}
		},
	}
	var err error
	e.m, err = sojourn.New(keep, opts)
	return e, err
}

// logDamage writes to slog's default logger: a session that ends for damage has no other way to be
// heard of.
var logDamage = sojourn.LogEvents(nil)

func secs(n int) time.Duration { return time.Duration(n) * time.Second }

// tokenField is where a new token stands in the header that the Manager gives; it never leaves this
// package.
const tokenField = "Token"

// secured says that the client's connection is secure, which is the older API's CookieSecure to
// know.
var secured = new(tls.ConnectionState)

// open loads the session of a ticket.
func (e *managed) open(ctx context.Context, t *ticket) (*sojourn.Session, error) {
	if t.token == "" {
		return nil, ErrNoSession
	}
	s, err := e.ask(ctx, t)
	if err == nil && !s.Exists() {
		err = ErrNoSession
	}
	return s, err
}

// ask gives the Manager's session for a ticket: a new one, if the ticket leads to none.
func (e *managed) ask(ctx context.Context, t *ticket) (*sojourn.Session, error) {
	t.found.Method, t.found.RequestURI, t.found.TLS = http.MethodGet, t.token, secured
	return e.m.Open(ctx, &t.found)
}

func (e *managed) create(ctx context.Context, t *ticket, user string, c content, age time.Duration) error {
	s, err := e.ask(ctx, t)
	if err != nil {
		return err
	}
	if err := slot.Set(s, c); err != nil {
		return err
	}
	if user != "" {
		if err := s.Login(ctx, user, sojourn.KeepAll(), sojourn.Began(age)); err != nil {
			return err
		}
	}
	if c.maxAge != e.maxAge {
		err = s.SetIdle(secs(c.maxAge))
	}
	var h http.Header
	if err == nil {
		h, err = s.Commit(ctx)
	}
	if err == nil && len(h[tokenField]) != 1 {
		err = fmt.Errorf("%w: the new session has no token", sojourn.ErrNoToken)
	}
	if err != nil {
		_ = s.Logout(ctx) // no client has its token: if this fails too, it expires unused
		return err
	}
	t.token = h[tokenField][0]
	return nil
}

func (e *managed) load(ctx context.Context, t *ticket) (user string, c content, ttl int, err error) {
	s, err := e.open(ctx, t)
	if err != nil {
		return "", c, 0, err
	}
	if c, err = slot.Lookup(s); err != nil {
		return "", c, 0, fmt.Errorf("%w: %w", sojourn.ErrDecode, err)
	}
	t.open = s
	return s.User(), c, int((s.ExpiresIn() + time.Second - 1) / time.Second), nil
}

type refreshKey struct{}

// refresh is the context of a commit, by which its touch says that it failed.
type refresh struct {
	context.Context
	failed error
}

func (r *refresh) Value(key any) any {
	if key == (refreshKey{}) {
		return r
	}
	return r.Context.Value(key)
}

func (e *managed) update(ctx context.Context, t *ticket, change func(*content) error) error {
	err := e.write(ctx, t, change)
	if err != nil {
		t.open = nil
	}
	if errors.Is(err, sojourn.ErrEnded) {
		err = fmt.Errorf("%w: %w", ErrNoSession, err)
	}
	return err
}

func (e *managed) write(ctx context.Context, t *ticket, change func(*content) error) (err error) {
	if t.open == nil {
		if t.open, err = e.open(ctx, t); err != nil {
			return err
		}
	}
	s, idle, same := t.open, 0, true
	err = slot.Update(s, func(c *content) error {
		was := *c
		if err := change(c); err != nil {
			return err
		}
		if c.maxAge != was.maxAge {
			idle = c.maxAge
		}
		same = c.maxAge == was.maxAge && c.minRefresh == was.minRefresh && bytes.Equal(c.data, was.data)
		return nil
	})
	if err == nil && idle != 0 {
		err = s.SetIdle(secs(idle))
	}
	if err != nil {
		return err
	}
	var left time.Duration
	if same {
		left = s.ExpiresIn()
	}
	r := &refresh{Context: ctx}
	if _, err := s.Commit(r); err != nil || r.failed != nil {
		return cmp.Or(err, r.failed)
	}
	if same && s.ExpiresIn() <= left { // perhaps nothing was written, for it was ended meanwhile
		_, err = e.open(ctx, t)
	}
	return err
}

func (e *managed) end(ctx context.Context, t *ticket) error {
	s, err := e.open(ctx, t)
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
