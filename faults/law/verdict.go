package law

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sojourn-go/sojourn/store"
)

// A Verdict says what became of what was acknowledged. The zero Verdict is the one to hope for.
type Verdict struct {
	// Lost counts acknowledged changes (sign-ins, updates, rotations) that are no more, of sessions
	// that nobody ended.
	Lost int
	// Resurrected counts sessions that were read alive in an act that began after their end was
	// acknowledged.
	Resurrected int
	// Since is when the earliest of what was lost had been acknowledged, in the log's time
	// ([Log.Now]).
	Since time.Duration
	// Unexplained are sessions that did not lose anything by these counts, and whose answers no
	// order of the acts explains all the same.
	Unexplained []string
	// Breaches are answers that the contract never allows: errors of no or of several outcomes,
	// lists that differ from what can be read.
	Breaches []string
	// Sessions is how many histories were judged.
	Sessions int
}

// Err is nil if nothing was lost, resurrected or breached.
func (v Verdict) Err() error {
	var errs []error
	if v.Lost > 0 {
		errs = append(errs, fmt.Errorf("%d acknowledged changes lost", v.Lost))
	}
	if v.Resurrected > 0 {
		errs = append(errs, fmt.Errorf("%d ended sessions alive", v.Resurrected))
	}
	for i, b := range slices.Concat(v.Breaches, v.Unexplained) {
		if i == 5 {
			errs = append(errs, errors.New("and more"))
			break
		}
		errs = append(errs, errors.New(b))
	}
	return errors.Join(errs...)
}

// readers is how many sessions are read at a time after a run.
const readers = 16

// Judge reads every session of the run from s, which must be healthy again, and every user's list.
// The run must be over. An error says that the store could not be read until ctx ended.
func (l *Log) Judge(ctx context.Context, s store.Store) (Verdict, error) {
	all := l.histories()
	v := Verdict{Sessions: len(all)}
	live := make([]bool, len(all))
	if err := each(len(all), func(i int) (err error) {
		live[i], err = l.final(ctx, s, all[i])
		return err
	}); err != nil {
		return v, err
	}
	var mu sync.Mutex
	since := int64(never)
	err := each(len(all), func(i int) error {
		f := all[i].fate()
		res := porcupine.Ok
		if f.lost == 0 && !f.back {
			res = l.explain(all[i], 30*time.Second)
		}
		mu.Lock()
		defer mu.Unlock()
		v.Lost += f.lost
		if f.back {
			v.Resurrected++
		}
		since = min(since, f.since)
		if res != porcupine.Ok {
			v.Unexplained = append(v.Unexplained, fmt.Sprintf("no order of its acts explains a session (%v):%s", res, all[i].describe(60)))
		}
		return nil
	})
	if since != never {
		v.Since = time.Duration(since)
	}
	if err == nil {
		err = l.lists(ctx, s, all, live, &v)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v.Breaches = append(v.Breaches, l.breaches...)
	return v, err
}

func (l *Log) histories() (all []*history) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.sessions {
		all = append(all, h)
	}
	return all
}

// each runs act for 0 to n-1, readers at a time.
func each(n int, act func(int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, readers)
	for w := range readers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += readers {
				errs[w] = act(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// final reads a session at all of its keys, through the log, and reports whether it lives.
func (l *Log) final(ctx context.Context, s store.Store, h *history) (live bool, err error) {
	w := l.Watch(s)
	for _, id := range h.ids {
		rec, err := read(ctx, w, store.Key{Tag: h.key.Tag, ID: id})
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("reading after the run: %w", err)
		}
		live = live || !l.isTail(rec.Writer)
	}
	return live, nil
}

func (l *Log) isTail(w store.Writer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tails[w]
}

// read gets a record, however often the store must be asked.
func read(ctx context.Context, s store.Store, key store.Key) (store.Record, error) {
	for {
		rec, _, err := s.Get(ctx, key)
		if err == nil || errors.Is(err, store.ErrNotFound) || ctx.Err() != nil {
			return rec, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lists compares the users' lists with the sessions that were read.
func (l *Log) lists(ctx context.Context, s store.Store, all []*history, live []bool, v *Verdict) error {
	users := map[string][]string{}
	for i, h := range all {
		if h.user == "" {
			continue
		}
		users[h.user] = append(users[h.user], "")[:len(users[h.user])]
		if live[i] {
			users[h.user] = append(users[h.user], h.handle.String())
		}
	}
	for user, want := range users {
		var got []string
		for rec, err := range s.User(ctx, user) {
			if err != nil {
				return fmt.Errorf("list of a user after the run: %w", err)
			}
			got = append(got, rec.Handle.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if strings.Join(got, " ") != strings.Join(want, " ") {
			v.Breaches = append(v.Breaches, fmt.Sprintf("%d sessions of a user can be read, and %d are listed", len(want), len(got)))
		}
	}
	return nil
}
