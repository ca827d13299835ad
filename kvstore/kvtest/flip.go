package kvtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

// Flip changes one byte of one file at a time, of those that match pattern, and opens the database
// again. Opening may fail. If it does not, each session must be read as it was or not at all, never
// changed or empty, and nothing may panic. It logs how the errors were told.
func Flip(t *testing.T, rounds int, pattern string, open Open) {
	t.Helper()
	dir := t.TempDir()
	all := make([]session, 300)
	err := opened(open, dir, func(s store.Store) {
		parallel(len(all), func(i int) {
			all[i] = session{User: "user", Size: 200}.moved()
			all[i].Key.Tag = store.TagOf("user")
			if _, err := s.Create(t.Context(), all[i].record(), store.Admission{}); err != nil {
				t.Error(err)
			}
		})
	})
	// Opening moves what is in the log into a table.
	if err = errors.Join(err, opened(open, dir, func(store.Store) {})); err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for round := range rounds {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files match %q: %v", pattern, err)
		}
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(copied, filepath.Base(files[below(len(files))]))
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at := below(len(b))
		b[at] ^= byte(1 + below(255))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		err = opened(open, copied, func(s store.Store) {
			for _, w := range all {
				told[reading(t, s, w)]++
			}
		})
		if err != nil {
			told["open or close fails"]++
		}
		if t.Failed() {
			t.Fatalf("round %d: byte %d of %s", round, at, filepath.Base(name))
		}
	}
	t.Log("sessions: ", told)
}

// opened runs f on a database that was opened, and gives the error of opening or closing.
func opened(open Open, dir string, f func(store.Store)) error {
	s, close, err := open(dir, store.Durable)
	if err != nil {
		return err
	}
	f(s)
	return close()
}

// reading says how a session of a damaged database is read.
func reading(t *testing.T, s store.Store, w session) string {
	rec, _, err := s.Get(t.Context(), w.Key)
	switch {
	case err == nil && (rec.Version != w.Version || rec.User != w.User || string(rec.Data) != string(content(w.Writer, w.Size))):
		t.Error("a session came back changed")
		return "changed"
	case err == nil:
		return "whole"
	}
	for _, want := range []error{store.ErrCorrupt, store.ErrUnavailable, store.ErrNotFound} {
		if errors.Is(err, want) {
			return fmt.Sprint(want)
		}
	}
	t.Error(err)
	return "?"
}
