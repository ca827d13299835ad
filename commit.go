package sojourn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/internal/call"
	"github.com/sojourn-go/sojourn/internal/meta"
	"github.com/sojourn-go/sojourn/internal/token"
	"github.com/sojourn-go/sojourn/store"
)

// Commit writes the request's changes now and returns the header fields that the response needs,
// nil for none. Below [Manager.Handler] it is called before the first byte, and the fields are
// added by themselves. It runs to its end though ctx is cancelled. Errors: [ErrEnded],
// [ErrConflict], [ErrTooLarge], [ErrNoToken], [ErrInsecure], [ErrCrossSite], [ErrOver] where a
// status of 5xx has dropped changes already, outages; after an error nothing of the request's
// changes was written, but for [ErrIndeterminate], and they are dropped, so that the page which
// tells of the error does not commit them. The fields that come with an error belong to that page:
// they have the token of a Login or Renew that succeeded.
func (s *Session) Commit(ctx context.Context) (http.Header, error) {
	s.lock()
	defer s.mu.Unlock()
	if s.w != nil {
		return nil, s.commitTo(ctx, s.w.v.header)
	}
	h := make(http.Header)
	err := s.commitTo(ctx, h)
	if len(h) == 0 {
		h = nil
	}
	return h, err
}

// Save is Commit for handlers without [Manager.Handler] around them: call it before writing
// anything to w. After an error, too, w's header has the token of a Login or Renew that succeeded.
func (s *Session) Save(w http.ResponseWriter) error {
	s.lock()
	defer s.mu.Unlock()
	if s.w != nil {
		return s.commitTo(s.r.Context(), s.w.v.header)
	}
	err := s.commitTo(s.r.Context(), w.Header())
	s.tellWriters(w)
	return err
}

func (s *Session) commitTo(ctx context.Context, h http.Header) error {
	defer s.rest()
	err := s.forgoes()
	if err == nil {
		err = s.commit(ctx)
	}
	if err == nil {
		err = s.writeHeader(ctx, h)
	}
	if err == nil {
		return nil
	}
	err = s.report(detached(ctx), "commit", err)
	s.dropChanges()
	if s.w == nil { // else finish does
		s.pay(ctx, h)
	}
	return err
}

// forgoes returns [ErrOver], once, where changes of this request were dropped because its page has
// a status of 5xx: a Commit that returned nil would say that they were written.
func (s *Session) forgoes() error {
	if !s.forgone {
		return nil
	}
	s.forgone = false
	return fmt.Errorf("%w: the answer has a status of 5xx, so the request's changes were dropped", ErrOver)
}

// commit brings store and view together.
func (s *Session) commit(ctx context.Context) error {
	switch {
	case !s.standing.known():
		return nil
	case s.err != nil:
		return s.err
	case !s.standing.holds():
		return s.begin(ctx)
	}
	shown, err := s.save(ctx)
	if err == nil && !shown && s.contested() && s.stage <= stageTold {
		s.verify(s.whole(ctx))
	}
	return err
}

// whole is ctx with the time of a commit, which a client's hanging up does not end: all of its
// steps share it, and the last look after one that failed, until rest.
func (s *Session) whole(ctx context.Context) context.Context {
	if s.act == nil {
		s.act = s.m.calls.Whole(detached(ctx))
	}
	return s.act
}

// rest ends whole.
func (s *Session) rest() {
	if s.reading != nil && s.act != nil {
		s.act.Stop()
		s.act = nil
	}
}

