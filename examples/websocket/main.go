// Command websocket shows sessions below WebSockets, with gorilla/websocket and with
// coder/websocket: an echo that counts what its visitor has said, in the session.
package main

import (
	"log"
	"net/http"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

var said = sojourn.NewValue[int]("said")

func main() {
	sessions, err := sojourn.New(memstore.New(nil), &sojourn.Options{
		InsecureLoopbackHTTP: true, // ws://localhost while developing; drop it behind TLS
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Print("ws://localhost:8080/gorilla and ws://localhost:8080/coder")
	log.Fatal(http.ListenAndServe("localhost:8080", sessions.Handler(routes(sessions))))
}

func routes(sessions *sojourn.Manager) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /gorilla", func(w http.ResponseWriter, r *http.Request) { withGorilla(sessions, w, r) })
	mux.HandleFunc("GET /coder", func(w http.ResponseWriter, r *http.Request) { withCoder(sessions, w, r) })
	return mux
}

// withGorilla: the upgrader writes the response past net/http, so nobody but the program can put
// the session's cookie into it. Commit writes the session and puts the cookie into the header; the
// header goes to the upgrader. Without that, an upgrade that would have to send a token fails with
// sojourn.ErrNoToken.
func withGorilla(sessions *sojourn.Manager, w http.ResponseWriter, r *http.Request) {
	s, err := greet(sessions, r)
	if err == nil {
		_, err = s.Commit(r.Context())
	}
	if err != nil {
		sojourn.DefaultOnError(w, r, err)
		return
	}
	var upgrader gorilla.Upgrader // its CheckOrigin stays as it is: browsers send cookies from any page of the site's domain
	conn, err := upgrader.Upgrade(w, r, w.Header())
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	for {
		kind, text, err := conn.ReadMessage()
		if err != nil || count(s, r) != nil || conn.WriteMessage(kind, text) != nil {
			return
		}
	}
}

// withCoder: Accept writes the response by WriteHeader(101), so the session is committed, and its
// cookie sent, as with any other page.
func withCoder(sessions *sojourn.Manager, w http.ResponseWriter, r *http.Request) {
	s, err := greet(sessions, r)
	if err != nil {
		sojourn.DefaultOnError(w, r, err)
		return
	}
	conn, err := coder.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	for {
		kind, text, err := conn.Read(r.Context())
		if err != nil || count(s, r) != nil || conn.Write(r.Context(), kind, text) != nil {
			return
		}
	}
}

// greet loads the session and sets its value: a visitor's first makes a session, whose cookie the
// response owes.
func greet(sessions *sojourn.Manager, r *http.Request) (*sojourn.Session, error) {
	s, err := sessions.Load(r)
	if err == nil && !said.Has(s) {
		err = said.Set(s, 0)
	}
	return s, err
}

// count counts one message. While a connection is open nothing is committed by itself: Commit does
// it. It fails with sojourn.ErrEnded when the session was signed out elsewhere.
func count(s *sojourn.Session, r *http.Request) error {
	err := said.Update(s, func(n *int) error { *n++; return nil })
	if err == nil {
		_, err = s.Commit(r.Context())
	}
	return err
}
