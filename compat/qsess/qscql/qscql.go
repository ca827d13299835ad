// Package qscql keeps sessions of package qsess in Cassandra, by package cqlstore, whose package
// cql says what a cluster must be like; with its fork of gocql in ScyllaDB too, where it is not
// tested. The sessions that the older library of this name has stored are not read.
package qscql

import (
	"context"
	"fmt"

	"github.com/gocql/gocql"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/cqlstore/gocqlv1"
)

// NewCqlStore makes a Store in the keyspace of a session that the caller made. table is the name of
// its table, which is created if it is not there: lower-case letters, digits and underscores, at
// most 48, beginning with a letter. A table of the older library's cannot be used: choose another
// name.
//
// uidIndex and uidToClient said how the sessions of a user are found. They always lie in one
// partition now, by a hash of the user id: there is no index, and no user id goes to the client.
// Both are accepted, in every combination, and mean nothing.
//
// After Session.DeleteByUserID the user's sign-ins in other processes are refused for a second,
// with sojourn.ErrRevoked, because the nodes' clocks may differ. In this process, by Stores with
// the same AuthType and CookieName, sessions that NewSession makes afterwards are accepted at once.
//
// The engine expires sessions by itself, so nothing is started, and PruneInterval and PruneKill of
// the Store are nil.
//
// cipherkeys are one or more, of 32 bytes each: the first seals cookies and tokens, all open them.
// Errors: qsess.ErrConfig, outages.
func NewCqlStore(gs *gocql.Session, table string, uidIndex bool, uidToClient bool, cipherkeys ...[]byte) (*qsess.Store, error) {
	if gs == nil || table == "" {
		return nil, fmt.Errorf("qscql: %w: no session, or no table", qsess.ErrConfig)
	}
	keyspace := gs.Query("").Keyspace()
	if keyspace == "" {
		return nil, fmt.Errorf("qscql: %w: the session has no keyspace", qsess.ErrConfig)
	}
	keep, err := gocqlv1.New(gs, &gocqlv1.Options{Keyspace: keyspace, Table: table})
	if err != nil {
		return nil, fmt.Errorf("qscql: %w: %w", qsess.ErrConfig, err)
	}
	look := func(ctx context.Context) ([]string, error) { return columns(ctx, gs, keyspace, table) }
	if err := qsess.Migrate(keep, look, cipherkeys...); err != nil {
		return nil, fmt.Errorf("qscql: %w", err)
	}
	return qsess.NewStoreOver(keep, cipherkeys...)
}

// columns returns the names of a table's columns, none if there is no such table.
func columns(ctx context.Context, gs *gocql.Session, keyspace, table string) (names []string, err error) {
	it := gs.Query("SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?", keyspace, table).WithContext(ctx).Iter()
	for name := ""; it.Scan(&name); {
		names = append(names, name)
	}
	return names, it.Close()
}
