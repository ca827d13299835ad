// Package gocqlv1 is package cqlstore for the older import path of the driver,
// github.com/gocql/gocql: for programs that have such sessions already, and for ScyllaDB's own
// driver, a fork that knows the engine's shards and keeps that path. A program chooses the fork by
// a line in its own go.mod:
//
//	replace github.com/gocql/gocql => github.com/scylladb/gocql v1.19.0
//
// All else is as package cqlstore says. This package is tested with gocql v1.7.0 on Cassandra. With
// the fork v1.19.0 it has passed the same tests there, by hand; on ScyllaDB neither has run.
package gocqlv1

import (
	"context"
	"errors"

	"github.com/gocql/gocql"

	"github.com/sojourn-go/sojourn/cqlstore/cql"
)

// Options tunes a store; see [cql.Options]. The levels that it holds are in package cql.
type Options = cql.Options

// New makes a store on a session, as New of package cqlstore does; close the session by [Close] in
// the end. It fails if the session is missing or an option has no meaning.
func New(session *gocql.Session, opts *Options) (*cql.Store, error) {
	if session == nil {
		return cql.New(nil, opts)
	}
	return cql.New(driver{session}, opts)
}

// Close closes a session that the caller made, and waits for that no longer than 10 s, where the
// driver's own Close may wait for ever; see [cql.Close]. Errors: [context.DeadlineExceeded]. It
// does nothing for nil, which a session that could not be made is.
func Close(session *gocql.Session) error {
	if session == nil {
		return nil
	}
	return cql.Close(session)
}

// driver is gocql as the store sees it.
type driver struct{ *gocql.Session }

var levels = map[cql.Consistency]gocql.Consistency{
	cql.LocalQuorum: gocql.LocalQuorum, cql.Quorum: gocql.Quorum, cql.All: gocql.All,
	cql.Serial: gocql.Consistency(gocql.Serial), cql.LocalSerial: gocql.Consistency(gocql.LocalSerial),
}

// Query reads, by the session's own policies of retry and speculation.
func (d driver) Query(ctx context.Context, q cql.Query, dest []any, row func() bool) error {
	it := d.Session.Query(q.Text, q.Args...).Consistency(levels[q.Consistency]).PageSize(q.PageSize).Idempotent(true).WithContext(ctx).Iter()
	for it.Scan(dest...) && row() {
	}
	return it.Close()
}

// CAS sends conditional statements, once. The driver gives the answer's columns only together with
// its first row.
func (d driver) CAS(ctx context.Context, sts []cql.Statement, commit, serial cql.Consistency, dest map[string]any, row func()) (applied bool, err error) {
	// It takes for granted that the answer says whether it was applied.
	defer func() {
		if p := recover(); p != nil {
			applied, err = false, cql.ErrNoAnswer
		}
	}()
	level := gocql.SerialConsistency(levels[serial])
	if len(sts) == 1 {
		q := d.Session.Query(sts[0].Text, sts[0].Args...).Consistency(levels[commit]).SerialConsistency(level).
			RetryPolicy(nil).SetSpeculativeExecutionPolicy(gocql.NonSpeculativeExecution{}).Idempotent(false).DefaultTimestamp(false).WithContext(ctx)
		applied, err = q.MapScanCAS(fresh(dest))
		if err == nil {
			row()
		}
		return applied, err
	}
	b := d.NewBatch(gocql.LoggedBatch).WithContext(ctx).SerialConsistency(level).
		RetryPolicy(nil).SpeculativeExecutionPolicy(gocql.NonSpeculativeExecution{}).DefaultTimestamp(false)
	b.Cons = levels[commit]
	for _, st := range sts {
		b.Query(st.Text, st.Args...)
	}
	applied, it, err := d.MapExecuteBatchCAS(b, fresh(dest))
	if err != nil {
		return false, err
	}
	row()
	for it.MapScan(fresh(dest)) {
		row()
	}
	return applied, it.Close()
}

// fresh copies dest, for the driver overwrites the map with what it has scanned.
func fresh(dest map[string]any) map[string]any {
	m := make(map[string]any, len(dest)+2)
	for k, v := range dest {
		m[k] = v
	}
	return m
}

// Exec changes the schema.
func (d driver) Exec(ctx context.Context, text string) error {
	return d.Session.Query(text).RetryPolicy(nil).WithContext(ctx).Exec()
}

// Harmless knows the errors that the driver gives before it sends, and the server before it
// proposes.
func (driver) Harmless(err error) bool {
	var few *gocql.RequestErrUnavailable
	if errors.As(err, &few) {
		return few.Consistency == levels[cql.Serial] || few.Consistency == levels[cql.LocalSerial]
	}
	for _, e := range [...]error{gocql.ErrNoConnections, gocql.ErrNoStreams, gocql.ErrSessionClosed, gocql.ErrQueryArgLength, gocql.ErrTooManyStmts} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
