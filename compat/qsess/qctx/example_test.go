package qctx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

func Example() {
	sessions, err := qsess.NewMapStore([]byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	public := qctx.MwStack(qctx.MwRecovery(os.Stderr, true, false), qctx.MwHeader("X-Frame-Options", "DENY"))
	members := public.Append(qctx.MwRequireSess(sessions))

	mux := http.NewServeMux()
	mux.Handle("/login", public.Handle(func(c *qctx.Ctx) {
		if err := sessions.NewSession([]byte("ada")).Save(c.W); err != nil {
			c.Error("please try again", http.StatusServiceUnavailable)
		}
	}))
	mux.Handle("/account", members.Handle(func(c *qctx.Ctx) { fmt.Fprintf(c.W, "hello %s", c.Sess.UserID()) }))

	get := func(path string, cookies []*http.Cookie) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		mux.ServeHTTP(w, r)
		fmt.Printf("%s %d %q\n", path, w.Code, w.Body)
		return w
	}
	get("/account", nil)
	get("/account", get("/login", nil).Result().Cookies())
	// Output:
	// /account 401 "not logged in\n"
	// /login 200 ""
	// /account 200 "hello ada"
}
