package possessions

import (
	"net/http"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// CookieOptions describe the session's cookie. What is contradictory makes the constructors of
// overseers panic.
type CookieOptions struct {
	// Domain shares the cookie with all hosts below it. "" keeps it to this host.
	Domain string
	// Path restricts the cookie to URLs below it. "" means "/".
	Path string
	// Name is the cookie's name; it must not be empty. One with the prefix "__Host-" is better than
	// the old default "id": no sister domain can overwrite it.
	Name string
	// MaxAge is how long browsers keep the cookie after it was last sent: when the session was
	// made, was changed or refreshed. 0 means until the browser closes. At most 400 days, which is
	// what browsers keep.
	MaxAge time.Duration
	// Secure must be true, but for development: false lets sessions travel over plain HTTP on
	// loopback addresses. With true every Set on http://localhost fails, and page and log say why.
	Secure bool
	// HTTPOnly is here for the old programs: the cookie is always hidden from scripts.
	HTTPOnly bool
	// SameSite says whether other sites' requests carry the cookie; the default mode is Lax.
	SameSite http.SameSite

	// Sojourn, if not nil, has what the old options could not say: Keys, TrustedProxies, Observe,
	// OnError, Timeout and the rest of [sojourn.Options]. Its Cookie, Idle, TouchEvery, Custom,
	// Bearer, Codec, OnDecodeError and CommitOn5xx do not count. Without OnError a request that
	// fails is answered as by sojourn.DefaultOnError, and what is not the visitor's doing is
	// written to the log of the http.Server, or to os.Stderr if that has no ErrorLog: one line a
	// second at most.
	Sojourn *sojourn.Options
}

// NewCookieOptions returns the defaults: a cookie "id" for the whole site that lasts until the
// browser closes, Secure and hidden from scripts. To develop over http://localhost set Secure to
// false.
func NewCookieOptions() CookieOptions {
	return CookieOptions{Name: "id", Path: "/", Secure: true, HTTPOnly: true, SameSite: http.SameSiteDefaultMode}
}

const day = 24 * time.Hour

// options gives the core's options for sessions that end idle after their last use, or never if it
// is 0.
func (c *CookieOptions) options(idle time.Duration, onError func(http.ResponseWriter, *http.Request, error)) *sojourn.Options {
	var o sojourn.Options
	if c.Sojourn != nil {
		o = *c.Sojourn
	}
	o.Custom, o.Bearer, o.Codec, o.OnError = nil, nil, codec{}, onError
	o.CommitOn5xx = true // the old middleware writes whatever the page's status is
	// A storer's Set takes any text. One that no request can read must not lock its visitor out for
	// ever.
	o.OnDecodeError = nil // what does not decode is absent
	if o.Lifetime == 0 {
		o.Lifetime = sojourn.Unlimited // the old sessions had no such limit
	}
	if o.Idle, o.TouchEvery = sojourn.Unlimited, 0; idle > 0 {
		o.Idle = min(idle, store.MaxLife)
		o.TouchEvery = max(1, min(time.Minute, idle/20))
	}
	o.Cookie = sojourn.CookieOptions{
		Name: c.Name, Domain: c.Domain, Path: c.Path, SameSite: c.SameSite,
		InsecureName: !strings.HasPrefix(c.Name, "__"),
		Persistent:   c.MaxAge > 0, MaxAge: min(max(c.MaxAge, 0), 400*day),
	}
	if c.SameSite == http.SameSiteNoneMode {
		o.Cookie.InsecureSameSiteNone = "possessions.CookieOptions.SameSite asks for it"
	}
	o.InsecureLoopbackHTTP = o.InsecureLoopbackHTTP || !c.Secure
	return &o
}
