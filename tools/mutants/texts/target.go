package texts

import (
	"path/filepath"
	"slices"
	"strings"
)

// A Target is a store whose texts are tried.
type Target struct {
	Name  string
	Files []string // patterns, below the repository's root
	Short Tests    // quick, and kill most
	Whole []Tests  // for those that are alive then; the kit is not run once more
	Env   []string // the variables of its servers; all others are empty
}

// Tests are some of a package's.
type Tests struct {
	Dir  string
	Run  string // as for go test -run; "" is all of them
	Skip string // as for go test -skip
}

// program is the name of the program that holds the tests.
func (t Tests) program() string { return strings.ReplaceAll(t.Dir, "/", "-") + ".test" }

// all returns the tests in their order.
func (t *Target) all() []Tests { return append([]Tests{t.Short}, t.Whole...) }

// Targets are all the stores.
var Targets = []Target{
	{
		Name: "redis", Files: []string{"redisstore/lua/*.lua"}, Env: []string{"SOJOURN_REDIS", "SOJOURN_REDIS_SENTINEL"},
		Short: Tests{"redisstore", "^TestStore$/^SOJOURN_REDIS$", ""},
		Whole: []Tests{{"redisstore", "", "^Test(Cached|Waiting)?Store$"}},
	},
	{
		Name: "postgres", Files: []string{"postgresstore/sql/*.sql"}, Env: []string{"SOJOURN_POSTGRES"},
		Short: Tests{"pgxstore", "^TestStore$", ""},
		Whole: []Tests{{"pgxstore", "", "^Test(SQL)?Store$"}, {"postgresstore", "", ""}},
	},
	{
		Name: "mysql", Files: []string{"mysqlstore/sql/*.sql"}, Env: []string{"SOJOURN_MYSQL", "SOJOURN_MARIADB"},
		Short: Tests{"mysqlstore", "^TestStore$/^MySQL$", ""},
		Whole: []Tests{{"mysqlstore", "^TestStore$/^MariaDB$", ""}, {"mysqlstore", "", "^TestStore$"}},
	},
	{
		Name: "sqlite", Files: []string{"sqlite/statements.go"},
		Short: Tests{"sqlitestore", "^TestStore$", ""},
		Whole: []Tests{{"sqlitestore", "", "^TestStore$"}, {"sqlite", "", ""}},
	},
	{
		Name: "cassandra", Files: []string{"cqlstore/cql/*.go"}, Env: []string{"SOJOURN_CASSANDRA"},
		Short: Tests{"cqlstore", "^TestKit$/^cassandra$", ""},
		Whole: []Tests{{"cqlstore", "", "^TestKit"}, {"cqlstore/cql", "", ""}},
	},
}

// Mutants lists those of all the target's files.
func (t *Target) Mutants(root string) (all []Mutant, err error) {
	for _, pattern := range t.Files {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		slices.Sort(files)
		for _, f := range files {
			name, err := filepath.Rel(root, f)
			if err != nil {
				return nil, err
			}
			ms, err := List(root, filepath.ToSlash(name))
			if err != nil {
				return nil, err
			}
			all = append(all, ms...)
		}
	}
	return all, nil
}
