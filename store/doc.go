// Package store is the contract between sessions and the engines that keep them.
//
// Programs make a store with the package of an engine (memstore, diskstore, postgresstore,
// redisstore and so on) and hand it to sojourn.New. They need this package for what a store answers
// with: a [Handle], an error, the [Traits]. Who writes a store implements [package driver], whose
// comment has the checklist, and proves it by [package storetest].
//
// # What a store is
//
// A store moves bytes and makes no policy: it knows nothing of tokens, cookies, lifetimes or
// encodings. It keeps [Record] values under a [Key], and each write has one of few outcomes.
// Whatever must be atomic happens inside one [Tag], so an engine with partitions needs atomicity
// within a partition only: a user's records lie in one Redis slot, one Cassandra partition, one
// primary-key prefix, one directory. There is no index of users beside it that could drift.
//
// # Outcomes
//
// A method returns nil or an error that matches one sentinel with [errors.Is]. Three kinds differ
// in what to do next. [ErrNotFound], [ErrConflict], [ErrExists], [ErrLimit] and [ErrRevoked] say
// what the store found, [ErrInvalid], [ErrFull] and [ErrCorrupt] why it refused: sending the call
// again will not help. [ErrUnavailable] says that nothing was written: it may be sent again.
// [ErrIndeterminate] says that the answer was lost: sending the same write again is safe, since it
// is recognised by its Writer.
//
// # Ending a user's sessions
//
// A tool without a manager may list and end sessions by the store alone:
//
//	for rec, err := range st.User(ctx, "ada") {
//		...
//		fmt.Println(rec.Handle, rec.Seen)
//	}
//	_, err := st.Revoke(ctx, "ada", store.Selection{Only: []store.Handle{h}})
//
// # Moving to another store
//
// All yields every live record, and Get its data. Create in the other store keeps Created, Seen,
// Idle and Lifetime, so a session stays as old as it is. Give each record a new Writer.
//
// # Wrapping a store
//
// Every method of a [Store] is required, Traits too. A wrapper that counts or delays calls embeds a
// Store and has all of them.
//
// # Finding a record
//
// A record is found by its key and by its user. Whoever needs another way to a user's session, such
// as the session id of an identity provider, keeps it in Meta and looks through User: a user has
// few sessions, and an index of its own would have to change in the same step.
//
// [package driver]: https://pkg.go.dev/github.com/sojourn-go/sojourn/store/driver
// [package storetest]: https://pkg.go.dev/github.com/sojourn-go/sojourn/store/storetest
package store
