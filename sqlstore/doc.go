// Package sqlstore keeps sessions in an SQL database, through database/sql. It needs nothing but the
// standard library; the program brings the driver. The dialects are [SQLite], [MySQL] and [Postgres]. Package
// sqlitestore, a module of its own, opens an SQLite file with a driver that needs no C compiler, package mysqlstore opens
// an address of MySQL or MariaDB, and package pgxstore does without database/sql.
//
//	st, err := sqlstore.New(db, sqlstore.SQLite(), &sqlstore.Options{Readers: readers})
//	...
//	err = st.Migrate(ctx) // or print st.Schema() and run it yourself
//
// # SQLite
//
// The database is in WAL mode, and each write is a transaction that takes SQLite's write lock before it
// looks. So limits and revocations are exact with any number of goroutines, and of processes on the same file, as
// long as these run on one machine and the file system is a local one.
//
// Connections need synchronous=FULL (SQLite's own default, but not every driver's) for ends to be durable
// before they are acknowledged, and a busy_timeout: some seconds for the readers, a few ms for the writers, since the
// store itself waits for the lock of another process, heeding contexts, for as long as [Options.Wait] says. It
// depends on no other setting. Writers of one process take turns, and those that wait share a
// transaction and its fsync, so one connection is enough for db; [Options.Readers] should have a few. Once a
// statement has begun it runs to its end, whatever its context: it takes a moment.
//
// Where the disk is full, Create, Update and Rotate fail with store.ErrFull. Deleting needs some room
// too, in the log; see [Options.MakeRoom].
//
// # PostgreSQL
//
// Each method is one statement, one trip, outside of transactions, so it works behind PgBouncer in transaction mode, in
// each query mode of a driver, prepared or not. Gets that wait at the same moment share a statement, and so do Updates and Touches;
// each keeps its own outcome, context and deadline, see [Options.Lanes] and package gather. Limits and revocations are
// exact with any number of processes.
//
// The server's clock counts, in whole microseconds. Neither the time zone nor the isolation level of a session changes what a statement
// does, but READ COMMITTED, the default, does best: above it, statements that meet are refused by the server and
// run again by the store. A revocation is as durable as the server's settings make it: with synchronous_commit = off,
// or an asynchronous standby that takes over, what was acknowledged last may be lost, a revocation too. The clocks of a server and of its
// standbys must be synchronised, or a revocation may not hold against sign-ins after the standby took over.
//
// Touches change no index and little else (heap-only updates), for which the table has room in its pages.
// Sweep goes by quarters of an hour; it may run in many processes at once.
//
// Migrate needs the right to create tables in the first schema of search_path, unless they are there. Where the disk is full,
// writes fail with store.ErrFull, deletions too. After a lost connection a write fails with
// store.ErrIndeterminate, unless the driver says that it was never sent.
//
// Tested on PostgreSQL 15. CockroachDB, YugabyteDB and others with the same protocol are untested.
//
// # MySQL and MariaDB
//
// Each method is one statement on InnoDB, one trip, outside of transactions. More are a user's first sign-in (three), a sign-in
// that was refused (two) or has to end others (six, and one for each), and records of more than 32 KiB, whose data has a table of its own
// so that a touch neither reads nor logs it (four). What a statement
// found it tells in its answer, by LAST_INSERT_ID. Gets that wait at the same moment share a statement, see [Options.Lanes].
// A statement that the server undoes for another's sake (1213, 1205, 1020) is sent again, so a deadlock reaches no caller
// before [Options.Wait] is over.
//
// The server's clock counts, in whole microseconds, in no time zone. Nothing depends on parseTime, loc, time_zone, clientFoundRows,
// interpolateParams, multiStatements, the collation of a connection or its sql_mode (but for MariaDB's
// EMPTY_STRING_IS_NULL, which is not supported), nor on the isolation level: READ COMMITTED is best, for above it sign-ins of different
// users may deadlock and go again. autocommit must be on, and max_allowed_packet have room for a record of 1 MiB; Migrate looks
// for both. Statements are prepared once for each connection, about 25 of them when all methods are in
// use: the server's max_prepared_stmt_count (16382 by default) must be enough for all connections of all processes.
// A *sql.DB keeps only two idle connections unless SetMaxIdleConns tells it otherwise.
//
// Migrate needs the right to create tables, and nothing needs rights over the whole server. Ends are as durable as innodb_flush_log_at_trx_commit and
// sync_binlog make them (1 by default in MySQL); a replica that takes over may lack the last ones, and its clock
// must be synchronised with the old server's for revocations to hold. Sessions that a Revoke ended stay
// as rows until the next Sweep. On a full disk writes fail with store.ErrFull, on a read-only server with store.ErrUnavailable. After a lost connection a
// write fails with store.ErrIndeterminate, unless the driver says that it was never sent.
//
// Tested on MariaDB 10.11 and MySQL 9. TiDB is untested; no statement uses what it lacks.
//
// # Time
//
// For SQLite the process's clock counts: the wall clock when the store was made, and from then on the
// monotonic one, read under the write lock. It starts no earlier than the last instant that is stored in the file, so
// that a machine whose clock was set back brings nothing back to life. Processes on one file share the
// machine's clock; one that was made after that was set back follows the others' writes, and may between them be behind.
// Instants are whole microseconds. A file that was written under a clock far ahead stays ahead: if nobody has it
// open, UPDATE sojourn_clock SET at = 0, sum = 0 lets it start again from the wall clock.
//
// # Damage
//
// SQLite has no checksums of its pages. Each row has two, over its key and header and over its data, so that
// what the store returns is what was stored: a damaged row is store.ErrCorrupt. But damage to the pages above the
// rows, or to a key, may hide rows, which then look as if they had ended; PRAGMA integrity_check finds that.
//
// # Other engines
//
// A dialect is a file. It holds the engine's statements and how it lays out a row, says what its error codes
// mean, and either uses the locked form, transactions that take a lock, read the
// clock, look and write, or overrides methods of it with a single statement.
package sqlstore
