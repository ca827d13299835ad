package sojourn

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/store"
)

// Options configure a [Manager]. The zero value, or nil, is safe; New copies and checks it. Fields
// that weaken a promise begin with Insecure.
type Options struct {
	// Name tells managers apart that share keys: a token of one never opens a session of another.
	// "" is a name like any other.
	Name string

	// Keys seal the tokens, usually a [KeyRing]. nil makes a random key, which only a store that
	// forgets everything with the process accepts.
	Keys Sealer

	// Lifetime ends a session that long after its sign-in, whatever its use (OWASP "absolute
	// timeout"). 0 means 12 h, or what Assurance allows; Unlimited means no such limit.
	Lifetime time.Duration
	// Idle ends a session that long after its last use. 0 means 30 min, or what Assurance allows;
	// Unlimited means no such limit.
	Idle time.Duration
	// MaxRemember bounds [Remember]. 0 means 30 days; at most 400 days.
	MaxRemember time.Duration
	// TouchEvery is how seldom a use is written down; it delays no expiry by more than itself. 0
	// means the greater of 60 s and Idle/20. At most Idle/2.
	TouchEvery time.Duration
	// LongestRequest is how long a request may take and still find its session: one that begins
	// with less idle time left is counted as use at once, and what it changes after other requests
	// renewed or replaced the token is still written, or refused with ErrEnded. A slower request
	// may find that its session ended. 0 means 10 min, at most Idle/2; at most 1 h.
	LongestRequest time.Duration
	// RenewAfter gives a signed-in session a new token when its present one is that old. 0 means 1
	// h; Unlimited means never. At least RenewGrace. Bearer tokens are never renewed unasked.
	RenewAfter time.Duration
	// RenewGrace is how long the token before a renewal still leads to the session after the new
	// one first came back from the client: for requests under way. 0 means 30 s, which is also the
	// most.
	RenewGrace time.Duration
	// RenewGraceMost is how long the token before a renewal leads to the session at most. It
	// matters where the new one never comes back, since the answer that carried it was lost. 0
	// means 10 min, which is also the most; at least RenewGrace.
	RenewGraceMost time.Duration
	// EndReused ends a session when a token that was renewed comes back more than RenewGrace after
	// the new one did, or after RenewGraceMost: either its thief or its owner is late (RFC 9700
	// section 4.14.2 does so with refresh tokens). The event SessionReuse tells of it in any case.
	EndReused bool

	// Assurance bounds Lifetime and Idle by a level of NIST SP 800-63B-4 (sections 2.1.3, 2.2.3,
	// 2.3.3) and sets what they leave at 0.
	Assurance Assurance
	// Deviation is the written reason for exceeding what Assurance recommends; without one New
	// refuses. AAL3's lifetime cannot be exceeded.
	Deviation string

	// MaxSessions limits the live sessions of a user. 0 means no limit.
	MaxSessions int
	// RefuseAtLimit makes a sign-in beyond MaxSessions fail with [ErrLimit]. Without it the user's
	// oldest session ends, and the observer is told. That may be one whose sign-in is still under
	// way, so a sign-in then reads its session once more before its token is sent: one more Get.
	// The session from before the sign-in ends first then, and stays so if the store fails next.
	RefuseAtLimit bool

	// Cookie describes the cookie. Its zero value is right for most.
	Cookie CookieOptions
	// Bearer, if not nil, also accepts tokens in the Authorization header (RFC 6750).
	Bearer *BearerOptions
	// Custom, if not nil, replaces the cookie by the program's own way to receive, send and delete
	// tokens.
	Custom *CustomTransport

	// Codec encodes values. nil means [JSON].
	Codec Codec
	// OnDecodeError decides about the value of that name, stored as raw, that does not fit its Go
	// type any more. It returns what to decode instead, for example an upgraded form of raw; nil,
	// nil to read the value as absent until it is set again; or an error that Lookup and Update
	// then return, wrapped into [ErrDecode]. It must not use the session. nil means that the value
	// reads as absent; see also [RefuseValue].
	OnDecodeError func(ctx context.Context, name string, raw []byte, err error) ([]byte, error)

	// Observe is called for each [Event], on the goroutine of the request, which waits for it. It
	// must not use the request's session. nil means LogEvents(nil): what an operator should see
	// goes to slog.
	Observe func(context.Context, Event)
	// OnError writes the answer to a request that failed in a way that its handler could not
	// report: an outage, a failed commit. nil means [DefaultOnError].
	OnError func(http.ResponseWriter, *http.Request, error)

	// OnAnonymous answers for [Manager.RequireUser] when nobody is signed in, for example with a
	// redirect to the sign-in page. nil means status 401, as [DefaultOnError] writes it.
	OnAnonymous http.Handler
	// OnStale answers for [Manager.RequireFresh] and [Manager.RequireLevel] when the sign-in is too
	// old or too weak. nil means status 401, as [DefaultOnError] writes it, with a hint (RFC 9470).
	OnStale http.Handler
	// CommitOn5xx commits values also where the handler answers with a status of 5xx.
	CommitOn5xx bool

	// Timeout bounds each act, with all its steps and retries: a Load with the renewals that it
	// follows, a Login with all that it makes and ends, and a commit with what falls due in it and
	// the last look at a token before it is sent. 0 means 5 s. What an act has made and cannot hand
	// out, such as the record of a sign-in that fails, is taken back in as much time again. A new
	// token that the store has not acknowledged in half of what is left fails: the rest is for
	// finding out what happened. Work that spans users or records ([Manager.Sweep],
	// [Manager.RevokeEveryone], [Manager.CheckKeys]) has a Timeout for each call of the store.
	Timeout time.Duration
	// DamagedPerMinute is how many damaged records are set aside within a minute: their sessions
	// have ended, the event [SessionDamaged] tells of each, and the store has none of them any
	// more. Beyond it damage is an outage, [ErrUnavailable], and nothing is removed: then it is the
	// store that cannot be read. 0 means 10; at most 10,000; less than 0 sets none aside.
	DamagedPerMinute int
	// MaxRevocationLag is the longest time that a revoked session may still be served; New refuses
	// a configuration that cannot promise it, see [Manager.RevocationLag]. 0 means no demand.
	MaxRevocationLag time.Duration
	// ClockSkew is the tolerated difference between clocks of several nodes. It matters to sealed
	// sessions, and to a store whose clock jumped. 0 means 60 s, which is also the most.
	ClockSkew time.Duration

	// OmitClient keeps no address and no browser name with a session.
	OmitClient bool
	// ClientRetention forgets them that long after the token was issued. 0 means 30 days.
	ClientRetention time.Duration

	// TrustedProxies are the peers whose X-Forwarded-Proto, X-Forwarded-For and Forwarded (RFC
	// 7239) are believed: the addresses from which your own proxies connect, and no others. Of
	// several values the last counts, which is the nearest proxy's. docs/http.md has tested
	// settings for usual proxies.
	TrustedProxies []netip.Prefix
	// TrustUnixSockets believes every peer on a Unix socket as TrustedProxies does. The mode of the
	// socket's folder decides who that is.
	TrustUnixSockets bool
	// HTTPS, if not nil, reports whether the client of a request spoke TLS where neither the
	// request nor a trusted proxy says so: behind a proxy of layer 4 that ends TLS, with the PROXY
	// protocol or without. It is called several times a request.
	HTTPS func(*http.Request) bool
	// TrustedOrigins are origins ("https://pay.example.com") besides the site's own whose unsafe
	// requests are accepted. Where the browser withholds its cookie from them (SameSite, other
	// sites' origins), nothing that would send one succeeds: [ErrCrossSite].
	TrustedOrigins []string
	// CSRFBodyLimit is how many bytes of a form [Manager.RequireCSRFToken] reads, and keeps in
	// memory, to find the field csrf_token. 0 means 64 KiB; at most 10 MiB.
	CSRFBodyLimit int
	// ClearSiteData is sent as Clear-Site-Data after a sign-out, for example {"cache", "storage"}.
	// "cookies" clears the whole registrable domain, sister subdomains too. Empty sends nothing.
	ClearSiteData []string

	// InsecureLoopbackHTTP lets sessions travel over plain HTTP between loopback addresses, for
	// development: to http://localhost, from pages of this machine. The cookie then loses its
	// prefix, and Secure on such a connection.
	InsecureLoopbackHTTP bool
	// InsecureContainerHTTP does so for a program in a container whose port is published on the
	// developer's machine, where the peer is the bridge's gateway, not loopback. So that it cannot
	// reach production unseen, it serves nothing else: a request by another name than localhost,
	// from an address that is not private, or over TLS has no session, and an event says why. New
	// refuses it beside TrustedProxies, TrustUnixSockets and HTTPS.
	InsecureContainerHTTP bool
	// InsecureCrossSite exempts routes from the check that unsafe requests come from this site, at
	// one of two levels. Its keys are patterns of [http.ServeMux], such as "POST /saml/acs", for
	// the requests as [Manager.Handler] gets them. What such a route does, other sites' pages can
	// do with their visitors' browsers.
	InsecureCrossSite map[string]CrossSite
}

