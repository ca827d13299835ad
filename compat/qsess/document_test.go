package qsess_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// identifiers are all names of the older library's document, and those that its users know from
// qctx and the back-ends. "T.F" is a field or method.
const identifiers = `
qsess.DefaultAuthType qsess.DefaultMaxAgeSecs qsess.DefaultMinRefreshSecs qsess.DefaultCookieName qsess.DefaultCookieDomain
qsess.DefaultCookiePath qsess.DefaultCookieSecure qsess.DefaultCookieHTTPOnly qsess.DefaultCookieSameSite
qsess.AuthTypeEnum qsess.CookieAuth qsess.TokenAuth qsess.ParseAuthType AuthTypeEnum.String
qsess.SessBackEnd SessBackEnd.Save SessBackEnd.Get SessBackEnd.Delete SessBackEnd.DeleteByUserID
qsess.SessData SessData.Marshal SessData.Unmarshal qsess.VarMap VarMap.Vars
qsess.Session Session.Data Session.MaxAgeSecs Session.MinRefreshSecs Session.Delete Session.DeleteByUserID Session.Save Session.Token Session.UserID
qsess.Store Store.NewSessData Store.MaxAgeSecs Store.MinRefreshSecs Store.CookieName Store.CookieDomain Store.CookiePath Store.CookieSecure
Store.CookieHTTPOnly Store.CookieSameSite Store.AuthType Store.SendToken Store.DeleteToken Store.GetToken Store.Encrypt Store.Decrypt
Store.SessionSaved Store.PruneInterval Store.PruneKill
qsess.NewMapStore qsess.NewStore Store.BackEnd Store.GetSession Store.GetTokenSession Store.NewSession
qsldb.NewGldbStore qsldb.DefaultPruneIntervalSecs qscql.NewCqlStore qspgx.NewPgxStore qspgx.DefaultPruneIntervalSecs qsmy.NewMysqlStore
qstest.SanityTest qstest.ExpirationTest qstest.DeleteByUserIDTest qstest.NoSessDataTest
qctx.Ctx Ctx.W Ctx.R Ctx.Params Ctx.Sess Ctx.ReadJSON Ctx.WriteJSON Ctx.Error qctx.CtxHandler CtxHandler.CtxServeHTTP qctx.CtxHandlerFunc
qctx.H2Ctx qctx.MwMaker qctx.MakerStack qctx.MwStack MakerStack.Append MakerStack.Handle qctx.MwRequireSess qctx.MwLogger qctx.MwRecovery
qctx.MwHeader qctx.MwStripPrefix qctx.WrappedRW WrappedRW.WroteHeader WrappedRW.WroteBody WrappedRW.StatusCode
qctx.Hr2Ctx MakerStack.HRHandle qstest.TestNothing`

