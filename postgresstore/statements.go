package postgresstore

import (
	"embed"
	"path"
	"regexp"
	"strings"
)

// The statements, one file each. A file is the statement as it is sent, for a table named sojourn;
// its comments are not sent. Casts are explicit and nothing is NULL, so that a statement means the
// same in each mode of each driver, prepared or not. The clock is clock_timestamp(), which goes on
// within a statement: it must be read after a lock was waited for.
//
//go:embed sql/*.sql
var files embed.FS

var (
	comment = regexp.MustCompile(`(?m)\s*--.*$`)
	ownName = regexp.MustCompile(`\bsojourn`)
)

// statements returns the texts for a table, by the names of their files.
func statements(table string) map[string]string {
	entries, err := files.ReadDir("sql")
	if err != nil {
		panic(err) // they are in the program
	}
	texts := map[string]string{}
	for _, f := range entries {
		b, err := files.ReadFile(path.Join("sql", f.Name()))
		if err != nil {
			panic(err)
		}
		text := comment.ReplaceAllString(string(b), "")
		texts[strings.TrimSuffix(f.Name(), ".sql")] = strings.TrimSpace(ownName.ReplaceAllLiteralString(text, table))
	}
	return texts
}
