package sojourn

import (
	"errors"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/store"
)

// Outages. The client is still signed in when the store answers again: reply 503 and leave the
// cookie alone, which is what [Manager.Handler] does.
var (
	// ErrUnavailable: the store could not be reached; nothing was written.
	ErrUnavailable = store.ErrUnavailable
	// ErrIndeterminate: the store's answer was lost; the write may have happened.
	ErrIndeterminate = store.ErrIndeterminate
	// ErrFull: the store has no room for another session or more data.
	ErrFull = store.ErrFull
	// ErrCorrupt: stored bytes are damaged. A session whose record is damaged has ended, see
	// [SessionDamaged]; what still fails with this error says so.
	ErrCorrupt = store.ErrCorrupt
	// ErrClock: the record comes from the future by more than the tolerated skew, as after the
	// store's clock was put right. Signing in and out work all the same. It matches ErrUnavailable
	// too.
	ErrClock = errors.New("sojourn: record is from the future; check the clocks")
)

// Outcomes of a request's own acts.
var (
	// ErrEnded: the session was signed out, revoked or expired while the request ran; none of its
	// changes was written. Where the error also matches ErrIndeterminate, they may have been
	// written before the end: the store's answer was lost.
	ErrEnded = errors.New("sojourn: session has ended")
	// ErrConflict: other requests kept changing the session, or took a value that this one took
	// too; none of this request's changes was written.
	ErrConflict = store.ErrConflict
	// ErrLimit: the user has as many sessions as the manager allows.
	ErrLimit = store.ErrLimit
	// ErrRevoked: the user's sessions were revoked after this sign-in began.
	ErrRevoked = store.ErrRevoked
	// ErrTooLarge: the session's data would outgrow what its store or cookie holds.
	ErrTooLarge = errors.New("sojourn: session data too large")
	// ErrDecode: a stored value does not fit its Go type any more.
	ErrDecode = errors.New("sojourn: value does not decode")
	// ErrNoUser: the act needs a signed-in session, or a user id that is not empty.
	ErrNoUser = errors.New("sojourn: no user")
	// ErrNoToken: a change needs a token that can no longer be sent, or that this request's
	// transport cannot send.
	ErrNoToken = errors.New("sojourn: token cannot be sent")
	// ErrOver: the session was changed after its handler had returned, or while an error page
	// replaced the handler's; the change is lost.
	ErrOver = errors.New("sojourn: the request is over; its session cannot be changed any more")
	// ErrInsecure: the request came over plain HTTP, over which no session travels.
	ErrInsecure = errors.New("sojourn: plain HTTP carries no session: serve TLS, name your proxy in Options.TrustedProxies, or set Options.InsecureLoopbackHTTP while developing")
)

// Refusals of a request.
var (
	// ErrAmbiguous: the request carries tokens in two transports, or two Authorization headers.
	ErrAmbiguous = errors.New("sojourn: more than one token in the request")
	// ErrCrossSite: an unsafe request comes from a page of another site, or carries a cookie and
	// does not say where it comes from; or it would change the cookie of a browser whose page is
	// another site's.
	ErrCrossSite = errors.New("sojourn: cross-site request refused")
	// ErrNotFresh: the sign-in is too old, or too weak, for this route.
	ErrNotFresh = errors.New("sojourn: sign-in is not fresh enough")
)

// ErrKeys: another process on the store has keys that do not go with this one's, see
// [Manager.CheckKeys].
var ErrKeys = errors.New("sojourn: processes on one store have different keys")

// ErrOptions: New refuses the options; the text says what to change.
var ErrOptions = errors.New("sojourn: bad options")

// IsOutage reports whether err says that the store could not be reached, so that nothing is known
// of the session: reply 503 and leave the client's cookie alone. An error that matches [ErrEnded]
// is no outage.
func IsOutage(err error) bool { return outage(err) }

func outage(err error) bool { return call.Outage(err) && !errors.Is(err, ErrEnded) }

// actError names the act that failed: "load", "commit", "login", "logout", "renew", "revoke",
// "list", "sweep" or "keys". Its cause matches one of this package's sentinels, or is the store's
// own.
type actError struct {
	act   string
	cause error
}

func (e *actError) Error() string { return "sojourn: " + e.act + ": " + e.cause.Error() }
func (e *actError) Unwrap() error { return e.cause }

func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *actError
	if errors.As(err, &e) {
		return err // named by the inner act already
	}
	return &actError{op, err}
}
