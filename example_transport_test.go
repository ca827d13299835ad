package sojourn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// An API beside the pages: one manager, cookies for browsers, bearer tokens for programs. Both
// kinds stand in the user's list and are revoked alike.
func ExampleManager_IssueBearer() {
	sessions := ok(sojourn.New(memstore.New(nil), &sojourn.Options{
		Bearer: &sojourn.BearerOptions{Prefix: "shop_", Lifetime: 90 * 24 * time.Hour},
	}))
	h := sessions.Handler(sessions.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("API call of", sessions.From(r).User())
	})))

	asked := httptest.NewRequest("POST", "https://shop.example/tokens", nil)
	token, info, err := sessions.IssueBearer(asked, "ada", sojourn.Label("backup script"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token, info.Label) // a token prints as nothing; token.Reveal() is shown to its owner, once

	call := httptest.NewRequest("GET", "https://shop.example/api", nil)
	call.Header.Set("Authorization", "Bearer "+token.Reveal())
	h.ServeHTTP(httptest.NewRecorder(), call)

	if err := sessions.Revoke(context.Background(), "ada", info.Handle); err != nil {
		fmt.Println(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, call)
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// [token] backup script
	// API call of ada
	// 401 Bearer error="invalid_token"
}

// Tokens in a header of the program's own.
func ExampleCustomTransport() {
	sessions := ok(sojourn.New(memstore.New(nil), &sojourn.Options{
		Custom: &sojourn.CustomTransport{
			Receive: func(r *http.Request) string { return r.Header.Get("X-Session") },
			Send: func(h http.Header, token sojourn.Token, life time.Duration) error {
				h.Set("X-Session", token.Reveal())
				return nil
			},
			Delete:   func(h http.Header) error { h.Set("X-Session", ""); return nil },
			Explicit: true, // browsers send no such header by themselves
		},
	}))
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := ok(sessions.Load(r))
		fmt.Printf("%q\n", s.User())
		if s.User() == "" {
			if err := s.Login(r.Context(), "ada"); err != nil {
				sojourn.DefaultOnError(w, r, err)
			}
		}
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "https://shop.example/", nil))
	again := httptest.NewRequest("GET", "https://shop.example/", nil)
	again.Header.Set("X-Session", w.Header().Get("X-Session"))
	h.ServeHTTP(httptest.NewRecorder(), again)
	// Output:
	// ""
	// "ada"
}

// A framework that is not net/http: open the session from what it knows of the request, commit
// before answering, and copy the header fields.
func ExampleManager_Open() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	visits := sojourn.NewValue[int]("visits")
	ctx := context.Background()

	// what an adapter makes of the framework's request:
	r := httptest.NewRequest("GET", "https://shop.example/", nil)

	s, err := sessions.Open(ctx, r)
	if err != nil {
		fmt.Println("answer 503:", err)
		return
	}
	visits.Set(s, 1)
	header, err := s.Commit(ctx)
	if err != nil {
		fmt.Println("answer an error:", err)
		return
	}
	fmt.Println(len(header["Set-Cookie"]), header.Get("Cache-Control"))
	// Output: 1 no-store
}

// Without the middleware: Open, and Save before the first byte.
func ExampleSession_Save() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	visits := sojourn.NewValue[int]("visits")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Open(r.Context(), r)
		if err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		visits.Update(s, func(n *int) error { *n++; return nil })
		if err := s.Save(w); err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		fmt.Println("visit", visits.Get(s))
	})
	b := newVisitor(h)
	b.do("GET", "/")
	b.do("GET", "/")
	// Output:
	// visit 1
	// visit 2
}

// Two managers in one request: sign-ins in one, a device's preferences in the other.
func ExampleOptions_name() {
	st := memstore.New(nil)
	users := ok(sojourn.New(st, nil))
	prefs := ok(sojourn.New(st, &sojourn.Options{
		Name: "prefs", Lifetime: 365 * 24 * time.Hour, Idle: sojourn.Unlimited,
		Cookie: sojourn.CookieOptions{Name: "__Host-prefs", Persistent: true},
	}))
	theme := sojourn.NewValue[string]("theme")
	h := users.Handler(prefs.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p := ok(users.Load(r)), ok(prefs.Load(r))
		fmt.Printf("%q %q\n", u.User(), theme.Get(p))
		if r.Method == "POST" {
			theme.Set(p, "dark")
			if err := u.Login(r.Context(), "ada"); err != nil {
				sojourn.DefaultOnError(w, r, err)
			}
		}
	})))
	b := newVisitor(h)
	b.do("POST", "/")
	b.do("GET", "/")
	// Output:
	// "" ""
	// "ada" "dark"
}

// A page that polls must not keep its user signed in for ever.
func ExampleManager_Peek() {
	sessions := ok(sojourn.New(memstore.New(nil), nil))
	mux := http.NewServeMux()
	mux.Handle("GET /unread", sessions.Peek(sessions.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, 3) // read the session; its idle clock runs on
	}))))
	fmt.Println(newVisitor(sessions.Handler(mux)).do("GET", "/unread").StatusCode)
	// Output: 401
}
