package sojourn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// Two requests overlap on one session; both changes are kept.
func ExampleValue_Update() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	cart := sojourn.NewValue[[]string]("cart")
	var both sync.WaitGroup
	mux := http.NewServeMux()
	mux.HandleFunc("POST /start", func(w http.ResponseWriter, r *http.Request) {
		cart.Set(ok(sessions.Load(r)), []string{"cup"})
	})
	mux.HandleFunc("POST /add/{item}", func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		both.Done()
		both.Wait() // each has loaded the session before the other commits
		err := cart.Update(s, func(items *[]string) error {
			*items = append(*items, r.PathValue("item"))
			return nil
		})
		if err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(len(cart.Get(ok(sessions.Load(r)))), "items")
	})
	b := newVisitor(sessions.Handler(mux))
	b.do("POST", "/start")
	both.Add(2)
	var done sync.WaitGroup
	for _, item := range []string{"tea", "milk"} {
		tab := newVisitor(b.h)
		tab.cookies["__Host-session"] = b.cookies["__Host-session"]
		done.Go(func() { tab.do("POST", "/add/"+item) })
	}
	done.Wait()
	b.do("GET", "/cart")
	// Output: 3 items
}

// A message for the next page.
func ExampleFlash() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	notes := sojourn.NewFlash[string]("notes")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		if err := notes.Add(s, "Saved."); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(notes.Take(ok(sessions.Load(r))))
	})
	b := newVisitor(sessions.Handler(mux))
	b.do("POST", "/save")
	b.do("GET", "/")
	b.do("GET", "/")
	// Output:
	// [Saved.]
	// []
}

// A value that is used up by reading it, once, whoever else tries at the same time.
func ExampleValue_Take() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	code := sojourn.NewValue[string]("code")
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		if r.Method == "POST" {
			code.Set(s, "4711")
			return
		}
		fmt.Println(code.Take(s))
	}))
	b := newVisitor(h)
	b.do("POST", "/")
	b.do("GET", "/")
	b.do("GET", "/")
	// Output:
	// 4711 true
	//  false
}

// Gob instead of JSON, for all values of a manager.
func ExampleOptions_codec() {
	sessions := ok(sojourn.New(memstore.New(nil), &sojourn.Options{Codec: sojourn.Gob}))
	matrix := sojourn.NewValue[map[[2]int]complex128]("matrix")
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		fmt.Println(matrix.Set(s, map[[2]int]complex128{{1, 2}: 3i}), matrix.Get(s))
	}))
	newVisitor(h).do("POST", "/")
	// Output: <nil> map[[1 2]:(0+3i)]
}

// The value's Go type changed from a string to a struct; old sessions are upgraded as they come.
func ExampleOptions_onDecodeError() {
	type address struct{ City string }
	st := memstore.New(nil)
	keys := ok(sojourn.NewKeyRing(sojourn.NewKey()))
	last := ok(sojourn.New(st, &sojourn.Options{Keys: keys}))
	b := newVisitor(last.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sojourn.NewValue[string]("address").Set(ok(last.Load(r)), "Zagreb")
	})))
	b.do("POST", "/")

	next := ok(sojourn.New(st, &sojourn.Options{
		Keys: keys,
		OnDecodeError: func(_ context.Context, name string, raw []byte, err error) ([]byte, error) {
			var old string
			if name == "address" && json.Unmarshal(raw, &old) == nil {
				return json.Marshal(address{City: old})
			}
			return nil, nil // reads as absent
		},
	}))
	b.h = next.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("%+v\n", sojourn.NewValue[address]("address").Get(ok(next.Load(r))))
	}))
	b.do("GET", "/")
	// Output: {City:Zagreb}
}

// Sessions that live in an encrypted cookie, with the same API. A small record in a store makes
// them listable and revocable.
func ExampleNewSealed() {
	keys := ok(sojourn.NewKeyRing(sojourn.NewKey()))
	sessions := ok(sojourn.NewSealed(&sojourn.SealedOptions{Store: memstore.New(nil)}, &sojourn.Options{Keys: keys}))
	theme := sojourn.NewValue[string]("theme")
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		if r.Method == "GET" {
			fmt.Println(s.User(), theme.Get(s))
			return
		}
		if err := s.Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		theme.Set(s, "dark")
		fmt.Println(theme.Set(s, strings.Repeat("x", 4000)))
	}))
	b := newVisitor(h)
	b.do("POST", "/")
	b.do("GET", "/")
	fmt.Println(ok(sessions.RevokeUser(context.Background(), "ada")), "ended")
	b.do("GET", "/")
	// Output:
	// sojourn: session data too large: value theme makes 4011 bytes, at most 2850
	// ada dark
	// 1 ended
}
