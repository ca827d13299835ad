package diskstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// smallDisk mounts a file system of one megabyte, where the test may do so.
func smallDisk(t *testing.T) (dir string, ok bool) {
	at := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountSmall(at); err != nil {
		t.Logf("no small file system (%v): the model of a disk alone is tested", err)
		return "", false
	}
	t.Cleanup(func() {
		if err := unmount(at); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(at, "store"), true
}

// TestFullDisk fills a real small disk; without the right to mount one, the next test stands for
// it.
func TestFullDisk(t *testing.T) {
	dir, ok := smallDisk(t)
	if !ok {
		t.Skip("NOT TESTED on a real disk: mounting one needs root; the next test has a model of one")
	}
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	testFull(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestFullModel(t *testing.T) {
	d := newSimDisk()
	d.room = 600 << 10
	s, err := open(d, nil, "boot")
	if err != nil {
		t.Fatal(err)
	}
	testFull(t, s)
}

// testFull fills the disk of a store and wants writes to fail loudly, and all else to work.
func testFull(t *testing.T, s *Store) {
	var recs []store.Record
	var err error
	create := func(size int) error {
		rec := sample(fmt.Sprint("user", len(recs)%7))
		rec.Data = make([]byte, size)
		if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
			return err
		}
		recs = append(recs, rec)
		return nil
	}
	for _, size := range []int{100_000, 5000, 100, 0} { // to the last block
		for err = nil; err == nil && len(recs) < 10_000; {
			err = create(size)
		}
		if !errors.Is(err, store.ErrFull) {
			t.Fatalf("after %d sessions, create: %v", len(recs), err)
		}
	}
	last := recs[len(recs)-1]
	change := last
	change.Writer[0]++
	change.Data = make([]byte, store.MaxData)
	next := change
	next.Key.ID[0]++
	if err := s.Update(t.Context(), change, 1); !errors.Is(err, store.ErrFull) {
		t.Errorf("update on a full disk: %v", err)
	}
	if err := s.Rotate(t.Context(), last.Key, 1, next, nil); !errors.Is(err, store.ErrFull) {
		t.Errorf("rotate on a full disk: %v", err)
	}
	if _, err := s.Create(t.Context(), next, store.Admission{Max: 1, Evict: true}); !errors.Is(err, store.ErrFull) {
		t.Errorf("create with eviction on a full disk: %v", err)
	}
	for i := range recs {
		if _, _, err := s.Get(t.Context(), recs[i].Key); err != nil {
			t.Fatalf("get on a full disk: %v", err)
		}
	}
	if err := s.Touch(t.Context(), last, 0); err != nil {
		t.Errorf("touch on a full disk: %v", err)
	}
	if r, err := s.Revoke(t.Context(), "nobody yet", store.Selection{}); r.N != 0 || err != nil {
		t.Errorf("revoke of a user without sessions on a full disk: %v", err)
	}
	if _, err := s.Create(t.Context(), sample("nobody yet"), store.Admission{Began: time.Now().Add(-time.Minute)}); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("that revocation is forgotten: %v", err)
	}
	if r, err := s.Revoke(t.Context(), last.User, store.Selection{}); r.N == 0 || err != nil {
		t.Errorf("revoke on a full disk: %d, %v", r.N, err)
	}
	for i := range recs {
		if err := s.Delete(t.Context(), recs[i].Key); err != nil {
			t.Fatalf("delete on a full disk: %v", err)
		}
	}
	if err := create(5000); err != nil {
		t.Errorf("create after there was room again: %v", err)
	}
	if _, err := s.Sweep(t.Context(), 10); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if there, err := s.engine.disk.top().exists(reserveName); !there || err != nil {
		t.Errorf("the reserve is not filled again: %v", err)
	}
}
