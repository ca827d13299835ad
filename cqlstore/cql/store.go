package cql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Options tunes a [Store]. The zero Options is right for one data centre, or for sessions that are
// used in one only.
type Options struct {
	// Keyspace and Table name where the sessions lie: at most 48 letters, digits and underscores,
	// beginning with a letter, and lower-case ones for the keyspace. Empty means "sojourn" and
	// "sessions". Table "Sessions" is another one than "sessions".
	Keyspace string
	Table    string

	// ReplicationFactor has [Store.Migrate] create the keyspace, if it is not there, with that many
	// copies in each data centre. 0 means that the keyspace is there already, made by those who run
	// the cluster. Three is the least that lets a node fail; one is for trying out.
	ReplicationFactor int

	// Consistency is the level of reads, and of the commits of conditional writes: LocalQuorum (if
	// empty), Quorum or All. With LocalQuorum, what was ended in one data centre may be read in
	// others until replication has come there; Quorum closes that for the price of their distance.
	Consistency Consistency

	// SerialConsistency is the level at which conditional writes agree: Serial (if empty) or
	// LocalSerial. LocalSerial saves the way to other data centres, and is safe only if all writes
	// of one user come from one data centre: two of them would each accept a writer.
	SerialConsistency Consistency

	// ClockSkew is by how much the clocks of the cluster's nodes may differ, at most: the Skew of
	// the store's Traits. It is added on the refusing side where a sign-in is compared with a
	// revocation that it does not know of. 0 means 1 s.
	ClockSkew time.Duration

	// BoundClock binds the store's estimate of the engine's clock (the latest answer's, and the
	// monotonic time since) where a statement otherwise computes with the coordinator's own. It is
	// for engines whose CQL has no arithmetic, such as ScyllaDB. What ends may then be found a
	// moment later: the time that the latest answer took.
	BoundClock bool
}

// Store is a [store.Store] in a table of Cassandra or ScyllaDB. Make it with [New], or with that of
// the package for a driver.
type Store struct {
	*driver.Store
	e *engine
}

var _ store.Store = (*Store)(nil)

var (
	name      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)
	tableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,47}$`) // it is quoted
)

// New makes a Store over a driver. It opens nothing and creates nothing; see [Store.Migrate]. A
// driver that is an [io.Closer] is closed by [Store.Close]. It fails if the driver is missing or an
// option has no meaning.
func New(db Driver, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Keyspace == "" {
		o.Keyspace = "sojourn"
	}
	if o.Table == "" {
		o.Table = "sessions"
	}
	if o.Consistency == "" {
		o.Consistency = LocalQuorum
	}
	if o.SerialConsistency == "" {
		o.SerialConsistency = Serial
	}
	if o.ClockSkew == 0 {
		o.ClockSkew = time.Second
	}
	switch {
	case db == nil:
		return nil, errors.New("cqlstore: New needs a session")
	case !name.MatchString(o.Keyspace):
		return nil, errors.New("cqlstore: Options.Keyspace is not a name of at most 48 lower-case letters, digits and underscores")
	case !tableName.MatchString(o.Table):
		return nil, errors.New("cqlstore: Options.Table is not a name of at most 48 letters, digits and underscores")
	case o.ReplicationFactor < 0 || o.ClockSkew < 0:
		return nil, errors.New("cqlstore: Options.ReplicationFactor or ClockSkew is negative")
	case o.Consistency != LocalQuorum && o.Consistency != Quorum && o.Consistency != All:
		return nil, errors.New("cqlstore: Options.Consistency is none of LocalQuorum, Quorum and All")
	case o.SerialConsistency != Serial && o.SerialConsistency != LocalSerial:
		return nil, errors.New("cqlstore: Options.SerialConsistency is neither Serial nor LocalSerial")
	}
	e := &engine{db: db, opts: o, table: o.Keyspace + `."` + o.Table + `"`, spare: 60_000}
	e.clock.base = time.Now()
	e.locks.m = map[store.Tag]*turn{}
	return &Store{driver.New("cqlstore", e), e}, nil
}

// Close closes the session that Open of package cqlstore made, by [Close], which gives up after 10
// s. It does nothing for a Store from a New, whose session is the caller's. No method may be called
// after it. Errors: [context.DeadlineExceeded].
func (s *Store) Close() error {
	if c, ok := s.e.db.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Schema returns the statements that [Store.Migrate] executes, for those who run migrations of
// their own. Its compaction strategy is one that every version has; on Cassandra 5
// UnifiedCompactionStrategy does as well.
func (s *Store) Schema() string { return strings.Join(s.e.schema(), ";\n") + ";\n" }

func (e *engine) schema() []string {
	var sts []string
	if n := e.opts.ReplicationFactor; n > 0 {
		sts = append(sts, fmt.Sprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = "+
			"{'class': 'NetworkTopologyStrategy', 'replication_factor': %d}", e.opts.Keyspace, n))
	}
	return append(sts, "CREATE TABLE IF NOT EXISTS "+e.table+` (
  tag blob, id blob, guard blob STATIC, revoked bigint STATIC,
  ver bigint, writer blob, uid blob, handle blob, created bigint, life bigint, seen bigint, idle bigint, hor bigint,
  meta blob, data blob,
  PRIMARY KEY ((tag), id)
) WITH compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 864000`)
}

// Migrate creates the table, and the keyspace if Options.ReplicationFactor asks for it, where they
// are missing. It may run any number of times and loses nothing. It changes the schema only where
// something is missing; let one process do that, for Cassandra may not agree on a table that two
// nodes create at the same moment. Errors: store.ErrUnavailable.
func (s *Store) Migrate(ctx context.Context) error {
	err := store.FromContext(ctx)
	if err == nil {
		err = s.e.migrate(ctx)
	}
	return s.Fail("migrate", err)
}

func (e *engine) migrate(ctx context.Context) error {
	there := false
	var grace int64
	st := Statement{"SELECT gc_grace_seconds FROM system_schema.tables WHERE keyspace_name=? AND table_name=?",
		[]any{[]byte(e.opts.Keyspace), []byte(e.opts.Table)}}
	err := e.query(ctx, st, e.opts.Consistency, 1, []any{&grace}, func() bool { there = true; return false })
	if err != nil || there {
		return err
	}
	for _, text := range e.schema() {
		if err := e.db.Exec(ctx, text); err != nil {
			return fault(nil, err)
		}
		if err := e.db.AwaitSchemaAgreement(ctx); err != nil {
			return driver.Fault(nil, "the nodes do not agree about the schema", err)
		}
	}
	return nil
}
