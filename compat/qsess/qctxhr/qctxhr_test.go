package qctxhr_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/julienschmidt/httprouter"

	"github.com/sojourn-go/sojourn/compat/qsess"
	// As a program has it that moves.
	qctx "github.com/sojourn-go/sojourn/compat/qsess/qctxhr"
)

func TestRouter(t *testing.T) {
	hello := func(c *qctx.Ctx) {
		if p := qctx.ToRouter(c.Params); len(p) != 1 || p.ByName("name") != c.Params[0].Value || p[0].Key != c.Params[0].Key {
			t.Errorf("the parameters are %v and %v", c.Params, p)
		}
		fmt.Fprintf(c.W, "hello %s", c.Params.ByName("name"))
	}
	r := httprouter.New()
	r.GET("/a/:name", qctx.MwStack(qctx.MwHeader("X-Mw", "yes")).HRHandle(hello))
	r.GET("/b/:name", qctx.Hr2Ctx(qctx.CtxHandlerFunc(hello)))
	for path, mw := range map[string]string{"/a/ada": "yes", "/b/ada": ""} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Body.String() != "hello ada" || w.Header().Get("X-Mw") != mw {
			t.Errorf("%s: %q, %v", path, w.Body, w.Header())
		}
	}
}

// TestStack: the middleware is that of package qctx, in its order.
func TestStack(t *testing.T) {
	st, err := qsess.NewMapStore([]byte("replace me: 32 random bytes here"))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	open := qctx.MwStack(qctx.MwLogger(&log, false), qctx.MwRecovery(io.Discard, false, false), qctx.MwStripPrefix("/app"))
	closed := open.Append(qctx.MwRequireSess(st))
	for want, h := range map[int]func(*qctx.Ctx){
		204: func(c *qctx.Ctx) { c.W.(*qctx.WrappedRW).WriteHeader(204) },
		500: func(*qctx.Ctx) { panic("ouch") },
	} {
		w := httptest.NewRecorder()
		open.Handle(h).ServeHTTP(w, httptest.NewRequest("GET", "/app/x", nil))
		if w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	qctx.H2Ctx(closed.Ctx(func(*qctx.Ctx) { t.Error("let through") })).ServeHTTP(w, httptest.NewRequest("GET", "/app/x", nil))
	if w.Code != 401 || strings.Count(log.String(), "\n") != 3 || len(open) != 3 {
		t.Errorf("status %d, log %q", w.Code, log.String())
	}
}

// TestNames: whatever package qctx exports is here, too.
func TestNames(t *testing.T) {
	here := exported(t, ".")
	for _, name := range exported(t, "../qctx") {
		if !slices.Contains(here, name) {
			t.Errorf("%s of package qctx is missing", name)
		}
	}
}

// exported lists a package's functions, types, and methods of its own types.
func exported(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var methods []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if recv, ok := receiver(d); d.Name.IsExported() && recv == "MakerStack" {
					methods = append(methods, recv+"."+d.Name.Name)
				} else if d.Name.IsExported() && !ok {
					names = append(names, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() {
						names = append(names, s.Name.Name)
					}
				}
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s exports nothing", dir)
	}
	return append(names, methods...)
}

func receiver(d *ast.FuncDecl) (name string, ok bool) {
	if d.Recv == nil {
		return "", false
	}
	id, _ := d.Recv.List[0].Type.(*ast.Ident)
	if id == nil {
		return "", true
	}
	return id.Name, true
}
