// Package cql keeps sessions in an engine that speaks CQL, Cassandra or ScyllaDB, through whatever
// driver implements [Driver]. Programs use it through package cqlstore or gocqlv1.
//
// # What lies where
//
// One table. Its partition is the routing tag, so all records of a user lie in one, and there is no
// index beside it. Static columns hold the partition's guard, a random value that everything
// changes that adds records or moves them, and when the user's sessions were last revoked. Every
// write is conditional (a lightweight transaction), and what changes several rows is one
// conditional batch; plain writes never touch the table, and must not: the two kinds have different
// clocks.
//
// Create with a limit and Revoke read the partition, and write on condition that the guard is what
// they read. Rotate, and Create without a limit, change the guard without asking. So a limit is
// exact and nothing slips through a revocation, with any number of processes.
//
// A record ends at Created+Lifetime or Seen+Idle, whichever is first, in the coordinator's clock:
// conditions compute that with toUnixTimestamp(now()), and a read brings that clock with it. A
// cell's time to live is garbage collection only: an Update writes all cells with one, and a Touch
// that would pass it writes the record anew. Records that may live beyond January 2038, which the
// engine cannot count to by default, get none and stay when they have ended.
//
// Round trips: Get 1; Update 1, or 2 if the caller's record is not the stored one's kin; Touch 1 if
// it is due by the record that it is given, else a plain read; Create 1, or 2 with a limit or
// within 16 minutes of a revocation that it does not know of; Rotate 1; Delete 1; Revoke 2 for each
// thousand records. The first write of a Store asks for the engine's clock (1).
//
// # What the cluster must be like
//
//   - Nodes with synchronised clocks (NTP or the like). [Options.ClockSkew] says how far they may
//     be apart. A record may end that much later or earlier, depending on who is asked; and a
//     sign-in is refused that much longer after a revocation, unless it knows of it
//     (store.Admission.Known). The clocks of the processes that use the store do not matter.
//   - At least three replicas, or a node that is down takes its sessions along. With three, one may
//     fail.
//   - Repairs more often than gc_grace_seconds (10 days). A node that was down for longer must not
//     come back with its data: it could bring back what was ended.
//   - paxos_variant: v2 in cassandra.yaml, from 4.1. It halves the cost of conditional writes, and
//     keeps them safe while nodes come and go. Commits stay at Options.Consistency: less, which v2
//     would allow, and a read at quorum may not see what was ended.
//   - commitlog_sync: batch or group where all replicas may lose their power at once. With
//     periodic, the default, each may then forget the writes of its last 10 seconds, ends too. The
//     loss of fewer than a quorum loses nothing.
//   - The default partitioner (Murmur3).
//
// In several data centres, see [Options.Consistency] and [Options.SerialConsistency].
//
// # Outcomes
//
// Conditional writes are sent once, by the driver's own policies neither retried nor speculated on.
// Where an answer is lost or the outcome is unknown, the store sends the same write again, and
// knows it by its writer or guard if it was applied: up to 5 times, within the context. Only then
// it is store.ErrIndeterminate. Too few replicas, no connection and time-outs of reads are
// store.ErrUnavailable. Writers of one process take turns at a partition; those of several back
// off.
//
// # Damage
//
// The engine's own checksums guard what it keeps. Rows that no Store wrote are store.ErrCorrupt for
// Get, Update, Touch, Rotate and Create at their key; User and All yield all others first and the
// error last. They count in no limit. Delete and Revoke remove them.
//
// # ScyllaDB
//
// The statements keep to what both engines document, and the answers are read in the form of
// either, but no ScyllaDB was at hand to try it. Set [Options.BoundClock]. Tables with tablets take
// conditional writes from 2025.4 on; before, create the keyspace yourself with tablets =
// {'enabled': false}. It always syncs its log for conditional writes.
package cql
