package qctx_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

// note is middleware that writes its name before and after.
func note(log *strings.Builder, name string) qctx.MwMaker {
	return func(next qctx.CtxHandler) qctx.CtxHandler {
		return qctx.CtxHandlerFunc(func(c *qctx.Ctx) {
			log.WriteString(name + "(")
			next.CtxServeHTTP(c)
			log.WriteString(")")
		})
	}
}

func do(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

func TestStack(t *testing.T) {
	var log strings.Builder
	base := qctx.MwStack(note(&log, "a"), note(&log, "b"))
	one, two := base.Append(note(&log, "c")), base.Append(note(&log, "d"))
	hello := func(c *qctx.Ctx) { log.WriteString("hello") }
	for want, s := range map[string]qctx.MakerStack{"a(b(hello))": base, "a(b(c(hello)))": one, "a(b(d(hello)))": two, "hello": qctx.MwStack()} {
		log.Reset()
		do(s.Handle(hello), "GET", "/", "")
		if log.String() != want {
			t.Errorf("%s, want %s", log.String(), want)
		}
	}
	log.Reset()
	do(qctx.H2Ctx(qctx.CtxHandlerFunc(hello)), "GET", "/", "")
	if log.String() != "hello" {
		t.Error("H2Ctx did not call")
	}
	ps := qctx.Params{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	if ps.ByName("b") != "2" || ps.ByName("c") != "" {
		t.Error("ByName finds others")
	}
}

type point struct{ X, Y int }

func (p *point) UnmarshalJSON(b []byte) error {
	type plain point
	return json.Unmarshal(b, (*plain)(p))
}

func (p *point) MarshalJSON() ([]byte, error) {
	if p.X < 0 {
		return nil, errors.New("negative")
	}
	type plain point
	return json.Marshal((*plain)(p))
}

func TestJSON(t *testing.T) {
	h := qctx.MwStack().Handle(func(c *qctx.Ctx) {
		var p point
		if c.ReadJSON(&p) {
			p.Y++
			c.WriteJSON(&p)
		}
	})
	w := do(h, "POST", "/", `{"X":1,"Y":2}`)
	if w.Code != 200 || w.Body.String() != `{"X":1,"Y":3}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
	if w := do(h, "POST", "/", `{"X":`); w.Code != 400 {
		t.Errorf("no JSON: %d", w.Code)
	}
	if w := do(h, "POST", "/", `{"X":-1}`); w.Code != 500 || strings.Contains(w.Body.String(), "{") || strings.Contains(w.Header().Get("Content-Type"), "json") {
		t.Errorf("what cannot be encoded: %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", iotest.ErrReader(io.ErrUnexpectedEOF)))
	if w.Code != 400 {
		t.Errorf("half a body: %d", w.Code)
	}
	if w := do(http.MaxBytesHandler(h, 5), "POST", "/", `{"X":1,"Y":2}`); w.Code != 413 {
		t.Errorf("too large a body: %d", w.Code)
	}
}

func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		name         string
		stack, all   bool
		handler      func(*qctx.Ctx)
		code         int // 0: the connection is aborted
		logged, body string
	}{
		{"nothing", true, true, func(c *qctx.Ctx) { c.W.WriteHeader(204) }, 204, "", ""},
		{"before the answer", false, false, func(*qctx.Ctx) { panic("ouch") }, 500, "ouch", "internal error"},
		{"with its stack", true, false, func(*qctx.Ctx) { panic("ouch") }, 500, "TestRecovery", "internal error"},
		{"with all stacks", true, true, func(*qctx.Ctx) { panic("ouch") }, 500, "goroutine", "internal error"},
		{"after the header", false, false, func(c *qctx.Ctx) { c.W.WriteHeader(200); panic("ouch") }, 0, "ouch", ""},
		{"after some body", false, false, func(c *qctx.Ctx) { io.WriteString(c.W, "x"); panic("ouch") }, 0, "ouch", ""},
		{"after a flush", false, false, func(c *qctx.Ctx) { c.W.(http.Flusher).Flush(); panic("ouch") }, 0, "ouch", ""},
		{"an abort", true, true, func(*qctx.Ctx) { panic(http.ErrAbortHandler) }, 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			h := qctx.MwStack(qctx.MwLogger(io.Discard, true), qctx.MwRecovery(&log, c.stack, c.all)).Handle(c.handler)
			aborted := false
			var w *httptest.ResponseRecorder
			func() {
				defer func() { aborted = recover() == http.ErrAbortHandler }()
				w = do(h, "GET", "/", "")
			}()
			if aborted != (c.code == 0) || !aborted && (w.Code != c.code || !strings.Contains(w.Body.String(), c.body)) {
				t.Errorf("aborted %v, response %v", aborted, w)
			}
			if (c.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.logged) {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

func TestLogger(t *testing.T) {
	for status, mark := range map[int]string{200: "[32m", 302: "[36m", 404: "[33m", 503: "[31m", 0: "[32m", 101: "[0m"} {
		for _, colored := range []bool{false, true} {
			var log strings.Builder
			h := qctx.MwStack(qctx.MwLogger(&log, colored), qctx.MwStripPrefix("/app")).Handle(func(c *qctx.Ctx) {
				if status != 0 {
					c.W.WriteHeader(status)
				}
			})
			do(h, "PUT", "/app/x?y=1", "")
			line := log.String()
			code := max(status, 200)
			if status == 101 {
				code = 101
			}
			if !strings.Contains(line, itoa(code)) || !strings.Contains(line, " PUT /app/x?y=1 for 192.0.2.1:1234 in ") || !strings.HasSuffix(line, "s\n") {
				t.Errorf("status %d wrote %q", status, line)
			}
			if strings.Contains(line, mark) != colored || strings.Contains(line, "\033") != colored {
				t.Errorf("status %d, colour %v wrote %q", status, colored, line)
			}
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestHeaderAndPrefix(t *testing.T) {
	h := qctx.MwStack(qctx.MwHeader("X-A", "1", "X-B", "2"), qctx.MwStripPrefix("/app")).Handle(func(c *qctx.Ctx) { io.WriteString(c.W, c.R.URL.Path) })
	w := do(h, "GET", "/app/page", "")
	if w.Header().Get("X-A") != "1" || w.Header().Get("X-B") != "2" || w.Body.String() != "/page" {
		t.Errorf("got %v %q", w.Header(), w.Body)
	}
	if w := do(h, "GET", "/other", ""); w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
	defer func() {
		if recover() == nil {
			t.Error("a name without a value did not panic")
		}
	}()
	qctx.MwHeader(strings.Fields("X-A")...)
}

// TestWriterKeepsAbilities is D23: the wrapped writer hid Flush, Hijack, ReadFrom and
// ResponseController.
func TestWriterKeepsAbilities(t *testing.T) {
	h := qctx.MwStack(qctx.MwRecovery(io.Discard, false, false), qctx.MwLogger(io.Discard, false)).Handle(func(c *qctx.Ctx) {
		w := c.W.(*qctx.WrappedRW)
		if _, twice := w.ResponseWriter.(*qctx.WrappedRW); twice {
			t.Error("wrapped twice")
		}
		switch c.R.URL.Path {
		case "/flush":
			io.WriteString(c.W, "first")
			if err := http.NewResponseController(c.W).Flush(); err != nil {
				t.Errorf("Flush: %v", err)
			}
		case "/hints":
			c.W.WriteHeader(http.StatusEarlyHints)
			panic("after early hints there is still an answer")
		case "/copy":
			n, err := io.Copy(c.W, strings.NewReader("body"))
			if n != 4 || err != nil || !w.WroteBody || !w.WroteHeader || w.StatusCode != 200 {
				t.Errorf("ReadFrom: %d, %v, %+v", n, err, w)
			}
		case "/hijack":
			conn, _, err := c.W.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("Hijack: %v", err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		}
	})
	srv := httptest.NewServer(h)
	defer srv.Close()
	for path, want := range map[string]string{"/flush": "first", "/copy": "body", "/hijack": "hi", "/hints": "internal error\n"} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(b) != want || err != nil {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	bare := &qctx.WrappedRW{ResponseWriter: struct{ http.ResponseWriter }{httptest.NewRecorder()}}
	bare.Flush()
	if _, _, err := bare.Hijack(); err == nil || bare.WroteHeader {
		t.Errorf("a writer that cannot: %v, %+v", err, bare)
	}
}
