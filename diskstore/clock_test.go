package diskstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// setAhead makes a store as if it had been opened before the machine's clock was set back.
func setAhead(s *Store, by time.Duration) {
	s.engine.clock.Observe(s.engine.clock.Now() + int64(by))
}

// TestClockSetBack restarts with the machine's clock an hour back: what has expired stays so.
func TestClockSetBack(t *testing.T) {
	for _, crash := range []bool{false, true} {
		d := newSimDisk()
		s, err := open(d, nil, "boot")
		if err != nil {
			t.Fatal(err)
		}
		setAhead(s, time.Hour)
		gone, rec := sample("ada"), sample("ada")
		gone.Idle = time.Minute
		mustCreate(t, s, gone)
		setAhead(s, 2*time.Minute)
		mustCreate(t, s, rec)
		if !crash {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		before := s.engine.clock.Now()
		if s, err = open(d, nil, "boot"); err != nil {
			t.Fatal(err)
		}
		if back := before - s.engine.clock.Now(); back > int64(2*time.Second) {
			t.Errorf("crash %v: the clock ran back by %v", crash, time.Duration(back))
		}
		if _, _, err := s.Get(t.Context(), gone.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("crash %v: an expired session came back: %v", crash, err)
		}
	}
}

// TestClockFromRecords loses the mark: the instants in the files move the clock on.
func TestClockFromRecords(t *testing.T) {
	d := newSimDisk()
	s, err := open(d, nil, "boot")
	if err != nil {
		t.Fatal(err)
	}
	setAhead(s, time.Hour)
	rec := sample("ada")
	mustCreate(t, s, rec)
	if err := d.top().remove(clockName); err != nil {
		t.Fatal(err)
	}
	if s, err = open(d, nil, "boot"); err != nil {
		t.Fatal(err)
	}
	got, now, err := s.Get(t.Context(), rec.Key)
	if err != nil || got.Created.After(now) {
		t.Errorf("Created is %v after the store's now, %v", got.Created.Sub(now), err)
	}
	if ahead := time.Until(now); ahead < 59*time.Minute {
		t.Errorf("the clock is %v ahead of the machine's, want an hour", ahead)
	}
}

// TestClockOfTwo has two stores on one directory, of which one was opened under another time.
func TestClockOfTwo(t *testing.T) {
	dir := memoryDir(t)
	a, b := openAt(t, dir), openAt(t, dir)
	setAhead(b, time.Hour)
	rec := sample("ada")
	mustCreate(t, b, rec)
	got, now, err := a.Get(t.Context(), rec.Key)
	if err != nil || got.Created.After(now) || got.Seen.After(now) {
		t.Fatalf("created %v after now, %v", got.Created.Sub(now), err)
	}
	// A mark that is damaged does not stop the store.
	if err := os.WriteFile(filepath.Join(dir, clockName), []byte("half past ten"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := openAt(t, dir)
	if _, _, err := c.Get(t.Context(), rec.Key); err != nil {
		t.Error(err)
	}
}
