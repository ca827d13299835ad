// Package store is the contract between sessions and the engines that keep them. Programs use it
// for what a store tells them: handles, errors, a [Selection] of sessions to end. Who writes a
// store implements [package driver], whose comment has the checklist, and [package storetest]
// proves it.
//
// # What a store is
//
// A store moves bytes and makes no policy: it knows nothing of tokens, cookies, lifetimes or
// encodings. It keeps [Record] values under a [Key] and gives each write one of few outcomes.
// Whatever must be atomic happens inside one [Tag], so an engine with partitions needs atomicity
// within a partition only: a user's records live in one Redis slot, one Cassandra partition, one
// primary-key prefix, one directory. There is no index of users beside it that could drift.
//
// # Wrappers
//
// Every method of a [Store] is required, [Traits] too. A wrapper that counts or delays calls embeds
// a Store and has all of them.
//
// # What a record may be found by
//
// By its key, and by its user. Whoever needs another way to a user's session, such as the session
// id of an identity provider, keeps it in Meta and looks through [Store].User: a user has few
// sessions, and an index of its own would have to change in the same step.
//
// [package driver]: https://pkg.go.dev/github.com/sojourn-go/sojourn/store/driver
// [package storetest]: https://pkg.go.dev/github.com/sojourn-go/sojourn/store/storetest
package store
