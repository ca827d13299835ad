package rules

import (
	"path"
	"strings"
)

// Imports keeps the rooms apart: what each package may import of this repository.
//
// A package without a rule of its own is a finding, so that a new room is given its place on
// purpose.
func Imports(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		for _, spec := range f.Syntax.Imports {
			target := importPath(spec)
			if !under(target, Core) {
				continue
			}
			if why := r.forbidden(f, target); why != "" {
				found = append(found, r.at(spec, "%s may not import %s: %s", f.Pkg, target, why))
			}
		}
		if f.core() && !f.program() && roomOf(f.dir()) == nil {
			found = append(found, r.at(f.Syntax.Name, "%s has no import rule yet: give it one in tools/repocheck/rules/imports.go", f.Pkg))
		}
	}
	return found
}

// A room is a folder of the core and what may be imported in it: folders of the core, "." for the
// root package, "*" for all. Below its own folder a room is free.
type room struct {
	dir   string
	may   []string
	tests []string // more that its tests may import
	why   string
}

// forStores is the contract and what is there for those who write stores.
var forStores = []string{"store", "store/driver", "store/embedded", "store/gather", "store/ticks", "store/address"}

// rooms is section 3 of the design. The first that matches counts.
var rooms = []room{
	{"store/storetest", []string{"store"}, []string{"memstore"}, "the conformance kit knows the contract only"},
	{"store/disktest", []string{"store", "internal/syscalls"}, nil, "what checks a store's disk knows the contract only"},
	{"store/fipstest", nil, nil, "it mends the tests of everybody and knows nobody"},
	{"store/driver", []string{"store"}, nil, "what stands before every store knows the contract only"},
	{"store/embedded", []string{"store", "store/driver", "store/ticks"}, []string{"store/storetest"}, "the ladder knows the contract only"},
	{"store/ticks", nil, []string{"store"}, "it counts time and knows nothing of stores"},
	{"store/address", nil, nil, "it reads addresses and knows nothing of stores"},
	{"store/gather", []string{"store"}, nil, "what stores on servers share knows the contract only"},
	{"store", nil, []string{"store/storetest", "memstore"}, "the contract imports nothing of ours"},
	{"memstore", forStores, []string{"store/storetest"}, "a store imports the contract only"},
	{"diskstore", forStores, []string{"store/storetest", "store/disktest"}, "a store imports the contract only"},
	{"sqlite", forStores, []string{"store/storetest"}, "a store imports the contract only"},
	{"kvstore/kvtest", append([]string{"kvstore", "internal/syscalls"}, forStores...), []string{"store/storetest"}, "what crashes a store knows the contract only"},
	{"kvstore", forStores, []string{"store/storetest"}, "a store imports the contract only"},
	{"postgresstore", forStores, []string{"store/storetest"}, "a store imports the contract only"},
	{"sojourntest", []string{".", "store", "memstore"}, []string{"*"}, "users' test helpers know the root package, store and memstore"},
	{"compat/door", []string{".", "internal/door"}, []string{"*"}, "the door leads into the root package's sessions"},
	{"internal", []string{"store", "internal"}, []string{"*"}, "internal packages stand below the root package"},
	{".", []string{"store", "internal"}, []string{"*"}, "the root package knows the contract, not the engines"},
}

func roomOf(dir string) *room {
	for i := range rooms {
		if rooms[i].dir == dir || rooms[i].dir != "." && under(dir, rooms[i].dir) {
			return &rooms[i]
		}
	}
	return nil
}

// forbidden says why the file may not import the package of ours, "" if it may.
func (r *Repo) forbidden(f *File, target string) string {
	owner := r.owner(target)
	if target == f.Pkg {
		return "" // an external test of the package itself
	}
	if f.program() || !f.core() {
		switch {
		case owner.Path == Core && hasInternal(target):
			return "only the core's libraries may use its internal packages"
		case owner == f.Module, owner.Path == Core, f.program():
			return ""
		case under(f.dir(), "compat") && (under(owner.Dir, "compat") || strings.Contains(owner.Path, "store")):
			return "" // the older APIs name their back-ends, so each stands on the store that is one
		case under(f.Module.Path, owner.Path):
			return "" // a module below a store's brings it another driver
		}
		return "a leaf stands on the core alone"
	}
	if owner.Path != Core {
		return "the core does not know its leaves"
	}
	room := roomOf(f.dir())
	if room == nil {
		return "" // Imports reports the missing rule
	}
	dir := strings.TrimPrefix(strings.TrimPrefix(target, Core), "/")
	if dir == "" {
		dir = "."
	}
	if f.Test && dir == "store/fipstest" {
		return ""
	}
	if room.dir != "." && room.dir != "store" && under(dir, room.dir) {
		return ""
	}
	if allows(room.may, dir) || f.Test && allows(room.tests, dir) {
		return ""
	}
	return room.why
}

func allows(list []string, dir string) bool {
	for _, a := range list {
		if a == "*" || a == dir || a == "internal" && under(dir, a) {
			return true
		}
	}
	return false
}

// owner is the module that holds the package: the one with the longest path.
func (r *Repo) owner(pkg string) *Module {
	best := &Module{Path: Core}
	for _, m := range r.Modules {
		if under(pkg, m.Path) && len(m.Path) >= len(best.Path) {
			best = m
		}
	}
	return best
}

func hasInternal(pkg string) bool {
	return strings.Contains("/"+pkg+"/", "/internal/")
}

// CoreStandardLibrary finds imports of other people's code in the core. A missing require line
// alone would not: in the workspace another module's requirement satisfies the import.
func CoreStandardLibrary(r *Repo) []Finding {
	var found []Finding
	for _, f := range r.Files {
		if !f.core() {
			continue
		}
		for _, spec := range f.Syntax.Imports {
			p := importPath(spec)
			first, _, _ := strings.Cut(p, "/")
			if strings.Contains(first, ".") && !under(p, Core) {
				found = append(found, r.at(spec, "the core imports %s: the standard library only", p))
			}
		}
	}
	return found
}

// CoreRequiresNothing keeps every require line out of the core's go.mod.
func CoreRequiresNothing(r *Repo) []Finding {
	var found []Finding
	seen := false
	for _, m := range r.Modules {
		if m.Path != Core {
			continue
		}
		seen = true
		for _, req := range m.Requires {
			found = append(found, Finding{path.Join(m.Dir, "go.mod"), "the core requires " + req + ": it may require nothing"})
		}
	}
	if !seen {
		found = append(found, Finding{"go.mod", "there is no module " + Core})
	}
	return found
}

// Workspace finds modules that go.work does not list, which no make target would then visit, and
// entries of go.work without a module.
func Workspace(r *Repo) []Finding {
	var found []Finding
	dirs := map[string]bool{}
	uses := map[string]bool{}
	for _, u := range r.Uses {
		uses[u] = true
	}
	for _, m := range r.Modules {
		dirs[m.Dir] = true
		if !uses[m.Dir] {
			found = append(found, Finding{path.Join(m.Dir, "go.mod"), "go.work does not list this module"})
		}
	}
	for _, u := range r.Uses {
		if !dirs[u] {
			found = append(found, Finding{"go.work", "lists " + u + ", where no go.mod stands"})
		}
	}
	return found
}
