package kvtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/sojourn-go/sojourn/internal/syscalls"
	"github.com/sojourn-go/sojourn/store"
)

// stepsOfStory is how many steps are acknowledged before a process under strace ends.
const stepsOfStory = 60

// Files says what is special about an engine's files.
type Files struct {
	// Shared reports whether a file is memory that processes share, which strace does not see and
	// no store reads after a cut. nil means that there is none.
	Shared func(path string) bool
	// InOrder says that a file's writes are lost from one on only, for an engine that reads on in
	// its log behind what is damaged. A disk need not be as kind.
	InOrder bool
}

// CutFiles cuts the power of a machine whose files are real ones. A process works under strace;
// what it did to its files is done again up to some moment, and what it had not synced by then is
// lost: all of it, none, or each write and each name by chance. The store must open on what is
// left, which is held against the law: cuts times, with another moment each time, in each of
// rounds. A round goes on from what the last cut of the one before left, so that recovery meets
// cuts, too. No cut meets the founding of the database: nothing was acknowledged then, and an
// engine may refuse what it left.
//
// It skips the test where there is no strace.
func CutFiles(t *testing.T, rounds, cuts int, d store.Durability, open Open, o *Files) {
	t.Helper()
	if o == nil {
		o = new(Files)
	}
	l, image := newLaw(workers), syscalls.Image{}
	total := 0
	for round := range rounds {
		calls, after := tell(t, d, l.lives(), image, open)
		same(t, image, calls, after, o.Shared)
		notes, err := notesOf(calls)
		if err != nil {
			t.Fatal(err)
		}
		before, base, first := image, l, 0
		if round == 0 {
			first = slices.IndexFunc(calls, func(c syscalls.Call) bool { return c.Kind == syscalls.Note })
		}
		for i := range cuts {
			at := calls[first+below(len(calls)-first)].Began
			percent := []int{0, 100, 20, 50, 80}[i%5]
			var err error
			if image, err = syscalls.Cut(before, calls, at, syscalls.Loss{Percent: percent, InOrder: o.InOrder, Below: below}); err == nil {
				l = base.at(notes, at)
				err = l.reopen(t, d, image, open)
			}
			if err != nil {
				t.Fatalf("round %d, cut %d at instant %d, which loses %d %% of what was not synced: %v", round, i, at, percent, err)
			}
			total += l.total
		}
	}
	t.Logf("%d cuts, after %d acknowledged steps at a time", rounds*cuts, total/(rounds*cuts))
	if total < rounds*cuts {
		t.Error("hardly a step was acknowledged: the cuts prove nothing")
	}
}

// tell lets a process under strace go on from the sessions, and returns what it did.
func tell(t *testing.T, d store.Durability, lives [][]session, before syscalls.Image, open Open) (calls []syscalls.Call, after syscalls.Image) {
	t.Helper()
	var in bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(lives); err != nil {
		t.Fatal(err)
	}
	return syscalls.Tell(t, before, in.Bytes(), func(dir string, input []byte, note func(string)) {
		if err := story(dir, input, d, open, note); err != nil {
			t.Fatal(err)
		}
	})
}

// story is what the process does.
func story(dir string, input []byte, d store.Durability, open Open, note func(string)) error {
	var lives [][]session
	if err := gob.NewDecoder(bytes.NewReader(input)).Decode(&lives); err != nil {
		return err
	}
	s, close, err := open(dir, d)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	done := 0
	err = work(ctx, s, d, lives, func(st step) {
		mu.Lock()
		defer mu.Unlock()
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(st); err != nil {
			panic(err) // a step can be encoded
		}
		note(base64.StdEncoding.EncodeToString(b.Bytes()))
		if st.Done {
			done++
		}
		if done == stepsOfStory {
			stop()
		}
	})
	return errors.Join(err, close())
}

// same wants the replay of all calls to leave what the process left, or it would prove nothing.
func same(t *testing.T, before syscalls.Image, calls []syscalls.Call, after syscalls.Image, shared func(string) bool) {
	t.Helper()
	got, err := syscalls.Cut(before, calls, syscalls.End, syscalls.Loss{Below: below})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []syscalls.Image{got, after} {
		maps.DeleteFunc(m, func(path string, _ []byte) bool { return shared != nil && shared(path) })
	}
	if maps.EqualFunc(got, after, bytes.Equal) {
		return
	}
	for path := range after {
		if !bytes.Equal(got[path], after[path]) {
			t.Errorf("%s has %d bytes in the replay, and %d in truth", path, len(got[path]), len(after[path]))
		}
	}
	t.Fatalf("the replay leaves %q, and the process left %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(after)))
}

// noted is a step that a process told of, and when.
type noted struct {
	step
	at int
}

func notesOf(calls []syscalls.Call) (notes []noted, err error) {
	for _, c := range calls {
		if c.Kind != syscalls.Note {
			continue
		}
		n := noted{at: c.Began}
		b, err := base64.StdEncoding.DecodeString(c.Text)
		if err == nil {
			err = gob.NewDecoder(bytes.NewReader(b)).Decode(&n.step)
		}
		if err != nil {
			return nil, fmt.Errorf("a note: %w", err)
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// at is the law for a cut at that instant, of a process that went on from what l has found.
func (l *law) at(notes []noted, at int) *law {
	now := newLaw(len(l.workers))
	now.owner = maps.Clone(l.owner)
	for i := range l.workers {
		now.workers[i].base = maps.Clone(l.workers[i].base)
	}
	for _, n := range notes {
		if n.at <= at {
			now.note(n.step)
		}
	}
	now.before()
	now.after()
	return now
}

// reopen opens what a cut left and holds it against the law.
func (l *law) reopen(t *testing.T, d store.Durability, image syscalls.Image, open Open) error {
	dir := filepath.Join(t.TempDir(), "left")
	if err := image.Write(dir); err != nil {
		return err
	}
	s, close, err := open(dir, d)
	if err != nil {
		return fmt.Errorf("opening after the cut: %w", err)
	}
	return errors.Join(l.check(t.Context(), s), close())
}
