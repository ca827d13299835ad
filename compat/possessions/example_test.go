package possessions_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/possessions"
)

// browser plays one visitor: it keeps cookies and sends them back.
type browser struct {
	h       http.Handler
	cookies map[string]*http.Cookie
}

func newBrowser(h http.Handler) *browser { return &browser{h, map[string]*http.Cookie{}} }

func (b *browser) get(path string) *http.Response {
	r := httptest.NewRequest("GET", "https://shop.example"+path, nil)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c
	}
	return w.Result()
}

// Sessions in memory: a counter of visits.
func ExampleNewDefaultMemoryStorer() {
	storer, err := possessions.NewDefaultMemoryStorer() // 2 days, cleaned every hour
	if err != nil {
		log.Fatal(err)
	}
	storer.StartCleaner()
	defer storer.StopCleaner()
	overseer := possessions.NewStorageOverseer(possessions.NewCookieOptions(), storer)

	h := possessions.NewOverseeingMiddleware(overseer).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := possessions.Get(r.Context(), "name")
		if !ok {
			possessions.Set(w, "name", "Ada")
			name = "stranger"
		}
		fmt.Println("Hello,", name)
	}))
	b := newBrowser(h)
	b.get("/")
	b.get("/")
	// Output:
	// Hello, stranger
	// Hello, Ada
}

// Sessions on disk: they are there after a restart.
func ExampleNewDiskStorer() {
	folder, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	var cookies map[string]*http.Cookie
	for _, run := range []string{"first", "second"} { // of the program
		storer, err := possessions.NewDiskStorer(folder, 7*24*time.Hour, 2*time.Hour)
		if err != nil {
			log.Fatal(err)
		}
		overseer := possessions.NewStorageOverseer(possessions.NewCookieOptions(), storer)
		h := possessions.NewOverseeingMiddleware(overseer).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			had, _ := possessions.Get(r.Context(), "run")
			fmt.Printf("%s run, session of run: %q\n", run, had)
			possessions.Set(w, "run", run)
		}))
		b := newBrowser(h)
		if cookies != nil {
			b.cookies = cookies
		}
		b.get("/")
		cookies = b.cookies
		storer.Close()
	}
	// Output:
	// first run, session of run: ""
	// second run, session of run: "first"
}

// Sessions in Redis, shared by all processes of a site.
func ExampleNewRedisStorer() {
	storer, err := possessions.NewRedisStorer(redis.Options{Addr: "localhost:6379", DB: 3}, 48*time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	defer storer.Close()
	overseer := possessions.NewStorageOverseer(possessions.NewCookieOptions(), storer)
	http.Handle("/", possessions.NewOverseeingMiddleware(overseer).Wrap(http.NotFoundHandler()))
	log.Fatal(http.ListenAndServeTLS(":443", "cert.pem", "key.pem", nil))
}

// Sessions in the browser alone, sealed.
func ExampleNewCookieOverseer() {
	var secretKey [32]byte
	copy(secretKey[:], sojourn.NewKey()) // a program reads its own from a secret place
	overseer := possessions.NewCookieOverseer(possessions.NewCookieOptions(), secretKey)

	h := possessions.NewOverseeingMiddleware(overseer).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lang, _ := possessions.Get(r.Context(), "lang")
		fmt.Printf("lang=%q\n", lang)
		possessions.Set(w, "lang", "eo")
	}))
	b := newBrowser(h)
	b.get("/")
	b.get("/")
	// Output:
	// lang=""
	// lang="eo"
}

// A message for the next page.
func ExampleAddFlash() {
	storer, err := possessions.NewDefaultMemoryStorer()
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/save", func(w http.ResponseWriter, r *http.Request) {
		possessions.AddFlash(w, "note", "Saved.")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if note, ok := possessions.GetFlash(w, r.Context(), "note"); ok {
			fmt.Println("note:", note)
			return
		}
		fmt.Println("nothing to tell")
	})
	overseer := possessions.NewStorageOverseer(possessions.NewCookieOptions(), storer)
	b := newBrowser(possessions.NewOverseeingMiddleware(overseer).Wrap(mux))
	b.get("/save")
	b.get("/")
	b.get("/")
	// Output:
	// note: Saved.
	// nothing to tell
}

// Go values in the session, as JSON.
func ExampleSetObj() {
	type profile struct{ Name, City string }
	storer, err := possessions.NewDefaultMemoryStorer()
	if err != nil {
		log.Fatal(err)
	}
	overseer := possessions.NewStorageOverseer(possessions.NewCookieOptions(), storer)
	b := newBrowser(possessions.NewOverseeingMiddleware(overseer).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p profile
		switch err := possessions.GetObj(r.Context(), "profile", &p); {
		case possessions.IsNoMapKeyError(err):
			fmt.Println("no profile yet")
		case err != nil:
			http.Error(w, "Your profile cannot be read.", http.StatusInternalServerError)
			return
		default:
			fmt.Println(p.Name, "of", p.City)
		}
		if err := possessions.SetObj(w, "profile", profile{"Ada", "London"}); err != nil {
			http.Error(w, "Your profile cannot be kept.", http.StatusInternalServerError)
		}
	})))
	b.get("/")
	b.get("/")
	// Output:
	// no profile yet
	// Ada of London
}

// Every request keeps the visitor signed in, in the store and in the browser.
func ExampleNewRefreshMiddleware() {
	storer, err := possessions.NewMemoryStorer(time.Hour, 10*time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	opts := possessions.NewCookieOptions()
	opts.MaxAge = time.Hour // or else the browser forgets it when it closes
	overseer := possessions.NewStorageOverseer(opts, storer)

	mux := http.NewServeMux()
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { possessions.Set(w, "cart", "tea") })
	mux.HandleFunc("/about", func(w http.ResponseWriter, r *http.Request) {}) // uses no session
	h := possessions.NewOverseeingMiddleware(overseer).Wrap(possessions.NewRefreshMiddleware().Wrap(mux))

	b := newBrowser(h)
	b.get("/start")
	for _, c := range b.get("/about").Cookies() {
		fmt.Println("sent again, for", time.Duration(c.MaxAge)*time.Second)
	}
	// Output:
	// sent again, for 1h0m0s
}
