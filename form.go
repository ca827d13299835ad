package sojourn

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/sojourn-go/sojourn/internal/token"
)

// formField returns a field of the request's form, "" where it does not stand whole within the
// first limit bytes of the body. What it reads it gives back: the handler finds the body from its
// first byte on, for ParseForm, for MultipartReader and for bounds of its own.
func formField(r *http.Request, name string, limit int) string {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // "" if it is none
	if r.Body == nil {
		return ""
	}
	multi := kind == "multipart/form-data"
	if r.MultipartForm != nil || r.PostForm != nil && !multi { // an outer middleware has read it
		return r.PostForm.Get(name)
	}
	if !multi && kind != "application/x-www-form-urlencoded" {
		return ""
	}
	body := &givenBack{ReadCloser: r.Body}
	r.Body = body
	head := &recorder{body, limit}
	if multi {
		return multipartField(head, params["boundary"], name)
	}
	return urlencodedField(head, name)
}

func urlencodedField(head io.Reader, name string) string {
	b, err := io.ReadAll(head)
	text := string(b)
	if err != nil { // the last pair may be cut
		text = text[:max(0, strings.LastIndexByte(text, '&'))]
	}
	form, _ := url.ParseQuery(text) // what does not parse is no token
	return form.Get(name)
}

// multipartField reads no further than the end of the field.
func multipartField(head io.Reader, boundary, name string) string {
	parts := multipart.NewReader(head, boundary)
	for {
		p, err := parts.NextPart()
		if err != nil {
			return ""
		}
		if p.FormName() != name || p.FileName() != "" {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p, token.MaxLen+1))
		if err != nil {
			return ""
		}
		return string(b)
	}
}

// givenBack is a body whose first bytes were read before, and are read again.
type givenBack struct {
	io.ReadCloser        // the rest
	head          []byte // what was read before
	err           error  // and what came after it
}

func (b *givenBack) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

var errTooFar = errors.New("sojourn: the bound is reached")

// recorder reads a body that shall be given back, at most left bytes of it.
type recorder struct {
	body *givenBack
	left int
}

func (c *recorder) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errTooFar
	}
	n, err := c.body.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	c.body.head, c.body.err = append(c.body.head, p[:n]...), err
	return n, err
}
