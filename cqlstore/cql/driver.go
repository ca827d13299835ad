package cql

import (
	"context"
	"errors"
)

// Driver is what a [Store] needs of a CQL driver. Its methods are safe for concurrent use, heed the
// context, and return the driver's errors as they are: the store classes them. An error that the
// server sent has a method Code() int with the number of the native protocol.
type Driver interface {
	// Query reads. Before each call of row it has scanned a row into dest, whose elements are
	// *[]byte, *int64 and **int64 (nil for null). It ends early when row returns false. It may
	// retry by itself: nothing is written.
	Query(ctx context.Context, q Query, dest []any, row func() bool) error

	// CAS executes one conditional statement, or several as one logged batch: once. It must neither
	// retry nor speculate, and sends no timestamp of its own. Before each call of row it has
	// scanned an answered row into those elements of dest that the row has a column for; row resets
	// them.
	CAS(ctx context.Context, sts []Statement, commit, serial Consistency, dest map[string]any, row func()) (applied bool, err error)

	// Exec executes a statement of the schema.
	Exec(ctx context.Context, text string) error

	// AwaitSchemaAgreement waits until the nodes agree about the schema.
	AwaitSchemaAgreement(ctx context.Context) error

	// Harmless reports whether an error of CAS means that surely nothing was written: the request never left
	// this process, or the server found too few replicas for the serial level, which it looks for
	// first. (Too few for the commit's level may mean that Paxos has decided already.)
	Harmless(err error) bool
}

// ErrNoAnswer is the error of a CAS whose answer does not say whether it was applied.
var ErrNoAnswer = errors.New("cqlstore: a conditional statement was not answered as one")

// Statement is one CQL statement. Its arguments are of type []byte (nil is null), int64, nil, or
// int for a time to live.
type Statement struct {
	Text string
	Args []any
}

// Query is a statement that reads.
type Query struct {
	Statement
	Consistency Consistency // a serial one reads through Paxos
	PageSize    int         // rows
}

// Consistency is a level's name in CQL.
type Consistency string

// The levels that a [Store] may be given. Lower ones would not see what was ended.
const (
	LocalQuorum Consistency = "LOCAL_QUORUM"
	Quorum      Consistency = "QUORUM"
	All         Consistency = "ALL"
	Serial      Consistency = "SERIAL"       // of conditional writes, over all data centres
	LocalSerial Consistency = "LOCAL_SERIAL" // of conditional writes, within the coordinator's data centre
)
