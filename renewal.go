package sojourn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// What becomes of the token before a rotation.
type grace uint8

const (
	atOnce    grace = iota // it leads nowhere
	withGrace              // it leads to the successor for a while
	unasked                // so it does; nobody has asked, and the response need not tell of it
)

// A mark is a tail that leads nowhere, which an end or a rotation at once leaves at the key of a
// session: the token is dead, but a request that was sent with it, before the answer came, shall
// not begin a visitor's session, whose cookie would take the place of a newer one.
var (
	markReplaced  = []byte{0} // the session ended by a sign-in
	markSignedOut = []byte{1} // it ended by a sign-out
	markReissued  = []byte{2} // it goes on, under a token that nobody finds from here
)

// reuseWindow is how long, after it has ceased to lead on, a renewed token is remembered to tell
// its coming back from a stranger's guess.
const reuseWindow = 10 * time.Minute

// renewalDue reports whether the token has reached its age, or came under a former name, and a new
// one could be sent. Sealed tokens are made anew with each write.
func (s *Session) renewalDue(now time.Time) bool {
	switch {
	case s.peek: // it would count as use
		return false
	case s.got.former: // see FormerCookie.Name
	case s.rec.User == "", s.m.sealed != nil:
		return false
	case s.tooFar():
		return false
	case s.facts.Awaited(): // the client has yet to come back with this one
		return false
	case now.Sub(s.rec.Created)-s.facts.Issued < s.m.opts.RenewAfter:
		return false
	}
	return s.unreachable() == nil
}

// tooFar reports whether one renewal more could be one too many for this request's token to lead
// through. The client has taken none of their answers yet: the last one's token does for it.
func (s *Session) tooFar() bool { return s.hops >= maxHops }

// renewUnasked renews the token. Whatever goes wrong, the request goes on, and the next one tries
// again. It reports whether the store has shown the session. It has half of the time of an act, and
// leaves the other to the touch that follows if it fails.
func (s *Session) renewUnasked(ctx context.Context) (shown bool) {
	half := s.m.calls.Half(ctx)
	defer half.Stop()
	err := s.converge(half, func(s *Session, ctx context.Context) error {
		if !s.renewalDue(s.storeNow()) {
			return nil // another request has done it
		}
		return s.rotate(ctx, s.rec, s.fullMeta(), unasked)
	})
	if err != nil && !errors.Is(err, ErrEnded) {
		s.event(ctx, StoreFailed, "renew", err)
	}
	return err == nil
}

// Renew gives the session a new token now, for example after a change of rights. The old token
// leads to the same session until [Options.RenewGrace] after the new one first came back; sign-in
// time, level and lifetime stay. A client that has not come back with the token of any of the last
// 16 renewals gets that of the last one again. Errors: [ErrEnded], [ErrConflict], [ErrInsecure],
// [ErrNoToken], [ErrCrossSite], outages. A visitor without a record has nothing to renew: nil.
func (s *Session) Renew(ctx context.Context) error {
	s.lock()
	defer s.mu.Unlock()
	whole := s.m.calls.Whole(detached(ctx))
	defer whole.Stop()
	ctx = whole
	if err := s.load(ctx); err != nil {
		return opError("renew", err)
	}
	if !s.standing.holds() {
		return nil
	}
	err := s.unreachable()
	if err == nil {
		err = s.renew(ctx, withGrace)
	}
	return s.report(ctx, "renew", err)
}

// renew rotates the held session as it is in the store; the request's changes wait for the commit.
func (s *Session) renew(ctx context.Context, g grace) error {
	return s.converge(ctx, func(s *Session, ctx context.Context) error {
		if g == withGrace && s.tooFar() {
			s.turn(turnRenewed)
			return nil
		}
		return s.rotate(ctx, s.rec, s.fullMeta(), g)
	})
}

// rotate moves the held session to a new token, at the version that is held. rec is the record to
// write.
func (s *Session) rotate(ctx context.Context, rec store.Record, mt meta.Meta, g grace) error {
	old := s.rec.Key
	leads := g != atOnce && s.m.sealed == nil // a sealed session's secrets are random
	next, tail := s.succeed(leads)
	now := s.storeNow()
	mt.Issued, mt.Received = max(0, now.Sub(rec.Created)), now.UnixNano()
	if leads {
		mt.Issued, mt.Received = max(1, mt.Issued), 0 // awaited: see cameBack
	}
	mt.Addr, mt.Agent = s.m.client(s.r)
	rec.Key, rec.Writer, rec.Meta = next.key, newWriter(), mt.Encode()
	rec.Seen = time.Time{} // a use, also under Peek: an older Seen would undo another request's touch
	err := s.move(ctx, old, rec, tail)
	if err != nil && !outrun(err) {
		return err
	}
	rec.Version, rec.Seen = s.rec.Version+1, s.storeNow()
	s.held = held{rec: rec, facts: mt.Facts, secret: next.secret}
	s.got.former = false
	switch {
	case !leads:
		s.turn(turnReissued)
	case g == unasked:
		s.turn(turnRefreshed)
	default:
		s.turn(turnRenewed)
	}
	if leads {
		s.hops++
	}
	s.event(ctx, SessionRenewed, "", nil)
	return err
}

// succeed returns the ticket that replaces the session's, and the tail to leave at its key.
func (s *Session) succeed(leads bool) (ticket, *store.Record) {
	if !leads {
		c := token.New("")
		c.Tag = s.rec.Key.Tag
		return newTicket(c), s.mark(markReissued)
	}
	nonce := token.New("").Secret
	tail := s.tail(nonce[:], s.m.opts.RenewGraceMost+max(reuseWindow, s.m.opts.LongestRequest))
	return s.m.successor(s.ticket(), nonce[:]), tail
}

