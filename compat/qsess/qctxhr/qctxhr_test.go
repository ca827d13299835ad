package qctxhr_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/julienschmidt/httprouter"

	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
	"github.com/sojourn-go/sojourn/compat/qsess/qctxhr"
)

func TestRouter(t *testing.T) {
	hello := func(c *qctx.Ctx) { fmt.Fprintf(c.W, "hello %s", c.Params.ByName("name")) }
	r := httprouter.New()
	r.GET("/a/:name", qctxhr.HRHandle(qctx.MwStack(qctx.MwHeader("X-Mw", "yes")), hello))
	r.GET("/b/:name", qctxhr.Hr2Ctx(qctx.CtxHandlerFunc(hello)))
	for path, mw := range map[string]string{"/a/ada": "yes", "/b/ada": ""} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Body.String() != "hello ada" || w.Header().Get("X-Mw") != mw {
			t.Errorf("%s: %q, %v", path, w.Body, w.Header())
		}
	}
}
