package diskstore

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// fast is a disk that forgets to sync, to fill a store in a test's time.
type fast struct{ disk }

type fastDir struct{ *osDir }

func (f fast) open(t store.Tag, write bool) (dir, error) {
	d, err := f.disk.open(t, write)
	if err != nil {
		return nil, err
	}
	return fastDir{d.(*osDir)}, nil
}

func (f fast) syncShard(byte) error { return nil }
func (fastDir) sync() error         { return nil }

func (d fastDir) write(name string, b []byte, mtime int64, _ bool) error {
	if err := d.root.WriteFile(name, b, 0o600); err != nil {
		return bare(err)
	}
	return d.touch(name, mtime)
}

// filled returns a store with so many sessions, ten of each user, that live for an hour to a month,
// and some that expire within the next second.
func filled(t testing.TB, dir string, stored, expired int) *Store {
	t.Helper()
	s := openAt(t, dir)
	slow := s.engine.disk
	s.engine.disk = fast{slow}
	defer func() { s.engine.disk = slow }()
	for i := range stored + expired {
		rec := sample("user" + strconv.Itoa(i/10))
		rec.Data = nil
		rec.Idle = time.Hour + time.Duration(i%720)*time.Hour
		if i >= stored {
			rec.Idle = time.Second
		}
		mustCreate(t, s, rec)
	}
	return s
}

// sweepCosts returns the time that it takes to sweep so many, and to sweep nothing.
func sweepCosts(t testing.TB, stored, expired int) (some, none time.Duration) {
	dir := memoryDir(t)
	s := filled(t, dir, stored, expired)
	time.Sleep(1100 * time.Millisecond)
	sweep := func(want int) time.Duration {
		start := time.Now()
		n, err := s.Sweep(context.Background(), 1<<30)
		if n != want || err != nil {
			t.Fatalf("sweep of %d: %d, %v", want, n, err)
		}
		return time.Since(start)
	}
	some, none = sweep(expired), time.Hour
	for range 5 {
		none = min(none, sweep(0))
	}
	return some, none
}

// TestSweepGrowth wants a sweep of as many sessions to cost about the same whatever is stored
// beside them. SOJOURN_SWEEP=1000000 measures that many as well.
func TestSweepGrowth(t *testing.T) {
	sizes := []int{1000, 10_000}
	if n, err := strconv.Atoi(os.Getenv("SOJOURN_SWEEP")); err == nil {
		sizes = []int{10_000, 100_000, n}
	}
	const expired = 1000
	var first time.Duration
	for _, n := range sizes {
		some, none := sweepCosts(t, n, expired)
		t.Logf("%8d stored: sweep of %d expired %v, of none %v", n, expired, some.Round(time.Microsecond), none.Round(time.Microsecond))
		if first == 0 {
			first = some
		}
		// The machine may be busy. To look at each of 10,000 files takes 50 ms and more.
		if some > 10*first+time.Second || none > 20*time.Millisecond {
			t.Errorf("with %d stored a sweep took %v, and %v with %d; one of nothing %v", n, some, first, sizes[0], none)
		}
		runtime.GC()
	}
}

// TestSweepFar has lives of a day to years, and wants each record swept in its time, and nothing
// left on the disk in the end.
func TestSweepFar(t *testing.T) {
	dir := memoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for i := range 400 {
			rec := sample(fmt.Sprint("user", i%30))
			rec.Idle, rec.Lifetime = 0, time.Duration(i+1)*(time.Hour+time.Nanosecond)
			mustCreate(t, s, rec)
		}
		for i := range 400 {
			time.Sleep(time.Hour + time.Nanosecond)
			if n, err := s.Sweep(t.Context(), 7); n != 1 || err != nil {
				t.Fatalf("sweep %d: %d, %v", i, n, err)
			}
		}
		if _, err := s.Revoke(t.Context(), "user1", store.Selection{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(store.GuardFor + time.Hour)
		if n, err := s.Sweep(t.Context(), 7); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(48 * time.Hour)
		s.Sweep(t.Context(), 7)
		for i := range 256 {
			if tags, _ := s.engine.disk.tags(byte(i)); len(tags) > 0 {
				t.Fatal("an empty user's directory is left")
			}
		}
		if names, _ := s.engine.disk.hints().names(0); len(names) > 0 {
			t.Fatalf("hints are left: %v", names)
		}
	})
}

// TestSweepAfterReboot loses all hints, as a crash of the machine may.
func TestSweepAfterReboot(t *testing.T) {
	d := newSimDisk()
	s, err := open(d, nil, "first")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		rec := sample(fmt.Sprint("user", i%5))
		rec.Idle = time.Millisecond
		mustCreate(t, s, rec)
	}
	d.child(hintsName).names = map[string]*simNode{}
	time.Sleep(5 * time.Millisecond)
	if n, err := s.Sweep(t.Context(), 100); n != 0 || err != nil {
		t.Fatalf("without hints: %d, %v", n, err)
	}
	if s, err = open(d, nil, "second"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), 100); n != 20 || err != nil {
		t.Fatalf("after a restart of the machine: %d, %v", n, err)
	}
}

// TestTornHints cuts and doubles bytes in a file of hints.
func TestTornHints(t *testing.T) {
	d := newSimDisk()
	s, err := open(d, nil, "first")
	if err != nil {
		t.Fatal(err)
	}
	e := hint{'r', 5, store.Key{Tag: store.Tag{1}, ID: store.ID{2}}}
	b := e.encode()
	torn := append(append(append([]byte{}, b...), b[:30]...), b...)
	es, n := decodeHints(torn)
	if len(es) != 2 || n != len(torn) || es[1] != e {
		t.Fatalf("%d entries from %d bytes", len(es), n)
	}
	if err := s.engine.disk.hints().append("m0000000000", torn); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), 5); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if names, _ := s.engine.disk.hints().names(0); len(names) > 0 {
		t.Fatal("a file of hints is left")
	}
}