// tail is what is left at the session's key.
func (s *Session) tail(where []byte, life time.Duration) *store.Record {
	mt := meta.Meta{Tail: where, User: s.rec.User}
	mt.Issued, mt.Received = s.facts.Issued, s.facts.Received
	return &store.Record{
		Key: s.rec.Key, Handle: s.rec.Handle, Writer: newWriter(), Lifetime: life, Meta: mt.Encode(),
	}
}

// mark is the tail that leads nowhere.
func (s *Session) mark(how []byte) *store.Record {
	return s.tail(how, s.m.opts.RenewGrace+s.m.opts.LongestRequest)
}

// move rotates old to rec, at the version that is held. If all answers are lost it finds out what
// happened, for which half of the time is kept.
func (s *Session) move(ctx context.Context, old store.Key, rec store.Record, tail *store.Record) error {
	version := s.rec.Version
	half := s.m.calls.Half(ctx)
	defer half.Stop()
	err := s.m.calls.Do(half, func(ctx context.Context) error { return s.records().Rotate(ctx, old, version, rec, tail) })
	if errors.Is(err, store.ErrInvalid) && store.CheckRotate(old, &rec, tail) == nil {
		// The record at old has this version and another user: the engine has lost, in a failover,
		// the write that this request has read, and another renewal came after that. So this one is
		// behind.
		return fmt.Errorf("%w: %v", ErrConflict, err)
	}
	if errors.Is(err, ErrIndeterminate) && !errors.Is(err, store.ErrNotFound) {
		return s.resolve(ctx, err, old, &rec, tail)
	}
	return err
}

// errNotApplied says that the step can be done again, as [ErrConflict] does.
var errNotApplied = errors.New("sojourn: not applied")

// Both say that a rotation was applied, and that what it wrote is no longer what is there: converge
// reads it again.
var (
	errChanged = errors.New("sojourn: applied, and its record was changed since")
	errMoved   = errors.New("sojourn: applied, and the session has gone on or ended since")
)

func outrun(err error) bool { return err == errChanged || err == errMoved }

// resolve finds out what became of a rotation whose answers were lost: nil, or as outrun has it, if
// it was applied, errNotApplied if it was not or only will be, ErrConflict if it never will be,
// lost if none of that can be known.
func (s *Session) resolve(ctx context.Context, lost error, old store.Key, rec, tail *store.Record) error {
	ours := false
	switch at, _, err := s.get(ctx, old); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return lost
	default:
		switch at.Writer {
		case tail.Writer:
			ours = true
		case s.rec.Writer:
			err := fmt.Errorf("%w: %w: nothing was written, and the answer was lost: %v", errNotApplied, ErrUnavailable, lost)
			return &notApplied{err, *rec, tail}
		default: // another request's, live or a tail: this rotation finds no more what it needs
			return fmt.Errorf("%w: the answer was lost: %v", ErrConflict, lost)
		}
	}
	if ours && lifeless(rec) {
		return nil // the mark came with the end
	}
	switch at, _, err := s.get(ctx, rec.Key); {
	case err == nil && at.Writer == rec.Writer:
		return nil
	case err == nil:
		if mt, bad := meta.DecodeFacts(at.Meta); bad == nil && mt.Tail == nil {
			return errChanged
		}
		return errMoved
	case !errors.Is(err, store.ErrNotFound):
		return lost
	}
	return fmt.Errorf("%w: %w", ErrIndeterminate, store.ErrNotFound) // applied, perhaps, and ended since
}

// A notApplied is the errNotApplied of a rotation that may yet be carried out.
type notApplied struct {
	error
	rec  store.Record
	tail *store.Record
}

func (e *notApplied) Unwrap() error { return e.error }

// open is the error of a request that ends while that is not known; then is what it met after.
func (e *notApplied) open(then error) error {
	return fmt.Errorf("%w: a renewal's answer was lost, then: %v", ErrIndeterminate, then)
}

// cameLate finds out whether a rotation with this request's changes was carried out after all,
// where the write that came after it was a conflict.
func (s *Session) cameLate(ctx context.Context, late *notApplied, conflict error) error {
	lost := late.open(conflict)
	err := s.resolve(ctx, lost, s.rec.Key, &late.rec, late.tail)
	switch {
	case err == nil:
		err = errChanged // read it
	case errors.Is(err, errNotApplied):
		return lost // and what the write met is gone: an engine may lose writes in a failover
	}
	if outrun(err) {
		s.ops = nil // they are in the store
	}
	return err
}

// contested reports whether the response owes a token of a session that other requests may have
// moved on or ended by now: they know it, or it is a sign-in's, and another sign-in may evict it.
func (s *Session) contested() bool {
	evicts := s.m.opts.MaxSessions > 0 && !s.m.opts.RefuseAtLimit
	return s.standing.shared() || s.standing == issued && s.rec.User != "" && evicts
}

// verify makes sure, before the response names a token, that it still is the session's: others may
// have replaced it since, or ended the session.
func (s *Session) verify(ctx context.Context) {
	err := s.refind(ctx)
	if err != nil && !errors.Is(err, ErrEnded) {
		s.event(ctx, StoreFailed, "verify", err)
		if s.standing == moved {
			s.turn(turnDropped)
		}
		return
	}
	s.resetView() // nothing is pending at a commit's end
}
