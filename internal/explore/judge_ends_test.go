package explore

import (
	"errors"
	"slices"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// L6, and what of L3 shows only in the end: records without a client, clients without a session.

// judgeTokens tries all tokens on the node that served the requests and on another.
func (r *run) judgeTokens() {
	for _, t := range r.tokens() {
		want := r.follow(t.token, r.end()-1)
		here, user, err := open(r.node, t.jar)
		there, _, err2 := open(r.other, t.jar)
		switch {
		case want == nil && errors.Is(err, sojourn.ErrClock) && errors.Is(err2, sojourn.ErrClock):
			// a server with a wrong clock has sealed it
		case err != nil || err2 != nil:
			r.find("L5", nil, r.end(), "in the end %s does not open on a healthy store: %v, %v", r.name(t.key), err, err2)
		case here != there:
			r.find("L1", nil, r.end(), "%s opens a session on one node and not on another", r.name(t.key))
		case want == nil && here != store.Handle{}:
			r.find("L6", nil, r.end(), "%s leads to no live record, and still opens a session", r.name(t.key))
		case want != nil && here != want.Handle:
			r.find("L6", nil, r.end(), "%s does not open the session to which it leads", r.name(t.key))
		case user == "eve":
			r.find("L6", nil, r.end(), "%s opens somebody else's session", r.name(t.key))
		}
	}
	if h, user, err := open(r.node, r.eve); user != "eve" || err != nil {
		r.find("L6", nil, r.end(), "somebody else's session %v is gone: %v", h, err)
	}
}

// judgeEnds applies L6: what was ended, and said to be, is over for good.
func (r *run) judgeEnds() {
	lived := map[store.Key]bool{}
	for _, ch := range r.changes {
		if session(ch.before) {
			lived[ch.key] = true
		} else if lived[ch.key] && session(ch.after) {
			r.find("L6", ch.call.q, ch.at, "the ended record at %s lives again", r.name(ch.key))
		}
	}
	for _, q := range r.reqs {
		for _, d := range q.deeds {
			if d.end == 0 || d.err != nil && d.aim != toRevokeOne {
				continue
			}
			switch d.aim {
			case toLogout:
				if w, ok := q.heldBy(d); ok {
					r.mustBeOver(q, d, func(rec *store.Record) bool { return rec.Handle == w.handle })
				} else if h, ok := q.marked(d); ok {
					r.mustBeOver(q, d, func(rec *store.Record) bool { return rec.Handle == h })
				}
			case toLogin:
				r.judgeLoginEnds(q, d)
			case toRenew:
			case toRevokeOthers:
				r.oldTokensDead(q, d)
				r.judgeRevocation(q, d)
			case toRevokeUser:
				r.judgeRevocation(q, d)
			case toRevokeOne:
				r.judgeRevokeOne(q, d)
			}
		}
	}
}

// mustBeOver finds records that live in the end though d has ended them.
func (r *run) mustBeOver(q *request, d *deed, f func(*store.Record) bool) {
	if slices.ContainsFunc(r.reqs, (*request).lostTrack) {
		return
	}
	for _, rec := range r.sessions() {
		if f(rec) {
			r.find("L6", q, d.end, "%s succeeded, and %s, which it ended, lives", d.name, r.name(rec.Key))
		}
	}
}

// lostTrack reports whether q was told that what a renewal has left is damaged: nothing leads on
// from there.
func (q *request) lostTrack() bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool {
		rec := q.run.record(c.key, c.at-1) // it is gone since
		return c.said == store.ErrCorrupt && rec != nil && tailOf(rec) != nil
	})
}

// heldBy gives the session that q held when the act began, or loaded for it.
func (q *request) heldBy(d *deed) (word, bool) {
	spent := q.spent() // then it holds nothing but its own, whatever it has seen
	if w, ok := q.held(d.began); ok && (w.own || !spent) {
		return w, ok
	}
	for _, w := range q.words(d.end) {
		if w.at > d.began && w.live && !w.own && !spent {
			return w, true
		}
	}
	return word{}, false
}

// marked gives the session of which q met a mark to which its token leads, before the end of d.
func (q *request) marked(d *deed) (h store.Handle, ok bool) {
	t := openToken(q.run.ring, q.run.scene.sealed, q.cookies)
	for _, c := range q.calls {
		if c.at < d.end && c.method == get && c.said == nil && len(tailOf(c.rec)) == 1 && q.run.reach(t, c.at) != nil {
			h, ok = c.rec.Handle, true
		}
	}
	return h, ok
}

