package rules

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sound is a small repository in which every rule holds. Each case of TestRules puts files over it
// and breaks one rule.
var sound = map[string]string{
	"go.work":                    "go 1.26\n\nuse (\n\t.\n\t./redisstore\n\t./cqlstore\n\t./examples/shop\n)\n",
	"go.mod":                     "module " + Core + "\n\ngo 1.26\n",
	"doc.go":                     "// Package sojourn is here.\npackage sojourn\n\nimport (\n\t_ \"" + Core + "/internal/x\"\n\t_ \"" + Core + "/store\"\n)\n",
	"example_test.go":            "package sojourn_test\n\nimport _ \"" + Core + "/memstore\"\n",
	"internal/x/x.go":            "package x\n\nfunc Undocumented() {}\n",
	"store/doc.go":               "// Package store is the contract.\npackage store\n",
	"store/storetest/kit.go":     "// Package storetest is the kit.\npackage storetest\n\nimport _ \"" + Core + "/store\"\n",
	"memstore/mem.go":            "// Package memstore keeps records in memory.\npackage memstore\n\nimport _ \"" + Core + "/store\"\n",
	"memstore/mem_test.go":       "package memstore\n\nimport (\n\t\"flag\"\n\t\"os\"\n\t\"" + Core + "/store/storetest\"\n)\n",
	"memstore/testdata/bad.go":   "not Go at all",
	"redisstore/go.mod":          "module " + Core + "/redisstore\n\ngo 1.26\n",
	"redisstore/redis.go":        "// Package redisstore keeps records in Redis.\npackage redisstore\n\nimport (\n\t_ \"" + Core + "/redisstore/internal/lua\"\n\t_ \"" + Core + "/store\"\n\t_ \"example.com/client\"\n)\n",
	"redisstore/internal/lua.go": "package internal\n",
	"cqlstore/go.mod":            "module " + Core + "/cqlstore\n\ngo 1.26\n\nrequire " + Core + " v0.0.0\n\nreplace " + Core + " => ../\n",
	"cqlstore/cql.go":            "// Package cqlstore keeps records in Cassandra.\npackage cqlstore\n",
	"examples/shop/go.mod":       "module " + Core + "/examples/shop\n\ngo 1.26\n",
	"examples/shop/main.go":      "package main\n\nimport (\n\t\"flag\"\n\t\"log\"\n\t\"os\"\n\t_ \"" + Core + "\"\n\t_ \"" + Core + "/redisstore\"\n)\n\nvar addr = os.Getenv(\"ADDR\")\n",
	"examples/quick/main.go":     "// Command quick is in the README.\npackage main\n\nfunc main() {\n\tprintln(1)\n}\n",
	"docs/architecture.md":       "`internal/x`, `store`, `memstore`, `redisstore`, `cqlstore`, `examples`\n",
	"docs/promises.md":           "# Promises\n\n- **R1** Tokens are random.\n  - Tests: `sojourn.TestR1`\n- **R2** Later. *Not built.*\n\nMore of R1.\n",
	"numbers_test.go":            "package sojourn\n\n// R1: random.\nfunc TestR1() {}\n",
	"README.md": "# Sojourn\n\n<!-- file: examples/quick/main.go -->\n\n```go\npackage main\n\nfunc main() {\n  println(1)\n}\n```\n\n" +
		"```sh\nmake demo\n```\n\n| store | modules |\n|---|---|\n| `memstore` | 1 |\n| `redisstore`, `cqlstore` | 1, 2 |\n| cookie | 1 |\n",
	"docs/dependencies.md": "| module | modules |\n|---|---|\n| `redisstore` | 1 |\n| `cqlstore` | 2 |\n",
}

