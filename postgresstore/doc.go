// Package postgresstore keeps sessions in PostgreSQL, through database/sql and whatever driver the
// program brings, such as pgx/stdlib or lib/pq. Programs on pgx itself use package pgxstore, a
// module of its own, which runs the same statements with less work.
//
//	st, err := postgresstore.New(db, nil)
//	...
//	err = st.Migrate(ctx) // or print st.Schema() and run it yourself
//	...
//	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
//
// # How it works
//
// Each method is one statement, one trip, outside of transactions. So it works behind PgBouncer in
// transaction mode, and in each query mode of a driver, prepared or not. The statements stand in
// the folder sql, one file each. Gets that wait at the same moment share a statement, and so do
// Updates and Touches; each keeps its own outcome, context and deadline. See [Options.Lanes].
//
// Limits and revocations are exact with any number of processes: a row for each user, the guard,
// changes whenever that user's sessions are added to, moved or revoked. A statement that finds it
// changed has written nothing and runs again.
//
// The server's clock counts, in whole microseconds. Neither the time zone nor the isolation level
// of a session changes what a statement does. READ COMMITTED, the default, does best: above it,
// statements that meet are refused by the server and run again.
//
// Touches change no index and little else (heap-only updates), for which the table has room in its
// pages. Sweep goes by quarters of an hour. It may run in many processes at once.
//
// # What the server must do
//
// Migrate needs the right to create tables in the first schema of search_path, unless they are
// there. A revocation is as durable as the server's settings make it. With synchronous_commit =
// off, or an asynchronous standby that takes over, what was acknowledged last may be lost, a
// revocation too. The clocks of a server and of its standbys must be synchronised, or a revocation
// may not hold against sign-ins after the standby took over.
//
// Where the disk is full, writes fail with store.ErrFull, deletions too. After a lost connection a
// write fails with store.ErrIndeterminate, unless the driver says that it was never sent.
//
// Tested on PostgreSQL 15. CockroachDB, YugabyteDB and others with the same protocol are untested.
package postgresstore
