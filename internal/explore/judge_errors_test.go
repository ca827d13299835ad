package explore

import (
	"errors"
	"slices"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// L4, L5, L8 and L9: which requests may fail, and how, and which must.

// A failure is an error that a request was given.
type failure struct {
	at  int
	err error
	by  *deed // nil: the commit at the response's header
}

func (q *request) allFailures() (list []failure) {
	for _, d := range q.deeds {
		if d.end != 0 && d.err != nil && d.aim != toSend && !q.late(d) {
			list = append(list, failure{d.end, d.err, d})
		}
	}
	for _, err := range q.failures {
		list = append(list, failure{q.head.at, err, nil})
	}
	return list
}

func (r *run) judgeErrors(q *request) {
	for _, f := range q.allFailures() {
		if law, why := r.unjust(q, f); law != "" {
			r.find(law, q, f.at, "%s: %v", why, f.err)
		}
	}
}

func outage(err error) bool {
	if errors.Is(err, sojourn.ErrEnded) {
		return false // it may match ErrIndeterminate besides
	}
	return errors.Is(err, sojourn.ErrUnavailable) || errors.Is(err, sojourn.ErrIndeterminate) || errors.Is(err, sojourn.ErrFull) || errors.Is(err, sojourn.ErrCorrupt)
}

// unjust says which law an error breaks; "" if there is a reason for it.
func (r *run) unjust(q *request, f failure) (law, why string) {
	asked, unasked := q.faultsBy(f.at)
	switch {
	case errors.Is(f.err, sojourn.ErrClock) && r.sentFromFuture(q):
		return "", ""
	case outage(f.err) && asked == 0 && unasked > 0:
		return "L4", "the request fails because of something that it did not ask for"
	case outage(f.err) && asked == 0:
		return "L5", "an outage, and the store has answered every call"
	case outage(f.err):
		return "", ""
	case errors.Is(f.err, sojourn.ErrCrossSite) && q.refused:
		return "", ""
	case f.by == nil && !q.wants():
		return "L4", "a request that changes nothing fails at its end"
	case errors.Is(f.err, sojourn.ErrEnded):
		return r.unjustEnd(q, f)
	case errors.Is(f.err, sojourn.ErrConflict):
		return r.unjustConflict(q, f)
	}
	return r.unjustRefusal(q, f)
}

// sentFromFuture reports whether q was sent with a sealed session that begins later.
func (r *run) sentFromFuture(q *request) bool {
	t := openToken(r.ring, r.scene.sealed, q.cookies)
	return t != nil && t.sealed != nil && t.sealed.Created.After(r.timeAt(q.sentAt).Add(skew))
}

// unjustEnd checks "your session ended": one that the request held must have ended, or its token.
func (r *run) unjustEnd(q *request, f failure) (law, why string) {
	held := map[store.Handle]bool{}
	for _, w := range q.words(f.at) {
		if w.live && !(w.own && q.triedToEnd(w, f.at)) {
			held[w.handle] = true
		}
	}
	for _, ch := range r.changes {
		if ch.at <= f.at && (ch.call.method == remove || ch.call.method == get || ch.before != nil && held[ch.before.Handle] && ch.ends()) {
			return "", ""
		}
	}
	switch {
	case q.slow && r.timeAt(f.at).Sub(r.timeAt(q.sentAt)) > longest:
		return "", ""
	case len(held) > 0 && q.slow:
		return "L8", "the session lived when the request came, and nobody ended it"
	case len(held) > 0:
		return "L7", "the request is told that its session ended, and nobody ended it"
	case slices.ContainsFunc(q.calls, func(c *call) bool { return c.at < f.at && c.method == get && c.said == nil && tailOf(c.rec) != nil }):
		return "", "" // its token was a dead mark when it came
	}
	return "L7", "the request never had a session that could end"
}

// ends reports whether the change has ended a session or replaced its token, so that requests under
// way with that token end: any end, but for a renewal, which leads on.
func (ch *change) ends() bool {
	if !session(ch.before) || session(ch.after) {
		return false
	}
	d := ch.call.q.deedAt(ch.at)
	return ch.call.method != rotate || ch.call.q.run.scene.sealed || !ch.call.begets() ||
		d != nil && (d.aim == toLogin || d.aim == toRevokeOthers || d.aim == toLogout)
}

// unjustConflict: only a value that is taken once, a new token that is made at once where another
// one was, and a sign-in that keeps values which went with another, with their session's end or
// with its damage, cannot be merged.
func (r *run) unjustConflict(q *request, f failure) (law, why string) {
	taken := slices.ContainsFunc(q.deeds, func(d *deed) bool { return d.aim == toTake && len(d.got) > 0 && d.end < f.at })
	takers, signIns := 0, 0
	for _, o := range r.reqs {
		takers += min(1, o.count(toTake))
		signIns += min(1, o.count(toLogin))
	}
	if taken && takers > 1 || q.forestalled(f) || f.by != nil && f.by.keep && (signIns > 1 || r.heldEnded(q, f) || q.knowsMark(f.at) || q.ownEndLost(f) || slices.ContainsFunc(r.reqs, (*request).damaged)) || q.confused(f.at) {
		return "", ""
	}
	return "L7", "a conflict, where the changes could be merged"
}

// forestalled reports whether the act that failed was to give the session a new token at once, and
// met the mark of another such act.
func (q *request) forestalled(f failure) bool {
	return f.by != nil && (f.by.aim == toLogin || f.by.aim == toRevokeOthers) && slices.ContainsFunc(q.calls, func(c *call) bool {
		return c.at < f.at && c.method == get && c.said == nil && slices.Equal(tailOf(c.rec), []byte{2}) && (f.by.aim == toRevokeOthers || string(metaField(c.rec, 9)) == f.by.user)
	})
}

// heldEnded reports whether the session that q held when the act began that failed was ended by
// then, by another request.
func (r *run) heldEnded(q *request, f failure) bool {
	old, ok := q.heldBy(f.by)
	return ok && slices.ContainsFunc(r.changes, func(ch change) bool {
		return ch.at < f.at && ch.call.q != q && ch.before != nil && ch.before.Handle == old.handle && ch.ends()
	})
}

// ownEndLost reports whether the act that failed has ended the session from before itself, without
// room for a mark, and the answer was lost: it cannot tell its own end from another's.
func (q *request) ownEndLost(f failure) bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool {
		return c.at > f.by.began && c.at < f.at && c.method == update && !c.begets() && c.fault.outcome == lost
	})
}

