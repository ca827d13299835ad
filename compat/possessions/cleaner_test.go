package possessions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// failing is a store whose sweeps fail.
type failing struct{ store.Store }

var errBroken = errors.New("the disk is broken")

func (failing) Sweep(context.Context, int) (int, error) { return 0, errBroken }

// leftover puts an old face without a session into d's folder, which a cleaning removes.
func leftover(t *testing.T, d *DiskStorer, id string) string {
	t.Helper()
	file := filepath.Join(d.faces.root.Name(), id)
	ok(t, os.WriteFile(file, []byte(faceHead+"{}\n"), 0o600))
	old := time.Now().Add(-2 * faceYoung)
	ok(t, os.Chtimes(file, old, old))
	return file
}

// A cleaner that meets trouble says so, once a round, and goes on with the rest.
func TestCleanGoesOn(t *testing.T) {
	d := newDisk(t, time.Hour)
	inner := d.faces.Store
	d.faces.Store = failing{inner}
	t.Cleanup(func() { d.faces.Store = inner })
	var told []error
	d.OnCleanError = func(err error) { told = append(told, err) }
	file := leftover(t, d, "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6")
	d.Clean()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a failing sweep keeps the rest from being cleaned: %v", err)
	}
	if len(told) != 1 || !errors.Is(told[0], errBroken) || !strings.Contains(told[0].Error(), "possessions: clean:") {
		t.Errorf("the program is told %v", told)
	}
}

// A session whose files cannot be listed just now is not ended for it, nor does its text file go.
func TestCleanUnreadable(t *testing.T) {
	d := newDisk(t, time.Hour)
	var told []error
	d.OnCleanError = func(err error) { told = append(told, err) }
	const id = "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"
	ok(t, d.Set(t.Context(), id, `{"a":"1"}`))
	face := filepath.Join(d.faces.root.Name(), id)
	old := time.Now().Add(-2 * faceYoung)
	ok(t, os.Chtimes(face, old, old))
	dir, _, err := d.faces.files(id)
	ok(t, err)
	dir = filepath.Join(d.faces.root.Name(), dir)
	away := filepath.Join(t.TempDir(), "away")
	ok(t, os.Rename(dir, away))
	ok(t, os.Symlink(away, dir)) // which a root does not follow
	other := leftover(t, d, "0f0e0d0c-0b0a-4908-8706-050403020100")
	d.Clean()
	if _, err := os.Stat(face); err != nil {
		t.Errorf("its text file went: %v", err)
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("another's stays: %v", err)
	}
	if len(told) != 1 {
		t.Errorf("the program is told %v", told)
	}
	if _, err := d.Get(t.Context(), id); err == nil || IsNoSessionError(err) {
		t.Errorf("meanwhile Get gave %v", err)
	}
	ok(t, os.Remove(dir))
	ok(t, os.Rename(away, dir))
	if got, err := d.Get(t.Context(), id); got != `{"a":"1"}` || err != nil {
		t.Errorf("afterwards Get gave %q, %v", got, err)
	}
}

// What a sweep cannot delete does not keep it from the next batch.
func TestSweepGoesOn(t *testing.T) {
	answers := []struct {
		n   int
		err error
	}{{sweepBatch, errBroken}, {sweepBatch, nil}, {sweepBatch, errBroken}, {7, nil}}
	calls := 0
	err := sweep(t.Context(), func(context.Context, int) (int, error) {
		a := answers[calls]
		calls++
		return a.n, a.err
	})
	if calls != len(answers) || !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "1 errors more") {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// Without OnCleanError a line is written; a cleaner that is stopped in the middle of a round writes
// none.
func TestCleanLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		m := must(NewMemoryStorer(time.Hour, time.Minute))
		m.lines.out = &lines
		rounds := 0
		m.clean = func(ctx context.Context) error {
			if rounds++; rounds <= 3 {
				return errBroken
			}
			<-ctx.Done()
			return ctx.Err()
		}
		m.StartCleaner()
		time.Sleep(4*time.Minute + time.Second)
		m.StopCleaner()
		if n := strings.Count(lines.String(), "possessions: clean: the disk is broken\n"); n != 3 || n != strings.Count(lines.String(), "\n") {
			t.Errorf("the log of three failures: %s", lines.String())
		}
	})
}
