package possessions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// behaviours are the document's sentences that say what happens, in our words, each with the tests
// that show it.
var behaviours = []struct{ says, tests string }{
	{"storers: disk, memory, Redis, cookie", "TestFunctions ExampleNewDiskStorer ExampleNewDefaultMemoryStorer ExampleNewRedisStorer ExampleNewCookieOverseer"},
	{"an overseer joins storers and cookies, and can be used directly", "TestOverseerMethods"},
	{"a storer's keys are the IDs of sessions; it can be used directly", "TestStorer"},
	{"the high-level functions work through the storer", "TestEmbeddedStorer TestFunctions"},
	{"StorageOverseer is for all sessions on the server", "TestFunctions"},
	{"CookieOverseer is for sessions in the browser alone", "TestCookieSealed TestFunctions"},
	{"disk: each session is a text file", "TestDiskFiles"},
	{"disk: by default in a folder of its own in the system's folder for temporary files", "TestP16jDefaultFolder"},
	{"disk: files are named by the sessions' UUIDs", "TestDiskFiles"},
	{"disk: Get, Set and the middleware reset the file's time and push the expiry back", "TestDiskFiles"},
	{"disk: so does touching the file by hand", "TestDiskTouchedByHand"},
	{"the cleaner removes, every cleanInterval, what was not used for maxAge", "TestMemoryAges TestP16gCleaner TestDiskTouchedByHand"},
	{"a page that is loaded again with ResetMiddleware begins the time anew", "TestPushedBack"},
	{"maxAge and cleanInterval both 0: sessions persist", "TestMemoryAges"},
	{"the browser ends the cookie by the cookie's own MaxAge", "TestCookieMaxAge"},
	{"defaults: cookie until the browser closes, maxAge 2 days, cleanInterval 1 hour", "TestCookieMaxAge TestCookieAttributes TestMemoryAges"},
	{"memory: safe for concurrent use", "TestP16hParallel"},
	{"memory: a session has a value and an expiry", "TestP16fExpired TestStorer"},
	{"memory: the cleaner can be started and stopped", "TestP16gCleaner"},
	{"Redis: a database is chosen by its ID", "TestRedisDatabases"},
	{"Redis: it ends sessions by itself", "TestRedisExpires"},
	{"cookie: encrypted by AES-GCM, in base64, in the browser", "TestCookieSealed"},
	{"RefreshMiddleware, which the document leaves to be written", "ExampleNewRefreshMiddleware TestPushedBack"},
	{"IsNoSessionError accepts what Get and ResetExpiry of a storer return where there is no session", "TestStorer TestP16fExpired"},
	{"IsNoMapKeyError accepts what is returned where the session has no such key: by GetObj and GetFlashObj; Get and GetFlash tell by their second result", "TestObjects TestFunctions"},
	{"examples, which the document leaves to be written", "ExampleAddFlash ExampleSetObj"},
}

// TestBehaviours: no sentence has lost its test.
func TestBehaviours(t *testing.T) {
	there := map[string]bool{}
	for _, name := range must(filepath.Glob("*_test.go")) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				there[f.Name.Name] = true
			}
		}
	}
	for _, b := range behaviours {
		if b.tests == "" {
			t.Errorf("%q has no test", b.says)
		}
		for _, name := range strings.Fields(b.tests) {
			if !there[name] {
				t.Errorf("%q: there is no %s", b.says, name)
			}
		}
	}
}
