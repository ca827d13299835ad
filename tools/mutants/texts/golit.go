package texts

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"regexp"
	"strconv"
)

// statementWords tell a literal that is SQL from other text.
var statementWords = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|WHERE|ORDER BY|CREATE TABLE)\b`)

// goFile adds the mutants of the SQL in a Go file's literals.
func (l *lister) goFile(name string) error {
	set := gotoken.NewFileSet()
	f, err := parser.ParseFile(set, name, l.src, 0)
	if err != nil {
		return err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != gotoken.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		// Where bytes of the literal are not those of the text, places would be off.
		if err == nil && len(text)+2 == len(lit.Value) && statementWords.MatchString(text) {
			l.sql(set.Position(lit.Pos()).Offset+1, text)
		}
		return true
	})
	return nil
}
