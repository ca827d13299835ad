package cql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Store]. The zero Options is right for one data centre, or for sessions that are used in
// one only.
type Options struct {
	// Keyspace and Table name where the sessions lie: lower-case letters, digits and underscores,
	// at most 48, beginning with a letter. Empty means "sojourn" and "sessions".
	Keyspace string
	Table    string

	// ReplicationFactor has [Store.Migrate] create the keyspace, if it is not there, with that many copies
	// in each data centre. 0 means that the keyspace is there already, made by those who run the cluster. Three is
	// the least that lets a node fail; one is for trying out.
	ReplicationFactor int

	// Consistency is the level of reads, and of the commits of conditional writes: LocalQuorum
	// (if empty), Quorum or All. With LocalQuorum, what was ended in one data centre may be read in
	// others until replication has come there; Quorum closes that for the price of their distance.
	Consistency Consistency

	// SerialConsistency is the level at which conditional writes agree: Serial (if empty) or LocalSerial. LocalSerial
	// saves the way to other data centres, and is safe only if all writes of one user come from one
	// data centre: two of them would each accept a writer.
	SerialConsistency Consistency

	// ClockSkew is by how much the clocks of the cluster's nodes may differ, at most. It is added on the refusing side where
	// a sign-in is compared with a revocation. 0 means 1 s.
	ClockSkew time.Duration

	// BoundClock binds the store's estimate of the engine's clock (the latest answer's, and the monotonic time since) where a statement
	// otherwise computes with the coordinator's own. It is for engines whose CQL has no arithmetic, such as
	// ScyllaDB. What ends may then be found a moment later: the time that the latest answer took.
	BoundClock bool
}

// Store is a [store.Store] in a table of Cassandra or ScyllaDB. Make it with [New], or with that of the
// package for a driver.
type Store struct {
	db    Driver
	opts  Options
	table string // with its keyspace
	clock clock
	locks locks
	spare int64 // ms that cells are kept beyond their need
}

var _ store.Store = (*Store)(nil)

var name = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// New makes a Store over a driver. It opens nothing and creates nothing; see [Store.Migrate]. It fails if the driver is
// missing or an option has no meaning.
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
	case !name.MatchString(o.Keyspace) || !name.MatchString(o.Table):
		return nil, errors.New("cqlstore: Options.Keyspace or Table is not a name of at most 48 lower-case letters, digits and underscores")
	case o.ReplicationFactor < 0 || o.ClockSkew < 0:
		return nil, errors.New("cqlstore: Options.ReplicationFactor or ClockSkew is negative")
	case o.Consistency != LocalQuorum && o.Consistency != Quorum && o.Consistency != All:
		return nil, errors.New("cqlstore: Options.Consistency is none of LocalQuorum, Quorum and All")
	case o.SerialConsistency != Serial && o.SerialConsistency != LocalSerial:
		return nil, errors.New("cqlstore: Options.SerialConsistency is neither Serial nor LocalSerial")
	}
	s := &Store{db: db, opts: o, table: o.Keyspace + "." + o.Table, spare: 60_000}
	s.clock.base = time.Now()
	s.locks.m = map[store.Tag]*turn{}
	return s, nil
}

// Schema gives the statements that [Store.Migrate] executes, for those who run
// migrations of their own. Its compaction strategy is one that every version has; on Cassandra 5
// UnifiedCompactionStrategy does as well.
func (s *Store) Schema() string { return strings.Join(s.schema(), ";\n") + ";\n" }

