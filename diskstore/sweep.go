package diskstore

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// sweeper is what Sweep remembers from call to call. None of it is needed: without it entries are
// read again.
type sweeper struct {
	mu    sync.Mutex
	at    map[string]int64 // how far each file was read
	later byEnd            // entries of the present minute that are not due yet
}

// byEnd is a heap.
type byEnd []hint

func (h byEnd) Len() int           { return len(h) }
func (h byEnd) Less(i, j int) bool { return h[i].end < h[j].end }
func (h byEnd) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byEnd) Push(x any)        { *h = append(*h, x.(hint)) }
func (h *byEnd) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

// Sweep is part of [embedded.Driver]. Its cost grows with what has expired, and with what was filed
// to end by now and was touched since; only the first Sweep after a restart of the machine reads
// the head of every session once.
func (s *engine) Sweep(ctx context.Context, limit int) (int, error) {
	if s.closed.Load() {
		return 0, errClosed
	}
	sw := &s.sweeper
	sw.mu.Lock()
	defer sw.mu.Unlock()
	s.keepReserve()
	p := pass{s: s, ctx: ctx, now: s.clock.Now(), left: limit}
	if !s.ordered.Load() {
		s.ordered.Store(p.refile())
	}
	p.note(s.forget())
	p.note(p.run())
	return p.done, p.bad
}

// pass is one Sweep.
type pass struct {
	s    *engine
	ctx  context.Context
	now  int64
	left int // how many may still be deleted
	done int
	bad  error // the first trouble, which keeps the pass from nothing else; an outage before damage
}

func (p *pass) note(err error) {
	err = classify(err, false)
	if p.bad == nil || errors.Is(p.bad, store.ErrCorrupt) && err != nil {
		p.bad = err
	}
}

func (p *pass) run() error {
	sw := &p.s.sweeper
	for len(sw.later) > 0 && sw.later[0].end <= p.now && p.left > 0 {
		e := heap.Pop(&sw.later).(hint)
		if err := p.judge(e); err != nil {
			heap.Push(&sw.later, e)
			return err
		}
	}
	bs, err := p.s.due(p.now)
	if err != nil {
		return err
	}
	at := sw.at
	sw.at = make(map[string]int64, len(bs))
	for _, b := range bs {
		sw.at[b.name] = at[b.name]
	}
	for _, b := range bs {
		if p.left == 0 {
			return nil
		}
		if err := p.empty(b); p.ctx.Err() != nil {
			return p.ctx.Err()
		} else if err != nil && !missing(err) { // another process may have been faster
			p.note(err)
		}
	}
	return nil
}

// empty reads what a file has that was not read before, and removes it if nothing more can come:
// whoever appends to it now would mean a time that is over.
func (p *pass) empty(b bucket) error {
	if err := p.drain(b); err != nil || p.left == 0 {
		return err
	}
	if b.to > p.now && strings.TrimPrefix(b.name, takenPrefix)[0] == 'm' {
		return nil
	}
	// Under another name first, so that an append that is under way is either seen here or sees
	// that its file is gone, and is made again.
	sw := &p.s.sweeper
	if !strings.HasPrefix(b.name, takenPrefix) {
		taken := takenPrefix + b.name
		if there, err := p.s.disk.hints().exists(taken); err != nil || there {
			return err // left from a crash; its turn comes
		}
		if err := p.s.disk.hints().rename(b.name, taken); err != nil {
			return err
		}
		sw.at[taken] = sw.at[b.name]
		delete(sw.at, b.name)
		b.name = taken
		if err := p.drain(b); err != nil || p.left == 0 {
			return err
		}
	}
	delete(sw.at, b.name)
	return p.s.disk.hints().remove(b.name)
}

// drain judges the entries from where the last reading ended.
func (p *pass) drain(b bucket) error {
	sw := &p.s.sweeper
	for {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		buf, err := p.s.disk.hints().readAt(b.name, sw.at[b.name], 1024*hintSize)
		if err != nil {
			return err
		}
		es, n := decodeHints(buf)
		if n == 0 {
			return nil
		}
		for i, e := range es {
			if p.left == 0 {
				// Entries are whole multiples only where nothing was torn; reading some again does
				// no harm.
				sw.at[b.name] += int64(i * hintSize)
				return nil
			}
			if err := p.judge(e); err != nil {
				sw.at[b.name] += int64(i * hintSize)
				return err
			}
		}
		sw.at[b.name] += int64(n)
	}
}

