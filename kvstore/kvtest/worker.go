package kvtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// most is how many sessions a worker keeps at a time.
const most = 12

// work lets each worker go on from its sessions until ctx ends, or one fails.
func work(ctx context.Context, s store.Store, d store.Durability, lives [][]session, note func(step)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	errs := make([]error, len(lives))
	for i := range lives {
		w := &worker{s: s, id: i, users: usersOf(fmt.Sprint(i)), live: lives[i], note: note, durability: d}
		wg.Go(func() {
			for ctx.Err() == nil && errs[i] == nil {
				errs[i] = w.step()
			}
			stop()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

type worker struct {
	s     store.Store
	id    int
	users []string
	live  []session
	note  func(step)

	durability store.Durability
}

// do notes a step, takes it, and notes that it was acknowledged.
func (w *worker) do(what string, st step, act func(context.Context) error) error {
	st.Worker = w.id
	st.Loose = w.loosens(what, &st)
	w.note(st)
	if err := act(context.Background()); err != nil {
		return fmt.Errorf("worker %d: %s: %w", w.id, what, err)
	}
	w.note(step{Worker: w.id, Done: true})
	w.live = slices.DeleteFunc(w.live, func(s session) bool {
		return slices.Contains(st.Ends, s.Key) || slices.ContainsFunc(st.Puts, func(p session) bool { return p.Key == s.Key })
	})
	w.live = append(w.live, st.Puts...)
	return nil
}

// loosens reports whether a power cut may undo a step, in a store of the worker's setting.
func (w *worker) loosens(what string, st *step) bool {
	user := len(st.Puts) > 0 && st.Puts[0].User != ""
	if len(st.Puts)+len(st.Ends) == 0 {
		return true // nothing changes, so nothing is waited for
	}
	switch what {
	case "update":
		return w.durability >= store.Relaxed
	case "create":
		return len(st.Ends) == 0 && (w.durability == store.Loose || w.durability == store.Relaxed && !user)
	}
	return false
}

func (w *worker) step() error {
	if n := len(w.live); n == 0 || n < most && below(3) == 0 {
		return w.create()
	}
	at := w.live[below(len(w.live))]
	switch below(10) {
	case 0, 1, 2:
		return w.update(at)
	case 3, 4:
		return w.rotate(at)
	case 5, 6:
		return w.revoke(at)
	case 7, 8:
		if err := w.s.Touch(context.Background(), at.record(), 0); err != nil {
			return fmt.Errorf("worker %d: touch: %w", w.id, err)
		}
		return nil
	default:
		return w.do("delete", step{Ends: []store.Key{at.Key}}, func(ctx context.Context) error {
			return w.s.Delete(ctx, at.Key)
		})
	}
}

func (s session) record() store.Record {
	return store.Record{Key: s.Key, Handle: s.Handle, User: s.User, Version: s.Version, Writer: s.Writer,
		Idle: 24 * time.Hour, Meta: s.Writer[:], Data: content(s.Writer, s.Size)}
}

// next is the session after one more write.
func (s session) next() session {
	s.Version++
	rand.Read(s.Writer[:])
	s.Size = []int{0, 30, 300, 3000, 30000}[below(5)]
	return s
}

func (s session) moved() session {
	s = s.next()
	rand.Read(s.Key.ID[:])
	return s
}

// create signs in; at times as the user's only session.
func (w *worker) create() error {
	s := session{}.moved()
	rand.Read(s.Handle[:])
	rand.Read(s.Key.Tag[:])
	var adm store.Admission
	st := step{Puts: []session{s}}
	if below(4) > 0 {
		s.User = w.users[below(len(w.users))]
		s.Key.Tag = store.TagOf(s.User)
		st.Puts[0] = s
		if below(3) == 0 {
			adm = store.Admission{Max: 1, Evict: true}
			st.Ends = w.keys(func(o session) bool { return o.User == s.User })
		}
	}
	return w.do("create", st, func(ctx context.Context) error {
		a, err := w.s.Create(ctx, s.record(), adm)
		if err == nil && len(a.Evicted) != len(st.Ends) {
			err = fmt.Errorf("%d sessions evicted, want %d", len(a.Evicted), len(st.Ends))
		}
		return err
	})
}

func (w *worker) keys(of func(session) bool) (keys []store.Key) {
	for _, s := range w.live {
		if of(s) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

func (w *worker) update(at session) error {
	s := at.next()
	return w.do("update", step{Puts: []session{s}}, func(ctx context.Context) error {
		return w.s.Update(ctx, s.record(), at.Version)
	})
}

func (w *worker) rotate(at session) error {
	s := at.moved()
	st := step{Ends: []store.Key{at.Key}, Puts: []session{s}}
	var tail *store.Record
	if below(2) == 0 && len(w.live) < most {
		t := at.next()
		t.User = ""
		rand.Read(t.Handle[:])
		st.Puts = append(st.Puts, t)
		rec := t.record()
		tail = &rec
	}
	return w.do("rotate", st, func(ctx context.Context) error {
		return w.s.Rotate(ctx, at.Key, at.Version, s.record(), tail)
	})
}

// revoke signs a user out: everywhere, here, or everywhere else.
func (w *worker) revoke(at session) error {
	var sel store.Selection
	switch below(3) {
	case 0:
		sel.Only = []store.Handle{at.Handle}
	case 1:
		sel.Except = []store.Handle{at.Handle}
	}
	ends := w.keys(func(s session) bool { return at.User != "" && s.User == at.User && sel.Picks(s.Handle) })
	return w.do("revoke", step{Ends: ends}, func(ctx context.Context) error {
		r, err := w.s.Revoke(ctx, at.User, sel)
		if err == nil && r.N != len(ends) {
			err = fmt.Errorf("%d sessions ended, want %d", r.N, len(ends))
		}
		return err
	})
}
