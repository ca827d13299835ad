// Package known reads lists of mutants that change nothing: no test can notice them, and no test
// should.
package known

import (
	"fmt"
	"strings"
)

// Read returns the reason of each mutant that a list names. A name is a line of its own, and its
// reason stands indented below it; names that follow one another share theirs. Lines that begin
// with "# " are comments.
func Read(list string) (map[string]string, error) {
	reasons := map[string]string{}
	var names []string // whose reason comes, or is being read
	told := false
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "\t"):
			if len(names) == 0 {
				return nil, fmt.Errorf("a reason of nothing: %q", line)
			}
			told = true
			for _, n := range names {
				reasons[n] = strings.TrimSpace(reasons[n] + " " + strings.TrimSpace(line))
			}
		default:
			if told {
				names, told = nil, false
			}
			if _, twice := reasons[line]; twice {
				return nil, fmt.Errorf("named twice: %q", line)
			}
			reasons[line] = ""
			names = append(names, line)
		}
	}
	for _, n := range names {
		if reasons[n] == "" {
			return nil, fmt.Errorf("no reason for %q", n)
		}
	}
	return reasons, nil
}
