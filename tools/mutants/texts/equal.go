package texts

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

//go:embed equivalent.txt
var equivalent string

var entry = regexp.MustCompile(`^(\S+): (.+) (\d+)$`)

// Equivalents returns the mutants that are known to mean the same as their originals, each with the
// reason.
func Equivalents() (map[ID]string, error) { return equivalents(equivalent) }

// equivalents reads blocks of three lines: file, operator and number; the line; the reason. Lines
// that begin with # belong to no block.
func equivalents(text string) (map[ID]string, error) {
	all := map[ID]string{}
	for block := range strings.SplitSeq(text, "\n\n") {
		var lines []string
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		if len(lines) == 0 {
			continue
		}
		m := entry.FindStringSubmatch(lines[0])
		if m == nil || len(lines) != 3 {
			return nil, fmt.Errorf("equivalent.txt: not three lines of a mutant: %q", block)
		}
		n, err := strconv.Atoi(m[3])
		if err != nil {
			return nil, err
		}
		id := ID{File: m[1], Op: m[2], N: n, Text: lines[1]}
		if all[id] != "" {
			return nil, fmt.Errorf("equivalent.txt: listed twice: %v", id)
		}
		all[id] = lines[2]
	}
	return all, nil
}
