package sqlitestore_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// TestFull fills the store until it refuses, and then works on.
func TestFull(t *testing.T) {
	t.Parallel()
	t.Run("pages", func(t *testing.T) {
		fill(t, openAt(t, filepath.Join(t.TempDir(), "sessions.db"), &sqlitestore.Options{MaxBytes: 1 << 20}))
	})
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", dir).CombinedOutput(); err != nil {
			t.Skipf("NOT TESTED on a disk that is really full: mounting a small one needs root: %v: %s", err, out)
		}
		t.Cleanup(func() { exec.Command("umount", dir).Run() })
		fill(t, openAt(t, filepath.Join(dir, "sessions.db"), nil))
	})
}

func fill(t *testing.T, st store.Store) {
	ctx := t.Context()
	var recs []store.Record
	add := func(size int) error {
		rec := shareRecord(fmt.Sprint("user", len(recs)/4))
		rec.Data = make([]byte, size)
		for i := range rec.Data {
			rec.Data[i] = byte(i * size)
		}
		_, err := st.Create(ctx, rec, store.Admission{})
		if err == nil {
			recs = append(recs, rec)
		}
		return err
	}
	for size := 100 << 10; size >= 100; size /= 2 {
		err := error(nil)
		for err == nil {
			if err = add(size); len(recs) > 20000 {
				t.Fatal("it is never full")
			}
		}
		if !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrIndeterminate) {
			t.Fatalf("create where there is no room: %v", err)
		}
	}
	t.Logf("full with %d records", len(recs))
	for _, rec := range recs {
		got, _, err := st.Get(ctx, rec.Key)
		if err != nil || string(got.Data) != string(rec.Data) {
			t.Fatalf("get where there is no room: %v", err)
		}
	}
	big := recs[0]
	big.Data, big.Writer = make([]byte, store.MaxData), store.Writer{9}
	if err := st.Update(ctx, big, 1); !errors.Is(err, store.ErrFull) {
		t.Fatalf("update that needs room: %v", err)
	}
	small := recs[0]
	small.Lifetime, small.Writer, small.Data = 1, store.Writer{8}, nil
	if err := st.Update(ctx, small, 1); err != nil {
		t.Fatalf("update that ends its record where there is no room: %v", err)
	}
	for _, rec := range recs[1:3] {
		if err := st.Delete(ctx, rec.Key); err != nil {
			t.Fatalf("delete where there is no room: %v", err)
		}
	}
	if r, err := st.Revoke(ctx, recs[3].User, store.Selection{}); err != nil || r.N != 1 {
		t.Fatalf("revoke where there is no room: %d, %v", r.N, err)
	}
	for _, rec := range recs[:4] {
		if _, _, err := st.Get(ctx, rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("get of what was ended where there was no room: %v", err)
		}
	}
	for i := len(recs) - 1; i >= 4; i-- {
		if err := st.Delete(ctx, recs[i].Key); err != nil {
			t.Fatalf("delete number %d: %v", len(recs)-i, err)
		}
	}
	if err := add(50 << 10); err != nil {
		t.Fatalf("create after all was deleted: %v", err)
	}
}
