package law

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Load says who works, and how hard. Its zero values are the defaults.
type Load struct {
	Workers int           // 12
	Users   int           // 8
	Names   []string      // of the users, in place of so many new ones
	Keep    int           // sessions kept alive at a time: 24
	Timeout time.Duration // of each act: 2 s
	Pause   time.Duration // of a worker between two acts: 0
	Size    int           // greatest size of a session's data: 2000
	// Retries is how often an act is sent again whose answer was lost: 2.
	Retries int
	// Seed makes the workers choose the same acts again; which of them meet is up to the machine. 0
	// draws one.
	Seed uint64
}

func (o Load) withDefaults() Load {
	def := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	def(&o.Workers, 12)
	def(&o.Users, 8)
	def(&o.Keep, 24)
	def(&o.Size, 2000)
	def(&o.Retries, 2)
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Seed == 0 {
		o.Seed = mrand.Uint64()
	}
	return o
}

// Work signs users in, reads, changes, touches and rotates their sessions, several workers on the
// same ones, signs out and revokes, until ctx ends. Each worker uses one of the stores, in turn.
// What it does is known through [Log.Watch].
func Work(ctx context.Context, o Load, stores ...store.Store) {
	o = o.withDefaults()
	p := &pool{run: rand.Text()[:6]}
	var wg sync.WaitGroup
	for i := range o.Workers {
		w := &worker{Load: o, s: stores[i%len(stores)], pool: p, ctx: ctx, choose: mrand.New(mrand.NewPCG(o.Seed, uint64(i)))}
		wg.Go(func() {
			for ctx.Err() == nil {
				w.step()
				if o.Pause > 0 {
					time.Sleep(o.Pause)
				}
			}
		})
	}
	wg.Wait()
}

// pool is the sessions that the workers believe to live.
type pool struct {
	run string // part of the users' names: a server may be shared
	mu  sync.Mutex
	all []*session
}

type session struct {
	mu   sync.Mutex
	key  store.Key
	user string
	h    store.Handle
}

func (s *session) at() store.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

func (s *session) move(to store.Key) {
	s.mu.Lock()
	s.key = to
	s.mu.Unlock()
}

// pick returns one of the sessions, or nil if there are fewer than so many.
func (p *pool) pick(fewest int, choose *mrand.Rand) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) < fewest {
		return nil
	}
	return p.all[choose.IntN(len(p.all))]
}

func (p *pool) add(s *session) {
	p.mu.Lock()
	p.all = append(p.all, s)
	p.mu.Unlock()
}

func (p *pool) drop(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if p.all[i] == s {
			p.all[i] = p.all[len(p.all)-1]
			p.all = p.all[:len(p.all)-1]
			return
		}
	}
}

type worker struct {
	Load
	s    store.Store
	pool *pool
	ctx  context.Context

	choose *mrand.Rand
}

// do carries out an act with its own deadline, and sends it again while its answer is lost.
func (w *worker) do(act func(context.Context) error) (err error) {
	for range w.Retries + 1 {
		ctx, stop := context.WithTimeout(context.WithoutCancel(w.ctx), w.Timeout)
		err = act(ctx)
		stop()
		if !errors.Is(err, store.ErrIndeterminate) || w.ctx.Err() != nil {
			break
		}
	}
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrIndeterminate) {
		time.Sleep(5 * time.Millisecond) // as a client would, a little
	}
	return err
}

func (w *worker) step() {
	at := w.pool.pick(w.Keep, w.choose)
	if at == nil {
		w.create()
		return
	}
	rec := w.record(at)
	err := w.do(func(ctx context.Context) (err error) {
		var got store.Record
		if got, _, err = w.s.Get(ctx, rec.Key); err == nil && got.User == "" {
			err = store.ErrNotFound // a tail: somebody has moved the session meanwhile
		} else if err == nil {
			rec.Version, rec.Seen, rec.Created = got.Version, got.Seen, got.Created
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) && at.at() == rec.Key {
		w.pool.drop(at)
	}
	if err != nil {
		return
	}
	switch n := w.choose.IntN(100); {
	case n < 55:
		w.update(at, rec)
	case n < 70:
		w.do(func(ctx context.Context) error { return w.s.Touch(ctx, rec, 0) })
	case n < 85:
		w.rotate(at, rec)
	case n < 90:
		w.pool.drop(at)
		w.do(func(ctx context.Context) error { return w.s.Delete(ctx, rec.Key) })
	default:
		w.revoke(at)
	}
}

// record is the session with one more write.
func (w *worker) record(s *session) store.Record {
	rec := store.Record{Key: s.at(), Handle: s.h, User: s.user, Idle: time.Hour, Lifetime: 24 * time.Hour,
		Meta: []byte("a browser"), Data: make([]byte, w.choose.IntN(w.Size))}
	rand.Read(rec.Data)
	rand.Read(rec.Writer[:])
	return rec
}

// create signs in, now and then with a limit.
func (w *worker) create() {
	s := &session{user: fmt.Sprintf("user-%s-%d", w.pool.run, w.choose.IntN(w.Users))}
	if len(w.Names) > 0 {
		s.user = w.Names[w.choose.IntN(len(w.Names))]
	}
	s.key.Tag = store.TagOf(s.user)
	rand.Read(s.key.ID[:])
	rand.Read(s.h[:])
	rec := w.record(s)
	var adm store.Admission
	if w.choose.IntN(4) == 0 {
		adm = store.Admission{Max: 4, Evict: true}
	}
	start := time.Now()
	err := w.do(func(ctx context.Context) error {
		adm.Began = start.Add(-time.Millisecond)
		_, err := w.s.Create(ctx, rec, adm)
		return err
	})
	switch {
	case err == nil:
		w.pool.add(s)
	case errors.Is(err, store.ErrIndeterminate): // a token that was never given out
		w.do(func(ctx context.Context) error { return w.s.Delete(ctx, rec.Key) })
	}
}

func (w *worker) update(_ *session, rec store.Record) {
	w.do(func(ctx context.Context) error { return w.s.Update(ctx, rec, rec.Version) })
}

func (w *worker) rotate(at *session, rec store.Record) {
	old := rec.Key
	rand.Read(rec.Key.ID[:])
	var tail *store.Record
	if w.choose.IntN(2) == 0 {
		t := rec
		t.Key, t.User, t.Lifetime = old, "", 30*time.Second
		rand.Read(t.Writer[:])
		tail = &t
	}
	err := w.do(func(ctx context.Context) error { return w.s.Rotate(ctx, old, rec.Version, rec, tail) })
	switch {
	case err == nil:
		at.move(rec.Key)
	case errors.Is(err, store.ErrIndeterminate):
		w.pool.drop(at) // its key is unknown
	}
}

// revoke signs a user out: everywhere, here, or everywhere else.
func (w *worker) revoke(at *session) {
	var sel store.Selection
	switch w.choose.IntN(6) {
	case 0: // everywhere
	case 1:
		sel.Except = []store.Handle{at.h}
	default:
		sel.Only = []store.Handle{at.h}
	}
	w.do(func(ctx context.Context) error {
		_, err := w.s.Revoke(ctx, at.user, sel)
		return err
	})
}
