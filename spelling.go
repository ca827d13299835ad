package sojourn

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
	"github.com/sojourn-go/sojourn/internal/token"
)

// FormerCookie is a spelling that the session's cookie had in an earlier release. Browsers keep
// cookies of one name for different domains and paths beside each other, and send both.
type FormerCookie struct {
	// Name is the name that it had. "" means the present one. Sessions under a former name go on,
	// if no cookie of the present name comes, and are renewed at once under that: so nobody can use
	// the former name for long who cannot write the present one.
	Name string
	// Domain, Path and Partitioned are those that it had. Path "" means "/".
	Domain      string
	Path        string
	Partitioned bool
	// Until ends that the former name is read; later it is only removed. It is required where Name
	// differs from the present name, and makes no sense otherwise. At most 400 days from now.
	Until time.Time
}

// maxFormer bounds Cookie.Former: each costs a header line whenever a token is sent.
const maxFormer = 8

// completeFormer checks the cookie's former spellings.
func (c *CookieOptions) completeFormer(plainHTTP bool) error {
	c.Former = slices.Clone(c.Former)
	if len(c.Former) > maxFormer {
		return bad("Cookie.Former has %d spellings, at most %d", len(c.Former), maxFormer)
	}
	present := cookie.New(c.cookie(plainHTTP))
	for i := range c.Former {
		f := &c.Former[i]
		if f.Name == "" {
			f.Name = c.Name
		}
		if f.Path == "" {
			f.Path = "/"
		}
		k := c.formerCookie(f, plainHTTP)
		if err := k.Valid(); err != nil {
			return bad("Cookie.Former[%d]: %w", i, err)
		}
		host := strings.HasPrefix(f.Name, "__Host-")
		renamed := f.Name != c.Name
		switch jar := cookie.New(k); {
		case f.Path[0] != '/', host && (f.Domain != "" || f.Path != "/"):
			return bad("Cookie.Former[%d]: no browser ever had such a cookie", i)
		case strings.HasPrefix(f.Name, c.Name+"."), strings.HasPrefix(c.Name, f.Name+"."):
			return bad("Cookie.Former[%d]: the names %q and %q with parts of it could be the same", i, f.Name, c.Name)
		case jar.Same(&present):
			return bad("Cookie.Former[%d] is the present spelling", i)
		case renamed && f.Until.IsZero():
			return bad("Cookie.Former[%d]: the former name %q needs an end in Until", i, f.Name)
		case !renamed && !f.Until.IsZero():
			return bad("Cookie.Former[%d]: Until ends a former name, and this is the present one", i)
		case time.Until(f.Until) > cookie.MaxAge:
			return bad("Cookie.Former[%d]: Until is more than %v away, when no browser has such a cookie any more", i, cookie.MaxAge)
		}
	}
	return nil
}

// formerCookie describes a former spelling's cookie.
func (c *CookieOptions) formerCookie(f *FormerCookie, plainHTTP bool) *http.Cookie {
	k := c.cookie(plainHTTP)
	k.Name, k.Domain, k.Path, k.Partitioned = f.Name, f.Domain, f.Path, f.Partitioned
	k.Secure = k.Secure || k.Partitioned
	return k
}

// A formerName is a name whose cookies are still read.
type formerName struct {
	jar         cookie.Jar
	aad, sealed []byte
	until       time.Time
}

// setFormer makes what the manager needs of the cookie's former spellings.
func (m *Manager) setFormer() {
	c := &m.opts.Cookie
	for i := range c.Former {
		f := &c.Former[i]
		jar := cookie.New(c.formerCookie(f, m.opts.insecure()))
		m.former = append(m.former, jar)
		if f.Until.IsZero() {
			continue
		}
		at := slices.IndexFunc(m.formerNames, func(n formerName) bool { return n.jar.Name == f.Name })
		if at < 0 {
			m.formerNames = append(m.formerNames, formerName{
				jar, token.AAD(token.Cookie, m.opts.Name, f.Name), token.AAD(token.Sealed, m.opts.Name, f.Name), f.Until,
			})
		} else if n := &m.formerNames[at]; n.until.Before(f.Until) {
			n.until = f.Until
		}
	}
}

// cookieCame reports whether the request has a cookie of a name that is read.
func (m *Manager) cookieCame(r *http.Request) bool {
	var values [cookie.Max]string
	if cookie.Values(r.Header, m.jar.Name, &values) > 0 {
		return true
	}
	for i := range m.formerNames {
		n := &m.formerNames[i]
		if time.Now().Before(n.until) && cookie.Values(r.Header, n.jar.Name, &values) > 0 {
			return true
		}
	}
	return false
}

// receiveCookie opens the session's cookie, or all of several: another site of the domain may have
// added more, and must not choose whose session this is. A former name counts only where no cookie
// of the present name came: sister domains, which cannot write a "__Host-" name, may write that.
func (m *Manager) receiveCookie(r *http.Request, got *received) {
	n := m.openCookies(r, got, &m.jar, nil)
	if n == 0 && len(m.formerNames) > 0 {
		now := time.Now()
		for i := range m.formerNames {
			if f := &m.formerNames[i]; now.Before(f.until) {
				n += m.openCookies(r, got, &f.jar, f)
			}
		}
		got.former = got.genuine
	}
	got.reissue = n > 1
	got.flood = got.flood || n > cookie.Max
}

// openCookies adds what the cookies of one name hold, and returns how many there are. former is nil
// for the present name.
func (m *Manager) openCookies(r *http.Request, got *received, jar *cookie.Jar, former *formerName) int {
	var values [cookie.Max]string
	n := cookie.Values(r.Header, jar.Name, &values)
	if n == 0 {
		return 0
	}
	got.from = fromCookie
	for _, v := range values[:min(n, cookie.Max)] {
		if m.sealed != nil {
			m.openChunks(r, got, jar, former, v)
		} else if got.takes(1) {
			got.add(m.openCookie(v, former))
		}
	}
	return n
}

func (m *Manager) openCookie(text string, former *formerName) (c candidate, err error) {
	if former == nil {
		c.ticket, err = m.openToken(text, false)
		return c, err
	}
	cred, err := token.Open(m.keys, former.aad, text)
	if err != nil {
		return c, err
	}
	return candidate{ticket: newTicket(cred)}, nil
}

// openChunks adds the sealed session whose first part is first.
func (m *Manager) openChunks(r *http.Request, got *received, jar *cookie.Jar, former *formerName, first string) {
	aad := m.aad.sealed
	if former != nil {
		aad = former.sealed
	}
	var texts []string
	if text, ok := jar.Join(r.Header, first, m.sealed.Chunks); ok {
		texts = []string{text}
	} else if !got.flood {
		texts = jar.JoinAll(r.Header, first, m.sealed.Chunks)
	}
	if !got.takes(len(texts)) {
		return
	}
	for _, text := range texts {
		got.add(m.openSealed(text, aad))
	}
}

// removeFormer takes the cookies of former spellings away from the client.
func (s *Session) removeFormer(h http.Header) {
	https := s.m.https(s.r)
	for i := range s.m.former {
		j := &s.m.former[i]
		j.Set(h, https, j.Name, "", cookie.Remove)
		if s.m.sealed != nil {
			j.RemoveChunks(h, https, 1, j.Chunks(s.r.Header))
		}
	}
}
