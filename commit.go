package sojourn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Commit writes the request's changes now and gives the header fields that the response
// needs, nil for none. Below [Manager.Handler] it is called before the first byte, and the
// fields are added by themselves. It runs to its end though ctx is cancelled.
// Errors: [ErrEnded], [ErrConflict], [ErrTooLarge], [ErrNoToken], [ErrInsecure], outages; after an
// error nothing of the request's changes was written, but for [ErrIndeterminate], and they are dropped,
// so that the page which tells of the error does not commit them.
func (s *Session) Commit(ctx context.Context) (http.Header, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil {
		return nil, s.commitTo(ctx, s.w.w.Header())
	}
	h := make(http.Header)
	if err := s.commitTo(ctx, h); err != nil {
		return nil, err
	}
	return h, nil
}

func (s *Session) commitTo(ctx context.Context, h http.Header) error {
	err := s.commit(ctx)
	if err == nil {
		err = s.writeHeader(h)
	}
	if err != nil {
		s.discardChanges()
	}
	return opError("commit", err)
}

// Discard drops the changes of values that this request has not committed, for a handler that
// ends in an error after the first of them. It does not undo Login and the other acts on identity.
func (s *Session) Discard() {
	s.ready()
	defer s.mu.Unlock()
	s.discardChanges()
}

