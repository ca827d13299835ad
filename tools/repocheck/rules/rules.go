// Package rules holds the rules of this repository, each as one function over the parsed files.
// They read syntax only, so that they still answer when something does not compile.
package rules

// Core is the path of the module that everything here stands on.
const Core = "github.com/sojourn-go/sojourn"

// A Finding is one place where a rule is broken.
type Finding struct {
	Where string // path from the repository's root, with a line where there is one
	Text  string
}

// A Rule is one check of the whole repository.
type Rule struct {
	Name  string
	Check func(*Repo) []Finding
}

// All is every rule, in the order in which repocheck runs them.
var All = []Rule{
	{"imports", Imports},
	{"core-stdlib", CoreStandardLibrary},
	{"core-no-require", CoreRequiresNothing},
	{"workspace", Workspace},
	{"environment", Environment},
	{"logging", Logging},
	{"random", Random},
	{"secrets", Secrets},
	{"sleep", Sleep},
	{"names", Names},
	{"length", Length},
	{"docs", Docs},
	{"readme", Readme},
	{"architecture", Architecture},
	{"modules", Taken},
	{"promises", Promises},
	{"columns", Columns},
}

// Fix puts right what needs no thought: the lists of tests in the page of promises, the numbers of
// modules, and the wrapping of comments and pages. The files are to be loaded anew.
func Fix(r *Repo) error {
	if err := FixTaken(r); err != nil {
		return err
	}
	if err := FixPromises(r); err != nil {
		return err
	}
	return FixColumns(r)
}
