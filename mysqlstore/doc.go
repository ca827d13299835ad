// Package mysqlstore keeps sessions in MySQL 8 and 9 or in MariaDB 10.11 and later, with the driver
// github.com/go-sql-driver/mysql.
//
//	st, err := mysqlstore.Open("mysql://user:password@db.example.com/shop", nil)
//	...
//	defer st.Close()
//	err = st.Migrate(ctx)
//	...
//	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
//
// A program that has a *sql.DB already hands it to [New].
//
// # How it works
//
// Each method is one statement on InnoDB, one trip, outside of transactions. More are a user's
// first sign-in (three), a sign-in that was refused (two) or has to end others (six, and one for
// each), and records of more than 32 KiB, whose data has a table of its own so that a touch neither
// reads nor logs it (four). The statements stand in the folder sql, one file each. The answer of
// a statement says what it found, by LAST_INSERT_ID. Gets that wait at the same moment share a
// statement; see [Options.Lanes].
//
// Limits and revocations are exact with any number of processes: a row for each user, the guard, is
// locked by whatever adds to that user's sessions, moves or revokes them. A statement that the
// server rolls back so that others can go on (errors 1213, 1205, 1020) is sent again, so a deadlock
// reaches no caller before [Options.Wait] is over.
//
// The server's clock counts, in whole microseconds, in no time zone. Nothing depends on parseTime,
// loc, time_zone, clientFoundRows, interpolateParams, multiStatements, the collation of a
// connection or its sql_mode (but for MariaDB's EMPTY_STRING_IS_NULL, which is not supported), nor
// on the isolation level. READ COMMITTED is best: above it sign-ins of different users may deadlock
// and go again.
//
// # What the server must do
//
// Migrate needs the right to create tables, and nothing needs rights over the whole server.
// autocommit must be on, and max_allowed_packet have room for a record of 1 MiB; Migrate looks for
// both. Statements are prepared once for each connection, about 25 of them when all methods are in
// use: the server's max_prepared_stmt_count (16382 by default) must be enough for all connections
// of all processes. A *sql.DB keeps only two idle connections unless SetMaxIdleConns says
// otherwise.
//
// Ends are as durable as innodb_flush_log_at_trx_commit and sync_binlog make them (1 by default in
// MySQL). A replica that takes over may lack the last ones, and its clock must be synchronised with
// the old server's for revocations to hold. Sessions that a Revoke ended stay as rows, without
// their data, until the next Sweep.
//
// On a full disk writes fail with store.ErrFull, on a read-only server with store.ErrUnavailable.
// After a lost connection a write fails with store.ErrIndeterminate, unless the driver says that it
// was never sent.
//
// Tested on MariaDB 10.11 and MySQL 9. TiDB is untested; no statement uses what it lacks.
package mysqlstore
