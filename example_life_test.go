package sojourn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// visitor plays one browser in the examples: it keeps cookies and sends them back.
type visitor struct {
	h       http.Handler
	cookies map[string]*http.Cookie
}

func newVisitor(h http.Handler) *visitor { return &visitor{h, map[string]*http.Cookie{}} }

func (b *visitor) do(method, path string) *http.Response {
	r := httptest.NewRequest(method, "https://shop.example"+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin") // as browsers do
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	return w.Result()
}

func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Sign in, find out who it is, sign out.
func Example_signIn() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Logout(r.Context()); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.Handle("GET /me", sessions.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("me:", sessions.From(r).User()) // loaded by RequireUser: no error path
	})))

	b := newVisitor(sessions.Handler(mux))
	fmt.Println(b.do("GET", "/me").StatusCode)
	b.do("POST", "/login")
	b.do("GET", "/me")
	b.do("POST", "/logout")
	fmt.Println(b.do("GET", "/me").StatusCode)
	// Output:
	// 401
	// me: ada
	// 401
}

// "Keep me signed in": a longer life, and a cookie that survives the browser's restart.
func ExampleRemember() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.From(r)
		if err := s.Login(r.Context(), "ada", sojourn.Remember(14*24*time.Hour)); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		fmt.Println(s.ExpiresIn().Round(time.Hour))
	}))
	b := newVisitor(h)
	b.do("POST", "/login")
	fmt.Println(b.cookies["__Host-session"].MaxAge, "seconds")
	// Output:
	// 336h0m0s
	// 1209600 seconds
}

// What a visitor put into the cart before signing in goes along, and nothing else.
func ExampleKeep() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	cart := sojourn.NewValue[[]string]("cart")
	promo := sojourn.NewValue[string]("promo")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		cart.Set(s, []string{"tea"})
		promo.Set(s, "SPRING")
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.From(r)
		if err := s.Login(r.Context(), "ada", sojourn.Keep(cart)); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		fmt.Printf("%q %q\n", cart.Get(s), promo.Get(s))
	})
	b := newVisitor(sessions.Handler(mux))
	b.do("POST", "/cart")
	b.do("POST", "/login")
	// Output: ["tea"] ""
}

// A page of the user's devices: list them, end one, end all others.
func ExampleManager_Sessions() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	ctx := context.Background()
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Login(ctx, "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	}))
	laptop, phone, tablet := newVisitor(h), newVisitor(h), newVisitor(h)
	for _, device := range []*visitor{laptop, phone, tablet} {
		device.do("POST", "/login")
	}
	list := ok(sessions.Sessions(ctx, "ada"))
	fmt.Println(len(list), "sessions, from", list[0].Network)

	if err := sessions.Revoke(ctx, "ada", list[0].Handle); err != nil {
		fmt.Println(err)
	}
	err := sessions.Revoke(ctx, "mallory", list[1].Handle) // somebody else's handle
	fmt.Println(errors.Is(err, sojourn.ErrNotFound))
	fmt.Println(ok(sessions.RevokeUser(ctx, "ada", list[1].Handle)), "other ended")
	fmt.Println(len(ok(sessions.Sessions(ctx, "ada"))), "left")
	// Output:
	// 3 sessions, from 192.0.2.0/24
	// true
	// 1 other ended
	// 1 left
}

// A changed password ends all other sessions and gives this one a new token.
func ExampleSession_RevokeOthers() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		n, err := sessions.From(r).RevokeOthers(r.Context())
		fmt.Println(n, "others ended;", err)
	})
	h := sessions.Handler(mux)
	here, there := newVisitor(h), newVisitor(h)
	here.do("POST", "/login")
	there.do("POST", "/login")
	old := here.cookies["__Host-session"].Value
	here.do("POST", "/password")
	fmt.Println("new token:", here.cookies["__Host-session"].Value != old)
	// Output:
	// 1 others ended; <nil>
	// new token: true
}

// At most three sessions for each user; the oldest makes room.
func ExampleOptions_maxSessions() {
	sessions := ok(sojourn.New(memstore.New(nil), &sojourn.Options{
		MaxSessions: 3, // RefuseAtLimit: true would refuse the fourth instead
		Observe: func(_ context.Context, e sojourn.Event) {
			if e.Name == sojourn.SessionLimit {
				fmt.Println(e.Name, e.Reason)
			}
		},
	}))
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r).Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	}))
	for range 4 {
		newVisitor(h).do("POST", "/login")
	}
	fmt.Println(len(ok(sessions.Sessions(context.Background(), "ada"))))
	// Output:
	// session_limit evicted
	// 3
}

// A sensitive page needs a sign-in of the last five minutes: signing in, or the same user in again
// ("step-up"), opens it. Signing in again keeps the session's values.
func ExampleManager_RequireFresh() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	mux := http.NewServeMux()
	mux.Handle("GET /keys", sessions.RequireFresh(5*time.Minute, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("the keys of", sessions.From(r).User())
	})))
	mux.HandleFunc("POST /confirm", func(w http.ResponseWriter, r *http.Request) {
		// after checking the password once more:
		if err := sessions.From(r).Login(r.Context(), "ada", sojourn.AtLevel(sojourn.LevelMulti)); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	b := newVisitor(sessions.Handler(mux))
	fmt.Println(b.do("GET", "/keys").StatusCode)
	b.do("POST", "/confirm")
	b.do("GET", "/keys")
	// Output:
	// 401
	// the keys of ada
}

// Step-up: a page that needs a strong sign-in sends whose sign-in is weaker to another page, which
// confirms it. RequireFresh does the same for a sign-in that is too old.
func ExampleManager_RequireLevel() {
	sessions := ok(sojourn.New(memstore.New(nil), &sojourn.Options{
		OnStale: http.RedirectHandler("/confirm", http.StatusSeeOther),
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// after checking the password:
		if err := sessions.From(r).Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.Handle("GET /keys", sessions.RequireLevel(sojourn.LevelMulti, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("the keys of", sessions.From(r).User())
	})))
	mux.Handle("POST /confirm", sessions.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sessions.From(r)
		// after checking the second factor of s.User():
		if err := s.Login(r.Context(), s.User(), sojourn.AtLevel(sojourn.LevelMulti)); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})))
	b := newVisitor(sessions.Handler(mux))
	b.do("POST", "/login")
	fmt.Println(b.do("GET", "/keys").Header.Get("Location"))
	b.do("POST", "/confirm")
	b.do("GET", "/keys")
	// Output:
	// /confirm
	// the keys of ada
}