// tree writes the sound repository with files put over it ("" takes one away).
func tree(t *testing.T, over map[string]string) string {
	t.Helper()
	files := maps.Clone(sound)
	maps.Copy(files, over)
	root := t.TempDir()
	for name, text := range files {
		if text == "" {
			continue
		}
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func load(t *testing.T, over map[string]string) *Repo {
	t.Helper()
	r, err := Load(tree(t, over))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSound(t *testing.T) {
	r := load(t, nil)
	for _, rule := range All {
		for _, f := range rule.Check(r) {
			t.Errorf("%s: %s: %s", rule.Name, f.Where, f.Text)
		}
	}
}

// promised adds entries to the page of promises.
func promised(entries string) map[string]string {
	return file("docs/promises.md", strings.Replace(sound["docs/promises.md"], "\n\nMore", "\n"+entries+"\nMore", 1))
}

// readme is a README with the one block, under the comment.
func readme(comment, block string) map[string]string {
	return map[string]string{"README.md": "# Sojourn\n\n" + comment + "\n```go\n" + block + "```\n"}
}

// file is a tree with one more Go file; import lines are written out by hand in the body, so that a
// case shows what it breaks.
func file(name, body string) map[string]string { return map[string]string{name: body} }

func imports(name, pkg string) map[string]string {
	return file(name, "// Package p is new.\npackage p\n\nimport _ \""+pkg+"\"\n")
}

// below is a module below cqlstore that imports pkg.
func below(pkg string) map[string]string {
	m := imports("cqlstore/old/n.go", pkg)
	m["cqlstore/old/go.mod"] = "module " + Core + "/cqlstore/old\n\ngo 1.26\n"
	return m
}

// compat is a module below compat with a file that imports pkg.
func compat(pkg string) map[string]string {
	m := imports("compat/old/n.go", pkg)
	m["compat/old/go.mod"] = "module " + Core + "/compat/old\n\ngo 1.26\n"
	return m
}

var cases = []struct {
	name, rule string
	over       map[string]string
	where      string // "" = no finding
	text       string
}{
	{"store imports internal", "imports", imports("store/n.go", Core+"/internal/x"), "store/n.go:4", "imports nothing of ours"},
	{"store imports a room below it", "imports", imports("store/n.go", Core+"/store/storetest"), "store/n.go:4", "imports nothing of ours"},
	{"store's test uses the kit", "imports", imports("store/n_test.go", Core+"/store/storetest"), "", ""},
	{"storetest imports memstore", "imports", imports("store/storetest/n.go", Core+"/memstore"), "store/storetest/n.go:4", "contract only"},
	{"storetest's test imports memstore", "imports", imports("store/storetest/n_test.go", Core+"/memstore"), "", ""},
	{"memstore imports storetest", "imports", imports("memstore/n.go", Core+"/store/storetest"), "memstore/n.go:4", "contract only"},
	{"memstore imports the root", "imports", imports("memstore/n.go", Core), "memstore/n.go:4", "contract only"},
	{"memstore's test imports the root", "imports", imports("memstore/n_test.go", Core), "memstore/n_test.go:4", "contract only"},
	{"diskstore imports internal", "imports", imports("diskstore/n.go", Core+"/internal/x"), "diskstore/n.go:4", "contract only"},
	{"sqlite imports memstore", "imports", imports("sqlite/n.go", Core+"/memstore"), "sqlite/n.go:4", "the contract"},
	{"sqlite imports its own", "imports", imports("sqlite/n.go", Core+"/sqlite/dialect"), "", ""},
	{"postgresstore imports the front", "imports", imports("postgresstore/n.go", Core+"/store/driver"), "", ""},
	{"postgresstore imports internal", "imports", imports("postgresstore/n.go", Core+"/internal/x"), "postgresstore/n.go:4", "contract only"},
	{"the front imports gather", "imports", imports("store/driver/n.go", Core+"/store/gather"), "store/driver/n.go:4", "contract only"},
	{"kvstore imports diskstore", "imports", imports("kvstore/n.go", Core+"/diskstore"), "kvstore/n.go:4", "contract only"},
	{"root imports memstore", "imports", imports("n.go", Core+"/memstore"), "n.go:4", "not the engines"},
	{"root imports storetest", "imports", imports("n.go", Core+"/store/storetest"), "n.go:4", "not the engines"},
	{"internal imports the root", "imports", imports("internal/y/n.go", Core), "internal/y/n.go:4", "below the root"},
	{"sojourntest imports memstore", "imports", imports("sojourntest/n.go", Core+"/memstore"), "", ""},
	{"sojourntest imports internal", "imports", imports("sojourntest/n.go", Core+"/internal/x"), "sojourntest/n.go:4", "users' test helpers"},
	{"core imports a leaf", "imports", imports("n_test.go", Core+"/redisstore"), "n_test.go:4", "does not know its leaves"},
	{"core has a new room", "imports", file("cellar/n.go", "// Package cellar is new.\npackage cellar\n"), "cellar/n.go:2", "no import rule yet"},
	{"leaf imports core's internal", "imports", imports("redisstore/n.go", Core+"/internal/x"), "redisstore/n.go:4", "only the core"},
	{"leaf imports a leaf", "imports", imports("redisstore/n.go", Core+"/cqlstore"), "redisstore/n.go:4", "core alone"},
	{"leaf's test imports a leaf", "imports", imports("redisstore/n_test.go", Core+"/cqlstore"), "redisstore/n_test.go:4", "core alone"},
	{"leaf imports the root", "imports", imports("redisstore/n.go", Core), "", ""},
	{"second driver of a store imports the store", "imports", below(Core + "/cqlstore"), "", ""},
	{"second driver of a store imports another", "imports", below(Core + "/redisstore"), "cqlstore/old/n.go:4", "core alone"},
	{"older API imports the store that it names", "imports", compat(Core + "/redisstore"), "", ""},
	{"older API imports core's internal", "imports", compat(Core + "/internal/x"), "compat/old/n.go:4", "only the core"},
	{"older API imports an example", "imports", compat(Core + "/examples/shop"), "compat/old/n.go:4", "core alone"},
	{"example imports core's internal", "imports", imports("examples/shop/n.go", Core+"/internal/x"), "examples/shop/n.go:4", "only the core"},
	{"example in the core imports internal", "imports", imports("examples/quick/n.go", Core+"/internal/x"), "examples/quick/n.go:4", "only the core"},

	{"core imports a stranger", "core-stdlib", imports("memstore/n.go", "example.com/client"), "memstore/n.go:4", "standard library only"},
	{"core's test imports a stranger", "core-stdlib", imports("n_test.go", "golang.org/x/sync/errgroup"), "n_test.go:4", "standard library only"},

	{"core requires", "core-no-require", file("go.mod", "module "+Core+"\n\ngo 1.26\n\nrequire example.com/x v1.0.0 // indirect\n"), "go.mod", "requires example.com/x"},
	{"no core", "core-no-require", file("go.mod", "module example.com/other\n\ngo 1.26\n"), "go.mod", "no module"},

	{"module not in go.work", "workspace", file("go.work", "go 1.26\n\nuse (\n\t.\n\t./redisstore\n\t./examples/shop\n)\n"), "cqlstore/go.mod", "does not list"},
	{"go.work lists too much", "workspace", map[string]string{"cqlstore/go.mod": "", "cqlstore/cql.go": ""}, "go.work", "lists cqlstore"},

	{"library has flags", "environment", imports("memstore/n.go", "flag"), "memstore/n.go:4", "imports flag"},
	{"library reads the environment", "environment", file("redisstore/n.go", "package redisstore\n\nimport \"os\"\n\nvar x, _ = os.LookupEnv(\"X\")\n"), "redisstore/n.go:5", "reads the environment"},
	{"under another name", "environment", file("n.go", "package sojourn\n\nimport sys \"os\"\n\nvar get = sys.Getenv\n"), "n.go:5", "reads the environment"},
	{"by a dot import", "environment", file("n.go", "package sojourn\n\nimport . \"os\"\n\nvar x = Getenv(\"X\")\n"), "n.go:3", "reads the environment"},
	{"library opens a file", "environment", file("n.go", "package sojourn\n\nimport \"os\"\n\nvar open = os.Open\n"), "", ""},

	{"library logs", "logging", imports("store/n.go", "log"), "store/n.go:4", "imports log"},
	{"library logs by slog", "logging", file("n.go", "package sojourn\n\nimport \"log/slog\"\n\nfunc f() { slog.Info(\"x\") }\n"), "n.go:5", "default logger"},
	{"store has an observer", "logging", file("store/log.go", "package store\n\nimport \"log/slog\"\n\nvar l = slog.Default()\n"), "store/log.go:5", "default logger"},
	{"the default observer", "logging", file("log.go", "package sojourn\n\nimport \"log/slog\"\n\nvar l = slog.Default()\n"), "", ""},
	{"library redacts for slog", "logging", file("n.go", "package sojourn\n\nimport \"log/slog\"\n\nvar v = slog.StringValue(\"x\")\n"), "", ""},

	{"core imports math/rand", "random", imports("internal/x/n.go", "math/rand"), "internal/x/n.go:4", "crypto/rand"},
	{"core imports math/rand/v2", "random", imports("n.go", "math/rand/v2"), "n.go:4", "crypto/rand"},
	{"test imports math/rand/v2", "random", imports("n_test.go", "math/rand/v2"), "", ""},

	{"secrets compared", "secrets", file("n.go", "package sojourn\n\nfunc f(secret, oldSecret string) bool { return secret == oldSecret }\n"), "n.go:3", "crypto/subtle"},
	{"secrets compared by Equal", "secrets", file("internal/x/n.go", "package x\n\nvar same = bytes.Equal(t.secret[:], b)\n"), "internal/x/n.go:3", "crypto/subtle"},
	{"secret is there", "secrets", file("n.go", "package sojourn\n\nfunc f(secret string) bool { return secret != \"\" }\n"), "", ""},

	{"room without a line", "architecture", file("docs/architecture.md", "`internal/x`, `store`, `memstore`, `redisstore`, `examples`\n"), "cqlstore", "does not say"},
	{"no page of architecture", "architecture", file("docs/architecture.md", ""), "docs/architecture.md", "no such file"},

	{"no page of promises", "promises", file("docs/promises.md", ""), "docs/promises.md", "does not exist"},
	{"number without a test", "promises", promised("- **R3** More.\n"), "docs/promises.md:6", "R3 has no test"},
	{"number listed twice", "promises", promised("- **R2** More. *Not built.*\n"), "docs/promises.md:6", "listed twice"},
	{"test that is not there", "promises", promised("- **R3** More. *Not built.*\n  - Tests: `sojourn.TestGone`\n"), "docs/promises.md:6", "there is no such test"},
	{"test that names another number", "promises", promised("- **R3** More. *Not built.*\n  - Tests: `sojourn.TestR1`\n"), "docs/promises.md:6", "does not name it"},
	{"test is not listed", "promises", file("n_test.go", "package sojourn\n\n// R1 as well.\nfunc TestMore() {}\n"), "docs/promises.md:3", "lacks sojourn.TestMore"},
	{"number in a name", "promises", file("n_test.go", "package sojourn\n\nfunc TestR02Later() {}\n"), "docs/promises.md:5", "lacks sojourn.TestR02Later"},
	{"no number in a name", "promises", file("n_test.go", "package sojourn\n\nfunc TestRange2() {}\n"), "", ""},
	{"test of a range", "promises", file("n_test.go", "package sojourn\n\n// Tests R1 to R2.\nfunc TestR1() {}\n"), "docs/promises.md:5", "lacks sojourn.TestR1"},
	{"test that names an unknown number", "promises", file("n_test.go", "package sojourn\n\n// L9 too.\nfunc TestMore() {}\n"), "n_test.go:3", "L9 is not in docs/promises.md"},
	{"text that names an unknown number", "promises", file("n_test.go", "package sojourn\n\nvar name = \"as in D99\"\n"), "n_test.go:3", "D99 is not"},
	{"page that names an unknown number", "promises", file("docs/design.md", "See P3.\n"), "docs/design.md:1", "P3 is not"},
	{"256 is no number", "promises", file("n_test.go", "package sojourn\n\n// The curve P256, and R1: fine; XR5 too.\nvar x int\n"), "", ""},

	{"comment is too wide", "columns", file("n.go", "package sojourn\n\n// "+strings.Repeat("word ", 19)+"end.\nvar x int\n"), "n.go:3", "evenly"},
	{"comment is as wide as may be", "columns", file("n.go", "package sojourn\n\n// "+strings.Repeat("word ", 18)+"ending.\nvar x int\n"), "", ""},
	{"comment is ragged", "columns", file("n.go", "package sojourn\n\nfunc f() {\n\t// A line that\n\t// ends early.\n}\n"), "n.go:4", "evenly"},
	{"address is wide", "columns", file("n.go", "package sojourn\n\n// [it]: https://example.com/"+strings.Repeat("a", 100)+"\nvar x int\n"), "", ""},
	{"code and lists in a comment", "columns", file("n.go", "package sojourn\n\n// It is:\n//\n//\ta\n//\tb\n//\n//   - one\n//   - two\n//\n//go:noinline\nfunc f() {}\n"), "", ""},
	{"what an example prints", "columns", file("n_test.go", "package sojourn\n\nfunc ExampleX() {\n\t// Output:\n\t// a\n\t// b\n}\n"), "", ""},
	{"comment behind code", "columns", file("n.go", "package sojourn\n\nvar x int // one\n// two\n"), "", ""},
	{"page is ragged", "columns", file("docs/design.md", "# Title\n\nA line that\nends early.\n"), "docs/design.md:3", "evenly"},
	{"list is ragged", "columns", file("docs/design.md", "- a line that\n  ends early\n- another\n"), "docs/design.md:1", "evenly"},
	{"tables, code and links", "columns", file("docs/design.md", "| a | b |\n|---|---|\n| "+strings.Repeat("c ", 60)+"|\n\n    code\n    code\n\n```\na\nb\n```\n\n[x]: https://example.com\n[y]: https://example.com\n"), "", ""},

	{"test sleeps", "sleep", file("n_test.go", "package sojourn\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n"), "n_test.go:5", "without testing/synctest"},
	{"test sleeps in a bubble", "sleep", file("n_test.go", "package sojourn\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { time.Sleep(1) }\n"), "", ""},

	{"folder named util", "names", file("internal/util/n.go", "package x\n"), "internal/util", "named for nothing"},
	{"package named types", "names", file("redisstore/x/n.go", "package types\n"), "redisstore/x", "named for nothing"},

	{"long file", "length", file("n_test.go", "package sojourn\n"+strings.Repeat("\n", MaxLines)), "n_test.go", "has 501 lines"},
	{"longest file", "length", file("n_test.go", "package sojourn\n"+strings.Repeat("\n", MaxLines-1)), "", ""},

	{"package without comment", "docs", file("memstore/mem.go", "package memstore\n"), "memstore", "no package comment"},
	{"package with a directive only", "docs", file("memstore/mem.go", "//go:generate true\npackage memstore\n"), "memstore", "no package comment"},
	{"function", "docs", file("n.go", "package sojourn\n\nfunc F() {}\n"), "n.go:3", "F is exported"},
	{"method", "docs", file("n.go", "package sojourn\n\n// T is.\ntype T[X any] int\n\nfunc (t *T[X]) M() {}\n"), "n.go:6", "T.M is exported"},
	{"method of an unexported type", "docs", file("n.go", "package sojourn\n\ntype t int\n\nfunc (t) M() {}\n"), "", ""},
	{"type", "docs", file("n.go", "package sojourn\n\ntype T int\n"), "n.go:3", "T is exported"},
	{"type in a group with a comment", "docs", file("n.go", "package sojourn\n\n// Types.\ntype (\n\tT int\n)\n"), "n.go:5", "T is exported"},
	{"constant", "docs", file("n.go", "package sojourn\n\nconst c, D = 1, 2\n"), "n.go:3", "D is exported"},
	{"constant in a group", "docs", file("n.go", "package sojourn\n\n// All.\nconst (\n\tC = 1\n\tD = 2\n)\n"), "", ""},
	{"variable", "docs", file("n.go", "package sojourn\n\nvar (\n\tV = 1 // is one\n\tW = 2\n)\n"), "n.go:5", "W is exported"},
	{"field of a struct", "docs", file("n.go", "package sojourn\n\n// T is a pair.\ntype T struct{ A, B int }\n"), "", ""},
	{"option", "docs", file("n.go", "package sojourn\n\n// Options are.\ntype Options struct {\n\t// A and B are.\n\tA int\n\tB int\n\n\tC int\n}\n"), "n.go:9", "Options.C is exported"},
	{"method of an interface", "docs", file("n.go", "package sojourn\n\n// I has Open.\ntype I interface {\n\tOpen()\n\tClose()\n}\n"), "n.go:6", "I.Close is exported"},
	{"only method of an interface", "docs", file("n.go", "package sojourn\n\n// I closes.\ntype I interface{ Close() }\n"), "", ""},
	{"example without comments", "docs", file("examples/quick/n.go", "package main\n\nfunc F() {}\n"), "", ""},

	{"no README", "readme", file("README.md", ""), "README.md", "does not exist"},
	{"block without a file", "readme", readme("Like so:", "x := 1\n"), "README.md:4", "no comment"},
	{"block differs", "readme", readme("<!-- file: examples/quick/main.go -->", "package main\n\nfunc main() {\n\tprintln(2)\n}\n"), "README.md:4", `first in line 4 of the block: "\tprintln(2)"`},
	{"block ends early", "readme", readme("<!-- file: examples/quick/main.go -->", "package main\n"), "README.md:4", "has 5 lines, the block 1"},
	{"block is not Go", "readme", readme("<!-- file: examples/quick/main.go -->", "package main }\n"), "README.md:4", "not Go"},
	{"file is not there", "readme", readme("<!-- file: ../x.go -->", "package main\n"), "README.md:4", "no Go file"},
	{"file is not compiled", "readme", map[string]string{
		"examples/quick/x.go": "//go:build ignore\n\npackage main\n",
		"README.md":           "<!-- file: examples/quick/x.go -->\n```go\npackage main\n```\n",
	}, "README.md:2", "excluded from the build"},
	{"block of a page differs", "readme", file("docs/design.md", "<!-- file: examples/quick/main.go -->\n```go\npackage main\n```\n"), "docs/design.md:2", "has 5 lines"},
	{"excerpt in a page", "readme", file("docs/design.md", "```go\nx := 1\n```\n"), "", ""},
	{"block has no end", "readme", file("README.md", "<!-- file: examples/quick/main.go -->\n```go\npackage main\n"), "README.md:2", "no end"},
	{"number of modules", "modules", file("README.md", strings.Replace(sound["README.md"], "1, 2", "1, 3", 1)), "README.md:20", "go list -m all"},
	{"no number of modules", "modules", file("docs/dependencies.md", strings.Replace(sound["docs/dependencies.md"], "| `redisstore` | 1 |\n", "", 1)), "docs/dependencies.md", "with `redisstore`"},
	{"no table of modules", "modules", file("README.md", "# Sojourn\n"), "README.md", "no table"},
	{"comment counts for one block", "readme", file("README.md", sound["README.md"]+"```go\nx := 1\n```\n"), "README.md:22", "no comment"},
}

// TestRules breaks each rule: R1 and R6, which are rules of code, among them.
func TestRules(t *testing.T) {
	rules := map[string]Rule{}
	tripped := map[string]bool{}
	for _, r := range All {
		rules[r.Name] = r
	}
	for _, c := range cases {
		rule, ok := rules[c.rule]
		if !ok {
			t.Fatalf("%s: no rule %q", c.name, c.rule)
		}
		tripped[c.rule] = tripped[c.rule] || c.where != ""
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			found := rule.Check(load(t, c.over))
			if c.where == "" {
				if len(found) > 0 {
					t.Errorf("found %v, want nothing", found)
				}
				return
			}
			if len(found) != 1 || found[0].Where != c.where || !strings.Contains(found[0].Text, c.text) {
				t.Errorf("found %v, want one at %s with %q", found, c.where, c.text)
			}
		})
	}
	// A rule that nothing trips proves nothing.
	for _, r := range All {
		if !tripped[r.Name] {
			t.Errorf("no case breaks the rule %s", r.Name)
		}
	}
}

func TestFixColumns(t *testing.T) {
	page := "- " + strings.Repeat("word ", 20) + "- end\n\n1. one\n   more\n\nText\nof two lines.\n"
	r := load(t, map[string]string{"docs/design.md": page})
	if err := FixColumns(r); err != nil {
		t.Fatal(err)
	}
	want := []string{"- " + strings.Repeat("word ", 18) + "word", "  word - end", "", "1. one more", "", "Text of two lines."}
	if got, err := r.lines("docs/design.md"); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %q", err, got)
	}
}

