package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// A finding says which law a run has broken.
type finding struct {
	law  string // "L1" to "L9"; "P4" is promise 4, an outage is no sign-out
	q    *request
	at   int // the tick at which it shows
	text string
}

func (r *run) find(law string, q *request, at int, format string, args ...any) {
	r.findings = append(r.findings, finding{law, q, at, fmt.Sprintf(format, args...)})
}

// judge applies the laws to a run that is over.
func (r *run) judge() {
	for _, q := range r.reqs {
		if q.panicked != nil && q.panicked != any(errScripted) && q.panicked != any(http.ErrAbortHandler) {
			r.find("panic", q, q.overAt, "the library panicked: %v", q.panicked)
		}
		r.judgeHeader(q)
		r.judgeOwed(q)
		r.judgeErrors(q)
		r.judgeLate(q)
		r.judgeReads(q)
	}
	r.judgeTokens()
	r.judgeEnds()
	r.judgeClient()
	r.judgeStays()
	if !r.scene.sealed {
		r.judgeData()
	}
}

// A word is what a request was told about one record: that it is live, and a session, or that it is not.
type word struct {
	at     int
	key    store.Key
	live   bool
	own    bool // the request wrote it, or tried to
	handle store.Handle
	user   string
}

// words gives what q was told before a tick.
func (q *request) words(before int) (words []word) {
	own := map[store.Key]bool{}
	for _, c := range q.calls {
		if c.at >= before {
			break
		}
		switch c.method {
		case create:
			own[c.key] = true
		case rotate:
			own[c.next] = true
		}
		for _, w := range c.words() {
			w.at, w.own = c.at, own[w.key]
			words = append(words, w)
		}
	}
	return words
}

// words gives what the call's answer says for certain.
func (c *call) words() []word {
	gone := word{key: c.key}
	switch {
	case errors.Is(c.said, store.ErrNotFound):
		return []word{gone}
	case c.said != nil:
		return nil
	}
	switch c.method {
	case get, create, update:
		return []word{{key: c.key, live: c.begets(), handle: c.rec.Handle, user: c.rec.User}}
	case rotate:
		return []word{gone, {key: c.next, live: c.begets(), handle: c.rec.Handle, user: c.rec.User}}
	case remove:
		return []word{gone}
	case revoke:
		var words []word
		for _, ch := range c.q.run.changes {
			if ch.call == c {
				words = append(words, word{key: ch.key})
			}
		}
		return words
	}
	return nil // a touch finds tails live, too
}

// session reports whether rec is a session's record, and no tail.
func session(rec *store.Record) bool { return rec != nil && tailOf(rec) == nil }

// begets reports whether the record of a call is a session's that lives when the call is carried out. A
// Rotate to one without life is the end of a session.
func (c *call) begets() bool {
	if !session(c.rec) {
		return false
	}
	rec := inserted(*c.rec, 1, c.now)
	return rec.Live(c.now)
}

// last gives the last of the words that f picks.
func last(words []word, f func(word) bool) (word, bool) {
	for _, w := range slices.Backward(words) {
		if f(w) {
			return w, true
		}
	}
	return word{}, false
}

// held gives what q last was told to be a live session, before a tick, and not gone since.
func (q *request) held(before int) (word, bool) {
	words := q.words(before)
	return last(words, func(w word) bool {
		after, _ := last(words, func(x word) bool { return x.key == w.key })
		return w.live && after.live
	})
}

// deedAt gives the act that q was doing at a tick; nil outside.
func (q *request) deedAt(tick int) *deed {
	for _, d := range q.deeds {
		if d.began < tick && (d.end == 0 || d.end > tick) {
			return d
		}
	}
	return nil
}

// late reports whether d began after the response's header was written.
func (q *request) late(d *deed) bool { return q.head != nil && d.began > q.head.at }

// record gives the record that was live at key at a tick; nil for none.
func (r *run) record(key store.Key, tick int) *store.Record {
	rec := r.records[key]
	for _, ch := range slices.Backward(r.changes) {
		if ch.key != key {
			continue
		}
		if ch.at <= tick {
			rec = ch.after
			break
		}
		rec = ch.before
	}
	if rec == nil || !rec.Live(r.timeAt(tick)) {
		return nil
	}
	return rec
}

