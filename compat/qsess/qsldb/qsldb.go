// Package qsldb keeps sessions of package qsess in a goleveldb database, by package leveldbstore,
// whose comment says what a full disk or a failed write means. The sessions that the older library
// of this name has stored are not read.
package qsldb

import (
	"fmt"
	"io"
	"strings"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/leveldbstore"
	"github.com/sojourn-go/sojourn/store"
)

// DefaultPruneIntervalSecs is how often expired sessions are deleted until Store.PruneInterval says
// otherwise.
const DefaultPruneIntervalSecs = 2 * 60

// NewGldbStore makes a Store in a database that the caller has opened. All its keys begin with
// prefix, escaped, and a zero byte, so the database may hold other things, and other Stores with
// other prefixes, also where one prefix begins another. There must be one Store for a database and
// a prefix.
//
// prefix may hold any bytes, as numbers of tables do. In keys a zero byte of it is FD 80, and FD is
// FD FD, in hexadecimal, so the keys of a prefix that begins with a zero byte begin with FD.
// Escaped it has at most 255 bytes.
//
// It starts a goroutine that deletes expired sessions. Send to PruneKill of the Store before the
// database is closed; without that its next round fails, and says so on errLog, if that is not nil:
// a line for each failure, nothing else.
//
// A power cut loses what the last seconds have changed in sessions, and sessions without a user id,
// as with the older library. Sign-ins and ends wait for the disk. [NewGldbStoreWith] has other
// settings.
//
// cipherkeys are one or more, of 32 bytes each: the first seals cookies and tokens, all open them.
// Errors: qsess.ErrConfig, and then nothing was started.
func NewGldbStore(db *leveldb.DB, prefix []byte, errLog io.Writer, cipherkeys ...[]byte) (*qsess.Store, error) {
	return NewGldbStoreWith(store.Relaxed, db, prefix, errLog, cipherkeys...)
}

// NewGldbStoreWith is [NewGldbStore] with another setting of what waits for the disk:
// [store.Durable], where every Save does, or [store.Relaxed].
func NewGldbStoreWith(d store.Durability, db *leveldb.DB, prefix []byte, errLog io.Writer, cipherkeys ...[]byte) (*qsess.Store, error) {
	if db == nil {
		return nil, fmt.Errorf("qsldb: %w: no database", qsess.ErrConfig)
	}
	keep, err := leveldbstore.New(db, &leveldbstore.Options{Prefix: escape.Replace(string(prefix)), Durability: d})
	if err != nil {
		return nil, fmt.Errorf("qsldb: %w: %w", qsess.ErrConfig, err)
	}
	return qsess.NewPrunedStore(keep, errLog, cipherkeys...)
}

// escape makes prefixes without zero bytes, different ones of different ones. FD stands in no text
// in UTF-8, and a program that numbers its tables in one byte hardly has so many. The bytes behind
// it are none of those that the older library has behind a prefix.
var escape = strings.NewReplacer("\x00", "\xfd\x80", "\xfd", "\xfd\xfd")
