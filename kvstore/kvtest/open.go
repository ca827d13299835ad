package kvtest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Closer is a store that is closed in the end.
type Closer interface {
	store.Store
	io.Closer
}

// OpenTwice checks a function that opens a directory for sessions: what it keeps is there when it
// is opened again, and a directory that is open already is refused with store.ErrUnavailable, in
// the words of [kvstore.NotOpened].
func OpenTwice(t *testing.T, open func(dir string) (Closer, error)) {
	dir := t.TempDir()
	rec := store.Record{Key: store.Key{ID: store.ID{1}}, Writer: store.Writer{1}, Lifetime: time.Hour}
	for _, again := range []bool{false, true} {
		st, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if again {
			_, _, err = st.Get(t.Context(), rec.Key)
		} else {
			_, err = st.Create(t.Context(), rec, store.Admission{})
		}
		if err != nil {
			t.Errorf("use of a store, opened again: %v: %v", again, err)
		}
		_, err = open(dir)
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "open "+dir) || !strings.Contains(err.Error(), "open already") {
			t.Errorf("opened twice: got %v, want what kvstore.NotOpened makes of a database in use", err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