// save writes what this request has changed, and what is due. It reports whether the store has
// shown, in doing so, that the session is where the request believes it to be.
func (s *Session) save(ctx context.Context) (shown bool, err error) {
	if s.dirty() {
		if s.m.sealed != nil { // the data travel with the token
			if err := s.unreachable(); err != nil {
				return false, err
			}
		}
		life := s.rec.Lifetime
		err := s.converge(s.whole(ctx), (*Session).update)
		switch {
		case err != nil:
		case !s.rec.Live(s.storeNow()):
			s.turn(turnEnded) // by SetLifetime or SetIdle: its token opens nothing any more
		default:
			s.keepAlive() // the idle limit may be another now
			if s.persistent() && s.rec.Lifetime != life {
				s.turn(turnMoved) // no cookie outlives its session
			}
		}
		return true, err
	}
	if s.down != 0 && s.down.ago() < s.m.opts.Timeout {
		return false, nil // the client waits, and has waited for this store before
	}
	now := s.storeNow()
	if s.renewalDue(now) && s.seals() && s.renewUnasked(s.whole(ctx)) {
		return true, nil
	}
	if !s.standing.holds() {
		return false, nil
	}
	return s.touch(ctx, now), nil // also where the renewal failed: it was a use all the same
}

// dirty reports whether the view differs from the record: nothing is written that did not change.
func (s *Session) dirty() bool {
	if len(s.ops) == 0 {
		return false
	}
	return s.view.idle != s.rec.Idle || s.view.life != s.rec.Lifetime || !bytes.Equal(s.view.Encode(), s.rec.Data)
}

// changed is the record with this request's changes.
func (s *Session) changed() store.Record {
	rec := s.rec
	rec.Idle, rec.Lifetime, rec.Data = s.view.idle, s.view.life, s.view.Encode()
	return rec
}

// maxReplays bounds how often an act starts again; Options.Timeout bounds it in time.
const maxReplays = 200

// converge runs step, which writes at the version that the session holds. When another request was
// faster, what it has made of the session is read, this request's changes are done again on top,
// and step runs again. All acts on a held session go through it, within the time of ctx. Errors:
// step's; [ErrEnded] where the session is gone, [ErrConflict] where others were always faster.
func (s *Session) converge(ctx context.Context, step func(*Session, context.Context) error) error {
	for i := 0; ; i++ {
		err := step(s, ctx)
		switch {
		case err == nil:
			return nil
		case outrun(err):
			return s.catchUp(ctx, err)
		case errors.Is(err, store.ErrNotFound):
			return s.gone(err)
		case !startsAgain(err, i), i == maxReplays:
			return err
		}
		if !call.Wait(ctx, i) {
			return err
		}
		if err := s.reload(ctx); err != nil {
			return err
		}
	}
}

// startsAgain reports whether an error of the step's try i says that the record is no more what it
// was: another request was faster, or it has been damaged, which reading it again deals with, once.
func startsAgain(err error, i int) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, errNotApplied) || i == 0 && errors.Is(err, ErrCorrupt)
}

// reload reads what other requests have made of the session, and does this one's changes again.
func (s *Session) reload(ctx context.Context) error {
	if err := s.refind(ctx); err != nil {
		return err
	}
	return s.replay()
}

// catchUp reads what has become of the session since a step that was applied: how says it.
func (s *Session) catchUp(ctx context.Context, how error) error {
	if err := s.refind(ctx); err != nil {
		if how == errMoved && s.standing.shared() {
			s.turn(turnDropped) // its token is another's to send
		}
		return fmt.Errorf("%w: %w", err, ErrIndeterminate) // what went with the step was written
	}
	return s.replay()
}

// refind reads the session again, wherever renewals have moved it.
func (s *Session) refind(ctx context.Context) error {
	user, handle := s.rec.User, s.rec.Handle
	a, err := s.find(ctx, s.ticket(), holder, nil)
	if err != nil {
		if s.past != nil && s.standing.shared() {
			s.turn(turnDropped) // it was replaced, if by what cannot be read: the old one leads on
		}
		return err
	}
	if a < liveHere || s.rec.User != user || s.rec.Handle != handle {
		return s.gone(store.ErrNotFound)
	}
	s.turn(turnOf[a])
	return nil
}

