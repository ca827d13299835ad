// Command quickstart is the program of the README: a page that counts visits and a sign-in that
// survives overlapping requests.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

var visits = sojourn.NewValue[int]("visits") // a typed slot in the session

func main() {
	sessions, err := sojourn.New(memstore.New(nil), &sojourn.Options{
		InsecureLoopbackHTTP: true, // http://localhost while developing; drop it behind TLS
	})
	if err != nil {
		log.Fatal(err)
	}
	go sessions.RunSweeper(context.Background(), time.Minute) // expired sessions leave

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Load(r) // one read: the only place where an outage can show
		if err != nil {
			sojourn.DefaultOnError(w, r, err) // 503, and the visitor stays signed in
			return
		}
		visits.Update(s, func(n *int) error { *n++; return nil }) // overlapping requests all count
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `Hello %q, visit %d. <form method="post" action="/login"><button>Sign in</button></form>
			<form method="post" action="/logout"><button>Sign out</button></form>`, s.User(), visits.Get(s))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check a password here. Login then makes a new token; the old one is dead at once.
		if err := sessions.From(r).Login(r.Context(), "ada", sojourn.Keep(visits)); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Logout(r.Context()); err != nil { // ended on the server, not only in the browser
			sojourn.DefaultOnError(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	log.Print("open http://localhost:8080")
	log.Fatal(http.ListenAndServe("localhost:8080", sessions.Handler(mux)))
}