// confused reports whether a conflict was made up on a record that no other request can know of.
func (q *request) confused(before int) bool {
	own := map[store.Key]bool{}
	for _, c := range q.calls {
		own[c.key] = own[c.key] || c.method == create
		if c.fault.outcome == conflict && c.at < before && own[c.key] {
			return true
		}
	}
	return false
}

func (q *request) count(a aim) (n int) {
	for _, d := range q.deeds {
		if d.aim == a {
			n++
		}
	}
	return n
}

// unjustRefusal checks the other errors.
func (r *run) unjustRefusal(q *request, f failure) (law, why string) {
	switch {
	case errors.Is(f.err, sojourn.ErrCrossSite) && f.by != nil && f.by.aim == toVerify:
		return r.unjustForm(q, f)
	case errors.Is(f.err, sojourn.ErrCrossSite) && q.cross,
		errors.Is(f.err, sojourn.ErrNoUser) && f.by != nil && f.by.aim == toRevokeOthers,
		errors.Is(f.err, sojourn.ErrNotFound) && f.by != nil && f.by.aim == toRevokeOne,
		errors.Is(f.err, sojourn.ErrNoToken) && f.by != nil && q.late(f.by):
		return "", ""
	case errors.Is(f.err, sojourn.ErrRevoked) && f.by != nil && f.by.aim == toLogin:
		if q.confused(f.at) {
			return "", ""
		}
		for _, o := range r.reqs {
			for _, c := range o.calls {
				if c.method == revoke && c.user == f.by.user && len(c.sel.Only) == 0 && c.at > q.sentAt && c.at < f.at {
					return "", ""
				}
			}
		}
	}
	return "L5", "an error without a reason"
}

// unjustForm: a form's token outlives renewals, and dies with sign-in, step-up and end.
func (r *run) unjustForm(q *request, f failure) (law, why string) {
	for _, o := range r.reqs {
		for _, d := range o.deeds {
			if d.aim == toLogin || d.aim == toLogout || d.aim == toRevokeOthers || d.aim == toRevokeUser || d.aim == toRevokeOne {
				return "", ""
			}
		}
		if o.damaged() || o.slow {
			return "", ""
		}
	}
	if t := openToken(r.ring, r.scene.sealed, q.cookies); r.follow(t, q.sentAt) == nil || t.sealed != nil && r.follow(t, f.at) == nil {
		return "", "" // of a sealed session a renewal leaves nothing that leads on
	}
	return "R37", "a form is refused, and there was nothing but a renewal since it was rendered"
}

