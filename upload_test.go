package sojourn_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
)

// multipartBody is a form of the given fields, in their order, and a file after them.
func multipartBody(t testing.TB, file int, fields ...[2]string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	form := multipart.NewWriter(body)
	for _, f := range fields {
		rigOK(t, form.WriteField(f[0], f[1]))
	}
	part, err := form.CreateFormFile("file", "photo.jpg")
	rigOK(t, err)
	_, err = part.Write(bytes.Repeat([]byte("x"), file))
	rigOK(t, err)
	rigOK(t, form.Close())
	return body, form.FormDataContentType()
}

// net/http removes the temporary files of its own Request only, and below Handler there is a copy:
// nothing of an upload is left, whatever order the middlewares stand in and however the handler
// ends.
func TestUploadsLeaveNoFile(t *testing.T) {
	g, other := newWebRig(t, nil, sojourn.Options{}), newWebRig(t, nil, sojourn.Options{Name: "other"})
	type wrap = func(http.Handler) http.Handler
	copying := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), uploadKey{}, 1)))
		})
	}
	parsing := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rigOK(t, r.ParseMultipartForm(1))
			next.ServeHTTP(w, r)
			if f, err := r.MultipartForm.File["file"][0].Open(); err != nil {
				t.Errorf("a form that was parsed outside is gone before its own handler is done: %v", err)
			} else {
				f.Close()
			}
		})
	}
	orders := map[string][]wrap{
		"Handler":                  {g.m.Handler},
		"Handler, RequireLoaded":   {g.m.Handler, g.m.RequireLoaded, g.m.Peek},
		"two managers":             {g.m.Handler, other.m.Handler, g.m.RequireLoaded, other.m.RequireLoaded},
		"below a copy":             {copying, g.m.Handler},
		"parsed by outer handlers": {parsing, g.m.Handler, other.m.Handler},
		"parsed between":           {g.m.Handler, parsing, other.m.Handler},
	}
	for name, order := range orders {
		for _, h2 := range []bool{false, true} {
			for _, end := range []string{"return", "panic"} {
				if name == "parsed by outer handlers" && end == "panic" {
					continue // net/http's own Request, which it forgets on a panic
				}
				t.Setenv("TMPDIR", t.TempDir())
				var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					rigOK(t, r.ParseMultipartForm(1))
					if files := uploadFiles(t); len(files) != 1 {
						t.Errorf("%s: the handler has %v on disk, want one file", name, files)
					}
					if end == "panic" {
						panic(http.ErrAbortHandler)
					}
				})
				for i := len(order) - 1; i >= 0; i-- {
					h = order[i](h)
				}
				s := server(t, h, h2)
				body, kind := multipartBody(t, 100)
				r, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL, body)
				r.Header.Set("Content-Type", kind)
				r.Header.Set("Origin", s.URL)
				resp, err := s.Client().Do(r)
				if (err == nil) != (end == "return") {
					t.Errorf("%s: %v", name, err)
				}
				if err == nil {
					resp.Body.Close()
				}
				s.Close() // waits for the handlers
				if files := uploadFiles(t); len(files) != 0 {
					t.Errorf("%s, HTTP/2 %v, %s: left %v", name, h2, end, files)
				}
			}
		}
	}
}

type uploadKey struct{}

