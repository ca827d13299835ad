package cookie

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds that browsers keep to.
const (
	MaxAge   = 400 * 24 * time.Hour // the longest that a cookie is kept (RFC 6265bis section 5.5)
	MaxBytes = 4096                 // name and value together (RFC 6265bis section 5.6)
)

// Remove is the life that removes a cookie.
const Remove = -time.Second

// Jar writes one manager's cookies: the attributes are spelled once, by net/http. It is immutable.
type Jar struct {
	Name  string
	attrs string // "; Path=/; HttpOnly; Secure; SameSite=Lax"
	plain bool   // attrs lack Secure
}

// New makes a jar of cookies with the name and attributes of c, which is valid and says nothing of
// its age.
func New(c *http.Cookie) Jar {
	_, attrs, _ := strings.Cut(c.String(), ";")
	return Jar{Name: c.Name, attrs: ";" + attrs, plain: !c.Secure}
}

// Set puts the cookie into h in place of any other of its name. life 0 lasts until the browser
// closes; below 0 the cookie is removed. https says that the response travels over TLS.
func (j *Jar) Set(h http.Header, https bool, name, value string, life time.Duration) {
	line := name + "=" + value + j.attrs
	switch {
	case life < 0:
		line = name + "=" + j.attrs + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	case life > 0:
		life = min(life, MaxAge)
		line += "; Max-Age=" + strconv.FormatInt(int64((life+time.Second-1)/time.Second), 10)
	}
	if j.plain && https {
		line += "; Secure" // a program in development may be reached over TLS, too
	}
	lines := h["Set-Cookie"]
	kept := lines[:0:0]
	for _, l := range lines {
		if n, _, _ := strings.Cut(l, "="); n != name {
			kept = append(kept, l)
		}
	}
	h["Set-Cookie"] = append(kept, line)
}
