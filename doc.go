// Package sojourn keeps web sessions: typed values, safe defaults, and the same behaviour on a
// laptop and on a cluster.
//
// # Use
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
// # What holds
//
// Ended means ended: when [Session.Logout], [Manager.Revoke] or [Manager.RevokeUser] return nil, no
// request brings the session back, however slow it was.
//
// Nothing is lost: overlapping requests on one session keep each other's changes. No lock is
// held while handlers run; changes are replayed on the newest record when they meet.
//
// A leak is not a break-in: stores hold SHA-256 hashes of token secrets, and lists
// and logs hold handles.
//
// Outage is not logout: loading fails with an error in one place, the reply is 503, and the
// client's cookie stays.
//
// It costs almost nothing: a request that does not touch its session does no I/O, a read is one
// round trip, nothing is written that did not change, and a visitor who keeps nothing leaves no record.
//
// # Two kinds of acts
//
// Acts on identity (Login, Logout, Renew, Revoke…) happen at once and return their own error. Changes
// of values are gathered and committed together before the response's first byte, or by [Session.Commit].
//
// # Errors
//
// Failures name the act that failed, match a sentinel of this package with errors.Is, and hold the
// cause for errors.As. Forged, expired and unknown tokens are no errors: the request simply has a
// new, empty session, and the observer is told.
package sojourn
