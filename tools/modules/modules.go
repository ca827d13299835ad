// Package modules makes of a working tree what the go command downloads: each public module at one
// version, requiring the others at that version, without a replace line. The release command and
// the proof that the modules install use the same code, so what was proved is what is tagged.
package modules

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Core is the path of the module in the root folder, under which all others are.
const Core = "github.com/sojourn-go/sojourn"

// private are the folders whose modules nobody installs; all other modules are published.
var private = []string{"examples", "tools", "servers", "faults", "proxies", "compat/beside"}

// A Module is one that go.work lists.
type Module struct {
	Path string
	Dir  string // slash-separated and relative to the root; "" is the root
	mod  *modfile.File
}

// Public reports whether releases tag the module.
func (m *Module) Public() bool {
	return !slices.ContainsFunc(private, func(dir string) bool { return m.Dir == dir || strings.HasPrefix(m.Dir, dir+"/") })
}

// Tag is the module's tag for the version.
func (m *Module) Tag(version string) string { return path.Join(m.Dir, version) }

// file is the name of a file of the module, relative to the root.
func (m *Module) file(name string) string { return path.Join(m.Dir, name) }

// Load reads the modules that go.work lists, each after those of ours that it requires.
func Load(root string) ([]*Module, error) {
	name := filepath.Join(root, "go.work")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		return nil, err
	}
	var all []*Module
	for _, use := range work.Use {
		m := &Module{Dir: path.Clean(filepath.ToSlash(use.Path))}
		if m.Dir == "." {
			m.Dir = ""
		}
		name := filepath.Join(root, filepath.FromSlash(m.file("go.mod")))
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if m.mod, err = modfile.Parse(name, text, nil); err != nil {
			return nil, err
		}
		m.Path = m.mod.Module.Mod.Path
		if m.Path != path.Join(Core, m.Dir) {
			return nil, fmt.Errorf("%s: the module is %s, and its folder would make it %s", name, m.Path, path.Join(Core, m.Dir))
		}
		all = append(all, m)
	}
	return inOrder(all)
}

// inOrder puts each module after those that it requires.
func inOrder(all []*Module) ([]*Module, error) {
	slices.SortFunc(all, func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })
	var sorted []*Module
	for len(sorted) < len(all) {
		before := len(sorted)
		for _, m := range all {
			ready := !slices.ContainsFunc(m.mod.Require, func(r *modfile.Require) bool {
				return ours(r.Mod.Path) && !slices.ContainsFunc(sorted, func(s *Module) bool { return s.Path == r.Mod.Path })
			})
			if ready && !slices.Contains(sorted, m) {
				sorted = append(sorted, m)
			}
		}
		if len(sorted) == before {
			return nil, fmt.Errorf("modules require each other in a circle, or one that go.work does not list: %d of %d can be ordered", before, len(all))
		}
	}
	return sorted, nil
}

func ours(p string) bool { return p == Core || strings.HasPrefix(p, Core+"/") }

// rewrite gives the module's go.mod as it is released: what is ours is required at the version, and
// a public module loses its replace lines. Private ones keep them, for they are only ever built in
// a clone, where they find each other by these lines.
func (m *Module) rewrite(version string) ([]byte, error) {
	text, err := m.mod.Format()
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse(m.file("go.mod"), text, nil) // a copy
	if err != nil {
		return nil, err
	}
	for _, r := range f.Require {
		if ours(r.Mod.Path) {
			if err := f.AddRequire(r.Mod.Path, version); err != nil {
				return nil, err
			}
		}
	}
	if m.Public() {
		for _, r := range slices.Clone(f.Replace) {
			if !ours(r.Old.Path) {
				return nil, fmt.Errorf("%s: replaces %s, which users of the module would not do", m.file("go.mod"), r.Old.Path)
			}
			if err := f.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return nil, err
			}
		}
	}
	f.Cleanup()
	return f.Format()
}

// check says why nobody could install a public module with this go.mod.
func (m *Module) check(text []byte, version string, all []*Module) error {
	name := m.file("go.mod")
	f, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	for _, r := range f.Replace {
		return fmt.Errorf("%s: a replace line for %s: the go command ignores it in a module that is required", name, r.Old.Path)
	}
	if len(f.Exclude) > 0 {
		return fmt.Errorf("%s: an exclude line: the go command ignores it in a module that is required", name)
	}
	for _, r := range f.Require {
		i := slices.IndexFunc(all, func(o *Module) bool { return o.Path == r.Mod.Path })
		switch {
		case !ours(r.Mod.Path):
		case i < 0 || !all[i].Public():
			return fmt.Errorf("%s: it requires %s, which is not published", name, r.Mod.Path)
		case r.Mod.Version != version:
			return fmt.Errorf("%s: it requires %s at %s, and the version is %s", name, r.Mod.Path, r.Mod.Version, version)
		}
	}
	return nil
}
