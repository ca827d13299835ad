// Package possessions is the API of the older library of that name, name for name, over the core
// and its stores. It is for programs that move, which change their import path; docs/moving.md has
// the diff and what differs. New programs use package sojourn.
//
//	storer, err := possessions.NewDiskStorer("/var/lib/shop/sessions", 48*time.Hour, time.Hour)
//	...
//	storer.StartCleaner()
//	overseer := possessions.NewStorageOverseer(possessions.NewCookieOptions(), storer)
//	handler := possessions.NewOverseeingMiddleware(overseer).Wrap(possessions.NewRefreshMiddleware().Wrap(mux))
//
// and in handlers
//
//	name, ok := possessions.Get(r.Context(), "name")
//	possessions.Set(w, "name", "Ada")
//
// # What holds
//
// Overlapping requests keep each other's changes: each Set, Del and flash is done again on what the
// other request has left. Nothing brings a session back that was ended or has expired. A store that
// fails is status 503 and no lost session. The cookie holds a sealed random secret, whose hash
// alone is in the store; a session's ID is public. A visitor who keeps nothing leaves nothing.
//
// # How it is made
//
// An overseer is a [sojourn.Manager], a storer a store of the core, a session a visitor's session
// with one value in it, a map of strings. In the store it stands under its UUID where a signed-in
// session has its user, so a storer finds it in one partition.
//
// # Expiry
//
// A session ends maxAge after its last use. Setting a value and refreshing are use, on every
// storer; reading is use on disk alone, as in the old library. Uses are written down once a minute,
// or twenty times in a shorter maxAge. Cookie sessions end CookieOptions.MaxAge after they were set
// or refreshed, or, without one, 30 days after their last use.
//
// # A Storer of your own
//
// Any implementation of [Storer] works: under each UUID it is given a JSON text that holds the
// session and what the core knows of it. With nothing but Get and Set it gives less:
//
//   - Requests of one process keep each other's changes. Of two processes that write one session at
//     the same time, the later wins, and may bring back a session that the other has just ended.
//   - How long sessions live unused, whether they outlive a crash, and when they are cleaned is the
//     storer's.
//   - An error of Get is an outage unless it has a method NoSession().
//   - Cookies are sealed with a key of the process, and end with it, unless CookieOptions.Sojourn
//     has Keys.
//   - Its own Set replaces a whole record. A text that is none of ours reads as no session.
package possessions
