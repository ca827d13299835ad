// Package store is the contract between sessions and the engines that keep
// them. Users of sessions need it only to write a store of their own; this
// comment is the checklist for that, and [package storetest] proves it.
//
// # What a store is
//
// A store moves bytes and makes no policy: it knows nothing of tokens,
// cookies, lifetimes or encodings. It keeps [Record] values under a [Key] and
// gives each write one of few outcomes. Whatever must be atomic happens inside one
// [Tag], so an engine with partitions needs atomicity within a partition only:
// a user's records live in one Redis slot, one Cassandra partition, one
// primary-key prefix, one directory. There is no index of users beside it
// that could drift.
//
// # Checklist
//
//  1. Nothing is created by accident. Only Create and the new key of Rotate insert.
//     Update, Touch and Rotate require a live record, in the same atomic step as the write.
//  2. Ended means ended. What Delete, Revoke, Rotate or expiry ended is never
//     live again, whatever runs at the same time.
//  3. Compare and swap. Update and Rotate apply only to the expected version; of two
//     with the same one, exactly one is applied and the other gets [ErrConflict], or
//     [ErrNotFound] where the record is gone.
//  4. Retries are harmless. Writer is kept beside Version: a write sent twice
//     is recognised and answered nil.
//  5. One clock: the engine's (the process's own, if the store is in
//     it; there it must not jump, so measure with the monotonic clock). No
//     caller's instant is compared with it; see [Record] for the two that a caller may hand back.
//  6. Expired means absent for every method, at the very instant, swept or
//     not. An engine's own time-to-live is garbage collection, not truth. (A Touch or
//     Update that began before the instant may still win.)
//  7. Lives are exact to the store's tick and may be as long as [MaxLife] and as
//     short as a tick. Zero means no limit.
//  8. Bytes are never shared: copy what comes in before the call returns, hand out copies.
//     nil and empty byte slices are the same.
//  9. A user id is any bytes up to [MaxUser]. "user1" is not "user10", "a" is not "a\x00",
//     "" is nobody. Compare the id itself, not only its tag.
//  10. Limits and revocations are exact under any number of parallel Creates.
//  11. The ends (Delete, Revoke, Rotate, an Update that shortens) are durable
//     before they are acknowledged. A Touch need not be.
//  12. A context that has ended fails the call before anything is written; a store
//     that cannot tell returns [ErrIndeterminate]. See [FromContext].
//  13. Errors match one sentinel of this package (or [errors.ErrUnsupported]) through [errors.Is], and
//     never hold an ID, a user or data.
//  14. New opens nothing, starts no goroutine and creates no table. Migrate
//     makes schemas. The caller runs Sweep. Nothing logs, nothing panics.
//  15. Bad arguments are refused before any I/O by [Check], [CheckCreate],
//     [CheckRotate] and [CheckSelection].
//
// # Testing a store
//
// Eight lines run the whole kit:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) store.Store {
//			return mystore.New(...)
//		}, nil)
//	}
//
// [package storetest]: https://pkg.go.dev/github.com/sojourn-go/sojourn/store/storetest
package store