// judgeLoginEnds: after a sign-in the session from before is over, or, where the user stays the
// same, its tokens are.
func (r *run) judgeLoginEnds(q *request, d *deed) {
	old, ok := q.heldBy(d)
	if !ok {
		return
	}
	if old.user == d.user {
		r.oldTokensDead(q, d)
		return
	}
	r.mustBeOver(q, d, func(rec *store.Record) bool { return rec.Handle == old.handle })
}

// oldTokensDead: no token that was there before d's new one opens d's session.
func (r *run) oldTokensDead(q *request, d *deed) {
	own, ok := last(q.words(d.end), func(w word) bool { return w.own && w.live && w.at > d.began })
	if !ok {
		return
	}
	for _, t := range r.tokens() {
		if t.at >= own.at || t.key == own.key {
			continue
		}
		if rec := r.follow(t.token, r.end()-1); rec != nil && rec.Handle == own.handle && t.sealed == nil {
			r.find("L6", q, d.end, "%s succeeded, and %s, a token from before it, still opens the session", d.name, r.name(t.key))
		}
	}
}

// judgeRevocation: what lived when the user was revoked is over, and so is every sign-in that had
// begun.
func (r *run) judgeRevocation(q *request, d *deed) {
	at := q.revokedAt(d.user, d.end) // the last one is what was acknowledged
	if at < d.began {
		return
	}
	own, _ := q.held(d.end)
	for _, rec := range r.sessions() {
		if rec.User != d.user || d.aim == toRevokeOthers && rec.Handle == own.handle {
			continue
		}
		by, signedIn := r.signIn(rec.Handle)
		switch {
		case signedIn < at:
			r.find("L6", q, d.end, "%s succeeded, and %s, which was there before, lives", d.name, r.name(rec.Key))
		case by != q && by.sentAt < at && by.revokedAt(d.user, signedIn) < at:
			r.find("L6", q, d.end, "%s succeeded, and the sign-in of %s, which had begun before, lives", d.name, by.letter())
		}
	}
}

// revokedAt gives the tick at which q itself last revoked the user before a tick: its sign-in after
// that knows of all revocations before. -1 for none.
func (q *request) revokedAt(user string, before int) int {
	at := -1
	for _, c := range q.calls {
		if c.method == revoke && c.user == user && len(c.sel.Only) == 0 && c.written() && c.at < before {
			at = c.at
		}
	}
	return at
}

// signIn tells which request has made the session with that handle, and when; nil and -1 for none.
func (r *run) signIn(h store.Handle) (*request, int) {
	for _, ch := range r.changes {
		if ch.before == nil && session(ch.after) && ch.after.Handle == h && ch.call.method == create {
			return ch.call.q, ch.at
		}
	}
	return nil, -1
}

func (r *run) judgeRevokeOne(q *request, d *deed) {
	if d.err == nil {
		r.mustBeOver(q, d, func(rec *store.Record) bool { return rec.Handle == r.handle })
		return
	}
	if !errors.Is(d.err, sojourn.ErrNotFound) || !r.lives(r.handle, q.sentAt) {
		return
	}
	for _, ch := range r.changes {
		if ch.before != nil && ch.before.Handle == r.handle && session(ch.before) && !session(ch.after) && ch.call.q != q && !(ch.call.method == rotate && ch.call.begets()) {
			return // somebody else has ended it
		}
	}
	r.find("L6", q, d.end, "%s says that there is no such session, and it was this call that ended it", d.name)
}

// judgeClient applies L3 to the end of the run: each live record has a client that can reach it,
// and the browser has its session, unless somebody ended it on purpose.
func (r *run) judgeClient() {
	reached := r.reached(r.end() - 1)
	damaged := slices.ContainsFunc(r.reqs, (*request).damaged) // perhaps the tail that led on
	for _, rec := range r.sessions() {
		q := r.writer(rec.Key)
		if damaged || reached[rec.Key] || q == nil || q.triedToEnd(word{key: rec.Key}, r.end()) || q.faulted() > 1 || q.diedWith(rec.Key) {
			continue
		}
		if q.head == nil && r.reached(q.overAt)[rec.Key] {
			continue // the token before it led to it for as long as a client has to come back
		}
		r.find("L3", q, r.end(), "%s lives, and no client has its token", r.name(rec.Key))
	}
	if r.late || r.endedOnPurpose() {
		return
	}
	had := r.follow(openToken(r.ring, r.scene.sealed, r.jars[len(r.jars)-1]), 0) != nil
	for _, q := range r.reqs {
		had = had || !q.stranger && q.head != nil && q.did(toLogin, q.head.at)
	}
	if had && r.follow(openToken(r.ring, r.scene.sealed, r.jar), r.end()-1) == nil {
		r.find("L3", nil, r.end(), "the browser had a session, nobody has ended it, and its cookie opens none")
	}
}

