package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// A Repo is the repository as the rules see it.
type Repo struct {
	Root    string
	Modules []*Module // every go.mod found, in the order of their directories
	Uses    []string  // directories that go.work lists, slash-separated, relative to Root
	Files   []*File
	Pages   []string // every *.md, relative to the root, slash-separated
	fset    *token.FileSet
	takenIn map[string]int // how many modules a program takes in with a module, as far as counted
}

// A Module is one go.mod.
type Module struct {
	Path     string
	Dir      string // relative to the root, "." for the core
	Requires []string
}

// A File is one parsed Go file.
type File struct {
	Name   string // relative to the root, slash-separated
	Module *Module
	Pkg    string // import path of its directory
	Test   bool   // a _test.go file
	Lines  int
	Syntax *ast.File
}

// Load reads the repository at root. It fails where the go command or the parser cannot read a file
// at all.
func Load(root string) (*Repo, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	repo := &Repo{Root: root, fset: token.NewFileSet()}
	var sources []string
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && ignored(rel):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		case d.Name() == "go.mod":
			return repo.addModule(rel)
		case path.Ext(rel) == ".md":
			repo.Pages = append(repo.Pages, rel)
		case path.Ext(rel) == ".go" && !strings.HasPrefix(d.Name(), "_") && !strings.HasPrefix(d.Name(), "."):
			sources = append(sources, rel)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Only now is every go.mod known, and with it the module of each file.
	for _, name := range sources {
		if err := repo.addFile(name); err != nil {
			return nil, err
		}
	}
	return repo, repo.loadWork()
}

// ignored reports whether the go command would not look into the directory either, or it holds only
// what make builds.
func ignored(rel string) bool {
	base := path.Base(rel)
	return rel != "." && (base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor" || rel == "bin")
}

func (r *Repo) addModule(name string) error {
	var mod struct {
		Module  struct{ Path string }
		Require []struct{ Path string }
	}
	if err := r.goJSON(&mod, "mod", "edit", "-json", filepath.Join(r.Root, name)); err != nil {
		return err
	}
	m := &Module{Path: mod.Module.Path, Dir: path.Dir(name)}
	for _, req := range mod.Require {
		m.Requires = append(m.Requires, req.Path)
	}
	r.Modules = append(r.Modules, m)
	return nil
}

func (r *Repo) addFile(name string) error {
	src, err := os.ReadFile(filepath.Join(r.Root, name))
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(r.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{Name: name, Test: strings.HasSuffix(name, "_test.go"), Syntax: syntax, Lines: bytes.Count(src, []byte("\n"))}
	if len(src) > 0 && src[len(src)-1] != '\n' {
		f.Lines++
	}
	dir := path.Dir(name)
	for _, m := range r.Modules {
		if under(dir, m.Dir) && (f.Module == nil || len(m.Dir) > len(f.Module.Dir) || f.Module.Dir == ".") {
			f.Module = m
		}
	}
	if f.Module == nil {
		return fmt.Errorf("%s: belongs to no module", name)
	}
	below := dir
	if f.Module.Dir != "." {
		below = strings.TrimPrefix(dir, f.Module.Dir)
	}
	f.Pkg = path.Join(f.Module.Path, below)
	r.Files = append(r.Files, f)
	return nil
}

func (r *Repo) loadWork() error {
	var work struct{ Use []struct{ DiskPath string } }
	if err := r.goJSON(&work, "work", "edit", "-json", filepath.Join(r.Root, "go.work")); err != nil {
		return err
	}
	for _, u := range work.Use {
		r.Uses = append(r.Uses, path.Clean(filepath.ToSlash(u.DiskPath)))
	}
	return nil
}

func (r *Repo) goJSON(into any, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = r.Root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return json.Unmarshal(out, into)
}

// under reports whether the slash-separated path p is dir or below it.
func under(p, dir string) bool {
	return dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
}

// dir is the file's directory, relative to the root.
func (f *File) dir() string { return path.Dir(f.Name) }

// program reports whether the file belongs to one of the rooms that run as programs, which alone
// may have flags, an environment and a log, and may import every store. The tests of faults are
// such a program: they run all servers at once; and those of proxies.
func (f *File) program() bool {
	for _, room := range []string{"cmd", "examples", "faults", "proxies", "tools", "servers"} {
		if under(f.dir(), room) {
			return true
		}
	}
	return false
}

func (f *File) core() bool { return f.Module.Path == Core }

// at is a finding at a node of the file.
func (r *Repo) at(n ast.Node, format string, args ...any) Finding {
	return Finding{r.place(n.Pos()), fmt.Sprintf(format, args...)}
}

// place spells a position as a file and a line.
func (r *Repo) place(pos token.Pos) string {
	p := r.fset.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// lines returns the lines of a file of the repository, without their ends.
func (r *Repo) lines(name string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(r.Root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value // the parser accepts only quoted strings
	}
	return p
}

// imports returns the name by which the file calls the package with the path, and its import; nil
// where it does not import it.
func (f *File) imports(pkg string) (name string, spec *ast.ImportSpec) {
	for _, spec := range f.Syntax.Imports {
		if importPath(spec) != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name, spec
		}
		return path.Base(pkg), spec
	}
	return "", nil
}

// uses returns the places where the file names one of a package's functions, called or handed on. A
// dot import counts as one, because it hides them.
func (f *File) uses(pkg string, funcs ...string) []ast.Node {
	name, spec := f.imports(pkg)
	if spec == nil || name == "_" {
		return nil
	}
	if name == "." {
		return []ast.Node{spec}
	}
	var found []ast.Node
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == name {
			for _, fn := range funcs {
				if sel.Sel.Name == fn {
					found = append(found, sel)
				}
			}
		}
		return true
	})
	return found
}
