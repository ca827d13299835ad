// Package redisstore keeps sessions in Redis 7.0 or later or in Valkey: one server, Sentinel or
// Cluster, through the client rueidis. For programs that hold a go-redis client there is package
// redisstore/goredis.
//
//	st, err := redisstore.Open("redis://localhost:6379", nil)
//	...
//	defer st.Close()
//	warnings, err := st.Check(ctx) // what this server could lose
//	...
//	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
//
// A program that has a client already gives it to [New].
//
// # How it works
//
// A record is one string under a name like "sojourn:{TAG}:s:ID", with a time-to-live. A user's
// records share their tag, which a cluster keeps on one node, and the user has an index there, a
// sorted set, and for 16 minutes after a revocation a guard. Each write is a script, which Redis
// runs alone: so limits and revocations are exact among any number of processes, and each call is
// one trip. Before a script's first use the store asks a server for its name, and a server that
// does not know a script yet is sent its text: a trip more each. Reads are a plain GET. All ask the
// master.
//
// Time is Redis's own, in whole milliseconds; the clocks of the program's machines do not matter.
// Redis drops what has expired, so Sweep has nothing to do.
//
// Every call may be sent again, by a client too: what was applied is recognised. A call that Redis
// refuses for a moment (a slot that moves, a server that starts) is tried again for a quarter of a
// second, within its context. An answer that is lost is store.ErrIndeterminate for writes.
//
// # What the server must do
//
//   - maxmemory-policy noeviction. Any other may drop a user's index, and then Revoke does not see
//     that user's sessions. With noeviction a full memory is store.ErrFull for Create, Rotate and
//     growing Updates; reading, touching and ending go on.
//   - appendonly yes; with appendfsync always what was acknowledged outlives a power cut, with
//     everysec about the last second is lost, and an ended session of that second is live again.
//   - The client must not send reads to replicas, which may be behind. This package asks masters;
//     only cached reads (see [Options].CacheFor) go where rueidis's SendToReplicas says, so do not
//     set it together with them.
//
// The client's user needs EVALSHA, EVAL, GET and, on the keys of the prefix, what the scripts call;
// WAIT for [Options].WaitReplicas; SCAN, TIME, ROLE and GETRANGE for All; ROLE and INFO for
// [Store.Check]; for both CLUSTER NODES, too, where a node of a cluster cannot be asked. A write
// for which a permission is missing is store.ErrIndeterminate, since a script may have written
// before it came to that command.
//
// # What fail-over can lose
//
// Replication is asynchronous. If a master dies, or is cut off, the replica that takes its place
// may lack the last writes that were acknowledged: new sessions and changes are gone, and what was
// ended in that moment is live again. [Options].WaitReplicas closes that for Revoke, Delete and
// Rotate as far as Redis can: such a call is acknowledged only when so many replicas have it.
// Together with min-replicas-to-write 1 and a short min-replicas-max-lag, a master that is cut off
// stops taking writes, too. A replica without the write may still be chosen if those that had it
// are lost as well.
//
// After a fail-over, or when a slot has moved, another server's clock counts. The servers' clocks
// must be synchronised (NTP or the like): a record ends earlier or later by their difference, and
// [Options].ClockSkew, 1 s with Sentinel and in a cluster, must be no less than it, or a sign-in
// that began before a Revoke may pass. A sign-in that begins within ClockSkew after a Revoke is
// refused, unless it knows of it (store.Admission.Known) or its age is 0.
//
// # Cached reads
//
// With [Options].CacheFor a read costs no trip at all if the same session was read by this process
// a moment before. The server tells the client of each change, so an end is seen after about one
// trip; where the message is lost or late, after CacheFor at most, counted from the sending of the
// read. Set ClientOption.Dialer.KeepAlive to 250 ms and ConnWriteTimeout to 1 s, so that a dead
// connection is noticed as fast. [Fresh] reads past the cache for what must be exact. A store that
// has written to a user's session reads that user's past the cache until older copies are over.
package redisstore
