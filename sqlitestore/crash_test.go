package sqlitestore_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// TestMain lets the test binary be another process: see [process].
func TestMain(m *testing.M) {
	switch os.Getenv("SOJOURN_CHILD") {
	case "crash":
		crashChild()
	case "share":
		shareChild()
	default:
		os.Exit(m.Run())
	}
}

// process starts this binary as a child that works on the file.
func process(t testing.TB, mode, path, arg string) (*exec.Cmd, io.Reader) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SOJOURN_CHILD="+mode, "SOJOURN_PATH="+path, "SOJOURN_ARG="+arg)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// must ends a child on an error; the parent sees its text.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// model is what one user's records should be: by serial number, version and change.
type model struct {
	live  []session // oldest first
	tails []int
}

type session struct {
	serial  int
	version uint64
	change  int
}

func (m model) clone() model { return model{slices.Clone(m.live), slices.Clone(m.tails)} }

func (m *model) end(serial int) {
	m.live = slices.DeleteFunc(m.live, func(s session) bool { return s.serial == serial })
}

// step is one write. A child tells of it before it is sent, and again when it is acknowledged.
type step struct {
	kind      string // login, change, rotate, tail, delete, logout, all
	serial, n int    // of the session concerned; the new serial, or the change
}

const crashMax = 3

// apply returns the records after the step.
func (s step) apply(m model) model {
	m = m.clone()
	i := slices.IndexFunc(m.live, func(o session) bool { return o.serial == s.serial })
	switch s.kind {
	case "login":
		if len(m.live) == crashMax {
			m.live = m.live[1:]
		}
		m.live = append(m.live, session{s.n, 1, 0})
	case "change":
		m.live[i].version++
		m.live[i].change = s.n
	case "rotate", "tail":
		v := m.live[i].version + 1
		m.end(s.serial)
		m.live = append(m.live, session{s.n, v, 0})
		if s.kind == "tail" {
			m.tails = append(m.tails, s.serial)
		}
	case "delete", "logout":
		m.end(s.serial)
	case "all":
		m.live = nil
	}
	return m
}

func crashID(user string, serial int) (id store.ID) {
	return sha256.Sum256(fmt.Appendf(nil, "%s/%d", user, serial))
}

func crashRecord(user string, s session) store.Record {
	id := crashID(user, s.serial)
	rec := store.Record{User: user, Key: store.Key{Tag: store.TagOf(user), ID: id}, Handle: store.Handle(id[:16]), Lifetime: 24 * time.Hour}
	binary.BigEndian.PutUint64(rec.Writer[:], rand.Uint64()|1)
	rec.Meta = fmt.Appendf(nil, "%d", s.change)
	rec.Data = bytes.Repeat(fmt.Appendf(nil, "%d/%d;", s.serial, s.change), 10+s.change%300)
	return rec
}

// send does the step on a store.
func (s step) send(ctx context.Context, st store.Store, user string, m model) error {
	rec := crashRecord(user, session{serial: s.serial})
	var old session
	if i := slices.IndexFunc(m.live, func(o session) bool { return o.serial == s.serial }); i >= 0 {
		old = m.live[i]
	}
	switch s.kind {
	case "login":
		_, err := st.Create(ctx, crashRecord(user, session{serial: s.n}), store.Admission{Max: crashMax, Evict: true})
		return err
	case "change":
		return st.Update(ctx, crashRecord(user, session{serial: s.serial, change: s.n}), old.version)
	case "rotate", "tail":
		var tail *store.Record
		if s.kind == "tail" {
			tail = &store.Record{Key: rec.Key, Writer: rec.Writer, Lifetime: 24 * time.Hour}
		}
		return st.Rotate(ctx, rec.Key, old.version, crashRecord(user, session{serial: s.n}), tail)
	case "delete":
		return st.Delete(ctx, rec.Key)
	case "logout":
		_, err := st.Revoke(ctx, user, store.Selection{Only: []store.Handle{rec.Handle}})
		return err
	}
	_, err := st.Revoke(ctx, user, store.Selection{})
	return err
}

// crashChild writes until it is killed.
func crashChild() {
	st, err := sqlitestore.Open(os.Getenv("SOJOURN_PATH"), nil)
	must(err)
	must(st.Migrate(context.Background()))
	for w := range 8 {
		go crashWorker(st, fmt.Sprintf("u%s-%d", os.Getenv("SOJOURN_ARG"), w))
	}
	select {}
}

