package kvtest

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// workers is how many work at a time.
const workers = 6

// Open opens a database in a directory and a store of that setting in it. close closes the
// database.
type Open func(dir string, d store.Durability) (s store.Store, close func() error, err error)

// Main is for a package's TestMain: it runs the tests, or, in a process that [Kill] or [Second]
// started, what that process is there for.
func Main(m *testing.M, open Open) {
	if len(os.Args) == 4 && os.Args[1] == argWork {
		d, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = child(open, os.Args[2], store.Durability(d))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == argOpen {
		_, close, err := open(os.Args[2], store.Durable)
		if err == nil {
			err = close()
		}
		fmt.Println(err)
		os.Exit(0)
	}
	// The kit's clauses mostly wait for the disk. A -parallel of the command line comes later, and
	// counts.
	os.Args = slices.Insert(os.Args, 1, "-test.parallel=8")
	os.Exit(m.Run())
}

const (
	argWork = "kvtest-work"
	argOpen = "kvtest-open"
)

// Second opens the directory in another process and gives the error's text.
func Second(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Args[0], argOpen, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("second process: %v: %s", err, out)
	}
	return string(bytes.TrimSpace(out))
}

// child works until it is killed. Its sessions come in, what it does goes out.
func child(open Open, dir string, d store.Durability) error {
	var lives [][]session
	if err := gob.NewDecoder(os.Stdin).Decode(&lives); err != nil {
		return err
	}
	s, _, err := open(dir, d)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	out := gob.NewEncoder(os.Stdout)
	return work(context.Background(), s, d, lives, func(st step) {
		mu.Lock()
		defer mu.Unlock()
		if err := out.Encode(st); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	})
}

// Kill kills a process at work with SIGKILL, rounds times, each after another time, and holds what
// it left against the law: in a store of that setting. TestMain must call [Main].
func Kill(t *testing.T, rounds int, d store.Durability, open Open) {
	t.Helper()
	dir := t.TempDir()
	l := newLaw(workers)
	for round := range rounds {
		if err := l.kill(dir, d, time.Duration(below(40_000))*time.Microsecond); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s, close, err := open(dir, d)
		if err != nil {
			t.Fatalf("round %d: opening after the crash: %v", round, err)
		}
		if err := l.check(t.Context(), s); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := close(); err != nil {
			t.Fatalf("round %d: close: %v", round, err)
		}
	}
	t.Logf("%d times killed, %d steps acknowledged", rounds, l.total)
	if l.total < rounds {
		t.Errorf("only %d steps were acknowledged in %d rounds: the crashes prove nothing", l.total, rounds)
	}
}

// kill starts a process and kills it after a while. That begins with its first step or, one time in
// ten, with its start: opening is to be hit, too.
func (l *law) kill(dir string, d store.Durability, after time.Duration) error {
	cmd := exec.Command(os.Args[0], argWork, dir, strconv.Itoa(int(d)))
	var in, complaint bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(l.lives()); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stderr = &in, &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	first := make(chan struct{})
	go func() {
		if below(10) > 0 {
			<-first
		}
		time.Sleep(after)
		cmd.Process.Kill()
	}()
	dec := gob.NewDecoder(out)
	for once := sync.OnceFunc(func() { close(first) }); ; {
		var st step
		if err := dec.Decode(&st); err != nil {
			once()
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
			break
		}
		l.note(st)
		once()
	}
	l.before()
	l.after()
	if err := cmd.Wait(); complaint.Len() > 0 || err == nil {
		return fmt.Errorf("the process ended by itself: %v: %s", err, &complaint)
	}
	return nil
}

// Machine is a computer whose power can be cut, with one database.
type Machine interface {
	// Start opens the database on what the disk holds, and a store of that setting.
	Start(d store.Durability) (store.Store, error)
	// Cut decides, while the store is at work, what the disk will hold at the next Start: all that
	// was synced, and any part of what was not.
	Cut()
	// Stop closes the database that was opened last.
	Stop() error
}

// PowerCut cuts the power of a machine at work, rounds times, each after another time, and holds
// what is left against the law.
func PowerCut(t *testing.T, rounds int, d store.Durability, m Machine) {
	t.Helper()
	steps, err := powerCut(t.Context(), rounds, d, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cuts, %d steps acknowledged", rounds, steps)
	if steps < rounds {
		t.Errorf("only %d steps were acknowledged in %d rounds: the cuts prove nothing", steps, rounds)
	}
}

func powerCut(ctx context.Context, rounds int, d store.Durability, m Machine) (steps int, err error) {
	l := newLaw(workers)
	for round := range rounds + 1 {
		s, err := m.Start(d)
		if err == nil {
			err = l.check(ctx, s)
		}
		if err == nil && round < rounds {
			err = l.cut(ctx, s, d, m)
		}
		if err := errors.Join(err, m.Stop()); err != nil {
			return l.total, fmt.Errorf("round %d: %w", round, err)
		}
	}
	return l.total, nil
}

func (l *law) cut(ctx context.Context, s store.Store, d store.Durability, m Machine) error {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	lives := l.lives()
	go func() { done <- work(ctx, s, d, lives, l.note) }()
	time.Sleep(time.Duration(below(20_000)) * time.Microsecond)
	l.before()
	m.Cut()
	l.after()
	stop()
	return <-done
}
