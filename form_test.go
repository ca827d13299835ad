package sojourn

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever a client sends, the handler reads it all afterwards, no more than the bound is read
// before, and a field that is found is what net/http finds in the whole form.
func FuzzFormField(f *testing.F) {
	const form, multi = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
	for _, seed := range []struct{ kind, body string }{
		{form, "csrf_token=x&a=b"}, {form, "a=b&csrf_token=x"}, {form, "a=%zz&csrf_token=x;y"}, {form, "&&=&"},
		{multi, "--b\r\nContent-Disposition: form-data; name=csrf_token\r\n\r\nx\r\n--b--\r\n"},
		{multi, "--b\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\ny\r\n--b\r\nContent-Disposition: form-data; name=csrf_token\r\n\r\nx\r\n--b--"},
		{"multipart/form-data", "--b"}, {"text/plain", "csrf_token=x"}, {"", ""},
	} {
		f.Add(seed.kind, []byte(seed.body), uint16(0))
		f.Add(seed.kind, []byte(seed.body), uint16(1<<15))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte, limit uint16) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", kind)
		read := &counter{Reader: bytes.NewReader(body)}
		r.Body = io.NopCloser(read)
		got := formField(r, "csrf_token", int(limit)+1)
		if read.n > int(limit)+1 {
			t.Fatalf("%d bytes were read, at most %d", read.n, int(limit)+1)
		}
		whole, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(whole, body) {
			t.Fatalf("the handler reads %q, %v", whole, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_ = r.ParseMultipartForm(1 << 20)
		if want := r.PostForm.Get("csrf_token"); got != "" && want != "" && got != want {
			t.Fatalf("found %q, net/http finds %q", got, want)
		}
	})
}

// A field is found where it stands whole within the bound, also where an outer middleware has read
// the form, and a body's failure is left for the handler, once.
func TestFormField(t *testing.T) {
	const form, multi = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
	part := "--b\r\nContent-Disposition: form-data; name=csrf_token\r\n\r\nvalue\r\n--b--\r\n"
	none := func(*http.Request) {}
	for name, c := range map[string]struct {
		kind, body string
		limit      int
		before     func(*http.Request)
		want       string
	}{
		"form":                {form, "csrf_token=value&a=b", 100, none, "value"},
		"form, just whole":    {form, "csrf_token=value&a=b", 17, none, "value"},
		"form, cut":           {form, "a=b&csrf_token=value", 18, none, ""},
		"form, all of it cut": {form, "csrf_token=value", 14, none, ""},
		"multipart":           {multi, part, 1000, none, "value"},
		"multipart, cut":      {multi, part, len(part) - 14, none, ""},
		"no body":             {form, "", 100, func(r *http.Request) { r.Body = nil }, ""},
		"read before":         {form, "csrf_token=value", 5, func(r *http.Request) { _ = r.ParseForm() }, "value"},
		"parts read before":   {multi, part, 5, func(r *http.Request) { _ = r.ParseMultipartForm(1000) }, "value"},
		"no parts read":       {multi, part, 1000, func(r *http.Request) { _ = r.ParseForm() }, "value"},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		c.before(r)
		if got := formField(r, "csrf_token", c.limit); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, kind := range []string{form, multi} {
		r := httptest.NewRequest("POST", "/", &failsOnce{text: part})
		r.Header.Set("Content-Type", kind)
		formField(r, "csrf_token", 1000)
		if b, err := io.ReadAll(r.Body); string(b) != part || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: the handler reads %d bytes, %v", kind, len(b), err)
		}
	}
}

// failsOnce is a body that fails after its text, with it, and must not be read again.
type failsOnce struct {
	text   string
	failed bool
}

func (f *failsOnce) Read(p []byte) (int, error) {
	if f.failed {
		panic("a body is read that has failed")
	}
	f.failed = true
	return copy(p, f.text), io.ErrUnexpectedEOF
}

type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
