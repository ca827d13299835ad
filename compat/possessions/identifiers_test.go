package possessions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// identifiers is every name of the older library and of its document, in use: what is missing does
// not compile. The types of the functions are spelled out, so that a changed signature does not
// compile either.
var identifiers = map[string]any{
	"Overseer":            Overseer(nil),
	"StorageOverseer":     (*StorageOverseer)(nil),
	"CookieOverseer":      (*CookieOverseer)(nil),
	"Session":             Session(nil),
	"Event":               Event{EventSet, "key", "val", []string{"keys"}},
	"EventKind":           EventKind(0),
	"EventSet":            EventSet,
	"EventDel":            EventDel,
	"EventDelAll":         EventDelAll,
	"EventRefresh":        EventRefresh,
	"EventDelClientState": EventDelClientState,

	"Storer":        Storer(nil),
	"MemoryStorer":  Storer((*MemoryStorer)(nil)),
	"DiskStorer":    Storer((*DiskStorer)(nil)),
	"RedisStorer":   Storer((*RedisStorer)(nil)),
	"CookieOptions": CookieOptions{"domain", "path", "name", 0, true, true, http.SameSiteLaxMode, nil},

	"NewCookieOptions":       func() CookieOptions { return NewCookieOptions() },
	"NewStorageOverseer":     func(o CookieOptions, s Storer) *StorageOverseer { return NewStorageOverseer(o, s) },
	"NewCookieOverseer":      func(o CookieOptions, key [32]byte) *CookieOverseer { return NewCookieOverseer(o, key) },
	"NewDiskStorer":          NewDiskStorer,
	"NewDiskStorerWith":      NewDiskStorerWith, // not of the older library
	"NewDefaultDiskStorer":   NewDefaultDiskStorer,
	"NewMemoryStorer":        NewMemoryStorer,
	"NewDefaultMemoryStorer": NewDefaultMemoryStorer,
	"NewRedisStorer":         NewRedisStorer,
	"NewDefaultRedisStorer":  NewDefaultRedisStorer,
	"NewRedisStorerClient":   NewRedisStorerClient,

	"OverseeingMiddleware":     wrapper(OverseeingMiddleware{}),
	"NewOverseeingMiddleware":  NewOverseeingMiddleware,
	"RefreshMiddleware":        wrapper(RefreshMiddleware{}),
	"NewRefreshMiddleware":     NewRefreshMiddleware,
	"ResetMiddleware":          wrapper(ResetMiddleware{}),
	"NewResetMiddleware":       NewResetMiddleware,
	"UnderlyingResponseWriter": UnderlyingResponseWriter(nil),
	"CTXKeyPossessions":        CTXKeyPossessions{},

	"Get": Get, "GetObj": GetObj, "Set": Set, "SetObj": SetObj, "Del": Del, "DelAll": DelAll, "Refresh": Refresh,
	"AddFlash": AddFlash, "AddFlashObj": AddFlashObj, "GetFlash": GetFlash, "GetFlashObj": GetFlashObj,
	"IsNoSessionError": IsNoSessionError, "IsNoMapKeyError": IsNoMapKeyError,
}

// The methods of the storers that clean, and of the overseers.
var (
	_ interface {
		StartCleaner()
		StopCleaner()
		Clean()
	} = (*MemoryStorer)(nil)
	_ interface {
		StartCleaner()
		StopCleaner()
		Clean()
		Close() error
	} = (*DiskStorer)(nil)
	_ interface{ Close() error } = (*RedisStorer)(nil)
	_ Overseer                   = (*StorageOverseer)(nil)
	_ Overseer                   = (*CookieOverseer)(nil)
	_                            = (&StorageOverseer{}).Storer
)

type wrapper interface {
	Wrap(http.Handler) http.Handler
}

// The table and the package have the same exported names.
func TestIdentifiers(t *testing.T) {
	have := map[string]bool{}
	for _, name := range must(filepath.Glob("*.go")) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				have[d.Name.Name] = have[d.Name.Name] || d.Recv == nil && d.Name.IsExported()
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						have[s.Name.Name] = s.Name.IsExported()
					case *ast.ValueSpec:
						for _, n := range s.Names {
							have[n.Name] = n.IsExported()
						}
					}
				}
			}
		}
	}
	for name, exported := range have {
		if _, listed := identifiers[name]; exported && !listed {
			t.Errorf("%s is not in the table", name)
		}
	}
	for name := range identifiers {
		if !have[name] {
			t.Errorf("%s is not in the package", name)
		}
	}
}