// gone notes that the session ended around this request; err is how the store said so.
func (s *Session) gone(err error) error {
	s.turn(turnEnded)
	if errors.Is(err, ErrIndeterminate) {
		return fmt.Errorf("%w: %w: what this request changed may have been written before", ErrEnded, ErrIndeterminate)
	}
	return ErrEnded
}

// update is the step that writes the view, and renews the token with it where that is due.
func (s *Session) update(ctx context.Context) error {
	if !s.dirty() {
		return nil // another request has done it
	}
	now := s.storeNow()
	var late *notApplied // a rotation with the changes, which may yet be carried out
	if s.renewalDue(now) && s.seals() {
		err := s.rotate(ctx, s.changed(), s.fullMeta(), unasked)
		switch {
		case err == nil, outrun(err):
			s.ops = nil // they are in the store: what follows must not add them again
			return err
		case errors.Is(err, ErrIndeterminate), errors.Is(err, ErrConflict), errors.Is(err, store.ErrNotFound):
			return err
		}
		errors.As(err, &late)
		s.event(ctx, StoreFailed, "renew", err) // next time, then: nobody has asked for it
	}
	rec := s.changed()
	rec.Meta = s.metaToWrite(now)
	err := s.put(ctx, rec)
	switch {
	case err == nil:
		s.ops = nil
	case late == nil, errors.Is(err, store.ErrNotFound):
	case errors.Is(err, ErrConflict): // with ours, perhaps: made again, the changes would count twice
		return s.cameLate(ctx, late, err)
	default: // this write came to nothing, and the other may come yet
		return late.open(err)
	}
	return err
}

// put updates the record at the version that the session holds.
func (s *Session) put(ctx context.Context, rec store.Record) error {
	rec.Writer = newWriter()
	if !s.peek {
		rec.Seen = time.Time{}
	}
	err := s.m.calls.Do(ctx, func(ctx context.Context) error { return s.records().Update(ctx, rec, s.rec.Version) })
	if err != nil {
		return err
	}
	rec.Version++
	if rec.Seen.IsZero() {
		rec.Seen = s.storeNow()
	}
	s.rec, s.unsaved = rec, false
	s.resealed(turnRenewed)
	return nil
}

// resealed notes that a sealed session has changed, which its token then holds.
func (s *Session) resealed(t turn) {
	if s.m.sealed != nil {
		s.turn(t)
	}
}

// metaToWrite drops what is kept of the client when its time is over.
func (s *Session) metaToWrite(now time.Time) []byte {
	if now.Sub(s.rec.Created)-s.facts.Issued <= s.m.opts.ClientRetention {
		return s.rec.Meta
	}
	mt := s.fullMeta()
	mt.Addr, mt.Agent = "", ""
	return mt.Encode()
}

// touch writes the time of use down, now and then, and at once what [Session.note] has noted. Its
// failure never fails the request. It reports whether the store has shown the session.
func (s *Session) touch(ctx context.Context, now time.Time) (shown bool) {
	every := s.m.opts.TouchEvery
	if s.rec.Idle > 0 {
		every = min(every, s.rec.Idle/2)
	}
	since := now.Sub(s.rec.Seen)
	used := !s.peek && s.standing < refreshed && since >= every // a token just made was a use, too
	if used && s.w != nil {
		used = since >= s.began.ago() // what was seen since this request came includes it
	}
	if !used && !s.unsaved {
		return false
	}
	if s.m.sealed != nil && s.stage > stageTold {
		return false
	}
	half := s.m.calls.Half(s.whole(ctx)) // see renewUnasked
	defer half.Stop()
	ctx = half
	rec := s.rec
	noted, err := s.unsaved, error(nil)
	if noted {
		err = s.put(ctx, rec)
	}
	if used && errors.Is(err, ErrFull) && !s.idled() { // the note waits for room; the use needs none
		s.event(ctx, StoreFailed, "touch", err)
		noted = false
	}
	if !noted {
		err = s.m.calls.Do(ctx, func(ctx context.Context) error { return s.records().Touch(ctx, rec, every) })
		if err == nil {
			s.rec.Seen = s.storeNow()
		}
	}
	shown = noted || s.m.sealed != nil // a stored session's Touch may have met what a renewal has left
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.turn(turnEnded) // its token opens nothing any more
		return false
	case errors.Is(err, ErrConflict):
		return false // another request has used it
	case err != nil:
		s.event(ctx, StoreFailed, "touch", err)
		return false
	}
	s.resealed(turnMoved)
	return shown
}