// Unlimited stands for "no such limit" where 0 means a default.
const Unlimited time.Duration = -1

// Assurance is an authenticator assurance level of NIST SP 800-63B-4, as a bound on lifetimes.
type Assurance int

// The levels and their bounds: lifetime, idle. The zero value bounds nothing.
const (
	AAL1 Assurance = iota + 1 // 30 days, no idle bound
	AAL2                      // 24 h, 1 h
	AAL3                      // 12 h, 15 min
)

const day = 24 * time.Hour

// bounds gives what the level recommends; 0 is no bound.
func (a Assurance) bounds() (lifetime, idle time.Duration) {
	switch a {
	case AAL1:
		return 30 * day, 0
	case AAL2:
		return day, time.Hour
	case AAL3:
		return 12 * time.Hour, 15 * time.Minute
	}
	return 0, 0
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
}

// complete checks the options and fills what was left at zero.
func (o *Options) complete() error {
	if err := o.lifetimes(); err != nil {
		return err
	}
	if err := o.durations(); err != nil {
		return err
	}
	if o.MaxSessions < 0 || o.MaxSessions > 10000 {
		return bad("MaxSessions %d is not within 0 and 10000", o.MaxSessions)
	}
	if o.DamagedPerMinute == 0 {
		o.DamagedPerMinute = 10
	}
	if o.DamagedPerMinute > 10000 {
		return bad("DamagedPerMinute %d is over 10000", o.DamagedPerMinute)
	}
	if o.CSRFBodyLimit == 0 {
		o.CSRFBodyLimit = 64 << 10
	}
	if o.CSRFBodyLimit < 1 || o.CSRFBodyLimit > 10<<20 {
		return bad("CSRFBodyLimit %d is not within 0 and 10 MiB", o.CSRFBodyLimit)
	}
	o.TrustedProxies = slices.Clone(o.TrustedProxies)
	o.ClearSiteData = slices.Clone(o.ClearSiteData)
	if o.Codec == nil {
		o.Codec = JSON
	}
	if o.OnDecodeError == nil {
		o.OnDecodeError = func(context.Context, string, []byte, error) ([]byte, error) { return nil, nil }
	}
	if o.Observe == nil {
		o.Observe = LogEvents(nil)
	}
	if o.OnError == nil {
		o.OnError = DefaultOnError
	}
	if len(o.Name) > 64 {
		return bad("Name has %d bytes, at most 64", len(o.Name))
	}
	if err := o.origins(); err != nil {
		return err
	}
	if err := o.proxies(); err != nil {
		return err
	}
	return o.transports()
}

