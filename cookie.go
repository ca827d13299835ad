package sojourn

import (
	"net/http"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
)

// CookieOptions describe the session cookie. It is always HttpOnly, and always Secure but for
// [Options.InsecureLoopbackHTTP] and its like. The zero value is "__Host-session; Path=/; Secure;
// HttpOnly; SameSite=Lax" until the browser closes.
type CookieOptions struct {
	// Name is the cookie's name. It begins with "__Host-" (or "__Host-Http-"), or, where Domain or
	// Path say more, with "__Secure-" (or "__Http-"). Browsers hold the site to what these prefixes
	// promise (RFC 6265bis section 4.1.3).
	Name string
	// Domain shares the cookie with all hosts below it. "" keeps it to this host.
	Domain string
	// Path restricts the cookie to URLs below it; it separates nobody from anybody. "" means "/".
	Path string
	// SameSite is Lax by default, or Strict. None needs InsecureSameSiteNone.
	SameSite http.SameSite
	// InsecureSameSiteNone is the written reason for SameSite None: other sites' requests carry the
	// cookie then.
	InsecureSameSiteNone string
	// Partitioned keeps one cookie for each embedding site (CHIPS); needs SameSite None.
	Partitioned bool
	// Persistent keeps every session's cookie when the browser closes, not only remembered ones.
	Persistent bool
	// MaxAge bounds how long a browser keeps a persistent cookie, a remembered session's too, after
	// it was last sent. 0 means as long as the session can live. At most 400 days, the longest that
	// browsers keep a cookie (RFC 6265bis section 5.5).
	MaxAge time.Duration
	// InsecureName allows a name without prefix, which a sister domain can overwrite.
	InsecureName bool
	// Former are the spellings that the cookie had in earlier releases. Whenever a token is sent or
	// taken away, the cookies of all of them are removed. Name each one as long as browsers may
	// have it, or else a browser sends two, and of two live sessions neither counts. A cookie that
	// somebody has planted under a path that is not named here cannot be removed.
	Former []FormerCookie
}

// complete checks the cookie's attributes against each other.
func (c *CookieOptions) complete(plainHTTP bool) error {
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 || c.SameSite == http.SameSiteDefaultMode {
		c.SameSite = http.SameSiteLaxMode
	}
	hostOnly := c.Domain == "" && c.Path == "/"
	if c.Name == "" {
		switch {
		case plainHTTP:
			c.Name = "session"
		case hostOnly:
			c.Name = "__Host-session"
		default:
			c.Name = "__Secure-session"
		}
	}
	if err := c.checkName(plainHTTP, hostOnly); err != nil {
		return err
	}
	if c.SameSite < http.SameSiteLaxMode || c.SameSite > http.SameSiteNoneMode {
		return bad("Cookie.SameSite %d is none of Lax, Strict and None", c.SameSite)
	}
	if c.SameSite == http.SameSiteNoneMode && (c.InsecureSameSiteNone == "" || plainHTTP) {
		return bad("Cookie.SameSite None needs a reason in Cookie.InsecureSameSiteNone, and TLS")
	}
	if c.MaxAge < 0 || c.MaxAge > cookie.MaxAge {
		return bad("Cookie.MaxAge %v is not within 0 and %v", c.MaxAge, cookie.MaxAge)
	}
	if c.Partitioned && c.SameSite != http.SameSiteNoneMode {
		return bad("Cookie.Partitioned needs SameSite None")
	}
	if len(c.Path) > 1024 || c.Path[0] != '/' || strings.ContainsAny(c.Path, " \",") {
		return bad("Cookie.Path must begin with /, have no space, quote or comma, and have at most 1024 bytes")
	}
	// Valid finds what http.SetCookie would silently drop, such as a Domain that is none.
	if err := c.cookie(plainHTTP).Valid(); err != nil {
		return bad("Cookie: %w", err)
	}
	return c.completeFormer(plainHTTP)
}

func (c *CookieOptions) checkName(plainHTTP, hostOnly bool) error {
	lower := strings.ToLower(c.Name)
	switch {
	case len(c.Name) > 128:
		return bad("Cookie.Name has %d bytes, at most 128", len(c.Name))
	case strings.HasPrefix(c.Name, "__Host-"):
		if !hostOnly {
			return bad("Cookie.Name %q forbids Domain and any Path but /: use __Secure- or drop them", c.Name)
		}
	case strings.HasPrefix(c.Name, "__Secure-"), strings.HasPrefix(c.Name, "__Http-"):
	case strings.HasPrefix(lower, "__host-"), strings.HasPrefix(lower, "__secure-"), strings.HasPrefix(lower, "__http-"):
		return bad("Cookie.Name %q: browsers know the prefix in this spelling only: __Host-, __Secure-, __Http-", c.Name)
	default:
		if plainHTTP || c.InsecureName {
			return nil
		}
		return bad("Cookie.Name %q has no __Host- or __Secure- prefix: add one, or set InsecureName", c.Name)
	}
	if plainHTTP {
		return bad("Cookie.Name %q promises Secure, which InsecureLoopbackHTTP and InsecureContainerHTTP cannot keep: leave Name empty", c.Name)
	}
	return nil
}

func (c *CookieOptions) cookie(plainHTTP bool) *http.Cookie {
	return &http.Cookie{
		Name: c.Name, Value: "x", Path: c.Path, Domain: c.Domain, Secure: !plainHTTP,
		HttpOnly: true, SameSite: c.SameSite, Partitioned: c.Partitioned,
	}
}

// formCookie describes the cookie of visitors' CSRF tokens.
func (c *CookieOptions) formCookie(plainHTTP bool) *http.Cookie {
	k := c.cookie(plainHTTP)
	k.Name += ".csrf"
	if k.SameSite == http.SameSiteStrictMode {
		k.SameSite = http.SameSiteLaxMode // a link of another site to a form must not replace it
	}
	return k
}
