// Package door is how compat/door reaches into sessions: the root package fills its variables in.
package door

// Fail and Refresh act on a session of the root package, which is of type *sojourn.Session.
var (
	Fail    func(session any, err error)
	Refresh func(session any)
)
