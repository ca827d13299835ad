package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

// A mutant is one change to one place of the code. All mutants of a target are woven into one
// binary, where each sleeps until it is asked for by its number.
type mutant struct {
	id       int
	file     string // slash-separated, below the repository's root
	line     int
	change   string // the operator's name: "drop", "true", "edge" …
	code     string // the code it changes, on one line
	nth      int    // tells apart mutants that are equal in file, change and code
	pos, end int    // the bytes it wraps
	before   string
	after    string
	seenBy   []*test
	fate     fate
	by       string // the test that killed it
}

// name identifies the mutant in lists that outlive a change to the lines above it.
func (m *mutant) name() string {
	name := fmt.Sprintf("%s: %s: %s", m.file, m.change, m.code)
	if m.nth > 0 {
		name += fmt.Sprintf(" #%d", m.nth+1)
	}
	return name
}

// A source is a file that mutants are woven into.
type source struct {
	path    string // absolute
	name    string // below the repository's root
	text    []byte
	mutants []*mutant
}

// A room is a package that mutants are woven into.
type room struct {
	name    string
	dir     string
	sources []*source
}

// load reads the packages that patterns name in the module at dir.
func load(dir, root string, patterns []string) ([]*room, error) {
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedSyntax |
			packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports,
		Dir: dir,
		Env: append(os.Environ(), "GOWORK=off"),
	}
	found, err := packages.Load(config, patterns...)
	if err != nil {
		return nil, err
	}
	var rooms []*room
	for _, p := range found {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s does not compile: %v", p.PkgPath, p.Errors[0])
		}
		r := &room{name: p.Name}
		for i, path := range p.CompiledGoFiles {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			s := &source{path: path, name: strings.TrimPrefix(path, root+"/"), text: text}
			f := &finder{source: s, set: p.Fset, info: p.TypesInfo, names: map[string]int{}}
			ast.Inspect(p.Syntax[i], f.visit)
			r.dir = path[:strings.LastIndexByte(path, '/')]
			r.sources = append(r.sources, s)
		}
		rooms = append(rooms, r)
	}
	return rooms, nil
}

// A finder finds the mutants of one file.
type finder struct {
	source *source
	set    *token.FileSet
	info   *types.Info
	names  map[string]int
}

// visit adds the mutants of one node.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR
	case *ast.BlockStmt:
		f.drops(n.List)
	case *ast.CaseClause:
		f.drops(n.Body)
	case *ast.CommClause:
		f.drops(n.Body)
	case *ast.IfStmt:
		f.condition(n.Cond, true)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.condition(n.Cond, false)
		}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					f.condition(e, true)
				}
			}
		}
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.ReturnStmt:
		f.result(n)
	}
	return true
}

// drops adds a mutant for each statement of a list that can be left out: the code still compiles,
// for the statement stays where it is behind a condition.
func (f *finder) drops(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || f.onlyBlank(s) {
				continue
			}
		case *ast.ExprStmt:
			if f.panics(s) {
				continue // a function may have to end so
			}
		case *ast.BranchStmt:
			if s.Tok == token.GOTO || s.Tok == token.FALLTHROUGH {
				continue
			}
		case *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		default:
			continue
		}
		f.add(s, "drop", "if !mutant__(%d) { ", " }")
	}
}

// onlyBlank reports whether s assigns to nothing but the blank identifier, and calls nothing.
func (f *finder) onlyBlank(s *ast.AssignStmt) bool {
	for _, e := range s.Lhs {
		if id, ok := e.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	for _, e := range s.Rhs {
		if !f.pure(e) {
			return false
		}
	}
	return true
}

func (f *finder) panics(s *ast.ExprStmt) bool {
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == "panic"
}

// condition adds the mutants that a condition is always true, and always false.
func (f *finder) condition(e ast.Expr, canBeTrue bool) {
	if f.constant(e) {
		return
	}
	if canBeTrue {
		f.add(e, "true", "(", " || mutant__(%d))")
	}
	f.add(e, "false", "((", ") && !mutant__(%d))")
}

// binary adds the mutants of an operator.
func (f *finder) binary(n *ast.BinaryExpr) {
	if f.constant(n) {
		return
	}
	switch n.Op {
	case token.LAND: // without one of its halves
		f.add(n.X, "true", "(", " || mutant__(%d))")
		f.add(n.Y, "true", "(", " || mutant__(%d))")
	case token.LOR:
		f.add(n.X, "false", "((", ") && !mutant__(%d))")
		f.add(n.Y, "false", "((", ") && !mutant__(%d))")
	case token.LSS, token.GTR, token.LEQ, token.GEQ:
		if !f.pure(n.X) || !f.pure(n.Y) {
			return // it would be called twice
		}
		equal := f.text(n.X) + " == " + f.text(n.Y)
		if n.Op == token.LSS || n.Op == token.GTR {
			f.add(n, "edge", "(", " || mutant__(%d) && "+escape(equal)+")")
		} else {
			f.add(n, "edge", "(", " && !(mutant__(%d) && "+escape(equal)+"))")
		}
	case token.ADD, token.SUB:
		basic, ok := f.info.TypeOf(n).Underlying().(*types.Basic)
		if !ok || basic.Info()&types.IsNumeric == 0 || !f.pure(n.X) || !f.pure(n.Y) {
			return
		}
		other := "-"
		if n.Op == token.SUB {
			other = "+"
		}
		changed := f.text(n.X) + other + "(" + f.text(n.Y) + ")"
		f.add(n, "sign", "mutantPick__(%d, "+escape(changed)+", ", ")")
	}
}

// result adds the mutant that an error is not returned.
func (f *finder) result(n *ast.ReturnStmt) {
	if len(n.Results) == 0 {
		return
	}
	last := n.Results[len(n.Results)-1]
	t := f.info.TypeOf(last)
	if t == nil || !types.Identical(t, types.Universe.Lookup("error").Type()) {
		return
	}
	if _, ok := f.info.Types[last].Type.(*types.Tuple); ok {
		return
	}
	f.add(last, "nil", "mutantPick__[error](%d, nil, ", ")")
}

func (f *finder) constant(e ast.Expr) bool { return f.info.Types[e].Value != nil }

// pure reports whether e can be evaluated twice.
func (f *finder) pure(e ast.Expr) bool {
	pure := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			id, ok := n.Fun.(*ast.Ident)
			if !ok || id.Name != "len" && id.Name != "int64" && id.Name != "int" {
				pure = false
			}
		case *ast.FuncLit:
			pure = false
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				pure = false
			}
		}
		return pure
	})
	return pure
}

func (f *finder) text(n ast.Node) string {
	return string(f.source.text[f.offset(n.Pos()):f.offset(n.End())])
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

// add adds a mutant; %d stands for its number.
func (f *finder) add(n ast.Node, change, before, after string) {
	code := strings.Join(strings.Fields(f.text(n)), " ")
	if len(code) > 100 {
		code = code[:100] + "…"
	}
	m := &mutant{
		file: f.source.name, line: f.set.Position(n.Pos()).Line, change: change, code: code,
		pos: f.offset(n.Pos()), end: f.offset(n.End()), before: before, after: after,
	}
	key := change + code
	m.nth = f.names[key]
	f.names[key]++
	f.source.mutants = append(f.source.mutants, m)
}

func escape(code string) string { return strings.ReplaceAll(code, "%", "%%") }
