// Package qsldb keeps sessions of package qsess in a goleveldb database, by package leveldbstore, whose comment says what
// a full disk or a failed write means. The sessions that the older library of this name has stored are not read.
package qsldb

import (
	"fmt"
	"io"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/leveldbstore"
)

// DefaultPruneIntervalSecs is how often expired sessions are deleted until Store.PruneInterval says otherwise.
const DefaultPruneIntervalSecs = 2 * 60

// NewGldbStore makes a Store in a database that the caller has opened. All keys begin with prefix and a zero byte, so the
// database may hold other things, and other Stores with other prefixes; it has at most 255 bytes, none of them zero. There must be one
// Store for a database and a prefix.
//
// It starts a goroutine that deletes expired sessions. Send to PruneKill of the Store before the database is closed; without
// that its next round fails, and says so on errLog, if that is not nil: a line for each failure, nothing else.
//
// cipherkeys are one or more, of 32 bytes each: the first seals cookies and tokens, all open them. Errors: qsess.ErrConfig, and
// then nothing was started.
func NewGldbStore(db *leveldb.DB, prefix []byte, errLog io.Writer, cipherkeys ...[]byte) (*qsess.Store, error) {
	if db == nil {
		return nil, fmt.Errorf("qsldb: %w: no database", qsess.ErrConfig)
	}
	keep, err := leveldbstore.New(db, &leveldbstore.Options{Prefix: string(prefix)})
	if err != nil {
		return nil, fmt.Errorf("qsldb: %w: %w", qsess.ErrConfig, err)
	}
	return qsess.NewPrunedStore(keep, errLog, cipherkeys...)
}
