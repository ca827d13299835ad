package sqlitestore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

const (
	shareWriters = 8
	shareUsers   = 30
	shareAdds    = shareUsers // by each writer
	shareMax     = 3
)

func shareRecord(user string) store.Record {
	rec := store.Record{User: user, Key: store.Key{Tag: store.TagOf(user)}, Lifetime: time.Hour, Data: make([]byte, 8)}
	for i := 0; i < 32; i += 8 {
		binary.BigEndian.PutUint64(rec.Key.ID[i:], rand.Uint64())
	}
	copy(rec.Handle[:], rec.Key.ID[:])
	binary.BigEndian.PutUint64(rec.Writer[:], rand.Uint64()|1)
	return rec
}

func counter() store.Record {
	rec := shareRecord("counter")
	rec.Key.ID = store.ID{1}
	return rec
}

// share is the load of one process. It tells how many creates were accepted, and the longest write.
func share(ctx context.Context, st store.Store) (accepted int64, longest time.Duration, err error) {
	var wg sync.WaitGroup
	var accept, slowest atomic.Int64
	errs := make([]error, shareWriters)
	timed := func(f func() error) error {
		start := time.Now()
		err := f()
		for d := int64(time.Since(start)); ; {
			if old := slowest.Load(); d <= old || slowest.CompareAndSwap(old, d) {
				return err
			}
		}
	}
	for w := range shareWriters {
		wg.Go(func() {
			for i := range shareUsers {
				for added := false; !added; {
					rec, _, err := st.Get(ctx, counter().Key)
					if err == nil {
						n := binary.BigEndian.Uint64(rec.Data)
						rec.Data = binary.BigEndian.AppendUint64(nil, n+1)
						binary.BigEndian.PutUint64(rec.Writer[:], rand.Uint64()|1)
						err = timed(func() error { return st.Update(ctx, rec, rec.Version) })
					}
					if added = err == nil; err != nil && !errors.Is(err, store.ErrConflict) {
						errs[w] = err
						return
					}
				}
				err := timed(func() error {
					_, err := st.Create(ctx, shareRecord(fmt.Sprint("limited", i)), store.Admission{Max: shareMax})
					return err
				})
				if err == nil {
					accept.Add(1)
				} else if !errors.Is(err, store.ErrLimit) {
					errs[w] = err
					return
				}
				if _, err := st.Create(ctx, shareRecord(fmt.Sprint("evicting", i)), store.Admission{Max: shareMax, Evict: true}); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return accept.Load(), time.Duration(slowest.Load()), errors.Join(errs...)
}

func shareChild() {
	st, err := sqlitestore.Open(os.Getenv("SOJOURN_PATH"), nil)
	must(err)
	must(st.Migrate(context.Background())) // again
	fmt.Println("ready")
	n, longest, err := share(context.Background(), st)
	must(err)
	must(st.Close())
	fmt.Println(n, int64(longest))
}

// TestTwoProcesses loads one file from two processes at once.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	st := openAt(t, path, nil)
	if _, err := st.Create(t.Context(), counter(), store.Admission{}); err != nil {
		t.Fatal(err)
	}
	cmd, out := process(t, "share", path, "")
	if _, err := fmt.Fscanf(out, "ready\n"); err != nil {
		t.Fatal(err)
	}
	mine, longest, err := share(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(out)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	var theirs, theirLongest int64
	if _, err := fmt.Sscan(strings.TrimSpace(string(answer)), &theirs, &theirLongest); err != nil {
		t.Fatal(err)
	}
	rec, _, err := st.Get(t.Context(), counter().Key)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.BigEndian.Uint64(rec.Data); n != 2*shareWriters*shareAdds || rec.Version != n+1 {
		t.Errorf("of %d increments by two processes %d are left, at version %d", 2*shareWriters*shareAdds, n, rec.Version)
	}
	if mine+theirs != shareUsers*shareMax {
		t.Errorf("two processes were let in %d and %d times, want %d together", mine, theirs, shareUsers*shareMax)
	}
	for i := range shareUsers {
		for _, kind := range []string{"limited", "evicting"} {
			n := 0
			for _, err := range st.User(t.Context(), fmt.Sprint(kind, i)) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != shareMax {
				t.Errorf("%s%d has %d records, want %d", kind, i, n, shareMax)
			}
		}
	}
	t.Logf("accepted here %d, there %d; longest write here %v, there %v", mine, theirs, longest, time.Duration(theirLongest))
}
