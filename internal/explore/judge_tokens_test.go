package explore

import (
	"errors"
	"slices"
	"strings"

	"github.com/sojourn-go/sojourn/store"
)

// L1 to L3, as they show in the responses.

// readCookies finds what a header says about the session's cookie.
func (r *run) readCookies(h *written) {
	lines := 0
	h.jar = jar{}
	for _, line := range h.header["Set-Cookie"] {
		if name, _, _ := strings.Cut(line, "="); name == cookieName {
			lines++
			h.remove = strings.HasPrefix(line, cookieName+"=;")
		}
	}
	if lines == 0 {
		return
	}
	h.jar.take(h.header)
	if !h.remove {
		h.token = openToken(r.ring, r.scene.sealed, h.jar)
	}
	h.lines = lines
}

// judgeHeader holds a response's cookie against L1 and L2: the request must have seen a live record
// under the token, and must not have heard since that it is gone.
func (r *run) judgeHeader(q *request) {
	h := q.head
	if h == nil || h.lines == 0 {
		return
	}
	if h.lines > 1 {
		r.find("L2", q, h.at, "the response has %d session cookies", h.lines)
	}
	if !strings.Contains(h.header.Get("Cache-Control"), "no-store") {
		r.find("cache", q, h.at, "a response that sets or removes the cookie has Cache-Control %q", h.header.Get("Cache-Control"))
	}
	if h.remove {
		if !q.did(toLogout, h.at) {
			r.find("L2", q, h.at, "the cookie is taken away, and the request did not sign out")
		}
		return
	}
	if h.token == nil {
		r.find("L1", q, h.at, "the cookie does not open")
		return
	}
	if h.token.sealed != nil && h.token.sealed.User == "" {
		r.judgeSealedVisitor(q)
		return // the seal counts
	}
	words := q.words(h.at)
	w, told := last(words, func(w word) bool { return w.key == h.token.key })
	switch {
	case q.cross:
		r.find("L2", q, h.at, "a cross-site request, which comes without a cookie, replaces the one that the browser has")
	case !told:
		r.find("L1", q, h.at, "the response carries a token whose record this request never saw: no answer of the store showed or acknowledged it")
	case !w.live:
		r.find("L2", q, h.at, "the response carries a token of which this request knows that it is dead")
	case w.user == "":
		r.judgeVisitorToken(q, w.key)
	}
}

// judgeVisitorToken applies the second half of L2: no visitor's token in answer to a request whose
// own session another request of this browser has replaced or ended.
func (r *run) judgeVisitorToken(q *request, key store.Key) {
	made := -1
	for _, c := range q.calls {
		if c.method == create && c.key == key {
			made = c.at
		}
	}
	if made < 0 || q.did(toLogout, made) {
		return
	}
	if by := r.replaced(q, made); by != nil {
		r.find("L2", q, q.head.at, "a visitor's token is sent in answer to a request whose session %s has just replaced or ended", by.letter())
	}
}

func (r *run) judgeSealedVisitor(q *request) {
	if t := openToken(r.ring, true, q.cookies); t == nil || t.sealed.User == "" || q.did(toLogout, q.head.at) {
		return
	}
	if by := r.replaced(q, q.head.at); by != nil {
		r.find("L2", q, q.head.at, "a visitor's cookie is sent in answer to a request whose session %s has just replaced or ended", by.letter())
	}
}

// replaced gives the request of this browser whose act on identity has replaced or ended the
// session that q was sent with, before a tick; nil for none. (A damaged record leaves no mark, and
// so does a revocation; see marksNot.)
func (r *run) replaced(q *request, before int) *request {
	rec := r.follow(openToken(r.ring, r.scene.sealed, q.cookies), q.sentAt)
	if rec == nil {
		return nil
	}
	for _, ch := range r.changes {
		if ch.at < before && (ch.call.method == remove || ch.call.method == get) && ch.before != nil && ch.before.Handle == rec.Handle {
			return nil
		}
	}
	for _, ch := range r.changes {
		by := ch.call.q
		if ch.at <= q.sentAt || ch.at >= before || by == q || by.stranger || (ch.call.method == revoke || ch.call.method == update) && by.marksNot(ch.at) || ch.before == nil || ch.before.Handle != rec.Handle || !session(ch.before) || session(ch.after) {
			continue
		}
		if d := by.deedAt(ch.at); d != nil && (d.aim.identity() || d.aim == toLogout) {
			return by
		}
	}
	return nil
}

