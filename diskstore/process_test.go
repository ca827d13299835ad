package diskstore

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Children are this test binary again, with what to do in the environment.
const (
	childMode = "DISKSTORE_TEST_CHILD"
	childDir  = "DISKSTORE_TEST_DIR"
	childSeed = "DISKSTORE_TEST_SEED"
	childWait = "DISKSTORE_TEST_DURABILITY"
)

func TestMain(m *testing.M) {
	if os.Getenv(childMode) == "" {
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func child() error {
	wait, _ := strconv.Atoi(os.Getenv(childWait))
	s, err := Open(os.Getenv(childDir), &Options{Durability: store.Durability(wait)})
	if err != nil {
		return err
	}
	seed, _ := strconv.ParseUint(os.Getenv(childSeed), 10, 64)
	switch os.Getenv(childMode) {
	case "play":
		return childPlay(s, seed)
	case "share":
		fmt.Println("here")
		err = share(context.Background(), s)
	case "turn":
		fmt.Println("here")
		err = turn(context.Background(), s)
	}
	return errors.Join(err, s.Close())
}

func start(t *testing.T, mode, dir string, seed uint64) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+mode, childDir+"="+dir, childSeed+"="+strconv.FormatUint(seed, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

const workers = 4

// report is a line from a child: what a worker is about to do, or that it was acknowledged.
type report struct {
	Worker  int
	What    string
	Whole   bool
	Done    bool
	After   map[string]string
	Users   map[string]string
	Revoked []string
}

func keyText(k store.Key) string { return hex.EncodeToString(append(k.Tag[:], k.ID[:]...)) }

func keyOf(s string) (k store.Key) {
	b, _ := hex.DecodeString(s)
	copy(k.Tag[:], b)
	copy(k.ID[:], b[16:])
	return k
}

func (p *play) report(worker int) report {
	r := report{Worker: worker, What: p.what, Whole: p.whole, After: map[string]string{}, Users: map[string]string{}}
	for k, v := range p.after.data {
		r.After[keyText(k)], r.Users[keyText(k)] = v, p.after.users[k]
	}
	for user := range p.after.revoked {
		r.Revoked = append(r.Revoked, user)
	}
	return r
}

// childPlay works at full speed until it is killed. Nobody hears of what goes wrong with its own
// tests, so it tells.
func childPlay(s *Store, seed uint64) error {
	var mu sync.Mutex
	var errs [workers]error
	tell := func(r report) {
		b, _ := json.Marshal(r)
		mu.Lock()
		defer mu.Unlock()
		os.Stdout.Write(append(b, '\n'))
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			p := newPlay(alone{}, seed*workers+uint64(w))
			p.names = fmt.Sprint("worker", w, "-")
			p.adopt(s)
			p.intend = func() { tell(p.report(w)) }
			for errs[w] == nil {
				if errs[w] = p.step(); errs[w] == nil {
					tell(report{Worker: w, Done: true})
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

// alone stands for a test in a process that has none.
type alone struct{ testing.TB }

func (alone) Context() context.Context { return context.Background() }
func (alone) Error(args ...any)        { panic(fmt.Sprint(args...)) }

// TestKill (P12) kills a process that works on a directory, at a random moment, more than a hundred
// times: in each setting, for what a process has written outlives it in all.
func TestKill(t *testing.T) {
	const rounds = 36
	for lane := range int(store.Loose) + 1 {
		t.Run(fmt.Sprint("setting", lane), func(t *testing.T) {
			t.Setenv(childWait, strconv.Itoa(lane)) // of the child
			dir := memoryDir(t)
			plays := make([]*play, workers)
			for w := range plays {
				plays[w] = newPlay(t, uint64(w))
				plays[w].names = fmt.Sprint("worker", w, "-")
			}
			calls, cut := 0, 0
			for round := range rounds {
				a, b := killOnce(t, dir, store.Durability(lane), uint64(lane*rounds+round), plays)
				calls, cut = calls+a, cut+b
				if t.Failed() {
					t.Fatalf("round %d", round)
				}
			}
			t.Logf("%d kills, %d calls acknowledged, %d cut short", rounds, calls, cut)
		})
	}
}

// killOnce lets a child work for a moment, kills it, and judges what it left.
func killOnce(t *testing.T, dir string, wait store.Durability, seed uint64, plays []*play) (calls, cut int) {
	cmd, out := start(t, "play", dir, seed)
	lines := bufio.NewReaderSize(out, 1<<20)
	flying := make([]bool, workers)
	take := func() bool {
		line, err := lines.ReadBytes('\n')
		var r report
		if err != nil || json.Unmarshal(line, &r) != nil {
			return false // the last one may be cut
		}
		p := plays[r.Worker]
		if flying[r.Worker] = !r.Done; r.Done {
			calls++
			p.before = p.after.clone()
			return true
		}
		p.what, p.whole = r.What, r.Whole
		p.after.data = map[store.Key]string{}
		for k, v := range r.After {
			p.after.data[keyOf(k)], p.after.users[keyOf(k)] = v, r.Users[k]
		}
		for _, user := range r.Revoked {
			p.after.revoked[user] = true
		}
		return true
	}
	if take() {
		// From the first sign of life on, else slow starts would be all there is to see.
		time.AfterFunc(time.Duration(rand.IntN(20000))*time.Microsecond, func() { cmd.Process.Kill() })
	}
	for take() {
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		t.Errorf("the child ended by itself, with %d", code)
	}
	s, err := Open(dir, &Options{Durability: wait})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for w, p := range plays {
		if flying[w] {
			cut++
		}
		if err := p.judge(s, !flying[w]); err != nil {
			t.Errorf("worker %d, %s: %v", w, p.what, err)
		}
		if flying[w] {
			p.after.revoked = p.before.clone().revoked
		}
		p.adopt(s)
	}
	return calls, cut
}

const shared = 500 // counts of each

// share is what two processes do at once with one user: they count together, and sign in at a
// limit.
func share(ctx context.Context, s *Store) error {
	const user = "shared"
	rec := sample(user)
	rec.Key.ID = store.ID{1}
	for range shared {
		for {
			got, _, err := s.Get(ctx, rec.Key)
			if err != nil {
				return err
			}
			n := binary.BigEndian.Uint64(got.Data)
			got.Data = binary.BigEndian.AppendUint64(nil, n+1)
			binary.BigEndian.PutUint64(got.Writer[:], rand.Uint64())
			if err = s.Update(ctx, got, got.Version); err == nil {
				break
			}
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}
	for range 100 {
		if _, err := s.Create(ctx, sample("limited"), store.Admission{Max: 3, Evict: rand.IntN(2) == 0}); err != nil && !errors.Is(err, store.ErrLimit) {
			return err
		}
		n := 0
		for _, err := range s.User(ctx, "limited") {
			if err != nil {
				return err
			}
			n++
		}
		if n > 3 {
			return fmt.Errorf("%d sessions at a limit of 3", n)
		}
	}
	return nil
}

func turnKey(n int) store.Key {
	k := store.Key{Tag: store.TagOf("turning")}
	binary.BigEndian.PutUint64(k.ID[:], uint64(n))
	return k
}

const turns = 3000

// turn renews a session again and again, for another process to look on.
func turn(ctx context.Context, s *Store) error {
	rec := sample("turning")
	for n := range turns {
		rec.Key = turnKey(n + 1)
		binary.BigEndian.PutUint64(rec.Writer[:], uint64(n+1))
		if err := s.Rotate(ctx, turnKey(n), uint64(n+1), rec, nil); err != nil {
			return err
		}
	}
	return nil
}

// TestTwoProcesses has processes work on one directory at once: two children and this one.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	s := openAt(t, dir)
	counter := sample("shared")
	counter.Key.ID, counter.Data = store.ID{1}, make([]byte, 8)
	mustCreate(t, s, counter)
	a, first := start(t, "share", dir, 0)
	b, second := start(t, "share", dir, 0)
	io.ReadFull(first, make([]byte, 1))
	io.ReadFull(second, make([]byte, 1))
	if err := errors.Join(share(t.Context(), s), a.Wait(), b.Wait()); err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Get(t.Context(), counter.Key)
	if err != nil || binary.BigEndian.Uint64(got.Data) != 3*shared || got.Version != 3*shared+1 {
		t.Fatalf("updates by three processes came to %x, version %d, %v", got.Data, got.Version, err)
	}
}

// TestRotateSeenByOthers looks at keys while another process moves a session through them: whoever
// finds one empty after the session was there finds the next one live, and never two.
func TestRotateSeenByOthers(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	s := openAt(t, dir)
	rec := sample("turning")
	rec.Key = turnKey(0)
	mustCreate(t, s, rec)
	other, out := start(t, "turn", dir, 0)
	io.ReadFull(out, make([]byte, 1))
	live := func(n int) bool {
		_, _, err := s.Get(t.Context(), turnKey(n))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	looks := 0
	for n := 0; n < turns; looks++ {
		if looks%2 == 0 { // wait for the next key to come to life
			if live(n + 1) {
				if live(n) {
					t.Fatalf("key %d was live after the next one", n)
				}
				n++
			}
			continue
		}
		if live(n) {
			continue
		}
		at := n + 1 // it may be further by now, and never comes back
		for at <= turns && !live(at) {
			at++
		}
		if at > turns {
			t.Fatalf("key %d was empty before the next one was live", n)
		}
		n = at
	}
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d looks at %d rotations", looks, turns)
}
