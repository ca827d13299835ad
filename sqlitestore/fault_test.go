package sqlitestore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/sqlite"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// faulty is a connector whose connections fail at COMMIT as told.
type faulty struct {
	driver driver.Driver
	name   string
	fault  *atomic.Pointer[commitFault]
}

// commitFault is what the next COMMIT says, and whether it is done nevertheless.
type commitFault struct {
	err  error
	done bool
}

// coded is an engine's error as the driver shows it.
type coded int

func (coded) Error() string { return "secret text of a driver" }
func (c coded) Code() int   { return int(c) }

func (f *faulty) Driver() driver.Driver { return f.driver }
func (f *faulty) Connect(context.Context) (driver.Conn, error) {
	c, err := f.driver.Open(f.name)
	if err != nil {
		return nil, err
	}
	return &faultyConn{c, f.fault}, nil
}

type faultyConn struct {
	driver.Conn
	fault *atomic.Pointer[commitFault]
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	return &faultyTx{tx, c.fault}, err
}

type faultyTx struct {
	driver.Tx
	fault *atomic.Pointer[commitFault]
}

func (t *faultyTx) Commit() error {
	f := t.fault.Swap(nil)
	if f == nil {
		return t.Tx.Commit()
	}
	var err error
	if f.done {
		err = t.Tx.Commit()
	} else {
		err = t.Tx.Rollback()
	}
	return errors.Join(f.err, err)
}

// plain returns a store on one pool with nothing set but what waiting needs (and no durability, for
// speed): its BEGIN is deferred, and it may open any number of connections.
func plain(t testing.TB) (*sqlite.Store, *atomic.Pointer[commitFault]) {
	db, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{db.Driver(), "file:" + filepath.Join(t.TempDir(), "plain.db") + "?_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)", new(atomic.Pointer[commitFault])}
	db.Close()
	db = sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	st, err := sqlite.New(db, &sqlite.Options{Table: "other_name"})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st, f.fault
}

// TestPlainPool shows that the store relies on no setting of its connections.
func TestPlainPool(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Store { st, _ := plain(t); return st }, &storetest.Options{Tick: time.Microsecond})
}

// TestCommitFaults loses answers.
func TestCommitFaults(t *testing.T) {
	t.Parallel()
	st, fault := plain(t)
	for _, c := range []struct {
		what  string
		fault commitFault
		want  error
	}{
		{"lost answer", commitFault{driver.ErrBadConn, true}, store.ErrIndeterminate},
		{"lost commit", commitFault{errors.New("secret text"), false}, store.ErrIndeterminate},
		{"failed fsync", commitFault{coded(1034), true}, store.ErrIndeterminate},
		{"damaged file", commitFault{coded(11), false}, store.ErrIndeterminate},
		{"full disk", commitFault{coded(13), false}, store.ErrFull},
		{"held lock", commitFault{coded(5), false}, store.ErrUnavailable},
	} {
		rec := shareRecord("somebody")
		fault.Store(&c.fault)
		_, err := st.Create(t.Context(), rec, store.Admission{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: create answers %v, want %v", c.what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the driver's text: %v", c.what, err)
		}
		n := 0
		for _, s := range []error{store.ErrIndeterminate, store.ErrFull, store.ErrUnavailable, store.ErrCorrupt, store.ErrNotFound} {
			if errors.Is(err, s) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %v matches %d sentinels", c.what, err, n)
		}
		if _, _, err := st.Get(t.Context(), rec.Key); (err == nil) != c.fault.done {
			t.Errorf("%s: then get answers %v", c.what, err)
		}
		if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Errorf("%s: the same create again answers %v", c.what, err)
		}
	}
}

// TestBusy holds the file's lock from outside.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	st := openAt(t, path, nil)
	rec := shareRecord("somebody")
	if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	answers := make(chan error)
	for range 4 {
		go func() { answers <- st.Delete(ctx, rec.Key) }()
	}
	for range 4 {
		if err := <-answers; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("delete while another holds the lock: %v", err)
		}
	}
	if _, _, err := st.Get(t.Context(), rec.Key); err != nil {
		t.Errorf("get while another holds the lock: %v", err)
	}
	if err := st.Touch(t.Context(), rec, time.Hour); err != nil {
		t.Errorf("a touch that is not due, while another holds the lock: %v", err)
	}
	go func() { answers <- st.Delete(t.Context(), rec.Key) }()
	time.Sleep(50 * time.Millisecond)
	tx.Rollback()
	if err := <-answers; err != nil {
		t.Errorf("delete that waited for the lock: %v", err)
	}
}
