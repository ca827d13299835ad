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
	place place
}

// A place is what tells a cookie from others of its name (RFC 6265bis section 5.7).
type place struct {
	domain, path string // "" is this host alone
	partitioned  bool
}

func newPlace(domain, path string, partitioned bool) place {
	return place{strings.ToLower(strings.TrimPrefix(domain, ".")), path, partitioned}
}

// New makes a jar of cookies with the name and attributes of c, which is valid and says nothing of
// its age.
func New(c *http.Cookie) Jar {
	_, attrs, _ := strings.Cut(c.String(), ";")
	return Jar{c.Name, ";" + attrs, !c.Secure, newPlace(c.Domain, c.Path, c.Partitioned)}
}

// Same reports whether two jars write the same cookie.
func (j *Jar) Same(o *Jar) bool { return j.Name == o.Name && j.place == o.place }

// Sets reports whether a Set-Cookie line is of the jar's cookie, one of its chunks, or its form's.
func (j *Jar) Sets(line string) bool {
	name, _, _ := strings.Cut(line, "=")
	rest, ok := strings.CutPrefix(name, j.Name)
	chunk := len(rest) == 2 && rest[0] == '.' && '0' < rest[1] && rest[1] < '0'+MaxChunks
	return ok && (rest == "" || rest == ".csrf" || chunk) && j.sets(line, name)
}

// sets reports whether a Set-Cookie line is of the jar's cookie of this name. One without a path is
// taken for it: which path a browser finds for it depends on the request.
func (j *Jar) sets(line, name string) bool {
	n, rest, _ := strings.Cut(line, "=")
	if n != name {
		return false
	}
	of := place{path: j.place.path}
	_, attrs, _ := strings.Cut(rest, ";")
	for attr := range strings.SplitSeq(attrs, ";") {
		key, value, _ := strings.Cut(attr, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case strings.EqualFold(key, "Domain"):
			of.domain = value
		case strings.EqualFold(key, "Path") && strings.HasPrefix(value, "/"):
			of.path = value
		case strings.EqualFold(key, "Partitioned"):
			of.partitioned = true
		}
	}
	return newPlace(of.domain, of.path, of.partitioned) == j.place
}

// Set puts the cookie into h in place of any other line for it. A line for a cookie of this name at
// another place stays. life 0 lasts until the browser closes; below 0 the cookie is removed. https
// says that the response travels over TLS.
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
		if !j.sets(l, name) {
			kept = append(kept, l)
		}
	}
	h["Set-Cookie"] = append(kept, line)
}