// lives reports whether the session with that handle had a live record at a tick.
func (r *run) lives(h store.Handle, tick int) bool {
	keys := slices.Collect(maps.Keys(r.records))
	for _, ch := range r.changes {
		keys = append(keys, ch.key)
	}
	return slices.ContainsFunc(keys, func(key store.Key) bool {
		rec := r.record(key, tick)
		return session(rec) && rec.Handle == h
	})
}

func (r *run) timeAt(tick int) time.Time { return r.trace[min(tick, len(r.trace)-1)].when }

// The managers' defaults: how long the token before a renewal leads on after the new one came back, and at
// most; and what clocks may differ by.
const (
	grace     = 30 * time.Second
	graceMost = 10 * time.Minute
	skew      = time.Minute
)

// maxTails is how many tails in a row a token is led through (docs/format.md, section 6).
const maxTails = 16

// follow gives the session's record to which a token leads at a tick; nil for none.
func (r *run) follow(t *token, tick int) *store.Record {
	if rec := r.reach(t, tick); session(rec) {
		return rec
	}
	return nil
}

// reach gives the record to which a token leads, a session's or a mark; nil for none.
func (r *run) reach(t *token, tick int) *store.Record {
	now := r.timeAt(tick)
	if t == nil {
		return nil
	}
	var last *store.Record // the tail that led here
	for range maxTails + 1 {
		if t.sealed != nil && (t.sealed.Created.After(now.Add(skew)) || !t.sealed.Live(now)) {
			return nil // its own times count, whatever the store has
		}
		rec := r.record(t.key, tick)
		if rec == nil && t.sealed != nil && t.sealed.User == "" {
			return t.sealed
		}
		if rec == nil || last != nil && !leads(last, rec, now) {
			return nil
		}
		tail := tailOf(rec)
		if len(tail) != 32 {
			return rec
		}
		last, t = rec, t.successor(tail)
	}
	return nil
}

// leads reports whether a tail leads a request that comes now to the record that has replaced it: until the
// grace after that one's token first came back, and never for longer than graceMost.
func leads(tail, next *store.Record, now time.Time) bool {
	if now.Sub(tail.Created) > graceMost {
		return false
	}
	back, ok := cameBack(next)
	return !ok || now.Sub(back) <= grace
}

// end is the tick after everything.
func (r *run) end() int { return len(r.trace) }

// sessions lists the live sessions' records at the end, the oldest first, eve's aside.
func (r *run) sessions() (recs []*store.Record) {
	now := time.Now()
	for _, rec := range r.records {
		if rec.Live(now) && session(rec) && rec.User != "eve" {
			recs = append(recs, rec)
		}
	}
	slices.SortFunc(recs, func(a, b *store.Record) int { return a.Created.Compare(b.Created) })
	return recs
}

// tokens lists all tokens that this browser and its servers have seen, with the tick of their first
// appearance.
func (r *run) tokens() (list []seen) {
	add := func(t *token, j jar, at int) {
		if t != nil && !slices.ContainsFunc(list, func(s seen) bool { return s.key == t.key }) {
			list = append(list, seen{t, j, at})
		}
	}
	for _, j := range r.jars {
		add(openToken(r.ring, r.scene.sealed, j), j, -1)
	}
	for _, e := range r.trace {
		if e.kind == header && e.header.token != nil {
			add(e.header.token, e.header.jar, e.header.at)
		}
	}
	return list
}

// seen is a token with the cookies that carry it.
type seen struct {
	*token
	jar jar
	at  int
}

// open tries cookies against a manager and tells whose session they open: its handle, zero for none.
func open(m *sojourn.Manager, j jar) (h store.Handle, user string, err error) {
	s, err := m.Open(context.Background(), newRequest(context.Background(), j))
	if err != nil {
		return h, "", err
	}
	if !s.Exists() {
		return h, "", nil
	}
	return s.Handle(), s.User(), nil
}