// judgeStays applies L7 to the browser: a user who signs in again keeps the session, and so its
// values.
func (r *run) judgeStays() {
	before, now := r.follow(openToken(r.ring, r.scene.sealed, r.jars[len(r.jars)-1]), 0), r.follow(openToken(r.ring, r.scene.sealed, r.jar), r.end()-1)
	if before == nil || now == nil || before.User == "" || before.User != now.User || before.Handle == now.Handle {
		return
	}
	for _, q := range r.reqs {
		if q.damaged() || q.slow || slices.ContainsFunc(q.deeds, func(d *deed) bool {
			return d.aim == toLogout || d.aim == toRevokeUser || d.aim == toRevokeOne || d.aim == toLogin && d.user != before.User
		}) {
			return
		}
	}
	r.find("L7", nil, r.end(), "the browser has a session of its user's that is not the one from before, and nobody has ended that")
}

// reached gives the keys to which the tokens lead that clients have had, at a tick.
func (r *run) reached(tick int) map[store.Key]bool {
	keys := map[store.Key]bool{}
	for _, t := range r.tokens() {
		if rec := r.follow(t.token, tick); rec != nil {
			keys[rec.Key] = true
		}
	}
	return keys
}

// diedWith reports whether q's panic went on to who may answer it, with the token in the header
// map.
func (q *request) diedWith(key store.Key) bool {
	if q.head != nil || q.panicked != any(errScripted) {
		return false
	}
	j := jar{}
	j.take(q.resp.header)
	t := openToken(q.run.ring, q.run.scene.sealed, j)
	return t != nil && t.key == key
}

// writer gives the request that wrote the record at key; nil if it was there before.
func (r *run) writer(key store.Key) *request {
	for _, ch := range r.changes {
		if ch.key == key && ch.before == nil {
			return ch.call.q
		}
	}
	return nil
}

// faulted counts the faults that hit q.
func (q *request) faulted() (n int) {
	for _, c := range q.calls {
		if c.fault.outcome != applied && !(c.again && c.fault.all) {
			n++
		}
	}
	return n
}

// endedOnPurpose reports whether somebody may have ended the browser's session on purpose, or in
// one of the ways that L3 excepts.
func (r *run) endedOnPurpose() bool {
	logins, faults := 0, 0
	others := false
	for _, q := range r.reqs {
		faults += q.faulted()
		for _, d := range q.deeds {
			switch d.aim {
			case toLogout, toRevokeUser, toRevokeOne:
				return true
			case toLogin:
				logins++
			case toRevokeOthers:
				others = true
			}
			if d.aim.identity() && q.head == nil {
				return true // a panic that nobody answers
			}
			if d.aim == toLogin && errors.Is(d.err, sojourn.ErrIndeterminate) && q.knowsMark(d.end) {
				return true // it was to end the session from before by its handle, and has, perhaps
			}
		}
		if q.blind() {
			return true
		}
		if q.slow && r.scene.situation.slow || q.damaged() {
			return true // it expired, or its record is damaged
		}
	}
	return faults > 1 || others && logins > 0
}

// blind reports whether q has sent a token that it has made itself, or a sealed session, though the
// last look at it failed: what others have done to the session meanwhile it cannot know.
func (q *request) blind() bool {
	if q.head == nil || q.head.token == nil || len(q.calls) == 0 {
		return false
	}
	if w, ok := last(q.words(q.head.at), func(w word) bool { return w.key == q.head.token.key }); !q.run.scene.sealed && !(ok && w.own) {
		return false
	}
	last := q.calls[len(q.calls)-1]
	return last.method == get && last.key == q.head.token.key && last.said == store.ErrUnavailable
}

// damaged reports whether q was told that a record is damaged.
func (q *request) damaged() bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool { return c.said == store.ErrCorrupt })
}