// judge does what an entry asks for, or files it where it will be due.
func (p *pass) judge(e hint) error {
	if e.end <= p.now {
		end, err := p.expire(e)
		if err != nil {
			if p.ctx.Err() != nil {
				return p.ctx.Err()
			}
			p.note(err)
			end = p.now + int64(time.Hour) // it must not keep the others waiting
		}
		if end == never {
			return nil
		}
		e.end = end
	}
	if e.end <= p.now { // filed anew with an end that is over: next time
		return p.s.file(e, p.now)
	}
	if b := bucketOf(e.end, p.now); b.from > p.now {
		return p.s.file(e, p.now)
	}
	heap.Push(&p.s.sweeper.later, e)
	return nil
}

// expire removes what has ended, and else tells its present end. What is not there never ends.
func (p *pass) expire(e hint) (end int64, err error) {
	h, err := p.s.hold(p.ctx, e.key.Tag)
	if err != nil {
		return never, err
	}
	defer h.close()
	if h.dir == nil {
		return never, nil
	}
	if e.kind == 'g' {
		at, err := h.Revoked()
		if until := at.Add(embedded.GuardKept); err == nil && !at.IsZero() && until.After(h.Now()) {
			return until.UnixNano(), nil
		}
		if err == nil && !at.IsZero() || errors.Is(err, store.ErrCorrupt) {
			err = h.dir.remove(guardName)
		}
		h.tidy()
		return never, err
	}
	var rec store.Record
	found, err := h.Find(e.key.ID, &rec)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		p.note(err) // and it goes, in its time
	case err != nil:
		return never, err
	case !found: // perhaps it never was, and left an empty directory
		h.tidy()
		return never, nil
	case rec.Live(h.Now()):
		return ends(&rec), nil
	}
	// Not synced: what has expired is absent, though a power cut bring it back.
	if err := h.remove([]store.ID{e.key.ID}); err != nil {
		return never, err
	}
	p.left--
	p.done++
	h.tidy()
	return never, nil
}

// refile goes through everything after a crash of the machine: it finishes what journals hold, and
// makes hints anew. Several processes may do it at once. It reports whether it has done it all;
// what is damaged does not count.
func (p *pass) refile() (done bool) {
	s := p.s
	if s.swept() { // another process has done it
		return true
	}
	done = true
	note := func(err error) {
		p.note(err)
		done = done && (err == nil || errors.Is(err, store.ErrCorrupt))
	}
	for n := range 256 {
		tags, err := s.disk.tags(byte(n))
		note(err)
		for _, tag := range tags {
			if err := p.ctx.Err(); err != nil {
				note(err)
				return false
			}
			note(s.refileTag(p.ctx, tag))
		}
	}
	if done {
		note(s.disk.top().write(bootName, []byte(s.boot), 0, true))
	}
	return done
}

// unread is when Sweep comes to a record whose end cannot be read.
const unread = 24 * time.Hour

func (s *engine) refileTag(ctx context.Context, tag store.Tag) error {
	h, err := s.hold(ctx, tag)
	if err != nil {
		return err
	}
	defer h.close()
	if h.dir == nil {
		return nil
	}
	var failed error
	err = h.each(func(rec *store.Record, err error) {
		e := hint{'r', h.time + int64(unread), rec.Key}
		if err == nil {
			e.end = ends(rec)
		}
		failed = cmp.Or(failed, s.file(e, h.time))
	})
	if s.torn() && err == nil {
		err = h.remove(h.bad)
	}
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	at, err := h.Revoked()
	if errors.Is(err, store.ErrCorrupt) {
		at = h.Now().Add(-embedded.GuardKept)
	}
	if !at.IsZero() {
		if err := s.file(hint{'g', at.Add(embedded.GuardKept).UnixNano(), store.Key{Tag: tag}}, h.time); err != nil {
			return err
		}
	}
	h.tidy()
	return nil
}
