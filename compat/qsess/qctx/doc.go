// Package qctx is the middleware of the older library of this name: handlers with one argument, a
// [Ctx], stacks of middleware, and sessions of package qsess in them.
//
//	mw := qctx.MwStack(qctx.MwRecovery(os.Stderr, true, false), qctx.MwLogger(os.Stderr, false))
//	http.Handle("/hello", mw.Handle(func(c *qctx.Ctx) { fmt.Fprint(c.W, "hello") }))
//
//	members := mw.Append(qctx.MwRequireSess(sessions))
//	http.Handle("/account", members.Handle(account)) // c.Sess is the session
//
// It works with net/http. Programs with httprouter import package qctxhr in its place, a module of
// its own.
package qctx
