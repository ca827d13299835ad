// Package explore tries every order in which two overlapping requests can meet their store, with
// everything that a store can answer, and judges what came of it by the laws L1 to L9 of
// docs/design.md. It holds tests only; the product does not know of it.
//
// # Words
//
// A script is what one request's handler does. A scene is the situation in which a run begins (nobody
// signed in, a visitor with values, a session whose renewal is due, …) and the scripts of its
// requests. A schedule says in which order the requests' store calls are applied and what each of
// them answers. A run is one schedule of one scene, carried out.
//
// # How it works
//
// Each request runs on a goroutine of its own, through [sojourn.Manager.Handler], in a bubble of
// testing/synctest. The store stops it before each call. Only one goroutine runs at any time, so a
// run is determined by the choices of its scheduler, and a string of digits replays it.
//
// The judge sees what a test could see: the calls to the store and their answers, the requests'
// cookies, the responses' headers and what the handlers were told. It reads tokens and records by
// docs/format.md, with a reader of its own, and shares no code with the core.
//
// # Files
//
//	engine    the store: one map and one lock
//	stage     stops requests at each call and makes up the answers
//	schedule  the order of steps; search: all orders, or a random one
//	scene     situations; scripts: what requests do; pairs: which of them meet
//	browser   cookies and responses
//	trace     what happened; story: the same for a reader
//	format    tokens, meta and data by docs/format.md
//	judge     the laws, in judge_*.go
//	cover     which calls have met which answers
//	mutants   defects that the explorer must find, or else a test of the core
//
// # What it cannot see
//
// Some defects that this library once had do not show between two or three requests. Most of them are
// in mutants_unseen, each with the test of the core that finds it. These are proven by tests alone:
//
//	Fail before the commit             TestL3LaterFailures
//	a race in the header map           TestLateCommitBelowTimeoutHandler, with the race detector
//	the page in which a renewal is due TestCSRFTokenOutlivesRenewals
//	an outage in mid-renewal           TestRenewalMetByAnOutage, with the other node's cache
//	routes open to other sites         TestCrossSitePostReplacesNoCookie
//	the age of a sign-in, by engine    package storetest, on every store
//	docs/format.md and the code        the tests named Vectors, with testdata
package explore