// Fail makes this request's commit fail with err, which is not nil: none of its changes is written, and below [Manager.Handler]
// the answer is that of [Options.OnError]. It is for code that has no way to return an error
// to the handler; Discard undoes it. Of several errors the first counts.
func (s *Session) Fail(err error) {
	s.ready()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

func (s *Session) discardChanges() {
	if s.reading == nil {
		return
	}
	s.failed = nil
	s.ops = nil
	if s.live {
		s.view = view{values: values{data: s.rec.Data}, idle: s.rec.Idle, life: s.rec.Lifetime}
	} else {
		s.view = view{idle: s.m.opts.Idle, life: s.m.opts.Lifetime}
	}
}

// Save is Commit for handlers without [Manager.Handler] around them: call it before
// writing anything to w.
func (s *Session) Save(w http.ResponseWriter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commitTo(s.r.Context(), w.Header())
}

// commit brings store and view together.
func (s *Session) commit(ctx context.Context) error {
	if !s.loaded || s.loadErr != nil {
		return nil
	}
	if s.failed != nil {
		return s.failed
	}
	if !s.live {
		return s.create(ctx)
	}
	now := s.storeNow()
	if s.dirty() {
		return s.write(detached(ctx), s.renewDue(now))
	}
	if s.renewDue(now) {
		err := s.write(detached(ctx), true)
		if outage(err) || errors.Is(err, ErrConflict) { // next time, then: a valid read does not fail for it
			s.event(ctx, StoreFailed, "renew", err)
			return nil
		}
		return err
	}
	s.touch(ctx, now)
	return nil
}

// dirty tells whether the view differs from the record: nothing is written that did not change.
func (s *Session) dirty() bool {
	if len(s.ops) == 0 {
		return false
	}
	return s.view.idle != s.rec.Idle || s.view.life != s.rec.Lifetime || !bytes.Equal(s.view.encode(), s.rec.Data)
}

// create makes the record of a visitor who has kept something.
func (s *Session) create(ctx context.Context) error {
	data := s.view.encode()
	if len(data) == 0 {
		return nil // a visitor who stores nothing costs nothing
	}
	if s.over {
		return ErrEnded // its cookie would take the place of the one that a sign-in has just sent
	}
	if err := s.canSend(); err != nil {
		return err
	}
	ctx = detached(ctx)
	mt := meta{facts: facts{persistent: s.m.opts.Cookie.Persistent}}
	err := s.insert(ctx, store.Record{Idle: s.view.idle, Lifetime: s.view.life, Data: data}, mt, func() store.Admission { return store.Admission{} })
	if err == nil {
		s.event(ctx, SessionCreated, "", nil)
	}
	return err
}

// maxCollisions bounds how often a new token may meet an existing record: with 256
// random bits the second time says that the randomness or the store is broken.
const maxCollisions = 3

// insert creates rec under a new token and makes it the session's.
func (s *Session) insert(ctx context.Context, rec store.Record, mt meta, adm func() store.Admission) error {
	rec.Handle, rec.Meta = newHandle(), mt.encode()
	var admitted store.Admitted
	var err error
	for range maxCollisions {
		cred := newCredential(rec.User)
		rec.Key, rec.Writer = cred.key(), newWriter()
		err = s.m.call(ctx, func(ctx context.Context) (err error) {
			admitted, err = s.st.Create(ctx, rec, adm())
			return err
		})
		if err == nil {
			rec.Version = 1
			s.settle(rec, mt.facts, cred)
			s.fresh = true
			for _, h := range admitted.Evicted {
				s.m.event(ctx, SessionLimit, h, rec.User, "evicted", nil)
			}
			return nil
		}
		if errors.Is(err, ErrIndeterminate) {
			s.discard(ctx, rec.Key)
		}
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

// discard ends a record that may or may not have been made, whose token nobody ever saw. If
// that fails too, the record expires unused.
func (s *Session) discard(ctx context.Context, key store.Key) {
	err := s.m.call(ctx, func(ctx context.Context) error { return s.st.Delete(ctx, key) })
	if err != nil {
		s.event(ctx, StoreFailed, "discard", err)
	}
}

// settle makes a record that was just written the session's, with instants near enough for display.
func (s *Session) settle(rec store.Record, mt facts, cred credential) {
	now := s.storeNow()
	if rec.Created.IsZero() {
		rec.Created = now
		s.exact = false
	}
	rec.Seen = now
	s.rec, s.meta = rec, mt
	s.hold(cred)
	s.live, s.over, s.send = true, false, sendToken
	s.ops = nil
	s.view = view{values: values{data: rec.Data}, idle: rec.Idle, life: rec.Lifetime}
}

// maxReplays bounds how often a commit starts again; Options.Timeout bounds it in time.
const maxReplays = 200

// write commits the view to a live record by compare-and-swap. When another request was faster, its
// result is read and this request's changes are done again on top.
func (s *Session) write(ctx context.Context, renew bool) error {
	start := time.Now()
	for i := 0; ; i++ {
		err := s.swap(ctx, renew)
		switch {
		case err == nil:
			s.ops = nil
			return nil
		case errors.Is(err, store.ErrNotFound):
			return s.end(ctx)
		case errors.Is(err, ErrIndeterminate):
			s.ops = nil // they may be in the store: a second commit must not add them again
			return err
		case !errors.Is(err, ErrConflict):
			return err
		case i == maxReplays || time.Since(start) > s.m.opts.Timeout || !sleep(ctx, i):
			return err
		}
		if err := s.refetch(ctx); err != nil {
			return err
		}
		if renew = renew && s.renewDue(s.storeNow()); !renew && !s.dirty() {
			return nil // the other request has done it
		}
	}
}

// refetch loads what another request has made of the session and replays this one's changes.
func (s *Session) refetch(ctx context.Context) error {
	user, handle := s.rec.User, s.rec.Handle
	err := s.fetch(ctx, s.credential().key())
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.rec.User != user || s.rec.Handle != handle) {
		return s.end(ctx)
	}
	if err != nil {
		return err
	}
	return s.replay()
}

func (s *Session) replay() error {
	for _, change := range s.ops {
		if err := change(&s.view); err != nil {
			s.discardChanges() // none of them counts, also for a second commit
			return err
		}
	}
	return nil
}

// end notes that the session ended while this request ran.
func (s *Session) end(context.Context) error {
	s.reset()
	s.over = true
	s.send = sendNothing // the request that ended it has said so, or somebody else's sign-in follows
	return ErrEnded
}

// swap writes the view once: as an update, or, to renew, under a new key.
func (s *Session) swap(ctx context.Context, renew bool) error {
	rec := s.rec
	rec.Idle, rec.Lifetime, rec.Data = s.view.idle, s.view.life, s.view.encode()
	if renew {
		return s.rotate(ctx, rec, s.fullMeta(), true)
	}
	rec.Writer = newWriter()
	if !s.peek {
		rec.Seen = time.Time{}
	}
	rec.Meta = s.keptMeta()
	err := s.m.call(ctx, func(ctx context.Context) error { return s.st.Update(ctx, rec, s.rec.Version) })
	if err != nil {
		return err
	}
	rec.Version++
	if rec.Seen.IsZero() {
		rec.Seen = s.storeNow()
	}
	s.rec = rec
	s.view.values = values{data: rec.Data}
	if s.m.sealed != nil {
		s.send = sendToken
	}
	return nil
}

// fullMeta is the session's metadata with its texts.
func (s *Session) fullMeta() meta {
	mt, _ := decodeMeta(s.rec.Meta) // decodeFacts has accepted it, or encode made it
	return mt
}

// keptMeta drops what is kept of the client when its time is over.
func (s *Session) keptMeta() []byte {
	if s.storeNow().Sub(s.rec.Created.Add(s.meta.issued)) <= s.m.opts.ClientRetention {
		return s.rec.Meta
	}
	mt := s.fullMeta()
	mt.addr, mt.agent = "", ""
	return mt.encode()
}

// reuseWindow is how long, after its grace, a renewed token is remembered to tell
// its coming back from a stranger's guess.
const reuseWindow = 10 * time.Minute

// nowhere is the tail that a sign-in leaves at the key of before, for the grace time: the token is dead, but a
// request that was sent with it, before the sign-in's answer came, shall not begin a visitor's
// session, whose cookie would take the place of the user's.
var nowhere = []byte{0}

// rotate moves the session to a new token. With grace, the old one leads to it for a while. rec is
// the record to write, whose Created says whether the session keeps its age.
func (s *Session) rotate(ctx context.Context, rec store.Record, mt meta, grace bool) error {
	old := s.rec.Key
	next := newCredential(rec.User)
	next.tag = old.Tag
	var tail *store.Record
	if s.m.sealed == nil {
		tm, life := meta{tail: nowhere}, s.m.opts.RenewGrace
		if grace {
			nonce := newCredential("").secret
			next = s.credential().successor(nonce[:])
			tm.tail, life = nonce[:], life+reuseWindow
		}
		tail = &store.Record{Key: old, Handle: rec.Handle, Writer: newWriter(), Lifetime: life, Meta: tm.encode()}
	}
	if !rec.Created.IsZero() {
		mt.issued = max(0, s.storeNow().Sub(rec.Created))
	}
	mt.addr, mt.agent = s.m.client(s.r)
	rec.Key, rec.Writer, rec.Meta = next.key(), newWriter(), mt.encode()
	if !s.peek {
		rec.Seen = time.Time{}
	}
	version := s.rec.Version
	err := s.m.call(ctx, func(ctx context.Context) error { return s.st.Rotate(ctx, old, version, rec, tail) })
	if errors.Is(err, store.ErrInvalid) && store.CheckRotate(old, &rec, tail) == nil {
		// The record at old has this version and another user: the engine has lost, in a failover, the write that this request
		// has read, and another renewal came after that. So this one is behind.
		err = fmt.Errorf("%w: %v", ErrConflict, err)
	}
	if errors.Is(err, ErrIndeterminate) && !grace {
		s.discard(ctx, rec.Key) // nothing leads there
	}
	if err != nil {
		return err
	}
	rec.Version = version + 1
	s.settle(rec, mt.facts, next)
	s.fresh = s.fresh || !grace
	s.event(ctx, SessionRenewed, "", nil)
	return nil
}

// renewDue tells whether the token has reached its age. Bearer tokens cannot be sent
// unasked, sealed ones are made anew with each write.
func (s *Session) renewDue(now time.Time) bool {
	if s.rec.User == "" || s.late || s.m.sealed != nil || s.got.from == fromBearer || s.meta.bearer || s.peek || s.keep {
		return false
	}
	return now.Sub(s.rec.Created.Add(s.meta.issued)) >= s.m.opts.RenewAfter
}

// touch writes the time of use down, now and then. Its failure never fails the request.
func (s *Session) touch(ctx context.Context, now time.Time) {
	if s.peek || s.rec.Idle == 0 || !s.exact || now.Sub(s.rec.Seen) < s.m.opts.TouchEvery {
		return
	}
	ctx = detached(ctx)
	rec := s.rec
	err := s.m.call(ctx, func(ctx context.Context) error { return s.st.Touch(ctx, rec, s.m.opts.TouchEvery) })
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.send = sendNothing // a token that opens nothing any more
	case err != nil:
		s.event(ctx, StoreFailed, "touch", err)
	default:
		s.rec.Seen = s.storeNow()
		if s.m.sealed != nil {
			s.send = sendToken
		}
	}
}

// canSend tells why a new token could not reach the client.
func (s *Session) canSend() error {
	if !s.m.secure(s.r) {
		return ErrInsecure
	}
	if s.late || s.got.from == fromBearer {
		return ErrNoToken
	}
	return nil
}
