// Package qsess is the API of the older library of this name over Sojourn: a program moves by
// changing its import paths (docs/moving.md shows how, and what differs), and loses the old
// defects.
//
//	sessions, err := qsess.NewMapStore(key) // qsldb, qspgx, qsmy and qscql have the databases
//	...
//	s := sessions.NewSession(userID)         // sign in
//	err = s.Save(w)
//	...
//	s, ttl, err := sessions.GetSession(w, r) // any later request
//	err = s.Save(w)                          // after changing s.Data, or to refresh
//	...
//	err = s.Delete(w)                        // sign out
//
// New programs use package sojourn itself: typed values, automatic saving, lists of devices and
// everything else that this API has no words for.
//
// # How it maps
//
// A [Store] holds a sojourn.Manager, made when the Store is first used: set its fields before that,
// and not while it is in use. Sessions slide: they end MaxAgeSecs after they were last saved. A
// Save of what has not changed is a touch, and writes no data. The client carries a token of
// Sojourn's, which refers to one record of one table, and is bound to the Store's AuthType and
// cookie name. So two Stores with one key do not open each other's sessions if they have different
// tables, or in one table different cookie names, or one cookies and the other tokens. Over
// back-ends of the program's own the table does not count: see [NewStore].
//
// A Store may be used by many goroutines. A [Session] belongs to one request.
//
// # Overlapping requests
//
// Nothing is lost silently. A Save that changes nothing refreshes, and keeps what others have saved
// meanwhile. A Save of changed Data over Data that another request has changed meanwhile asks the
// Data to take in the other's changes if it is a [Merger], as [VarMap] is, key by key; else it
// fails with [ErrConflict] and writes nothing: load the session again and repeat the change. A Save
// of a session that was deleted, revoked or has expired fails with [ErrNoSession] and never brings
// it back.
//
// # Errors
//
// [ErrNoSession] is the one error that means "not signed in". Everything else leaves it open,
// outages above all: they match sojourn.ErrUnavailable or sojourn.ErrIndeterminate
// (sojourn.IsOutage tells), and are answered with status 503. No error holds a token, a user id or
// data, unless the program's own types and callbacks put them there.
package qsess
