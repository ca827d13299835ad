package bboltstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "sessions.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Store { return open(t) }, nil)
}

func TestOpen(t *testing.T) {
	kvtest.OpenTwice(t, func(dir string) (kvtest.Closer, error) { return Open(filepath.Join(dir, "sessions.db"), nil) })
}

// A disk that fills up refuses new sessions; reading, touching and ending go on.
func TestOpenFullDisk(t *testing.T) {
	st, err := Open(kvtest.SmallDisk(t, 128), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(kvtest.Full(t, st), "sessions of 40 kB")
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// TestNoReserve lets the disk fill up under bbolt: what does not fit is refused as such, and all
// else goes on.
func TestNoReserve(t *testing.T) {
	st, err := Open(kvtest.SmallDisk(t, 16), &Options{Full: func() bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; err == nil; n++ {
		_, err = st.Create(t.Context(), record(n), store.Admission{})
	}
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("create on a full disk: %v, want ErrFull", err)
	}
	for i := range n - 1 {
		if _, _, err := st.Get(t.Context(), record(i).Key); err != nil {
			t.Fatalf("session %d of %d on a full disk: %v", i, n-1, err)
		}
	}
	if _, _, err := st.Get(t.Context(), record(n-1).Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was refused: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func record(n int) store.Record {
	return store.Record{Key: store.Key{ID: store.ID{byte(n), byte(n >> 8)}}, Writer: store.Writer{1}, Data: make([]byte, 100_000)}
}

// TestClosed uses a store whose database is closed.
func TestClosed(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "sessions.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, _, get := s.Get(t.Context(), store.Key{})
	var all error
	for _, all = range s.All(t.Context()) {
	}
	_, create := s.Create(t.Context(), record(1), store.Admission{})
	_, again := New(db, nil)
	for what, err := range map[string]error{"Get": get, "All": all, "Create": create, "New": again} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
}

// TestWaiting does random things to the engine and to a model of one, which has no operations that
// wait.
func TestWaiting(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "sessions.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e, m := &engine{db: db}, new(kvtest.Memory)
	key := func() []byte { return []byte{0, byte(rand.IntN(40))} }
	for step := range 3000 {
		var ops []kvstore.Op
		for range rand.IntN(4) {
			ops = append(ops, kvstore.Op{Key: key(), Value: []byte{byte(step), byte(step >> 8)}, Delete: rand.IntN(3) == 0})
		}
		sync := rand.IntN(10) == 0
		if err := errors.Join(e.Apply(ops, sync), m.Apply(ops, sync)); err != nil {
			t.Fatal(err)
		}
		k := key()
		got, found, err := e.Get(k)
		want, there, _ := m.Get(k)
		if err != nil || found != there || found && !bytes.Equal(got, want) {
			t.Fatalf("step %d: %x is %x, %v, %v; want %x, %v", step, k, got, found, err, want, there)
		}
		from, to := key(), key()
		if a, b := walked(e, from, to), walked(m, from, to); !bytes.Equal(a, b) {
			t.Fatalf("step %d: from %x to %x: %x, want %x", step, from, to, a, b)
		}
	}
}

func walked(db kvstore.Driver, from, to []byte) (all []byte) {
	if err := db.Walk(from, to, func(key, value []byte) bool {
		all = append(append(all, key...), value...)
		return len(all) < 100
	}); err != nil {
		return []byte(err.Error())
	}
	return all
}

// TestShared has many writers at once, which share their waits for the disk.
func TestShared(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "sessions.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := &engine{db: db}
	e.turn.Lock()
	var wg sync.WaitGroup
	const n = 50
	for i := range n {
		wg.Go(func() {
			if err := e.Apply([]kvstore.Op{{Key: []byte{byte(i)}, Value: []byte("x")}}, true); err != nil {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < n; {
		e.mu.RLock()
		waiting = len(e.waiting)
		e.mu.RUnlock()
	}
	before := db.Stats()
	e.turn.Unlock()
	wg.Wait()
	after := db.Stats()
	if w := after.TxStats.GetWrite() - before.TxStats.GetWrite(); w > 10 {
		t.Errorf("%d writes of pages for %d batches that waited together", w, n)
	}
	if len(walked(e, []byte{0}, []byte{200})) != 2*n {
		t.Error("some are missing")
	}
}
