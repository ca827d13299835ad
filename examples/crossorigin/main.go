// Command crossorigin is a page on one origin whose script uses an API on another: sign-in, the
// cookie, the CSRF token and error answers, with what each side must say for a browser to let it
// happen.
package main

import (
	_ "embed"
	"encoding/json"
	"log"
	"net/http"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

func main() {
	const page = "http://localhost:8080" // another port is another origin, and the same site
	sessions, err := sojourn.New(memstore.New(nil), &sojourn.Options{
		TrustedOrigins:       []string{page},
		InsecureLoopbackHTTP: true, // while developing; drop it behind TLS
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe("localhost:8081", api(sessions, page))) }()
	log.Print("open ", page)
	log.Fatal(http.ListenAndServe("localhost:8080", web("http://localhost:8081")))
}

// web serves the page, which finds the API at apiOrigin. It has no session of its own.
func web(apiOrigin string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src "+apiOrigin)
			w.Write(indexHTML)
		case "/app.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			w.Write(appJS)
		case "/api-origin.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			text, _ := json.Marshal(apiOrigin)
			w.Write([]byte("export default " + string(text) + ";\n"))
		default:
			http.NotFound(w, r)
		}
	})
}

var (
	//go:embed index.html
	indexHTML []byte
	//go:embed app.js
	appJS []byte
)

var notes = sojourn.NewValue[[]string]("notes")

// api is what the page at origin calls. CORS stands outside Handler, so that a script can read
// Handler's own answers, too: a refusal, an outage.
func api(sessions *sojourn.Manager, origin string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ User string }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in); err != nil || in.User == "" {
			http.Error(w, "no user", http.StatusBadRequest)
			return
		}
		// Check a password here.
		if err := sessions.From(r).Login(r.Context(), in.User); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		state(w, sessions.From(r))
	})
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Logout(r.Context()); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	signedIn := http.NewServeMux()
	signedIn.HandleFunc("GET /notes", func(w http.ResponseWriter, r *http.Request) { state(w, sessions.From(r)) })
	signedIn.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Text string }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in); err != nil {
			http.Error(w, "no note", http.StatusBadRequest)
			return
		}
		s := sessions.From(r)
		if err := notes.Update(s, func(list *[]string) error { *list = append(*list, in.Text); return nil }); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		state(w, s)
	})
	mux.Handle("/notes", sessions.RequireUser(sessions.RequireCSRFToken(signedIn)))
	return cors(origin, sessions.Handler(mux))
}

// state tells the page who is signed in, and the CSRF token for its next requests. It is safe to
// say: scripts of other origins cannot read the answer.
func state(w http.ResponseWriter, s *sojourn.Session) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"user": s.User(), "notes": notes.Get(s), "csrf": s.CSRFToken()})
}

// cors lets scripts of one origin send requests with the cookie and read the answers (Fetch
// standard, section 3.2). It names the origin, for "*" is not allowed where cookies go along, and
// says what else than plain forms the scripts may send.
func cors(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if r.Header.Get("Origin") != origin {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "POST")
			h.Set("Access-Control-Allow-Headers", "Content-Type, X-CSRF-Token")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
