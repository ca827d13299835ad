package qctx

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/sojourn-go/sojourn/compat/qsess"
)

// Ctx is what one request has. It belongs to the request's goroutine.
type Ctx struct {
	W http.ResponseWriter
	R *http.Request

	Params Params         // of the route, with a router that has some
	Sess   *qsess.Session // below MwRequireSess
}

// Param is one parameter of a route.
type Param struct{ Key, Value string }

// Params are the parameters of a route, in its order.
type Params []Param

// ByName gives the value of the first parameter called name, or "".
func (ps Params) ByName(name string) string {
	for _, p := range ps {
		if p.Key == name {
			return p.Value
		}
	}
	return ""
}

// CtxHandler handles a request.
type CtxHandler interface {
	CtxServeHTTP(*Ctx)
}

// CtxHandlerFunc is a function as a [CtxHandler].
type CtxHandlerFunc func(*Ctx)

// CtxServeHTTP calls f.
func (f CtxHandlerFunc) CtxServeHTTP(c *Ctx) { f(c) }

// H2Ctx makes a CtxHandler one of net/http's.
func H2Ctx(next CtxHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.CtxServeHTTP(&Ctx{W: w, R: r})
	})
}

// MwMaker is a piece of middleware: it makes a handler that does its work around next.
type MwMaker func(next CtxHandler) CtxHandler

// MakerStack is middleware in order, the outermost first.
type MakerStack []MwMaker

// MwStack makes a stack.
func MwStack(makers ...MwMaker) MakerStack { return makers }

// Append gives a new stack with more makers inside; s stays as it is.
func (s MakerStack) Append(makers ...MwMaker) MakerStack {
	return append(s[:len(s):len(s)], makers...)
}

// Ctx puts the stack around f.
func (s MakerStack) Ctx(f func(*Ctx)) CtxHandler {
	var h CtxHandler = CtxHandlerFunc(f)
	for i := len(s) - 1; i >= 0; i-- {
		h = s[i](h)
	}
	return h
}

// Handle is the stack around f as a handler of net/http's.
func (s MakerStack) Handle(f func(*Ctx)) http.Handler { return H2Ctx(s.Ctx(f)) }

// Error answers with a status and a text, as http.Error does.
func (c *Ctx) Error(s string, code int) { http.Error(c.W, s, code) }

// ReadJSON reads the request's body into dest. If that fails it answers with status 400, or 413
// where the body exceeds the limit of an http.MaxBytesReader around it, and returns false.
func (c *Ctx) ReadJSON(dest json.Unmarshaler) bool {
	body, err := io.ReadAll(c.R.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		c.Error("JSON request is too large", http.StatusRequestEntityTooLarge)
	case err != nil:
		c.Error("JSON request cannot be read", http.StatusBadRequest)
	case dest.UnmarshalJSON(body) != nil:
		c.Error("request is not the JSON that it should be", http.StatusBadRequest)
	default:
		return true
	}
	return false
}

// WriteJSON answers with src. If src cannot be encoded it answers with status 500 instead.
func (c *Ctx) WriteJSON(src json.Marshaler) {
	data, err := src.MarshalJSON()
	if err != nil {
		c.Error("response cannot be encoded", http.StatusInternalServerError)
		return
	}
	c.W.Header().Set("Content-Type", "application/json")
	_, _ = c.W.Write(data) // the client has gone: there is nobody to tell
}