// begin makes the record of a visitor who has kept something.
func (s *Session) begin(ctx context.Context) error {
	data := s.view.Encode()
	if len(data) == 0 {
		return nil // a visitor who stores nothing costs nothing
	}
	if s.standing == ended {
		return ErrEnded // its cookie would take the place of the one that a sign-in has just sent
	}
	if err := s.unreachable(); err != nil {
		return err
	}
	ctx = s.whole(ctx)
	err := s.insert(ctx, store.Record{Idle: s.view.idle, Lifetime: s.view.life, Data: data}, meta.Meta{}, store.Admission{})
	if err == nil {
		s.event(ctx, SessionCreated, "", nil)
		if !s.rec.Live(s.storeNow()) {
			s.turn(turnEnded) // by SetIdle: its token opens nothing any more
		}
	}
	return err
}

// maxCollisions bounds how often a new token may meet an existing record: with 256 random bits the
// second time says that the randomness or the store is broken.
const maxCollisions = 3

// insert creates rec under a new token and makes it the session's.
func (s *Session) insert(ctx context.Context, rec store.Record, mt meta.Meta, adm store.Admission) error {
	rec.Handle, rec.Meta = newHandle(), mt.Encode()
	var err error
	for range maxCollisions {
		t := newTicket(token.New(rec.User))
		rec.Key, rec.Writer = t.key, newWriter()
		var got store.Admitted
		err = s.m.calls.Do(ctx, func(ctx context.Context) (err error) {
			got, err = s.records().Create(ctx, rec, adm)
			return err
		})
		if err == nil && s.m.revokedMeanwhile(&got, &adm) {
			err = store.ErrRevoked
			s.erase(ctx, rec.Key)
		}
		if err == nil {
			rec.Version, rec.Created, rec.Seen = 1, got.Now, got.Now
			s.issue(rec, mt.Facts, t)
			for _, h := range got.Evicted {
				s.m.event(ctx, SessionLimit, h, rec.User, "evicted", nil)
			}
			return nil
		}
		if errors.Is(err, ErrIndeterminate) {
			s.erase(ctx, rec.Key)
		}
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

// revokedMeanwhile reports whether the user's sessions may have been revoked after a sign-in began,
// while the sign-in was on its way to the store.
func (m *Manager) revokedMeanwhile(got *store.Admitted, adm *store.Admission) bool {
	return !m.traits.Local && !adm.Began.IsZero() && got.Revoked.After(adm.Known) &&
		got.Now.Sub(got.Revoked) <= adm.Age()+m.traits.Skew
}

// issue makes a record that was just written under a new token of this request's the session's.
func (s *Session) issue(rec store.Record, f meta.Facts, t ticket) {
	s.now, s.at = rec.Seen, sinceStart()
	s.held = held{rec: rec, facts: f, secret: t.secret}
	s.ops = nil
	s.turn(turnIssued)
	s.resetView()
}

// erase ends a record that may or may not have been made, whose token nobody ever saw. If that
// fails too, the record expires unused. It has a time of its own, for the act's may have passed.
func (s *Session) erase(ctx context.Context, key store.Key) {
	if err := s.delete(detached(ctx), key); err != nil {
		s.event(ctx, StoreFailed, "erase", err)
	}
}

func (s *Session) delete(ctx context.Context, key store.Key) error {
	return s.m.calls.Do(ctx, func(ctx context.Context) error { return s.records().Delete(ctx, key) })
}
