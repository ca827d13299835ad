// Package qctxhr adapts package qctx to github.com/julienschmidt/httprouter. It is a module of its own, so that
// programs with another router need not have this one.
//
//	r := httprouter.New()
//	r.GET("/hello/:name", qctxhr.HRHandle(mw, hello)) // c.Params.ByName("name")
package qctxhr

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

// Hr2Ctx makes a CtxHandler one of httprouter's; the route's parameters are in Ctx.Params.
func Hr2Ctx(next qctx.CtxHandler) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		params := make(qctx.Params, len(p))
		for i := range p {
			params[i] = qctx.Param(p[i])
		}
		next.CtxServeHTTP(&qctx.Ctx{W: w, R: r, Params: params})
	}
}

// HRHandle is the stack around f as a handler of httprouter's. In the older library it was a method of the stack.
func HRHandle(s qctx.MakerStack, f func(*qctx.Ctx)) httprouter.Handle { return Hr2Ctx(s.Ctx(f)) }