// wants reports whether q has changed something, or wanted to.
func (q *request) wants() bool {
	return slices.ContainsFunc(q.deeds, func(d *deed) bool {
		switch d.aim {
		case toRead, toSend, toOther, toCommit, toPanic, toVerify:
			return false
		case toHear, toTake:
			return len(d.got) > 0
		}
		return true
	})
}

// faultsBy counts the faults that hit calls of q before a tick: those that the visitor asked for,
// and renewals and touches.
func (q *request) faultsBy(tick int) (asked, unasked int) {
	for _, c := range q.calls {
		if c.at > tick || c.fault.outcome == applied {
			continue
		}
		if q.asked(c) {
			asked++
		} else {
			unasked++
		}
	}
	return asked, unasked
}

// asked reports whether the visitor asked for what the call does.
func (q *request) asked(c *call) bool {
	d, r := q.deedAt(c.at), q.run
	identity := d != nil && (d.aim.identity() || d.aim == toLogout || d.aim == toRevokeUser || d.aim == toRevokeOne)
	switch {
	case identity:
		return true
	case c.method == touch && r.scene.sealed:
		return q.wants() // its answer says that the session was revoked
	case c.method == touch || c.method == rotate:
		return false
	case d == nil || d.aim == toSend || d.aim == toCommit:
		return q.wants() // part of a commit; else of a renewal
	}
	return true // the load
}

// judgeReads applies promise 4: what a request reads when the store has failed is never "nobody".
func (r *run) judgeReads(q *request) {
	t := openToken(r.ring, r.scene.sealed, q.cookies)
	for _, d := range q.deeds {
		if d.aim != toRead || d.end == 0 || d.err != nil {
			continue
		}
		if w, ok := q.held(d.end); ok {
			if spent := d.saw == "" && !w.own && r.follow(t, w.at) == nil; w.user != d.saw && !spent {
				r.find("P4", q, d.end, "the request reads user %q where the session is of %q", d.saw, w.user)
			}
			continue
		}
		first, now := q.sentAt, q.sentAt
		for _, c := range q.calls {
			if c.at < d.end && c.method == get {
				if now == q.sentAt {
					first = c.at
				}
				now = c.at
			}
		}
		if want := userOf(r.follow(t, now)); d.saw != want && d.saw != userOf(r.follow(t, first)) {
			r.find("P4", q, d.end, "the request reads user %q where the session is of %q", d.saw, want)
		}
	}
}

func userOf(rec *store.Record) string {
	if rec == nil {
		return ""
	}
	return rec.User
}

// judgeLate applies L9: an act that cannot reach the client fails.
func (r *run) judgeLate(q *request) {
	if q.head == nil {
		return
	}
	if now := q.resp.header["Set-Cookie"]; !slices.Equal(now, q.head.header["Set-Cookie"]) {
		r.find("L9", q, q.overAt, "the header map was changed after the header had gone")
	}
	reported := false
	for _, e := range r.trace {
		reported = reported || e.kind == noticed && e.q == q && e.notice.Name == sojourn.ChangeLost
	}
	pending := ""
	for _, d := range q.deeds {
		if !q.late(d) || d.end == 0 || d.err != nil {
			continue
		}
		switch {
		case d.aim.identity():
			if w, ok := last(q.words(d.end), func(w word) bool { return w.own && w.live && w.at > d.began }); ok {
				r.find("L9", q, d.end, "%s after the first byte returned nil, and nobody will get the token of %s", d.name, r.name(w.key))
			} else if d.aim == toLogin {
				r.find("L9", q, d.end, "%s after the first byte returned nil", d.name)
			}
		case d.aim == toLogout && r.scene.sealed && !reported && !q.wroteAny(d.began) && r.follow(openToken(r.ring, true, q.cookies), d.end) != nil:
			r.find("L9", q, d.end, "Logout after the first byte returned nil, and the cookie lives on")
		case d.aim == toIncr || d.aim == toSet:
			pending = d.id
		case d.aim == toCommit && pending != "" && !q.wroteID(pending):
			r.find("L9", q, d.end, "Commit after the first byte returned nil, and the change is nowhere")
			pending = ""
		}
	}
	if failed := slices.ContainsFunc(q.deeds, func(d *deed) bool { return q.late(d) && d.err != nil }); pending != "" && !failed && !reported && !q.wroteID(pending) {
		r.find("L9", q, q.overAt, "a change after the first byte is lost, and neither the handler nor the observer was told")
	}
}

// wroteID reports whether q has written a change to the store.
func (q *request) wroteID(id string) bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool {
		return c.rec != nil && c.method != get && c.written() && valuesOf(c.rec).hold(id)
	})
}

func (q *request) wroteAny(after int) bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool { return c.at > after && c.method != get && c.written() })
}
