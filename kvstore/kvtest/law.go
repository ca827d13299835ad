package kvtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/sojourn-go/sojourn/store"
)

// session is what a state says of a live record. Its Data follows from Writer and Size.
type session struct {
	Key     store.Key
	Handle  store.Handle
	User    string
	Version uint64
	Writer  store.Writer
	Size    int
}

// step is one thing that a worker does: noted when it begins, and without content once more when it
// was acknowledged.
type step struct {
	Worker int
	Done   bool
	Loose  bool // a power cut may undo it, and what was loose before, until one is done that is not
	Ends   []store.Key
	Puts   []session
}

// state is what lives, of one worker.
type state map[store.Key]session

func (s state) apply(st step) {
	for _, k := range st.Ends {
		delete(s, k)
	}
	for _, p := range st.Puts {
		s[p.Key] = p
	}
}

// history is what a worker went through since the last crash. A crash leaves a state of which at
// least low steps and at most high steps had been taken.
type history struct {
	base      state
	steps     []step
	done      int
	sure      int // of the steps that are done, the last that was not loose
	low, high int
}

// law knows what may be found after a crash.
type law struct {
	mu      sync.Mutex
	workers []history
	owner   map[store.Key]int // of all keys ever used
	total   int               // steps acknowledged
}

func newLaw(workers int) *law {
	l := &law{workers: make([]history, workers), owner: map[store.Key]int{}}
	for i := range l.workers {
		l.workers[i].base = state{}
	}
	return l
}

func (l *law) note(st step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.workers[st.Worker]
	if st.Done {
		if h.done++; !h.steps[h.done-1].Loose {
			h.sure = h.done
		}
		l.total++
		return
	}
	h.steps = append(h.steps, st)
	for _, p := range st.Puts {
		l.owner[p.Key] = st.Worker
	}
}

// before says that the crash comes after all that was acknowledged by now, and after that it comes
// before anything that has not begun.
func (l *law) before() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.workers {
		l.workers[i].low = l.workers[i].sure
	}
}

func (l *law) after() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.workers {
		l.workers[i].high = len(l.workers[i].steps)
	}
}

// lives returns what each worker has to go on with.
func (l *law) lives() [][]session {
	all := make([][]session, len(l.workers))
	for i := range l.workers {
		for _, s := range l.workers[i].base {
			all[i] = append(all[i], s)
		}
	}
	return all
}

// check compares the store with the law, and begins anew from what it found.
func (l *law) check(ctx context.Context, s store.Store) error {
	found := make([]map[store.Key]store.Record, len(l.workers))
	for i := range found {
		found[i] = map[store.Key]store.Record{}
	}
	for rec, err := range s.All(ctx) {
		if err != nil {
			return fmt.Errorf("walk after the crash: %w", err)
		}
		w, known := l.owner[rec.Key]
		if !known {
			return errors.New("after the crash there is a session that nobody created")
		}
		found[w][rec.Key] = rec
	}
	for i := range l.workers {
		st, err := l.workers[i].settle(found[i])
		if err != nil {
			return fmt.Errorf("worker %d: %w", i, err)
		}
		if err := whole(ctx, s, st, fmt.Sprint(i)); err != nil {
			return fmt.Errorf("worker %d: %w", i, err)
		}
		l.workers[i] = history{base: st}
	}
	return nil
}

// settle finds the state that the database shows.
func (h *history) settle(found map[store.Key]store.Record) (state, error) {
	st := maps.Clone(h.base)
	why := ""
	for i := 0; i <= h.high; i++ {
		if i >= h.low {
			if why = st.differs(found); why == "" {
				return st, nil
			}
		}
		if i < h.high {
			st.apply(h.steps[i])
		}
	}
	return nil, fmt.Errorf("after the crash no state fits that was reached with %d to %d steps; against the last one, %s", h.low, h.high, why)
}

// differs says in what the records are not this state, and "" if they are.
func (s state) differs(found map[store.Key]store.Record) string {
	for key, want := range s {
		rec, ok := found[key]
		switch {
		case !ok:
			return fmt.Sprintf("session %v is gone", want.Handle)
		case rec.Handle != want.Handle || rec.User != want.User || rec.Version != want.Version || rec.Writer != want.Writer:
			return fmt.Sprintf("session %v has version %d, not %d, or another's user, handle or writer", want.Handle, rec.Version, want.Version)
		}
	}
	for key, rec := range found {
		if _, ok := s[key]; !ok {
			return fmt.Sprintf("session %v lives, and was ended", rec.Handle)
		}
	}
	return ""
}

// whole reads all of a state's sessions, and its users' lists.
func whole(ctx context.Context, s store.Store, st state, worker string) error {
	mine := map[string]int{}
	for key, want := range st {
		rec, _, err := s.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("get of session %v: %w", want.Handle, err)
		}
		if rec.Version != want.Version || !bytes.Equal(rec.Data, content(want.Writer, want.Size)) {
			return fmt.Errorf("session %v has the header of one write and the data of another", want.Handle)
		}
		mine[want.User]++
	}
	for _, user := range usersOf(worker) {
		n := 0
		for _, err := range s.User(ctx, user) {
			if err != nil {
				return fmt.Errorf("list of a user: %w", err)
			}
			n++
		}
		if n != mine[user] {
			return fmt.Errorf("%d sessions are listed of a user who has %d", n, mine[user])
		}
	}
	return nil
}

func usersOf(worker string) []string {
	return []string{"user-" + worker, "user-" + worker + "0", "user-" + worker + "\x00"}
}

// content returns the Data of a write: bytes that no other write has.
func content(w store.Writer, size int) []byte {
	b := make([]byte, size)
	x := binary.BigEndian.Uint64(w[:])
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return b
}

// below returns a number from 0 to n-1.
func below(n int) int {
	var b [4]byte
	rand.Read(b[:])
	return int(binary.BigEndian.Uint32(b[:]) % uint32(n))
}
