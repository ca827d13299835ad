// Package qctxhr is package qctx for programs with github.com/julienschmidt/httprouter: all its
// names, and those that need the router. Such a program changes import paths only:
//
//	import qctx "github.com/sojourn-go/sojourn/compat/qsess/qctxhr"
//
//	r := httprouter.New()
//	r.GET("/hello/:name", mw.HRHandle(hello)) // c.Params.ByName("name")
//
// It is a module of its own, so that programs with another router need not have this one.
package qctxhr

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

// Hr2Ctx makes a CtxHandler one of httprouter's; the route's parameters are in Ctx.Params.
func Hr2Ctx(next CtxHandler) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		next.CtxServeHTTP(&Ctx{W: w, R: r, Params: FromRouter(p)})
	}
}

// HRHandle is the stack around f as a handler of httprouter's.
func (s MakerStack) HRHandle(f func(*Ctx)) httprouter.Handle { return Hr2Ctx(s.Ctx(f)) }

// FromRouter returns httprouter's parameters as those of a [Ctx], whose type knows no router.
func FromRouter(p httprouter.Params) Params {
	params := make(Params, len(p))
	for i := range p {
		params[i] = qctx.Param(p[i])
	}
	return params
}

// ToRouter returns the parameters of a [Ctx] in httprouter's type, for functions that want it.
func ToRouter(p Params) httprouter.Params {
	params := make(httprouter.Params, len(p))
	for i := range p {
		params[i] = httprouter.Param(p[i])
	}
	return params
}
