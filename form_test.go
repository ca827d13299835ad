package sojourn

import (
	"bytes"
	"io"
	"net/http/httptest"
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

type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
