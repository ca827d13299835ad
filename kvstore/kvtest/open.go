package kvtest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// OpenTwice checks a function that opens a directory for sessions: what it keeps is there when it is opened again, and a
// directory that is open already is refused in words.
func OpenTwice(t *testing.T, open func(dir string) (store.Store, io.Closer, error)) {
	dir := t.TempDir()
	rec := store.Record{Key: store.Key{ID: store.ID{1}}, Writer: store.Writer{1}, Lifetime: time.Hour}
	for _, again := range []bool{false, true} {
		st, closer, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if again {
			_, _, err = st.Get(t.Context(), rec.Key)
		} else {
			_, err = st.Create(t.Context(), rec, store.Admission{})
		}
		if err != nil {
			t.Errorf("opened again: %v; %v", again, err)
		}
		_, _, err = open(dir)
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), dir+": ") || !strings.Contains(err.Error(), "open already") {
			t.Errorf("opened twice: %v", err)
		}
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	}
}