func (s *Store) schema() []string {
	var sts []string
	if n := s.opts.ReplicationFactor; n > 0 {
		sts = append(sts, fmt.Sprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': %d}", s.opts.Keyspace, n))
	}
	return append(sts, "CREATE TABLE IF NOT EXISTS "+s.table+` (
  tag blob, id blob, guard blob STATIC, revoked bigint STATIC,
  ver bigint, writer blob, uid blob, handle blob, created bigint, life bigint, seen bigint, idle bigint, hor bigint,
  meta blob, data blob,
  PRIMARY KEY ((tag), id)
) WITH compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 864000`)
}

// Migrate creates the table, and the keyspace if Options.ReplicationFactor asks for it, where they are missing. It may run any number of
// times and loses nothing. It changes the schema only where something is missing; let one process do
// that, for Cassandra may not agree on a table that two nodes create at the same moment. Errors: store.ErrUnavailable, ErrIndeterminate.
func (s *Store) Migrate(ctx context.Context) error {
	const op = "migrate"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	there := false
	var grace int64
	st := Statement{"SELECT gc_grace_seconds FROM system_schema.tables WHERE keyspace_name=? AND table_name=?", []any{[]byte(s.opts.Keyspace), []byte(s.opts.Table)}}
	err := s.db.Query(ctx, Query{Statement: st, Consistency: s.opts.Consistency, PageSize: 1}, []any{&grace}, func() bool { there = true; return false })
	if err != nil {
		return fail(op, s.judge(err, false))
	}
	if there {
		return nil
	}
	for _, text := range s.schema() {
		if err := s.db.Exec(ctx, text); err != nil {
			return fail(op, s.judge(err, true))
		}
	}
	return nil
}

// done gives an error the name of its operation.
func done(op string, err error) error {
	if err == nil {
		return nil
	}
	return fail(op, err)
}

// Create inserts rec as [store.Store] says. Errors: store.ErrExists, ErrLimit, ErrRevoked,
// ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (a store.Admitted, err error) {
	const op = "create"
	if err := store.FromContext(ctx); err != nil {
		return a, fail(op, err)
	}
	if err := store.CheckCreate(&rec, &adm); err != nil {
		return a, fail(op, err)
	}
	a, err = s.create(ctx, &rec, adm)
	return a, done(op, err)
}

// Get returns the live record at key and the store's present time: that of the node that answers. Errors: store.ErrNotFound,
// ErrUnavailable, ErrCorrupt.
func (s *Store) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	const op = "get"
	if err := store.FromContext(ctx); err != nil {
		return rec, now, fail(op, err)
	}
	c, err := s.look(ctx, key, s.opts.Consistency, true)
	if err != nil {
		return rec, now, fail(op, err)
	}
	if c.absent() {
		return rec, now, fail(op, store.ErrNotFound)
	}
	r, err := c.row(key)
	if err != nil {
		return rec, now, fail(op, err)
	}
	at := max(c.now, r.created, r.seen) // the node that wrote may have a clock ahead of the one that answers
	if !r.live(at) {
		return rec, now, fail(op, store.ErrNotFound)
	}
	return r.record(), time.UnixMilli(at).UTC(), nil
}

// Update replaces a record's Idle, Lifetime, Meta and Data as [store.Store] says. Errors:
// store.ErrConflict, ErrNotFound, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	const op = "update"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	if err := store.Check(&rec); err != nil {
		return fail(op, err)
	}
	return done(op, s.update(ctx, &rec, version(ifVersion)))
}

// version gives a version that the engine can hold; those beyond are nobody's.
func version(v uint64) int64 { return int64(min(v, math.MaxInt64-1)) }

// Touch sets a record's Seen as [store.Store] says. Errors: store.ErrNotFound, ErrUnavailable,
// ErrIndeterminate, ErrCorrupt.
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	const op = "touch"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	return done(op, s.touch(ctx, &rec, span(max(every, 0))))
}

// Rotate moves a record to a new key as [store.Store] says. Errors: store.ErrConflict, ErrNotFound,
// ErrExists, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	const op = "rotate"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	if err := store.CheckRotate(old, &rec, tail); err != nil {
		return fail(op, err)
	}
	return done(op, s.rotate(ctx, old, version(ifVersion), &rec, tail))
}

// Delete ends the record at key, if there is one; a damaged one too. Errors:
// store.ErrUnavailable, ErrIndeterminate.
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	const op = "delete"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	return done(op, s.delete(ctx, key))
}

// Revoke ends records of user as [store.Store] says. Without Only it also deletes the damaged
// records under the user's tag, uncounted. Errors: store.ErrInvalid, ErrUnavailable, ErrIndeterminate.
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	const op = "revoke"
	if err := store.FromContext(ctx); err != nil {
		return r, fail(op, err)
	}
	if err := errors.Join(store.CheckSelection(sel), store.CheckUser(user)); err != nil {
		return r, fail(op, err)
	}
	if user == "" {
		return r, nil
	}
	n, at, err := s.revoke(ctx, user, sel)
	if r.N = n; len(sel.Only) == 0 {
		r.At = time.UnixMilli(at).UTC()
	}
	return r, done(op, err)
}

// Traits say by how much the nodes' clocks may differ.
func (s *Store) Traits() store.Traits { return store.Traits{Skew: s.opts.ClockSkew} }

// Watch is not supported.
func (s *Store) Watch(context.Context, func(store.Ending)) error {
	return fail("watch", errors.ErrUnsupported)
}
