package sojourn

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/store"
)

// keepAlive sees to it that the session does not expire for lack of use while this request runs:
// use counts from a request's arrival. Where too little time is left the session is touched, if the
// request still runs, when half of that has passed: until then, Peek may be called. It is touched
// again and again where its idle limit is shorter than the request.
func (s *Session) keepAlive() {
	if s.rec.Idle == 0 || s.peek || s.w == nil { // by Open, nobody says when the request is over
		return
	}
	// What was left at the read exceeds all that a request may take. It still does, for the request
	// is older than the read; so no clock is asked.
	if s.rec.Idle-s.now.Sub(s.rec.Seen) > s.m.opts.LongestRequest {
		return
	}
	left := s.rec.Idle - s.storeNow().Sub(s.rec.Seen)
	if left <= 0 || left > s.mayRun() {
		return
	}
	if s.m.store == nil || s.m.sealed != nil && s.rec.User == "" { // only the cookie could say it
		return
	}
	s.letGo()
	ctx, soon := detached(s.r.Context()), max(left/8, time.Millisecond)
	var t *time.Timer
	t = time.AfterFunc(math.MaxInt64, func() { // never, for it needs t
		if next := s.stillRuns(ctx, soon); next > 0 {
			t.Reset(next)
		}
	})
	t.Reset(left / 2)
	s.alive = t
}

// mayRun is how much longer this request may take.
func (s *Session) mayRun() time.Duration { return s.m.opts.LongestRequest - s.began.ago() }

// stillRuns touches the session for [Session.keepAlive], beside whatever the handler does. While
// the handler waits for the store it tries again soon, for that may be a use by itself, or an end.
// It returns when to look again, 0 for never.
func (s *Session) stillRuns(ctx context.Context, soon time.Duration) time.Duration {
	if !s.mu.TryLock() {
		return soon
	}
	runs := s.alive != nil && s.standing.holds() && !s.peek && s.mayRun() > 0
	t, handle, user := s.ticket(), s.rec.Handle, s.rec.User
	s.mu.Unlock()
	if !runs {
		return 0
	}
	rec, err := s.m.touchOn(ctx, t)
	switch left := rec.Idle - rec.Idle/4; {
	case errors.Is(err, store.ErrNotFound):
		return 0
	case errors.Is(err, store.ErrConflict): // another request has used it meanwhile
		return soon
	case err != nil:
		s.m.event(ctx, StoreFailed, handle, user, "touch", err)
		return soon
	case left < s.mayRun():
		return left / 2
	}
	return 0
}

// touchOn touches the session that t led to, wherever renewals have moved it, and returns its
// record. Errors: [store.ErrNotFound] where it has ended, outages.
func (m *Manager) touchOn(ctx context.Context, t ticket) (rec store.Record, err error) {
	whole := m.calls.Whole(ctx)
	defer whole.Stop()
	for range maxHops + 1 {
		var now time.Time
		err = m.calls.Do(whole, func(ctx context.Context) (err error) {
			rec, now, err = m.store.Get(ctx, t.key)
			return err
		})
		if err != nil {
			return rec, err
		}
		var mt meta.Meta
		if err := readable(&rec, &mt); err != nil { // which says nothing of the store's health
			return rec, err
		}
		switch {
		case mt.Tail == nil && mt.Level > 0 && m.idled(&rec, now): // a touch would hide it
			full, _ := meta.Decode(rec.Meta)
			full.Level = 0
			rec.Key, rec.Meta, rec.Writer, rec.Seen = t.key, full.Encode(), newWriter(), time.Time{}
			return rec, m.calls.Do(whole, func(ctx context.Context) error { return m.store.Update(ctx, rec, rec.Version) })
		case mt.Tail == nil:
			rec.Key = t.key
			return rec, m.calls.Do(whole, func(ctx context.Context) error { return m.store.Touch(ctx, rec, rec.Idle/4) })
		case len(mt.Tail) == len(markReplaced):
			return rec, store.ErrNotFound
		}
		t = m.successor(t, mt.Tail)
	}
	return rec, store.ErrNotFound
}

// letGo ends keepAlive.
func (s *Session) letGo() {
	if s.reading != nil && s.alive != nil {
		s.alive.Stop()
		s.alive = nil // for one that is under way
	}
}
