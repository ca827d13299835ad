package sojourn

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/sojourn-go/sojourn/internal/cookie"
)

// BearerOptions describe tokens in "Authorization: Bearer …" (RFC 6750 section 2.1). They are read
// from there only: never from the URL or a form.
type BearerOptions struct {
	// Prefix begins every bearer token, so that secret scanners find leaked ones, for example
	// "acme_". At most 20 letters, digits, "-", "_". An Authorization header without it is somebody
	// else's, such as a gateway's, and is not looked at.
	Prefix string
	// Realm is named in WWW-Authenticate. "" leaves it out.
	Realm string
	// Lifetime is a token's absolute life. 0 means Options.Lifetime. There is no idle limit but
	// Options.Idle where Idle is true.
	Lifetime time.Duration
	// Idle makes tokens end after Options.Idle without use, too.
	Idle bool
}

// CustomTransport carries tokens some other way than [CookieOptions] describe. All three functions
// are required and may run at the same time for many requests.
type CustomTransport struct {
	// Receive finds the token in a request; "" means that there is none.
	Receive func(r *http.Request) string
	// Send puts the token into the response's header, in place of one that is there: it may be
	// called again for the same response. What it has added to the fields of the header is taken
	// out again, and what it replaced is put back, if the session ends or goes on before the header
	// leaves. life is the session's remaining life, 0 for unlimited. Where it fails for a renewal
	// that nobody asked for, the page goes without the token, and the old one leads on for
	// Options.RenewGraceMost.
	Send func(h http.Header, token Token, life time.Duration) error
	// Delete takes the token away from the client.
	Delete func(h http.Header) error
	// Explicit says that no browser sends the token by itself, as it does with cookies: a script or
	// a program puts it there, such as into a header of its own. Without it requests must come from
	// this site as with a cookie, whose SameSite is that of Options.Cookie.
	Explicit bool
}

// source says where a request's token came from.
type source byte

const (
	fromNowhere source = iota
	fromCookie
	fromBearer
	fromCustom
)

func (s source) String() string { return [...]string{"", "cookie", "bearer", "custom"}[s] }

func (o *Options) transports() error {
	if o.Custom != nil {
		c := *o.Custom
		if c.Receive == nil || c.Send == nil || c.Delete == nil {
			return bad("Custom needs Receive, Send and Delete")
		}
		o.Custom = &c
	}
	if err := o.Cookie.complete(o.insecure()); err != nil {
		return err
	}
	if o.Bearer == nil {
		return nil
	}
	b := *o.Bearer
	o.Bearer = &b
	for _, c := range []byte(b.Realm) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || len(b.Realm) > 256 {
			return bad("Bearer.Realm holds more than 256 bytes, or others than printable ASCII without quotes and backslashes")
		}
	}
	for _, c := range []byte(b.Prefix) {
		if c != '-' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return bad("Bearer.Prefix holds more than letters, digits, - and _")
		}
	}
	if len(b.Prefix) > 20 {
		return bad("Bearer.Prefix has %d bytes, at most 20", len(b.Prefix))
	}
	if b.Lifetime == Unlimited {
		o.Bearer.Lifetime = 0
		return nil
	}
	return setDuration("Bearer.Lifetime", &o.Bearer.Lifetime, o.Lifetime, 0, 100*365*day)
}

func (o *Options) origins() error {
	for _, s := range o.TrustedOrigins {
		w, ok := parseOrigin(s)
		if !ok || strings.Contains(w.host, "*") || w.scheme != "https" && !o.insecure() || strings.ToLower(s) != s {
			return bad("TrustedOrigins: %q is not one origin of the form https://host, in lower case and without a path", s)
		}
	}
	for _, s := range o.ClearSiteData {
		if s == "" || strings.Trim(s, "*-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return bad("ClearSiteData: %q is not a bare type name", s)
		}
	}
	return nil
}

// received is what a request carries towards one manager.
type received struct {
	arrival
	candidate             // valid if genuine
	more      []candidate // other genuine ones
	texts     int         // that were opened, or would have been
	outage    error       // of the program's own Sealer: what came may be genuine
}

// takes reports whether n texts more are opened for this request: in all, as many as there may be
// cookies of one name.
func (got *received) takes(n int) bool {
	got.texts += n
	got.flood = got.flood || got.texts > cookie.Max
	return !got.flood
}

