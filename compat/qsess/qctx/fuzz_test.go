package qctx_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

// FuzzRequest: no prefix, path, cookie or body makes the middleware panic: MwRecovery would log it.
func FuzzRequest(f *testing.F) {
	f.Add("/app", "/app/x", "qsess_session=x", `{"X":1,"Y":2}`)
	f.Add("", "", "", "")
	f.Add("-", "//a-b", "qsess_session", "{")
	f.Add("/%2f", "/%2f\xff", ";;=", "null")
	st, err := qsess.NewMapStore([]byte("replace me: 32 random bytes here"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, prefix, path, cookie, body string) {
		var log strings.Builder
		mw := qctx.MwStack(qctx.MwLogger(io.Discard, true), qctx.MwRecovery(&log, true, false), qctx.MwStripPrefix(prefix))
		h := mw.Handle(func(c *qctx.Ctx) {
			var p point
			if c.ReadJSON(&p) {
				c.WriteJSON(&p)
			}
		})
		r := &http.Request{Method: "POST", URL: &url.URL{Path: path}, Header: http.Header{"Cookie": {cookie}}, Body: io.NopCloser(strings.NewReader(body))}
		h.ServeHTTP(httptest.NewRecorder(), r)
		w := httptest.NewRecorder()
		mw.Append(qctx.MwRequireSess(st)).Handle(func(*qctx.Ctx) { t.Error("a session out of nothing") }).ServeHTTP(w, r)
		if log.Len() > 0 {
			t.Error(log.String())
		}
	})
}