// setDuration replaces zero by its default and refuses what is out of range.
func setDuration(name string, d *time.Duration, def, least, most time.Duration) error {
	if *d == 0 {
		*d = def
	}
	if *d < least || *d > most {
		return bad("%s %v is not within %v and %v", name, *d, least, most)
	}
	return nil
}

func (o *Options) lifetimes() error {
	if o.Assurance < 0 || o.Assurance > AAL3 {
		return bad("Assurance %d is no level", o.Assurance)
	}
	maxLife, maxIdle := o.Assurance.bounds()
	life, idle := 12*time.Hour, 30*time.Minute
	if maxLife > 0 {
		life = maxLife
	}
	if maxIdle > 0 {
		idle = maxIdle
	}
	for _, l := range []struct {
		name      string
		d         *time.Duration
		def, most time.Duration
		hard      bool
	}{{"Lifetime", &o.Lifetime, life, maxLife, o.Assurance == AAL3}, {"Idle", &o.Idle, idle, maxIdle, false}} {
		unlimited := *l.d == Unlimited
		if unlimited {
			*l.d = 0
		} else if err := setDuration(l.name, l.d, l.def, time.Millisecond, store.MaxLife); err != nil {
			return err
		}
		if l.most > 0 && (unlimited || *l.d > l.most) && (l.hard || o.Deviation == "") {
			return bad("%s exceeds the %v of AAL%d (NIST SP 800-63B-4): shorten it, or write the reason into Deviation where the level allows one", l.name, l.most, o.Assurance)
		}
	}
	return nil
}

