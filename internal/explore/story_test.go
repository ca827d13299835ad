package explore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// name gives a record's key a short name, in the order in which keys appear.
func (r *run) name(key store.Key) string {
	if r.names == nil {
		r.names = map[store.Key]string{}
		for _, t := range r.tokens() {
			if t.at < 0 {
				r.name(t.key)
			}
		}
		for _, e := range r.trace {
			if e.kind == carriedOut && e.call.method != revoke {
				r.name(e.call.key)
				if e.call.method == rotate && e.call.begets() {
					r.name(e.call.next)
				}
			}
		}
	}
	if r.names[key] == "" {
		r.names[key] = fmt.Sprintf("c%d", len(r.names))
	}
	return r.names[key]
}

// story tells the run for a reader.
func (r *run) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v:%v\n", r.scene, r.choices)
	for _, q := range r.reqs {
		var acts []string
		for _, a := range q.acts {
			acts = append(acts, a.name)
		}
		fmt.Fprintf(&b, "  %s is %q: %s\n", q.letter(), q.script.name, strings.Join(acts, ", then "))
	}
	at := map[int][]finding{}
	for _, f := range r.findings {
		at[min(f.at, r.end()-1)] = append(at[min(f.at, r.end()-1)], f)
	}
	for i, e := range r.trace {
		if line := r.line(e); line != "" {
			fmt.Fprintf(&b, "  %-2s %s\n", e.q.letter(), line)
		}
		for _, f := range at[i] {
			fmt.Fprintf(&b, "  >> %s: %s\n", f.law, f.text)
		}
	}
	fmt.Fprintf(&b, "  in the end the browser has %s\n", r.cookieName(openToken(r.ring, r.scene.sealed, r.jar)))
	return b.String()
}

func (r *run) cookieName(t *token) string {
	if t == nil {
		return "no cookie that opens"
	}
	s := r.name(t.key)
	if t.sealed != nil {
		s += fmt.Sprintf(" (sealed, user %q)", t.sealed.User)
	}
	rec := r.follow(t, r.end()-1)
	if rec == nil {
		return s + ", which opens nothing"
	}
	return fmt.Sprintf("%s, which opens a session of user %q %v", s, rec.User, valuesOf(rec))
}

// line tells one event; "" where there is nothing to tell.
func (r *run) line(e event) string {
	switch e.kind {
	case sent:
		if t := openToken(r.ring, r.scene.sealed, e.q.cookies); t != nil {
			return "is sent with " + r.name(t.key)
		}
		return fmt.Sprintf("is sent with %d cookies, none that opens", len(e.q.cookies))
	case began:
		return e.act.name + " …"
	case ended:
		return fmt.Sprintf("… %s: %s", e.act.name, result(e.act))
	case carriedOut:
		return "    " + r.tell(e.call)
	case header:
		return r.tellHeader(e.q, e.header)
	case noticed:
		if e.notice.Name == sojourn.ChangeLost {
			return fmt.Sprintf("    event %s: %v", e.notice.Name, e.notice.Err)
		}
	case finished:
		if e.q.panicked != nil {
			return fmt.Sprintf("ends with a panic: %v", e.q.panicked)
		}
	}
	return ""
}

func result(d *deed) string {
	switch {
	case d.err != nil:
		return d.err.Error()
	case d.aim == toRead:
		return fmt.Sprintf("user %q, %v", d.saw, d.values)
	case len(d.got) > 0:
		return fmt.Sprintf("got %q", d.got)
	}
	return "nil"
}

// tell tells a call: what it does, what became of it, and what the request was told.
func (r *run) tell(c *call) string {
	var what string
	switch c.method {
	case create, update:
		what = fmt.Sprintf("%v %s (%s)", c.method, r.name(c.key), r.describe(c.rec))
	case rotate:
		to := "nothing, its end"
		if c.begets() {
			to = fmt.Sprintf("%s (%s)", r.name(c.next), r.describe(c.rec))
		}
		what = fmt.Sprintf("Rotate %s to %s, leaving %s", r.name(c.key), to, r.describe(c.tail))
	case revoke:
		what = fmt.Sprintf("Revoke %s", c.user)
		if len(c.sel.Only) > 0 {
			what += ", one session"
		} else if len(c.sel.Except) > 0 {
			what += ", all but one"
		}
	default:
		what = fmt.Sprintf("%v %s", c.method, r.name(c.key))
	}
	if c.again {
		what += " again"
	}
	switch {
	case c.fault.outcome != applied:
		return fmt.Sprintf("%s: %s; the engine: %s", what, strings.ToUpper(c.fault.String()), r.engineSays(c, c.truth))
	default:
		return fmt.Sprintf("%s: %s", what, r.engineSays(c, c.said))
	}
}

func (r *run) engineSays(c *call, err error) string {
	switch {
	case err != nil:
		return strings.TrimPrefix(errors.Unwrap(fmt.Errorf("%w", err)).Error(), "store: ")
	case c.method == get:
		return r.describe(c.rec)
	}
	return "ok"
}

// describe tells what a record is.
func (r *run) describe(rec *store.Record) string {
	switch {
	case rec == nil:
		return "nothing"
	case len(tailOf(rec)) == 32:
		return "a tail that leads on"
	case tailOf(rec) != nil:
		return "a mark that leads nowhere"
	case rec.User == "":
		return fmt.Sprintf("visitor %v", valuesOf(rec))
	}
	return fmt.Sprintf("%s %v", rec.User, valuesOf(rec))
}

func (r *run) tellHeader(q *request, h *written) string {
	s := fmt.Sprintf("answers %d", h.status)
	switch {
	case h.remove:
		s += " and takes the cookie away"
	case h.token != nil:
		s += " with the cookie " + r.name(h.token.key)
	case h.lines > 0:
		s += " with a cookie that does not open"
	default:
		s += " without a cookie"
	}
	if len(q.failures) > 0 {
		s += fmt.Sprintf(" (error page: %v)", q.failures[0])
	}
	return s
}