// behaviours are the document's sentences that say what happens, in our words, each with the tests
// that show it.
var behaviours = []struct{ says, tests string }{
	{"sessions in memory, goleveldb, PostgreSQL, MySQL, Cassandra", "TestMapStore TestGldbStore TestPgxStore TestMysqlStore TestCqlStore"},
	{"independent of routers: net/http alone, or with middleware and another router", "TestGetSessionByCookie TestStack TestRouter"},
	{"no dependencies beyond the standard library and the core; each back-end's in a module of its own", "TestRequires"},
	{"sign in, use, sign out, as in the document's program", "Example"},
	{"data is kept on the server, not in the client", "TestServerSide"},
	{"a user id alone needs no data: NewSessData nil", "TestMapStore TestChangedType"},
	{"the program's own data type, by NewSessData", "TestMapStore ExampleStore_NewSessData"},
	{"the default type is VarMap, a map of anything, in gob", "TestDefaults TestVarMap"},
	{"TokenAuth: tokens in place of cookies, opaque base64", "TestServerSide TestGetSessionByToken"},
	{"tokens are sent by SendToken and DeleteToken, or by the program with Token", "TestTokenCallbacks TestGetSessionByToken ExampleSession_Token"},
	{"tokens are read from Authorization: Bearer, or by GetToken", "TestGetSessionByToken TestTokenCallbacks"},
	{"cookies and tokens are encrypted and authenticated", "TestServerSide"},
	{"Encrypt and Decrypt replace the cipher", "TestHooks TestMapStore"},
	{"several Stores at once, for several purposes", "TestMapStore ExampleSession_Token"},
	{"a session that is not saved in time is deleted", "TestLife TestPrune TestPruned TestExpirationInABubble"},
	{"nothing refreshes but Save", "TestLife TestCosts"},
	{"GetSession tells the time to live", "TestLife TestGetSessionByCookie"},
	{"DeleteByUserID ends all of a user's sessions", "TestMapStore TestRevokeThenSignIn"},
	{"user ids are the program's, are not interpreted, are kept for the session's life", "TestMapStore TestNewIsNowhere"},
	{"the defaults", "TestDefaults"},
	{"AuthTypeEnum's names, both ways", "TestAuthType"},
	{"a back-end's Save makes ids and gives them back through the pointer", "TestBackEnd TestOwnBackEnd"},
	{"Get and Delete are given the user id where the back-end needs it in the client", "TestOwnBackEnd"},
	{"ids of back-ends are not shown to users", "TestOwnBackEnd"},
	{"MaxAgeSecs and MinRefreshSecs begin as the Store's and can be a session's own", "TestLife TestMapStore"},
	{"Delete ends the record and the cookie, or calls DeleteToken", "TestCookie TestTokenCallbacks"},
	{"DeleteByUserID needs a user id, and works on a session that was never saved", "TestMapStore TestRevokeThenSignIn"},
	{"Save writes the data and begins the life anew", "TestLife TestMapStore"},
	{"with CookieAuth Save puts the cookie into the header, before the first byte", "TestCookie"},
	{"with TokenAuth Save needs SendToken or the program's own way", "TestTokenCallbacks TestGetSessionByToken"},
	{"MaxAgeSecs must be positive", "TestLife"},
	{"MinRefreshSecs is for the program, or MwRequireSess; negative means never", "TestMinRefresh"},
	{"the cookie's parameters", "TestCookie"},
	{"SessionSaved is told user id and time of each Save, and changes nothing", "TestSessionSaved"},
	{"PruneInterval and PruneKill control the pruner", "TestPrune TestPrunerEnds TestKillThenClose"},
	{"NewMapStore keeps nothing beyond the process", "TestMapStore"},
	{"the first key seals, all open", "TestSharedMemory"},
	{"fields can be set after the constructor", "TestCookie TestTokenCallbacks"},
	{"NewStore takes a back-end, and BackEnd gives it", "TestOwnBackEnd"},
	{"GetSession gives a session if and only if there is an active one", "TestGetSessionByCookie TestGetSessionByToken"},
	{"GetTokenSession does so for a token", "TestLife TestServerSide"},
	{"a new session is not kept until it is saved, with or without a user id", "TestNewIsNowhere"},
	{"each back-end deletes expired sessions beside live ones", "TestPruned"},
}

// tests are all test files of the API and its back-ends, but for the one that uses nothing.
func tests(t *testing.T) []*ast.File {
	t.Helper()
	var files []*ast.File
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, "_test.go") {
			var f *ast.File
			if f, err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution); err == nil && name != "names_test.go" {
				files = append(files, f)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestIdentifiers: each of the document's names is used by a test that compiles; a method or field,
// whose owner's type this does not look for, by its bare name. That each is there and of its type
// is what names_test.go says.
func TestIdentifiers(t *testing.T) {
	used := map[string]bool{}
	for _, f := range tests(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				used["."+n.Sel.Name] = true
				if x, ok := n.X.(*ast.Ident); ok {
					used[x.Name+"."+n.Sel.Name] = true
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok {
					used["."+k.Name] = true
				}
			}
			return true
		})
	}
	for _, name := range strings.Fields(identifiers) {
		owner, member, _ := strings.Cut(name, ".")
		if owner[0] >= 'A' && owner[0] <= 'Z' {
			name = "." + member
		}
		if !used[name] {
			t.Errorf("%s.%s is used by no test", owner, member)
		}
	}
}

// TestBehaviours: no sentence has lost its test.
func TestBehaviours(t *testing.T) {
	there := map[string]bool{}
	for _, f := range tests(t) {
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

// TestRequires: whoever uses the map needs nobody else's code.
func TestRequires(t *testing.T) {
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if mod, _ := filepath.Glob(filepath.Join(name, "go.mod")); mod != nil && name != "." {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(path, "github.com/sojourn-go/sojourn") {
				t.Errorf("%s imports %s", name, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
