package rules

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// Docs finds exported names without a comment, in every package that users can import. A comment on
// a group covers its constants and variables, and one on a struct its fields; but each field of a
// struct named Options must say what its zero means. A method of an interface needs a comment, or a
// mention in that of the interface, unless it is the only one.
func Docs(r *Repo) []Finding {
	var found []Finding
	type pkg struct {
		first *File
		doc   bool
	}
	pkgs := map[string]*pkg{}
	for _, f := range r.Files {
		if f.Test || f.Syntax.Name.Name == "main" || hasInternal(f.Pkg) {
			continue
		}
		p := pkgs[f.Pkg]
		if p == nil {
			p = &pkg{first: f}
			pkgs[f.Pkg] = p
		}
		p.doc = p.doc || documented(f.Syntax.Doc)
		for _, d := range f.Syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				found = append(found, r.docFunc(d)...)
			case *ast.GenDecl:
				found = append(found, r.docDecl(d)...)
			}
		}
	}
	for _, f := range r.Files { // in the order of the files, not of the map
		if p := pkgs[f.Pkg]; p != nil && p.first == f && !p.doc {
			found = append(found, Finding{path.Dir(f.Name), "package " + f.Syntax.Name.Name + " has no package comment"})
		}
	}
	return found
}

// documented reports whether one of the comments says something; directives do not.
func documented(comments ...*ast.CommentGroup) bool {
	for _, c := range comments {
		if c.Text() != "" {
			return true
		}
	}
	return false
}

func (r *Repo) undocumented(name *ast.Ident, prefix string) []Finding {
	if !name.IsExported() {
		return nil
	}
	return []Finding{r.at(name, "%s%s is exported and has no comment", prefix, name.Name)}
}

func (r *Repo) docFunc(d *ast.FuncDecl) []Finding {
	if documented(d.Doc) {
		return nil
	}
	prefix := ""
	if d.Recv != nil && len(d.Recv.List) == 1 {
		base := receiver(d.Recv.List[0].Type)
		if base == nil || !base.IsExported() {
			return nil
		}
		prefix = base.Name + "."
	}
	return r.undocumented(d.Name, prefix)
}

// receiver is the name of a receiver's type, without pointer and type parameters.
func receiver(t ast.Expr) *ast.Ident {
	switch t := t.(type) {
	case *ast.Ident:
		return t
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.ParenExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	}
	return nil
}

func (r *Repo) docDecl(d *ast.GenDecl) []Finding {
	var found []Finding
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			if documented(d.Doc, s.Doc, s.Comment) {
				continue
			}
			for _, name := range s.Names {
				found = append(found, r.undocumented(name, "")...)
			}
		case *ast.TypeSpec:
			// A comment on a group of types does not say what each is.
			alone := d.Lparen == token.NoPos
			if !documented(s.Doc, s.Comment) && !(alone && documented(d.Doc)) {
				found = append(found, r.undocumented(s.Name, "")...)
			}
			if !s.Name.IsExported() {
				continue
			}
			switch t := s.Type.(type) {
			case *ast.StructType:
				if strings.HasSuffix(s.Name.Name, "Options") {
					found = append(found, r.docFields(s.Name.Name+".", t.Fields)...)
				}
			case *ast.InterfaceType:
				doc := s.Doc.Text()
				if alone {
					doc += d.Doc.Text()
				}
				found = append(found, r.docMethods(s.Name.Name+".", t.Methods, doc)...)
			}
		}
	}
	return found
}

// docFields goes through the fields of a struct. Fields on adjacent lines are a group, and the
// comment above one counts for those after it. Embedded ones are documented where they are
// declared.
func (r *Repo) docFields(prefix string, fields *ast.FieldList) []Finding {
	var found []Finding
	covered, last := false, -1
	for _, f := range fields.List {
		start := f.Pos()
		if f.Doc != nil {
			start = f.Doc.Pos()
		}
		if r.fset.Position(start).Line > last+1 {
			covered = false
		}
		last = r.fset.Position(f.End()).Line
		covered = covered || documented(f.Doc)
		if covered || documented(f.Comment) {
			continue
		}
		for _, name := range f.Names {
			found = append(found, r.undocumented(name, prefix)...)
		}
	}
	return found
}

func (r *Repo) docMethods(prefix string, methods *ast.FieldList, doc string) []Finding {
	if len(methods.List) == 1 && doc != "" {
		return nil // the interface is the method
	}
	var found []Finding
	for _, m := range methods.List {
		if documented(m.Doc, m.Comment) {
			continue
		}
		for _, name := range m.Names {
			if regexp.MustCompile(`\b` + name.Name + `\b`).MatchString(doc) {
				continue
			}
			found = append(found, r.undocumented(name, prefix)...)
		}
	}
	return found
}
