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
	Tests []Tests  // in this order: quick ones kill most
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

// Targets are all the stores.
var Targets = []Target{
	{
		Name: "redis", Files: []string{"redisstore/lua/*.lua"}, Env: []string{"SOJOURN_REDIS", "SOJOURN_REDIS_SENTINEL"},
		Tests: []Tests{
			// What all the tests of a server share is not for those that run at once.
			{"redisstore", "", "^Test(Cached|Waiting)?Store$|^TestForgottenScripts$|^TestRevocationLag$|^TestSlowGet$"},
			{"redisstore", "^TestStore$/^SOJOURN_REDIS$", ""},
		},
	},
	{
		Name: "postgres", Files: []string{"postgresstore/sql/*.sql"}, Env: []string{"SOJOURN_POSTGRES"},
		Tests: []Tests{
			{"postgresstore", "", ""},
			// TestHot waits for counters, which come late on a busy server.
			{"pgxstore", "", "^Test(SQL)?Store$|^TestStorm$|^TestHot$"},
			{"pgxstore", "^TestStore$|^TestStorm$", ""},
		},
	},
	{
		Name: "mysql", Files: []string{"mysqlstore/sql/*.sql"}, Env: []string{"SOJOURN_MYSQL", "SOJOURN_MARIADB"},
		Tests: []Tests{
			{"mysqlstore", "", "^TestStore$|^TestStorm$"},
			{"mysqlstore", "^TestStore$/^MySQL$", ""},
			{"mysqlstore", "^TestStore$/^MariaDB$|^TestStorm$", ""},
		},
	},
	{
		Name: "sqlite", Files: []string{"sqlite/statements.go"},
		Tests: []Tests{
			{"sqlite", "", ""},
			{"sqlitestore", "^TestStore$", ""},
			{"sqlitestore", "", "^TestStore$"},
		},
	},
	{
		Name: "cassandra", Files: []string{"cqlstore/cql/*.go"}, Env: []string{"SOJOURN_CASSANDRA"},
		Tests: []Tests{
			{"cqlstore/cql", "", ""},
			{"cqlstore", "", "^TestKit"},
			{"cqlstore/gocqlv1", "^TestKit$", ""},
		},
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
