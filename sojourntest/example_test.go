package sojourntest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// exampleT stands for a test's *testing.T, which examples do not have.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                           {}
func (exampleT) Context() context.Context          { return context.Background() }
func (exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

var (
	t    = exampleT{} // in a test: its *testing.T
	cart = sojourn.NewValue[[]string]("cart")
)

// app is the program under test.
func app(sessions *sojourn.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		var opts []sojourn.LoginOption
		if r.FormValue("keep") != "" {
			opts = append(opts, sojourn.Remember(14*24*hour))
		}
		if err := sessions.From(r).Login(r.Context(), r.FormValue("user"), opts...); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Load(r)
		if err == nil {
			err = cart.Update(s, func(c *[]string) error { *c = append(*c, r.FormValue("item")); return nil })
		}
		if err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Logout(r.Context()); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.Handle("GET /{$}", sessions.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello %s, %d in your cart.", sessions.From(r).User(), len(cart.Get(sessions.From(r))))
	})))
	return sessions.Handler(mux)
}

func ExampleRequest() {
	sessions, _ := sojourn.New(memstore.New(nil), nil)

	r := sojourntest.Request(t, sessions, "POST", "/cart", strings.NewReader("item=tea"),
		sojourntest.User("ada"), sojourntest.With(cart, []string{"salt"}))
	resp := sojourntest.Serve(app(sessions), r)

	after := sojourntest.Result(t, sessions, resp)
	fmt.Println(resp.StatusCode, after.Token, after.Session.User(), cart.Get(after.Session))
	// Output: 200 unchanged ada [salt tea]
}

func ExampleClient() {
	sessions, _ := sojourn.New(memstore.New(nil), nil)
	browser := sojourntest.NewClient(t, app(sessions))

	resp := browser.PostForm("/login", url.Values{"user": {"ada"}})
	fmt.Println(sojourntest.Body(t, resp))

	browser.PostForm("/cart", url.Values{"item": {"tea"}})
	fmt.Println(cart.Get(browser.Session(sessions)))

	browser.Restart() // nobody was asked to remember
	fmt.Println(browser.Get("/").Status)
	// Output:
	// Hello ada, 0 in your cart.
	// [tea]
	// 401 Unauthorized
}

func ExampleClient_From() {
	sessions, _ := sojourn.New(memstore.New(nil), nil)
	browser := sojourntest.NewClient(t, app(sessions))
	browser.PostForm("/login", url.Values{"user": {"ada"}})

	evil := browser.From("https://evil.example")
	evil.PostForm("/cart", url.Values{"item": {"poison"}}) // the browser withholds the cookie
	sister := browser.From("https://blog.example.com")
	fmt.Println(sister.PostForm("/cart", url.Values{"item": {"spam"}}).Status) // the cookie comes, and is refused
	fmt.Println(cart.Get(browser.Session(sessions)))
	// Output:
	// 403 Forbidden
	// []
}

func ExampleFaulty() {
	st := &sojourntest.Faulty{Store: memstore.New(nil)}
	sessions, _ := sojourn.New(st, nil)
	browser := sojourntest.NewClient(t, app(sessions))
	browser.PostForm("/login", url.Values{"user": {"ada"}})

	st.Fail(store.ErrUnavailable)
	fmt.Println(browser.Get("/").Status)
	st.Heal()
	fmt.Println(browser.Get("/").Status) // an outage is no logout
	// Output:
	// 503 Service Unavailable
	// 200 OK
}
