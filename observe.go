package sojourn

import (
	"context"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// EventName names what happened, after the OWASP Logging Vocabulary where it
// has a word.
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
	DuplicateCookie       EventName = "session_duplicate_cookie" // several cookies of the session's name
	CrossSiteRefused      EventName = "session_cross_site"       // an unsafe request from elsewhere
	ValueDropped          EventName = "session_value_dropped"    // a stored value did not decode; Reason names it
	StoreFailed           EventName = "session_store_failed"     // the store answered with an error
	ChangeLost            EventName = "session_change_lost"      // a change came too late for its response
)

// Event is one entry for a log or a metric. It never holds a token, a key or data.
// User and Reason may hold text that a client chose: encode them.
type Event struct {
	Name   EventName
	Time   time.Time
	Handle store.Handle // zero if unknown
	User   string
	Reason string // "logout", "revoked", "limit", "idle", "lifetime", an operation or a value's name
	Err    error
}

func (m *Manager) event(ctx context.Context, name EventName, h store.Handle, user, reason string, err error) {
	m.opts.Observe(ctx, Event{Name: name, Time: time.Now(), Handle: h, User: user, Reason: reason, Err: err})
}