func TestFixPromises(t *testing.T) {
	r := load(t, map[string]string{
		"docs/promises.md": "- **R1** Tokens are random.\n  - Tests: `gone`,\n    `gone2`\n\n- **R2** Later. *Not built.*\nText.\n",
		"x/n_test.go":      "package x\n\n// R1 and R2\nfunc FuzzOneWithAVeryLongNameThatTakesALotOfRoomInItsLineSoThatItShouldBeWrapped() {}\n",
	})
	if err := FixPromises(r); err != nil {
		t.Fatal(err)
	}
	got, err := r.lines("docs/promises.md")
	const long = "`x.FuzzOneWithAVeryLongNameThatTakesALotOfRoomInItsLineSoThatItShouldBeWrapped`"
	want := "- **R1** Tokens are random.\n  - Tests: `sojourn.TestR1`,\n    " + long + "\n\n- **R2** Later. *Not built.*\n  - Tests: " + long + "\nText."
	if err != nil || strings.Join(got, "\n") != want {
		t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), want)
	}
	for _, f := range Promises(r) {
		t.Errorf("%s: %s", f.Where, f.Text)
	}
}

func TestLoadFails(t *testing.T) {
	for name, over := range map[string]map[string]string{
		"no go.work":        {"go.work": ""},
		"a broken go.mod":   {"cqlstore/go.mod": "modul x\n"},
		"a broken file":     {"n.go": "package\n"},
		"a file on its own": {"go.mod": ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(tree(t, over)); err == nil {
				t.Error("Load succeeded")
			}
		})
	}
}