func (o *Options) durations() error {
	touch, touchMost := max(time.Minute, o.Idle/20), store.MaxLife
	longest, longestMost := 10*time.Minute, time.Hour
	if o.Idle > 0 {
		touchMost = max(1, o.Idle/2)
		longestMost = min(longestMost, touchMost)
	}
	touch, longest = min(touch, touchMost), min(longest, longestMost)
	if o.RenewAfter == Unlimited {
		o.RenewAfter = store.MaxLife
	}
	for _, err := range []error{
		setDuration("TouchEvery", &o.TouchEvery, touch, 0, touchMost),
		setDuration("LongestRequest", &o.LongestRequest, longest, 1, longestMost),
		setDuration("MaxRemember", &o.MaxRemember, 30*day, time.Minute, cookie.MaxAge),
		setDuration("RenewGrace", &o.RenewGrace, 30*time.Second, time.Millisecond, 30*time.Second),
		setDuration("RenewAfter", &o.RenewAfter, time.Hour, time.Second, store.MaxLife),
		setDuration("Timeout", &o.Timeout, 5*time.Second, time.Millisecond, 5*time.Minute),
		setDuration("ClockSkew", &o.ClockSkew, time.Minute, 0, time.Minute),
		setDuration("ClientRetention", &o.ClientRetention, 30*day, time.Second, store.MaxLife),
		setDuration("MaxRevocationLag", &o.MaxRevocationLag, 0, 0, store.MaxLife),
	} {
		if err != nil {
			return err
		}
	}
	if err := setDuration("RenewGraceMost", &o.RenewGraceMost, 10*time.Minute, o.RenewGrace, 10*time.Minute); err != nil {
		return err
	}
	if o.RenewAfter < o.RenewGrace {
		return bad("RenewAfter %v is shorter than RenewGrace %v: a token would be renewed while the one before still leads to it",
			o.RenewAfter, o.RenewGrace)
	}
	if mostLife, _ := o.Assurance.bounds(); mostLife > 0 && o.Deviation == "" {
		o.MaxRemember = min(o.MaxRemember, mostLife)
	}
	return nil
}
