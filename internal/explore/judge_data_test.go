package explore

import (
	"errors"
	"slices"
	"strings"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// L7: what was acknowledged is there, and what was said not to be written is not.

// fate is what became of a change as its request was told.
type fate byte

const (
	undecided    fate = iota // an answer was lost, or the page was an error page
	acknowledged             // a commit that covers it succeeded
	refused                  // a commit that covers it failed, and said that nothing was written
	dropped                  // it was made in a session that this request left before the commit
)

// A change of values, by one act.
type edit struct {
	*deed
	q    *request
	fate fate
	at   int // the tick of its fate
}

func (d *deed) edits() bool {
	switch d.aim {
	case toIncr, toSet, toSay:
		return d.end != 0 && d.err == nil
	case toTake, toHear:
		return d.end != 0 && d.err == nil && len(d.got) > 0
	}
	return false
}

// edits tells the fate of each change of q.
func (q *request) edits() (all []*edit) {
	var pending []*edit
	decide := func(at int, f fate) {
		for _, e := range pending {
			e.fate, e.at = f, at
		}
		pending = nil
	}
	headed := q.head == nil
	failed := false
	for _, d := range q.deeds {
		if !headed && d.began > q.head.at {
			headed = true
			q.decideAtHeader(decide, failed)
		}
		switch {
		case d.edits():
			e := &edit{deed: d, q: q}
			all, pending = append(all, e), append(pending, e)
		case d.end == 0 || d.aim == toSend && d.err != nil:
			// the header's commit decides
		case d.aim == toCommit:
			decide(d.end, fateOf(d.err))
		case d.err != nil:
			failed = true
		case d.aim == toLogout, d.aim == toLogin && !q.staysIn(d):
			decide(d.end, dropped)
		}
	}
	switch {
	case !headed:
		q.decideAtHeader(decide, failed && !q.stubborn)
	case q.head == nil:
		decide(q.overAt, refused) // a panic commits nothing
	default:
		decide(q.overAt, q.lateFate())
	}
	return all
}

func (q *request) decideAtHeader(decide func(int, fate), failed bool) {
	switch {
	case len(q.failures) > 0:
		decide(q.head.at, fateOf(q.failures[0]))
	case q.count(toPanic) > 0 && q.deeds[len(q.deeds)-1].began < q.head.at:
		decide(q.head.at, refused) // a panic commits nothing
	case failed:
		decide(q.head.at, undecided) // the handler's own error page
	default:
		decide(q.head.at, acknowledged)
	}
}

// lateFate is the fate of what was changed after the first byte and not committed by the handler.
func (q *request) lateFate() fate {
	for _, e := range q.run.trace {
		if e.kind == noticed && e.q == q && e.notice.Name == sojourn.ChangeLost {
			return fateOf(e.notice.Err)
		}
	}
	if q.panicked != nil {
		return refused
	}
	return acknowledged
}

// fateOf reads a commit's error.
func fateOf(err error) fate {
	switch {
	case err == nil:
		return acknowledged
	case errors.Is(err, sojourn.ErrIndeterminate):
		return undecided
	}
	return refused
}

// staysIn reports whether a sign-in goes on with the values of the session from before.
func (q *request) staysIn(d *deed) bool {
	old, ok := q.heldBy(d)
	return ok && old.user == d.user || (!ok || old.user == "") && d.keep
}

func (r *run) judgeData() {
	var all []*edit
	for _, q := range r.reqs {
		all = append(all, q.edits()...)
	}
	taken := 0
	for _, e := range all {
		switch e.fate {
		case refused:
			r.judgeRefused(e)
		case acknowledged:
			r.judgeAcknowledged(e, all)
			if e.aim == toTake {
				taken++
			}
		}
	}
	if taken > 1 {
		r.find("L7", nil, r.end(), "the code was taken %d times, and each was acknowledged", taken)
	}
	r.judgeStart(all)
	r.judgeTwice(taken > 0)
}

// judgeRefused: of a change that was refused nothing was written.
func (r *run) judgeRefused(e *edit) {
	if e.aim == toTake || e.aim == toHear {
		return // what they remove, others may have removed
	}
	for _, ch := range r.changes {
		if ch.call.q != e.q || ch.at > e.at || ch.after == nil || !valuesOf(ch.after).hold(e.id) {
			continue
		}
		if rec := r.record(ch.key, e.at); rec == nil && (r.endedBy(ch.key) == e.q || e.q.erased(ch.key)) || e.q.triedToEnd(word{key: ch.key, at: ch.at}, e.at) {
			continue // undone by the request itself, or it has tried to
		}
		r.find("L7", e.q, e.at, "%s (%s) was refused as not written, and was written to %s", e.name, e.id, r.name(ch.key))
		return
	}
}

// erased reports whether q has deleted the record at key, or what was left of it.
func (q *request) erased(key store.Key) bool {
	return slices.ContainsFunc(q.calls, func(c *call) bool { return c.method == remove && c.key == key && c.said == nil })
}

// endedBy gives the request that ended the record at key last; nil for none.
func (r *run) endedBy(key store.Key) *request {
	for _, ch := range slices.Backward(r.changes) {
		if ch.key == key && session(ch.before) && !session(ch.after) {
			return ch.call.q
		}
	}
	return nil
}

// judgeAcknowledged: a change that was acknowledged is in the session, or in the one that took its
// values over.
func (r *run) judgeAcknowledged(e *edit, all []*edit) {
	home := r.home(e)
	if home == nil {
		if e.aim != toHear && e.aim != toTake {
			r.find("L7", e.q, e.at, "%s (%s) was acknowledged, and never written", e.name, e.id)
		}
		return
	}
	r.judgeThere(e, home.after.Handle, all, 0)
}

// home gives the write that brought the change to the store; nil for none.
func (r *run) home(e *edit) (home *change) {
	for i := range r.changes {
		ch := &r.changes[i]
		if ch.call.q != e.q || ch.at > e.at || ch.at < e.began || !session(ch.after) {
			continue
		}
		if there(e, valuesOf(ch.after)) {
			home = ch
		}
	}
	return home
}

// there reports whether the values are as the change has left them.
func there(e *edit, v values) bool {
	switch e.aim {
	case toIncr:
		return v.has(logValue.Name(), e.id)
	case toSet:
		return v[noteValue.Name()] == e.id
	case toSay:
		return v.has(said.Name(), e.id)
	case toTake:
		return v[codeValue.Name()] == ""
	default: // toHear
		return !slices.ContainsFunc(e.got, func(id string) bool { return v.has(said.Name(), id) })
	}
}

// judgeThere looks for the change in the session of that handle, and where its values went.
func (r *run) judgeThere(e *edit, h store.Handle, all []*edit, hops int) {
	if rec := r.sessionOf(h); rec != nil {
		if !there(e, valuesOf(rec)) && !r.overtaken(e, all) {
			r.find("L7", e.q, r.end(), "%s (%s) was acknowledged, and %s does not have it", e.name, e.id, r.name(rec.Key))
		}
		return
	}
	heir, others := r.heir(h, e)
	switch {
	case heir == nil:
		if !r.endedOnPurpose() && !others {
			r.find("L7", e.q, r.end(), "%s (%s) was acknowledged, and its session is gone though nobody has ended it", e.name, e.id)
		}
	case hops < 3:
		if rec := r.sessionOf(heir.Handle); rec != nil && len(valuesOf(rec)) == 0 && others {
			return // of two sign-ins at once, one may keep nothing
		}
		r.judgeThere(e, heir.Handle, all, hops+1)
	}
}

func (r *run) sessionOf(h store.Handle) *store.Record {
	for _, rec := range r.sessions() {
		if rec.Handle == h {
			return rec
		}
	}
	return nil
}

// heir gives the record into which a sign-in has taken over the values of the session with that handle, and reports
// whether several requests have signed in out of it.
func (r *run) heir(h store.Handle, e *edit) (heir *store.Record, others bool) {
	n := 0
	for _, q := range r.reqs {
		for _, d := range q.deeds {
			if d.aim != toLogin {
				continue
			}
			n++
			old, ok := q.heldBy(d)
			if d.end == 0 || d.err != nil || !ok || old.handle != h || old.user != "" {
				continue
			}
			if own, ok := q.held(d.end); ok && d.keep && keeps(d, e) {
				heir = r.record(own.key, d.end)
			}
		}
	}
	return heir, n > 1 || n > 0 && heir == nil
}

// keeps reports whether a sign-in takes the value over that e has changed.
func keeps(d *deed, e *edit) bool {
	return d.name == aKeepAll.name || e.aim == toIncr || e.aim == toTake
}

// overtaken reports whether a change of the same value may have come on top.
func (r *run) overtaken(e *edit, all []*edit) bool {
	for _, o := range all {
		if o == e || o.fate == refused || o.fate == dropped {
			continue
		}
		switch {
		case e.aim == toSet && o.aim == toSet,
			e.aim == toSay && o.aim == toHear && slices.Contains(o.got, e.id):
			return true
		}
	}
	return false
}

// judgeStart: what the session held in the beginning is still there, unless somebody took it.
func (r *run) judgeStart(all []*edit) {
	rec := r.follow(openToken(r.ring, false, r.jars[len(r.jars)-1]), 0)
	if rec == nil {
		return
	}
	start := valuesOf(rec)
	here := r.sessionOf(rec.Handle)
	if here == nil {
		return
	}
	now := valuesOf(here)
	if start.has(logValue.Name(), startID) && !now.has(logValue.Name(), startID) {
		r.find("L7", nil, r.end(), "what the log held in the beginning is gone from %s", r.name(here.Key))
	}
	if start[codeValue.Name()] != "" && now[codeValue.Name()] == "" && !slices.ContainsFunc(all, func(e *edit) bool { return e.aim == toTake && e.fate != refused }) {
		r.find("L7", nil, r.end(), "the code is gone from %s, and nobody was told that he took it", r.name(here.Key))
	}
	if start.has(said.Name(), startID) && !now.has(said.Name(), startID) && !slices.ContainsFunc(all, func(e *edit) bool { return e.aim == toHear && e.fate != refused }) {
		r.find("L7", nil, r.end(), "a message is gone from %s, and no page has shown it", r.name(here.Key))
	}
}

// judgeTwice: no increment was applied twice, and no session has a code that was taken.
func (r *run) judgeTwice(taken bool) {
	for _, rec := range r.sessions() {
		if by := r.writer(rec.Key); by != nil && by.triedToEnd(word{key: rec.Key}, r.end()) {
			continue // an orphan, whose deletion failed as well
		}
		if taken && valuesOf(rec)[codeValue.Name()] != "" {
			r.find("L7", nil, r.end(), "the code was taken, and %s has it all the same", r.name(rec.Key))
		}
		seen := map[string]bool{}
		for id := range strings.FieldsSeq(valuesOf(rec)[logValue.Name()]) {
			if seen[id] {
				r.find("L7", nil, r.end(), "increment %s is in %s twice", id, r.name(rec.Key))
			}
			seen[id] = true
		}
	}
}