func uploadFiles(t testing.TB) (names []string) {
	t.Helper()
	files, err := os.ReadDir(os.TempDir())
	rigOK(t, err)
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// counted counts what is read of a body that never ends.
type counted struct {
	head io.Reader
	n    int
}

func (c *counted) Read(p []byte) (n int, err error) {
	if n, _ = c.head.Read(p); n == 0 {
		n = copy(p, bytes.Repeat([]byte("x"), len(p)))
	}
	c.n += n
	return n, nil
}

func (c *counted) Close() error { return nil }

// RequireCSRFToken reads nothing of a stranger's body, or of one that brought its token in the
// header, and of the others no more than it may.
func TestCSRFBodyLimit(t *testing.T) {
	multi := "--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
	for _, limit := range []int{0, 1 << 10} {
		g := newWebRig(t, nil, sojourn.Options{CSRFBodyLimit: limit})
		most := max(limit, 64<<10*min(1, 1-min(limit, 1)))
		cookie, token := g.csrf()
		for _, tt := range []struct {
			name, cookie, header, kind, body string
			least, most, want                int
		}{
			{"nobody", "", "", "multipart/form-data; boundary=b", multi, 0, 0, 403},
			{"nobody's form", "", "", "application/x-www-form-urlencoded", "a=", 0, 0, 403},
			{"nobody with a token", "", token, "multipart/form-data; boundary=b", multi, 0, 0, 403},
			{"a forged cookie", "__Host-session=" + strings.Repeat("A", 124), "", "multipart/form-data; boundary=b", multi, 0, 0, 403},
			{"header", cookie, token, "multipart/form-data; boundary=b", multi, 0, 0, 200},
			{"JSON", cookie, "", "application/json", `{"a":"`, 0, 0, 403},
			{"no boundary", cookie, "", "multipart/form-data", multi, 0, most, 403},
			{"a strange parameter", cookie, "", "application/x-www-form-urlencoded; a", "csrf_token=" + token + "&a=", most, most, 200},
			{"no type", cookie, "", "", "a=", 0, 0, 403},
			{"file", cookie, "", "multipart/form-data; boundary=b", multi, most, most, 403},
			{"form", cookie, "", "application/x-www-form-urlencoded", "a=", most, most, 403},
			{"field cut at the bound", cookie, "", "application/x-www-form-urlencoded", "a=" + strings.Repeat("a", most-80) + "&csrf_token=" + token + "&b=", most, most, 403},
			{"field before the bound", cookie, "", "application/x-www-form-urlencoded", "csrf_token=" + token + "&a=", most, most, 200},
		} {
			t.Setenv("TMPDIR", t.TempDir())
			r := rigRequest("POST", tt.cookie)
			body := &counted{head: strings.NewReader(tt.body)}
			r.Body, r.ContentLength = body, 200<<20
			r.Header.Set("Content-Type", tt.kind)
			if tt.header != "" {
				r.Header.Set("X-CSRF-Token", tt.header)
			}
			w := httptest.NewRecorder()
			g.m.Handler(g.m.RequireCSRFToken(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).ServeHTTP(w, r)
			if w.Code != tt.want || body.n < tt.least || body.n > tt.most {
				t.Errorf("limit %d, %s: status %d, %d bytes read; want %d and %d to %d", limit, tt.name, w.Code, body.n, tt.want, tt.least, tt.most)
			}
			if files := uploadFiles(t); len(files) != 0 {
				t.Errorf("limit %d, %s: left %v", limit, tt.name, files)
			}
		}
	}
}

// csrf is a session and its CSRF token.
func (g *webRig) csrf() (cookie, token string) {
	cookie = g.login("")
	g.do(cookie, func(s *sojourn.Session) { token = s.CSRFToken() })
	return cookie, token
}

// The handler below RequireCSRFToken reads the body as if nobody had done so before.
func TestCSRFGivesBodyBack(t *testing.T) {
	const file = 300 << 10 // over the bound
	g := newWebRig(t, nil, sojourn.Options{})
	cookie, token := g.csrf()
	whole := func(t *testing.T, r io.Reader) {
		b, err := io.ReadAll(r)
		if err != nil || len(b) != file || strings.Trim(string(b), "x") != "" {
			t.Errorf("file of %d bytes, %v", len(b), err)
		}
	}
	multi, kind := multipartBody(t, file, [2]string{"note", "hello"}, [2]string{"csrf_token", token})
	late, lateKind := multipartBody(t, file, [2]string{"note", strings.Repeat("n", 64<<10)}, [2]string{"csrf_token", token})
	notAField, notAFieldKind := &bytes.Buffer{}, ""
	form := multipart.NewWriter(notAField)
	part, err := form.CreateFormFile("csrf_token", "token.txt")
	rigOK(t, err)
	fmt.Fprint(part, token)
	rigOK(t, form.Close())
	notAFieldKind = form.FormDataContentType()
	for name, tt := range map[string]struct {
		body, kind string
		want       int
		outer      func(http.Handler) http.Handler
		handler    func(*testing.T, http.ResponseWriter, *http.Request)
	}{
		"ParseMultipartForm": {multi.String(), kind, 200, nil, func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
			rigOK(t, r.ParseMultipartForm(1<<10))
			f, _, err := r.FormFile("file")
			rigOK(t, err)
			defer f.Close()
			if whole(t, f); r.FormValue("note") != "hello" {
				t.Errorf("note %q", r.FormValue("note"))
			}
		}},
		"MultipartReader": {multi.String(), kind, 200, nil, func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
			parts, err := r.MultipartReader()
			rigOK(t, err)
			for _, name := range []string{"note", "csrf_token", "file"} {
				p, err := parts.NextPart()
				if err != nil || p.FormName() != name {
					t.Fatalf("part %v, %v, want %s", p, err, name)
				}
				if name == "file" {
					whole(t, p)
				}
			}
		}},
		"MaxBytesReader": {multi.String(), kind, 200, nil, func(t *testing.T, w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
			if err := r.ParseMultipartForm(1 << 10); err == nil || !strings.Contains(err.Error(), "too large") {
				t.Errorf("a body over the handler's bound: %v", err)
			}
		}},
		"raw bytes": {multi.String(), kind, 200, nil, func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil || string(b) != multi.String() {
				t.Errorf("%d bytes of %d, %v", len(b), multi.Len(), err)
			}
			rigOK(t, r.Body.Close())
		}},
		"ParseForm": {"csrf_token=" + url.QueryEscape(token) + "&note=" + strings.Repeat("x", file), "application/x-www-form-urlencoded", 200, nil,
			func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
				whole(t, strings.NewReader(r.PostFormValue("note")))
			}},
		"parsed before": {multi.String(), kind, 200, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				rigOK(t, r.ParseMultipartForm(1<<10))
				defer r.MultipartForm.RemoveAll()
				next.ServeHTTP(w, r)
			})
		}, func(t *testing.T, _ http.ResponseWriter, r *http.Request) {}},
		"ParseForm before, which reads no multipart": {multi.String(), kind, 200, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				rigOK(t, r.ParseForm())
				next.ServeHTTP(w, r)
			})
		}, func(t *testing.T, _ http.ResponseWriter, r *http.Request) {}},
		"an outer bound": {multi.String(), kind, 200, func(next http.Handler) http.Handler { return http.MaxBytesHandler(next, 1<<10) },
			func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil || !strings.Contains(err.Error(), "too large") {
					t.Errorf("a body over the outer bound: %v", err)
				}
			}},
		"field after the bound": {late.String(), lateKind, 403, nil, nil},
		"a file of that name":   {notAField.String(), notAFieldKind, 403, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			var h http.Handler = g.m.Handler(g.m.RequireCSRFToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ran = true
				tt.handler(t, w, r)
			})))
			if tt.outer != nil {
				h = tt.outer(h)
			}
			r := httptest.NewRequest("POST", "https://example.com/", strings.NewReader(tt.body))
			r.Header = http.Header{"Cookie": {cookie}, "Sec-Fetch-Site": {"same-origin"}, "Content-Type": {tt.kind}}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != tt.want || ran != (tt.want == 200) {
				t.Errorf("status %d, handler ran %v", w.Code, ran)
			}
		})
	}
}

