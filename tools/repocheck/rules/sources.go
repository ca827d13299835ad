package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// MaxLines is the most lines a Go file may have.
const MaxLines = 500

// Environment finds libraries that read flags or the environment. Tests may: they are told there
// which server to use.
func Environment(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		if f.program() || f.Test {
			continue
		}
		if _, spec := f.imports("flag"); spec != nil {
			found = append(found, r.at(spec, "imports flag: only programs have flags"))
		}
		reads := f.uses("os", "Getenv", "LookupEnv", "Environ", "ExpandEnv")
		reads = append(reads, f.uses("syscall", "Getenv", "Environ")...)
		for _, n := range reads {
			found = append(found, r.at(n, "reads the environment: only programs do; take it as an option"))
		}
	}
	return found
}

// Logging finds libraries that log. log/slog may be imported, because types with secrets redact
// themselves through it; its default logger may not be used but in log.go of the root package, the
// observer of programs that have set none.
func Logging(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		if f.program() || f.Test {
			continue
		}
		if _, spec := f.imports("log"); spec != nil {
			found = append(found, r.at(spec, "imports log: return the error or tell the observer"))
		}
		if f.Name == "log.go" {
			continue
		}
		for _, n := range f.uses("log/slog", "Default", "SetDefault", "Log", "LogAttrs", "Debug", "DebugContext",
			"Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext") {
			found = append(found, r.at(n, "uses slog's default logger: return the error or tell the observer"))
		}
	}
	return found
}

// Random finds guessable randomness where tokens are made (R1): in the root package and below
// internal. Jitter comes from crypto/rand there too, so that nobody has to ask which of two is
// meant. Stores make no secrets, and the kit makes test data.
func Random(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		if !f.core() || f.Test || f.dir() != "." && !under(f.dir(), "internal") {
			continue
		}
		for _, p := range []string{"math/rand", "math/rand/v2"} {
			if _, spec := f.imports(p); spec != nil {
				found = append(found, r.at(spec, "imports %s: the core takes randomness from crypto/rand", p))
			}
		}
	}
	return found
}

// Secrets finds comparisons of secrets that take the longer the more of them agrees (R6): by == and
// by bytes.Equal, in the root package and below internal. A name says what is secret.
func Secrets(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		if !f.core() || f.Test || f.dir() != "." && !under(f.dir(), "internal") {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && secret(n.X) && secret(n.Y) {
					found = append(found, r.at(n, "compares secrets by %v: use crypto/subtle", n.Op))
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if ok && sel.Sel.Name == "Equal" && slices.ContainsFunc(n.Args, secret) {
					found = append(found, r.at(n, "compares secrets by Equal: use crypto/subtle"))
				}
			}
			return true
		})
	}
	return found
}

// secret reports whether the expression is named for a secret.
func secret(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		name := strings.ToLower(e.Name)
		return strings.Contains(name, "secret") || strings.Contains(name, "csrf") || name == "mac"
	case *ast.SelectorExpr:
		return secret(e.Sel)
	case *ast.SliceExpr:
		return secret(e.X)
	case *ast.StarExpr:
		return secret(e.X)
	}
	return false
}

// Sleep finds tests of the core that wait on the wall clock. It cannot see whether a call runs in a
// bubble, so it asks only that the folder's tests import testing/synctest.
func Sleep(r *Repo) []Finding {
	var found []Finding
	bubbles := make(map[string]bool)
	for _, f := range r.Files {
		if _, spec := f.imports("testing/synctest"); spec != nil && f.Test {
			bubbles[f.dir()] = true
		}
	}
	for _, f := range r.Files {
		if !f.core() || !f.Test {
			continue
		}
		if bubbles[f.dir()] {
			continue
		}
		for _, n := range f.uses("time", "Sleep") {
			found = append(found, r.at(n, "time.Sleep in a test without testing/synctest"))
		}
	}
	return found
}

// Names finds packages named for nothing in particular.
func Names(r *Repo) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, f := range r.Files {
		for _, name := range []string{path.Base(f.Pkg), f.Syntax.Name.Name} {
			switch name {
			case "util", "utils", "common", "helper", "helpers", "types":
				if !seen[f.dir()] {
					seen[f.dir()] = true
					found = append(found, Finding{f.dir(), "package " + name + " is named for nothing: name it for what it does"})
				}
			}
		}
	}
	return found
}

// Length finds Go files that are too long to be about one thing.
func Length(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		if f.Lines > MaxLines {
			found = append(found, Finding{f.Name, fmt.Sprintf("has %d lines, more than %d", f.Lines, MaxLines)})
		}
	}
	return found
}
