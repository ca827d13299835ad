// Package sqlitestore opens an SQLite file as a session store: [sqlite] on the driver
// modernc.org/sqlite, which needs no C compiler.
//
//	st, err := sqlitestore.Open("sessions.db", nil)
//	...
//	defer st.Close()
//	err = st.Migrate(ctx)
//	...
//	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
//
// Everything that the store promises stands in package sqlite. Several processes of one machine may
// open the same file; a network file system will not do.
package sqlitestore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/sqlite"
	"github.com/sojourn-go/sojourn/store"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Table is the name of the table; see [sqlite.Options].
	Table string
	// Readers is the number of connections that read, besides the one that writes. Zero means 4.
	Readers int
	// Wait is for how long a write waits for another process; see [sqlite.Options].
	Wait time.Duration
	// MaxBytes bounds the size of the database file, without its log. What does not fit fails with
	// store.ErrFull; reading and deleting go on. Zero means no bound but the disk's.
	MaxBytes int64
	// NoReserve leaves out the file of 4 MiB beside the database ("-reserve") that is deleted when
	// the disk is full. Without it a full disk may refuse to end sessions.
	NoReserve bool
}

// Store is a [sqlite.Store] with connections of its own.
type Store struct {
	*sqlite.Store
	writer, readers *sql.DB
	reserve         reserve
}

var _ store.Store = (*Store)(nil)

// Open opens the file at path, which it creates, readable for its owner alone, if it is not there.
// Call Migrate before anything else, and Close at the end. It fails where the file cannot be opened
// or an option has no meaning.
func Open(path string, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Readers < 0 || o.MaxBytes < 0 {
		return nil, errors.New("sqlitestore: Options.Readers or MaxBytes is negative")
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	// SQLite would let everybody read it, and gives its log the same rights.
	f, err := os.OpenFile(abs, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	s := new(Store)
	if !o.NoReserve {
		s.reserve.path = abs + "-reserve"
	}
	if s.writer, err = pool(abs, 1, writing(&o)); err != nil {
		return nil, err
	}
	if s.readers, err = pool(abs, o.Readers, url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}); err != nil {
		return nil, errors.Join(err, s.writer.Close())
	}
	s.Store, err = sqlite.New(s.writer, &sqlite.Options{Table: o.Table, Readers: s.readers, Wait: o.Wait, MakeRoom: s.reserve.spend})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// writing returns the parameters of the connection that writes. The store waits for the lock
// itself, where it heeds contexts, so SQLite need not wait long.
func writing(o *Options) url.Values {
	v := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5)", "synchronous(FULL)", "wal_autocheckpoint(500)"}}
	if o.MaxBytes > 0 {
		v.Add("_pragma", fmt.Sprintf("max_page_count(%d)", max(o.MaxBytes/4096, 1)))
	}
	return v
}

// pool returns n connections, which stay.
func pool(path string, n int, params url.Values) (*sql.DB, error) {
	path = "/" + strings.TrimPrefix(filepath.ToSlash(path), "/") // C:/… on Windows
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: open: %w", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// Close closes the connections. No method may be called after it, nor run meanwhile.
func (s *Store) Close() error {
	// The last connection that closes copies the log into the file, and readers may not.
	return errors.Join(s.readers.Close(), s.writer.Close())
}