// What ServeMux notes in its Request, the route and its wildcards, is there for logs and metrics
// outside Handler, too, at the first byte and after the last.
func TestPatternOutside(t *testing.T) {
	g, other := newWebRig(t, nil, sojourn.Options{}), newWebRig(t, nil, sojourn.Options{Name: "other"})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}/files/{path...}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page") })
	mux.HandleFunc("GET /panics/{$}", func(http.ResponseWriter, *http.Request) { panic("broken") })
	h := g.m.Handler(g.m.Peek(other.m.Handler(mux)))
	for path, want := range map[string][3]string{
		"/orders/7/files/a/b": {"GET /orders/{id}/files/{path...}", "7", "a/b"},
		"/panics/":            {"GET /panics/{$}"},
		"/nowhere":            {},
	} {
		r := httptest.NewRequest("GET", "https://example.com"+path, nil)
		got := func() [3]string { return [3]string{r.Pattern, r.PathValue("id"), r.PathValue("path")} }
		w := &atFirstByte{ResponseRecorder: httptest.NewRecorder(), do: func() {
			if got() != want {
				t.Errorf("%s, at the first byte: %q", path, got())
			}
		}}
		func() {
			defer func() { recover() }()
			h.ServeHTTP(w, r)
		}()
		if got() != want {
			t.Errorf("%s, after the handler: %q", path, got())
		}
	}
}

type atFirstByte struct {
	*httptest.ResponseRecorder
	do func()
}

func (w *atFirstByte) WriteHeader(status int) { w.do(); w.ResponseRecorder.WriteHeader(status) }

func (w *atFirstByte) Write(b []byte) (int, error) { w.do(); return w.ResponseRecorder.Write(b) }