func crashWorker(st store.Store, user string) {
	var m model
	for serial := 1; ; serial++ {
		s := step{kind: "login", n: serial}
		if len(m.live) > 0 {
			s.serial = m.live[rand.IntN(len(m.live))].serial
			kinds := []string{"login", "login", "change", "change", "change", "rotate", "tail", "delete", "logout", "all"}
			s.kind = kinds[rand.IntN(len(kinds))]
		}
		fmt.Printf("try %s %s %d %d\n", user, s.kind, s.serial, s.n)
		must(s.send(context.Background(), st, user, m))
		fmt.Printf("ok %s\n", user)
		m = s.apply(m)
	}
}

// book holds what children have told: acknowledged states, and steps under way.
type book struct {
	mu    sync.Mutex
	state map[string]model
	open  map[string]step
	acks  int
}

// read follows a child until it is dead.
func (b *book) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		f := strings.Fields(lines.Text())
		b.mu.Lock()
		switch {
		case len(f) == 5 && f[0] == "try":
			var s step
			s.kind = f[2]
			fmt.Sscan(f[3]+" "+f[4], &s.serial, &s.n)
			b.open[f[1]] = s
		case len(f) == 2 && f[0] == "ok":
			b.state[f[1]] = b.open[f[1]].apply(b.state[f[1]])
			delete(b.open, f[1])
			b.acks++
		}
		b.mu.Unlock()
	}
}

// settle compares the file with the book. A step under way when the child was killed is wholly
// there or not at all; from then on it is what was found.
func (b *book) settle(t *testing.T, st *sqlitestore.Store) {
	found := map[string]map[store.ID]store.Record{}
	byTag := map[store.Tag]string{}
	for user := range b.state {
		byTag[store.TagOf(user)] = user
		found[user] = map[store.ID]store.Record{}
	}
	for user := range b.open {
		byTag[store.TagOf(user)] = user
		found[user] = map[store.ID]store.Record{}
	}
	for rec, err := range st.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		user, ok := byTag[rec.Key.Tag]
		if !ok {
			t.Fatal("a record of a user whom no child told of")
		}
		full, _, err := st.Get(t.Context(), rec.Key)
		if err != nil {
			t.Fatal(err)
		}
		found[user][rec.Key.ID] = full
	}
	for user, recs := range found {
		m := b.state[user]
		why := m.differs(user, recs)
		if s, pending := b.open[user]; pending && why != "" {
			m = s.apply(m)
			if why2 := m.differs(user, recs); why2 != "" {
				t.Fatalf("%s: neither as before %q (%s) nor as after it (%s)", user, s.kind, why, why2)
			}
		} else if why != "" {
			t.Fatalf("%s: %s", user, why)
		}
		b.state[user] = m
		delete(b.open, user)
	}
}

// differs says how records differ from the model, or nothing.
func (m model) differs(user string, recs map[store.ID]store.Record) string {
	recs = maps.Clone(recs)
	for _, s := range m.live {
		id := crashID(user, s.serial)
		rec, ok := recs[id]
		want := crashRecord(user, s)
		switch {
		case !ok:
			return fmt.Sprintf("session %d is lost", s.serial)
		case rec.User != user || rec.Version != s.version || !bytes.Equal(rec.Data, want.Data) || !bytes.Equal(rec.Meta, want.Meta):
			return fmt.Sprintf("session %d is not as it was acknowledged: version %d, want %d", s.serial, rec.Version, s.version)
		}
		delete(recs, id)
	}
	for _, serial := range m.tails {
		if rec, ok := recs[crashID(user, serial)]; !ok || rec.User != "" {
			return fmt.Sprintf("the tail of session %d is lost", serial)
		}
		delete(recs, crashID(user, serial))
	}
	if len(recs) > 0 {
		return fmt.Sprintf("%d records that should have ended live", len(recs))
	}
	return ""
}

// TestCrash (P12) kills a process in the middle of its writes, again and again. What a kill cannot
// show is whether the disk kept what it was told to: that rests on synchronous=FULL.
func TestCrash(t *testing.T) {
	t.Parallel()
	const kills = 100
	path := filepath.Join(t.TempDir(), "sessions.db")
	b := &book{state: map[string]model{}, open: map[string]step{}}
	for i := range kills {
		cmd, out := process(t, "crash", path, fmt.Sprint(i))
		read := make(chan struct{})
		go func() { b.read(out); close(read) }()
		before := b.acks
		for start := time.Now(); b.count() == before; time.Sleep(time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatal("the child does nothing")
			}
		}
		time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
		cmd.Process.Kill()
		<-read
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the child ended by itself: %v", err)
		}
		st, err := sqlitestore.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.settle(t, st)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d acknowledged writes", kills, b.acks)
}

func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acks
}
