package cqlstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/cqlstore/cql"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/address"
)

type (
	// Options tunes a [Store]; see [cql.Options].
	Options = cql.Options
	// Store is a store in Cassandra or ScyllaDB; see [cql.Store].
	Store = cql.Store
)

var _ store.Store = (*Store)(nil)

// The levels that [Options] may hold.
const (
	LocalQuorum = cql.LocalQuorum
	Quorum      = cql.Quorum
	All         = cql.All
	Serial      = cql.Serial
	LocalSerial = cql.LocalSerial
)

// New makes a Store on a session, which the caller made and will close after the last call, by
// [Close]. It opens nothing and creates nothing; see [cql.Store.Migrate]. The session needs no
// keyspace. It fails if the session is missing or an option has no meaning.
func New(session *gocql.Session, opts *Options) (*Store, error) {
	if session == nil {
		return nil, errors.New("cqlstore: New needs a session")
	}
	return cql.New(driver{session}, opts)
}

// Open makes a Store for the cluster at an address, to which it connects:
//
//	cassandra://user:password@host:port,host:port/keyspace?replicas=3
//
// The keyspace is Options.Keyspace, and replicas Options.ReplicationFactor: the address counts
// where it has one. The driver is at its defaults, but prefers the nodes that have the data and
// repeats a read once; for other settings, such as TLS, make a session and call [New]. Call Migrate
// before anything else, and Close at the end. Errors, which do not show the address:
// [store.ErrUnavailable] if no node answers; an address or option without a meaning.
func Open(address string, opts *Options) (*Store, error) {
	cluster, o, err := parse(address, opts)
	if err == nil {
		_, err = cql.New(driver{}, &o) // options without a meaning are found before it connects
	}
	if err != nil {
		return nil, fmt.Errorf("cqlstore: open: %w", err)
	}
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("cqlstore: open: %w: %w", store.ErrUnavailable, err)
	}
	return cql.New(owned{driver{session}}, &o)
}

// parse reads an address, of what opts leave open.
func parse(text string, opts *Options) (cluster *gocql.ClusterConfig, o Options, err error) {
	if opts != nil {
		o = *opts
	}
	a, err := address.Parse(text)
	if err != nil {
		return nil, o, err
	}
	keyspace, query := strings.Trim(a.Path, "/"), a.Query()
	if keyspace != "" {
		o.Keyspace = keyspace
	}
	if n := query.Get("replicas"); n != "" {
		if o.ReplicationFactor, err = strconv.Atoi(n); err != nil {
			return nil, o, fmt.Errorf("replicas=%q is no number", n)
		}
	}
	delete(query, "replicas")
	if a.Scheme != "cassandra" || len(query) > 0 || a.Fragment != "" {
		return nil, o, errors.New("the address is not like cassandra://user:password@host:port,host:port/keyspace?replicas=3")
	}
	cluster = gocql.NewCluster(a.At("9042")...)
	if password, ok := a.User.Password(); ok {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: a.User.Username(), Password: password}
	}
	cluster.Timeout, cluster.ConnectTimeout = 5*time.Second, 10*time.Second
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	cluster.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 1} // of reads alone
	return cluster, o, nil
}

// owned is a session that Open has made.
type owned struct{ driver }

func (o owned) Close() error { return Close(o.Session) }

// Close closes a session that the caller made, and waits for that no longer than 10 s, where the
// driver's own Close may wait for ever; see [cql.Close]. Errors: [context.DeadlineExceeded]. It
// does nothing for nil, which a session that could not be made is.
func Close(session *gocql.Session) error {
	if session == nil {
		return nil
	}
	return cql.Close(session)
}

// driver is the apache driver as the store sees it.
type driver struct{ *gocql.Session }

var levels = map[cql.Consistency]gocql.Consistency{
	cql.LocalQuorum: gocql.LocalQuorum, cql.Quorum: gocql.Quorum, cql.All: gocql.All, cql.Serial: gocql.Serial, cql.LocalSerial: gocql.LocalSerial,
}

// Query reads. The session's own policies of retry and speculation hold, since nothing is written.
func (d driver) Query(ctx context.Context, q cql.Query, dest []any, row func() bool) error {
	it := d.Session.Query(q.Text, q.Args...).Consistency(levels[q.Consistency]).PageSize(q.PageSize).Idempotent(true).IterContext(ctx)
	for it.Scan(dest...) && row() {
	}
	return it.Close()
}

// CAS sends conditional statements, once.
func (d driver) CAS(ctx context.Context, sts []cql.Statement, commit, serial cql.Consistency, dest map[string]any, row func()) (bool, error) {
	var it *gocql.Iter
	if len(sts) == 1 {
		it = d.Session.Query(sts[0].Text, sts[0].Args...).Consistency(levels[commit]).SerialConsistency(levels[serial]).
			RetryPolicy(nil).SetSpeculativeExecutionPolicy(gocql.NonSpeculativeExecution{}).Idempotent(false).DefaultTimestamp(false).
			NoSkipMetadata().IterContext(ctx) // the columns of the answer depend on the outcome
	} else {
		b := d.Session.Batch(gocql.LoggedBatch).Consistency(levels[commit]).SerialConsistency(levels[serial]).
			RetryPolicy(nil).SpeculativeExecutionPolicy(gocql.NonSpeculativeExecution{}).DefaultTimestamp(false)
		for _, st := range sts {
			b.Query(st.Text, st.Args...)
		}
		it = b.IterContext(ctx)
	}
	applied, answered := false, false
	into := make([]any, 0, 16)
	for _, col := range it.Columns() {
		switch to, known := dest[col.Name]; {
		case col.Name == "[applied]":
			into = append(into, &applied)
		case known:
			into = append(into, to)
		default:
			into = append(into, new([]byte)) // the partition's key
		}
	}
	for it.Scan(into...) {
		answered = true
		row()
	}
	if err := it.Close(); err != nil {
		return false, err
	}
	if !answered {
		return false, cql.ErrNoAnswer
	}
	return applied, nil
}

// Exec changes the schema.
func (d driver) Exec(ctx context.Context, text string) error {
	return d.Session.Query(text).RetryPolicy(nil).ExecContext(ctx)
}

// Harmless knows the errors that the driver gives before it sends, and the server before it
// proposes.
func (driver) Harmless(err error) bool {
	var few *gocql.RequestErrUnavailable
	if errors.As(err, &few) {
		return few.Consistency == gocql.Serial || few.Consistency == gocql.LocalSerial
	}
	for _, e := range [...]error{gocql.ErrNoConnections, gocql.ErrNoStreams, gocql.ErrSessionClosed, gocql.ErrTooManyStmts} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
