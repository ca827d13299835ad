// Package sojourn keeps web sessions: typed values, safe defaults, and the same behaviour on a
// laptop and on a cluster.
//
//	var cart = sojourn.NewValue[[]string]("cart") // a typed slot in the session
//
//	sessions, err := sojourn.New(memstore.New(nil), nil) // another store changes this line only
//
//	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
//		// after checking the password:
//		if err := sessions.From(r).Login(r.Context(), "ada"); err != nil { … }
//	})
//	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
//		s, err := sessions.Load(r) // the one place where an outage can show
//		if err != nil { … }
//		err = cart.Update(s, func(items *[]string) error { *items = append(*items, "tea"); return nil })
//	})
//	http.ListenAndServeTLS(addr, cert, key, sessions.Handler(mux))
//
// A [Manager] holds all policy. A store keeps the records. A [Session] is what a handler has during
// one request. The client carries a token, in a cookie or otherwise.
//
// # What holds
//
// Ended means ended: when [Session.Logout], [Manager.Revoke] or [Manager.RevokeUser] return nil, no
// request brings the session back, however slow it was.
//
// Nothing is lost: overlapping requests on one session keep each other's changes. No lock is held
// while handlers run; changes are replayed on the newest record when they meet.
//
// A leak is not a break-in: stores hold SHA-256 hashes of token secrets, and lists and logs hold
// handles.
//
// Outage is not logout: loading fails with an error in one place, the reply is 503, and the
// client's cookie stays.
//
// It costs almost nothing: a request that does not touch its session does no I/O, a read is one
// round trip, nothing is written that did not change, and a visitor who keeps nothing leaves no
// record.
//
// # Stores
//
// Package memstore keeps sessions in this process and forgets them with it; diskstore keeps plain
// files, sqlitestore an SQLite file, and leveldbstore, pebblestore and bboltstore a database within
// the process. pgxstore (PostgreSQL), mysqlstore, redisstore and cqlstore (Cassandra) are for
// servers. sqlite and postgresstore are for drivers of database/sql, kvstore is for other ordered
// key-value databases. All promise the same. What a store may lose when its machine fails is in its
// package comment. Make its tables with its Migrate, look whether its server will do with its
// Check, where it has one, and run [Manager.RunSweeper] in one process at least, so that expired
// sessions leave.
//
// # Keys
//
// Tokens are sealed, so that forged ones end before any I/O. A store that outlives the process
// needs keys that do, too: make them once with [CreateKeys], give the file to each process, and
// pass what [LoadKeys] returns as Options.Keys. [ParseKeys] reads keys from elsewhere, and a
// [Sealer] is a key service of your own. To change a key, add the new one to every process before
// any of them seals with it. [Manager.CheckKeys] finds processes whose keys differ.
//
// # Sealed sessions
//
// [NewSealed] keeps the data in the browser, in an encrypted cookie, with the same API. Sign-out,
// lists and limits work through a small record in any store. Without a store, a copy of the cookie
// opens the session until it expires, and SealedOptions.AcceptReplayUntilExpiry has to say so. Of
// two overlapping requests the last response wins.
//
// # Signing in and out
//
// [Session.Login] makes a new token and ends the old one at once. [Keep] and [KeepAll] carry the
// visitor's values over, [Remember] lengthens the session, [AtLevel] records how sure the sign-in
// was. [Session.Logout] ends the session, [Session.RevokeOthers] the user's others. [Session.Renew]
// changes the token; that also happens unasked, each Options.RenewAfter.
//
// [Manager.RequireUser], [Manager.RequireFresh] and [Manager.RequireLevel] guard routes; handlers
// below them need no error path. Before something sensitive a user confirms the sign-in
// ("step-up"): RequireFresh answers by Options.OnStale, such as a redirect to a page that asks for
// the password again, and that page's handler calls Login with the same user. It stands below
// RequireUser, and not below RequireFresh. [Manager.Peek] is for requests that must not keep a
// session alive.
//
// # Values
//
// A [Value] is a typed slot. Get and Set read and replace it. Update changes it by a function,
// which runs again when another request was faster. Take reads it once for all. A [Flash] holds
// messages for the next page. Values are gathered and committed together before the response's
// first byte, or earlier by [Session.Commit]. Acts on identity (Login, Logout, Renew, Revoke)
// happen at once and return their own error.
//
// # A user's sessions
//
// [Manager.Sessions] lists them, [Manager.Revoke] ends one by its handle, [Manager.RevokeUser] all
// or all but some. A handle may stand in a page; [store.ParseHandle] reads it from a form.
// Options.MaxSessions limits their number, exactly.
//
// # Other transports and frameworks
//
// Options.Bearer takes tokens from the Authorization header, which [Manager.IssueBearer] makes;
// Options.Custom takes them from wherever you say. Where [Manager.Handler] cannot stand around a
// handler, use [Manager.Open] and [Session.Commit].
//
// # Plain HTTP, other sites, proxies
//
// No session travels over plain HTTP: a sign-in fails with [ErrInsecure], and the log says what to
// change. Options.InsecureLoopbackHTTP allows http://localhost while developing.
//
// Requests that change something must come from your own site; Options.TrustedOrigins names others.
// [Session.CSRFToken] and [Manager.RequireCSRFToken] are there for those who want tokens in forms
// as well. Behind a proxy that ends TLS, name it in Options.TrustedProxies.
//
// # Errors and events
//
// Failures name the act that failed, match a sentinel of this package with errors.Is, and hold the
// cause for errors.As. [IsOutage] reports whether trying again later may help. [DefaultOnError]
// answers with a status and plain words. Forged, expired and unknown tokens are no errors: the
// request has a new, empty session, and Options.Observe hears of it.
//
// # Tests
//
// Package sojourntest has a client with a cookie jar, a store that fails on request, and ways to
// look into a response.
package sojourn