// A candidate is a token that is one of ours. Which of several is the request's, the records say.
type candidate struct {
	ticket
	sealed []byte // the sealed session, in place of a record
}

// arrival says how a request's token came.
type arrival struct {
	from    source
	genuine bool  // it is one of ours
	reissue bool  // several cookies came: overwrite them
	flood   bool  // more than are looked at: whose the request is cannot be told
	former  bool  // under a name that the cookie had before
	chunks  uint8 // cookies that this response has put a sealed session into
}

// add takes up what opening a text has given: a candidate, once, or an error.
func (got *received) add(c candidate, err error) {
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			got.outage = err
		}
		return
	}
	if !got.genuine {
		got.candidate, got.genuine = c, true
		return
	}
	for i := -1; i < len(got.more); i++ {
		other := &got.candidate
		if i >= 0 {
			other = &got.more[i]
		}
		if other.key == c.key && bytes.Equal(other.sealed, c.sealed) {
			return
		}
	}
	got.more = append(got.more, c)
}

// receive finds and opens the request's token, without I/O of ours. Only ErrAmbiguous is an error;
// a token that does not open is none, and one of which a Sealer cannot tell is got.outage.
func (m *Manager) receive(r *http.Request, got *received) error {
	if !m.secure(r) {
		if came := m.carries(r); came != fromNowhere {
			m.refused(r, InsecureRefused, came.String(), m.insecurity(r), ErrInsecure)
		}
		return nil
	}
	bearer, hasBearer, err := m.bearerToken(r)
	if err != nil {
		return err
	}
	if m.opts.Custom != nil {
		if t := m.opts.Custom.Receive(r); t != "" {
			got.from = fromCustom
			got.open(m.openToken(t, false))
		}
	} else {
		m.receiveCookie(r, got)
	}
	if !hasBearer {
		return nil
	}
	if got.genuine { // a cookie that does not open is another program's of the same name
		*got = received{}
		return ErrAmbiguous
	}
	*got = received{arrival: arrival{from: fromBearer}, outage: got.outage}
	got.open(m.openToken(bearer, true))
	return nil
}

// open is add for what comes in one place only.
func (got *received) open(t ticket, err error) { got.add(candidate{ticket: t}, err) }

// carries says in what a request brings something that may be a token of ours.
func (m *Manager) carries(r *http.Request) source {
	switch _, bearer, err := m.bearerToken(r); {
	case err == nil && bearer:
		return fromBearer
	case m.opts.Custom != nil:
		if m.opts.Custom.Receive(r) != "" {
			return fromCustom
		}
	case m.cookieCame(r):
		return fromCookie
	}
	return fromNowhere
}

// bearerToken returns the token in the Authorization header, without its prefix. ok is false where
// there is none that could be ours. Errors: [ErrAmbiguous].
func (m *Manager) bearerToken(r *http.Request) (token string, ok bool, err error) {
	if m.opts.Bearer == nil {
		return "", false, nil
	}
	lines := r.Header["Authorization"]
	for _, line := range lines {
		scheme, rest, _ := strings.Cut(line, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if rest, ours := strings.CutPrefix(strings.TrimLeft(rest, " "), m.opts.Bearer.Prefix); ours {
			token, ok = rest, true
		}
	}
	if len(lines) > 1 && (ok || m.opts.Bearer.Prefix == "") {
		return "", false, ErrAmbiguous
	}
	return token, ok, nil
}

const maxAgent = 256

// printable reports whether s holds nothing but printable ASCII, as nearly all browsers' names do.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// client describes where a sign-in came from: a network, not an address, and the browser's own name
// for itself, cut to size. Neither proves anything (OWASP Session Management).
func (m *Manager) client(r *http.Request) (addr, agent string) {
	if m.opts.OmitClient {
		return "", ""
	}
	if agent = r.UserAgent(); !printable(agent) {
		agent = strings.Map(func(c rune) rune {
			if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
				return -1
			}
			return c
		}, agent)
	}
	if len(agent) > maxAgent {
		agent = strings.ToValidUTF8(agent[:maxAgent], "")
	}
	a := m.clientAddr(r)
	bits := 48
	if a.Is4() {
		bits = 24
	}
	if p, _ := a.Prefix(bits); p.IsValid() { // not where no address is known
		addr = p.String()
	}
	return addr, agent
}