// marksNot reports whether an end by q at a tick, without a rotation, has a reason to leave no
// mark: it is meant for the user's other sessions, the store is full, or a mark was there and the
// session has gone on elsewhere.
func (q *request) marksNot(tick int) bool {
	if d := q.deedAt(tick); d != nil && d.aim == toRevokeOthers {
		return true
	}
	return q.knowsMark(tick) || slices.ContainsFunc(q.calls, func(c *call) bool {
		return c.at < tick && c.method == rotate && errors.Is(c.said, store.ErrFull)
	})
}

// spent reports whether q came with a token that did not lead on any more, or did not when q first
// met a session.
func (q *request) spent() bool {
	t := openToken(q.run.ring, q.run.scene.sealed, q.cookies)
	if q.run.follow(t, q.sentAt) == nil {
		return true
	}
	for _, c := range q.calls {
		if c.method == get && c.said == nil && session(c.rec) {
			return q.run.follow(t, c.at) == nil
		}
	}
	return false
}

// renewedOn reports whether the act has written a renewal, whose answer was lost and which another
// one has replaced by now, and the request has found where that leads.
func (q *request) renewedOn(d *deed) bool {
	_, ok := q.held(d.end)
	return ok && slices.ContainsFunc(q.calls, func(c *call) bool { return c.at > d.began && c.at < d.end && c.method == rotate && c.written() })
}

// did reports whether an act of that aim succeeded before a tick.
func (q *request) did(a aim, before int) bool {
	for _, d := range q.deeds {
		if d.aim == a && d.end != 0 && d.end < before && d.err == nil {
			return true
		}
	}
	return false
}

// judgeOwed applies L3 to a response: what the request has written, and knows to live, is sent.
func (r *run) judgeOwed(q *request) {
	h := q.head
	if h == nil {
		return // a panic that nobody answers; the records left are judged in the end
	}
	r.judgeIdentityActs(q)
	words := q.words(h.at)
	w, ok := last(words, func(w word) bool { return w.own && w.live })
	if after, _ := last(words, func(x word) bool { return x.key == w.key }); ok && after.live {
		if (h.token == nil || h.token.key != w.key) && !q.triedToEnd(w, h.at) && !q.revoked(w, h.at) {
			r.find("L3", q, h.at, "the request wrote a live session and the response (status %d) does not carry its token", h.status)
		}
		return
	}
	if q.did(toLogout, h.at) && q.cookies[cookieName] != "" && !h.remove && !q.stubborn && !q.knowsMark(h.at) {
		r.find("L3", q, h.at, "Logout succeeded and the response does not take the cookie away")
	}
}

// knowsMark reports whether q met, before a tick, what another request's sign-in or sign-out has
// left: the client may hold a newer cookie, which is not this request's to take.
func (q *request) knowsMark(before int) bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool {
		return c.at < before && c.method == get && c.said == nil && len(tailOf(c.rec)) == 1
	})
}

// triedToEnd reports whether q has tried to end the record of w again and was not told that it did.
func (q *request) triedToEnd(w word, before int) bool {
	for _, c := range q.calls {
		if c.at > w.at && c.at < before && c.said != nil && (c.method == remove && c.key == w.key || c.method == revoke && c.key.Tag == w.key.Tag) {
			return true
		}
	}
	return false
}

// revoked reports whether q was told that the session of w is revoked. Another request may have
// done it before.
func (q *request) revoked(w word, before int) bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool {
		return c.method == revoke && c.said == nil && c.at > w.at && c.at < before && c.user == w.user && c.sel.Picks(w.handle)
	})
}

// judgeIdentityActs checks that an act that gives a new token has written a record for it.
func (r *run) judgeIdentityActs(q *request) {
	for _, d := range q.deeds {
		if !d.aim.identity() || d.end == 0 || d.err != nil || q.late(d) {
			continue
		}
		if _, had := last(q.words(d.end), func(w word) bool { return w.live && !w.own }); d.aim == toRenew && (!had || q.spent()) {
			continue // a visitor without a record has nothing to renew
		}
		w, ok := last(q.words(d.end), func(w word) bool { return w.own && w.live && w.at > d.began })
		if !ok && d.aim == toRenew && q.renewedOn(d) {
			continue
		}
		if !ok {
			r.find("L3", q, d.end, "%s returned nil, and the request knows of no new record", d.name)
			continue
		}
		if d.aim == toLogin && w.user != d.user {
			r.find("L3", q, d.end, "%s returned nil, and the record is another user's", d.name)
		}
	}
}
