// Package sojourntest helps to test programs that use sojourn: a request that has a session, a
// client that keeps cookies, what a response did to the session, and a store that fails on demand.
// Everything runs in the process, through the manager's own handler and store, so what a test sees
// is what a browser gets.
//
//	r := sojourntest.Request(t, sessions, "POST", "/cart", strings.NewReader("item=tea"),
//		sojourntest.User("ada"), sojourntest.With(cart, []string{"salt"}))
//	resp := sojourntest.Serve(app, r)
//	got := cart.Get(sojourntest.Result(t, sessions, resp).Session)
//
// # Time
//
// Nothing here needs a clock of its own: run the test in a bubble of testing/synctest, make the
// store inside the bubble, and let time.Sleep move the clock at no cost:
//
//	synctest.Test(t, func(t *testing.T) {
//		sessions, err := sojourn.New(memstore.New(nil), nil)
//		…
//		client.Get("/")
//		time.Sleep(31 * time.Minute) // longer than Options.Idle
//		client.Get("/") // signed out
//	})
//
// [Client.Restart] closes and opens the browser, which ends all sessions but remembered ones.
//
// # Other sites
//
// [Client.From] is the same browser on a page of another site: what its links, forms and scripts
// send, and which cookies go with it. It shows that a foreign form changes nothing, and that a page
// of the program's own on another origin is let in:
//
//	evil := browser.From("https://evil.example")
//	resp := evil.PostForm("https://example.com/transfer", form) // want status 403
//
// For one request without a client, set Sec-Fetch-Site and Origin on what [Request] returns.
package sojourntest
