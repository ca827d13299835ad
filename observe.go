package sojourn

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/store"
)

// EventName names what happened, after the OWASP Logging Vocabulary where it has a word.
type EventName string

// The events. Each has the session's handle and user where they are known.
const (
	SessionCreated        EventName = "session_created"          // a record was made: sign-in, or a visitor's first value
	SessionRenewed        EventName = "session_renewed"          // its token was replaced
	SessionExpired        EventName = "session_expired"          // it ended; Reason says why
	SessionUseAfterExpire EventName = "session_use_after_expire" // a genuine token of an ended session came back
	SessionReuse          EventName = "session_token_reuse"      // a renewed token came back after its grace
	SessionLimit          EventName = "session_limit"            // a sign-in was refused, or evicted this session
	TokenRefused          EventName = "session_token_refused"    // a token that this manager never made
	SeveralTokens         EventName = "session_several_tokens"   // a request with several: refused with ErrAmbiguous, or several cookies of the session's name, without an Err
	InsecureRefused       EventName = "session_insecure"         // a token was ignored, or an act refused, over what is taken for plain HTTP: ErrInsecure
	CrossSiteRefused      EventName = "session_cross_site"       // an unsafe request from elsewhere: ErrCrossSite
	ValueDropped          EventName = "session_value_dropped"    // a stored value did not decode; Reason names it
	SessionDamaged        EventName = "session_damaged"          // its record was damaged and is removed, or left out of a list; nobody can use it
	StoreFailed           EventName = "session_store_failed"     // the store answered with an error: an outage, ErrFull or ErrCorrupt
	SealFailed            EventName = "session_seal_failed"      // a Sealer of the program's own, or the Send of a CustomTransport, failed; Reason says at what
	ChangeLost            EventName = "session_change_lost"      // a request's changes were not written, for a reason that is not the store's; Reason says which
	KeysDiffer            EventName = "session_keys_differ"      // processes on one store have other keys: ErrKeys
)

// Event is one entry for a log or a metric. It never holds a token, a key or data. User, Reason,
// Hint and Err may hold text that a client chose: encode them.
type Event struct {
	Name   EventName
	Time   time.Time
	Handle store.Handle // zero if unknown
	User   string
	Reason string // "logout", "revoked", "limit", "idle", "lifetime", an operation or a value's name; of a refusal what came: "cookie", "bearer", "custom", "csrf token", "origin"
	Hint   string // what an operator can change, in words; "" if the library cannot tell
	Err    error
}

// event tells the observer, who has the request's context: the act's ends with the act.
func (m *Manager) event(ctx context.Context, name EventName, h store.Handle, user, reason string, err error) {
	if hungUp(ctx, name) {
		return
	}
	for act, ok := ctx.(*call.Context); ok; act, ok = ctx.(*call.Context) {
		ctx = act.Context
	}
	m.opts.Observe(ctx, Event{Name: name, Time: time.Now(), Handle: h, User: user, Reason: reason, Err: err})
}

// hungUp reports whether an event is only that the caller of an act went away, which says nothing
// about the store. An act that is detached from its caller has a context that tells of no hanging
// up.
func hungUp(ctx context.Context, name EventName) bool {
	return name == StoreFailed && ctx.Err() == context.Canceled
}

// refused tells of a request that is turned away, or whose token is.
func (m *Manager) refused(r *http.Request, name EventName, reason, hint string, err error) {
	m.opts.Observe(r.Context(), Event{Name: name, Time: time.Now(), Reason: reason, Hint: hint, Err: err})
}

// report names the act that failed in its error, and tells of what an operator can do something
// about: the store's failures and the refusals of the request. The rest is the caller's to see.
func (s *Session) report(ctx context.Context, op string, err error) error {
	switch name := concern(err); name {
	case StoreFailed:
		s.event(ctx, name, op, err)
	case InsecureRefused:
		s.m.refused(s.r, name, op, s.m.insecurity(s.r), err)
	case CrossSiteRefused:
		s.m.refused(s.r, name, op, crossSiteHint(s.r), err)
	}
	return opError(op, err)
}

// concern returns the event by which an operator learns of err, "" if it concerns the caller alone.
func concern(err error) EventName {
	switch {
	case storeFailed(err):
		return StoreFailed
	case errors.Is(err, ErrInsecure):
		return InsecureRefused
	case errors.Is(err, ErrCrossSite):
		return CrossSiteRefused
	}
	return ""
}

// storeFailed reports whether err is the store's, and not what the program or the request did.
func storeFailed(err error) bool {
	if errors.As(err, new(*sealError)) {
		return false
	}
	return outage(err) || errors.Is(err, ErrFull) || errors.Is(err, ErrCorrupt)
}
