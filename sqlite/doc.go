// Package sqlite keeps sessions in an SQLite file, through database/sql. It needs nothing but the
// standard library; the program brings the driver. Package sqlitestore, a module of its own, opens
// a file with a driver that needs no C compiler.
//
//	st, err := sqlite.New(db, &sqlite.Options{Readers: readers})
//	...
//	err = st.Migrate(ctx) // or print st.Schema() and run it yourself
//
// # Connections
//
// The database is in WAL mode, and each write is a transaction that takes SQLite's write lock
// before it looks. So limits and revocations are exact with any number of goroutines, and of
// processes on the same file, as long as these run on one machine and the file system is a local
// one.
//
// Connections need synchronous=FULL (SQLite's own default, but not every driver's) for ends to be
// durable before they are acknowledged, and a busy_timeout: some seconds for the readers, a few ms
// for the writers, since the store itself waits for the lock of another process, heeding contexts,
// for as long as [Options.Wait] says. It depends on no other setting. Writers of one process take
// turns, and those that wait share a transaction and its fsync, so one connection is enough for db;
// [Options.Readers] should have a few. Once a statement has begun it runs to its end, whatever its
// context: it takes a moment.
//
// Where the disk is full, Create, Update and Rotate fail with store.ErrFull. Deleting needs some
// room too, in the log; see [Options.MakeRoom].
//
// # Time
//
// The process's clock counts: the wall clock when the store was made, and from then on the
// monotonic one, read under the write lock. It starts no earlier than the last instant that is
// stored in the file, so that a machine whose clock was set back brings nothing back to life.
// Processes on one file share the machine's clock; one that was made after that was set back
// follows the others' writes, and may between them be behind. Instants are whole microseconds. A
// file that was written under a clock far ahead stays ahead: if nobody has it open, UPDATE
// sojourn_clock SET at = 0, sum = 0 lets it start again from the wall clock.
//
// # Damage
//
// SQLite has no checksums of its pages. Each row has two, over its key and header and over its
// data, so that what the store returns is what was stored: a damaged row is store.ErrCorrupt.
// Delete and Revoke remove it, and Sweep when its end has come, by the column exp; no copy is kept.
// Damage to a page that SQLite finds itself is store.ErrUnavailable: who knows what else lies
// there. But damage to the pages above the rows, or to a key, may hide rows, which then look as if
// they had ended; PRAGMA integrity_check finds that.
package sqlite
