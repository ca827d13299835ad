package explore

import (
	"context"
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const cookieName = "__Host-session"

// A jar holds a browser's cookies of the session, by name: one, or a sealed session's chunks.
type jar map[string]string

// field gives the Cookie header's value.
func (j jar) field() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(j)) {
		parts = append(parts, name+"="+j[name])
	}
	return strings.Join(parts, "; ")
}

// take does to the jar what a browser does at a response.
func (j jar) take(h http.Header) {
	for _, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || !ours(c.Name) {
			continue
		}
		if c.MaxAge < 0 {
			delete(j, c.Name)
		} else {
			j[c.Name] = c.Value
		}
	}
}

func ours(name string) bool {
	return name == cookieName || strings.HasPrefix(name, cookieName+".")
}

var (
	someTLS = &tls.ConnectionState{}
	someURL = &url.URL{Scheme: "https", Host: "example.com", Path: "/"}
	agent   = []string{"explorer"}

	// returnURL is where pages of other sites may post to.
	returnURL = &url.URL{Scheme: "https", Host: "example.com", Path: "/return"}
)

// newRequest makes a request with the cookies of j.
func newRequest(ctx context.Context, j jar) *http.Request {
	h := http.Header{"User-Agent": agent}
	if len(j) > 0 {
		h["Cookie"] = []string{j.field()}
	}
	r := &http.Request{Method: "GET", URL: someURL, Host: someURL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, TLS: someTLS, RemoteAddr: "192.0.2.1:1234", Body: http.NoBody}
	return r.WithContext(ctx)
}

// response is the writer of one request, as net/http's behaves.
type response struct {
	header  http.Header
	status  int
	flushed bool
	wrote   func() // called when the header is written
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if status < 200 || w.status != 0 {
		return
	}
	w.status = status
	w.wrote()
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(b), nil
}

func (w *response) FlushError() error {
	w.WriteHeader(http.StatusOK)
	w.flushed = true
	return nil
}

// recoverer answers panics as middlewares do, where that is still possible.
func recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p != errScripted {
					panic(p)
				}
				http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
