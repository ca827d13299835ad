package rules

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// takenColumn heads the column of a table that says how many modules a program takes in. The names
// in the row's first cell are folders or modules of ours, the core where there is none.
const takenColumn = "modules"

var takenPages = []string{"README.md", "docs/dependencies.md"}

// Taken finds numbers in the tables of modules that are not what "go list -m all" counts.
func Taken(r *Repo) []Finding {
	var found []Finding
	for _, page := range takenPages {
		lines, err := r.lines(page)
		if err != nil {
			found = append(found, Finding{page, err.Error()})
			continue
		}
		counted, rows, err := r.countTaken(lines)
		if err != nil {
			found = append(found, Finding{page, err.Error()})
			continue
		}
		for i := range lines {
			if lines[i] != counted[i] {
				found = append(found, Finding{fmt.Sprintf("%s:%d", page, i+1), "the number of modules is not that of go list -m all: repocheck -fix writes it"})
			}
		}
		if rows == 0 {
			found = append(found, Finding{page, "has no table with a column \"" + takenColumn + "\""})
		}
		if page == "docs/dependencies.md" {
			found = append(found, r.unlisted(page, strings.Join(lines, "\n"))...)
		}
	}
	return found
}

// FixTaken writes the numbers anew.
func FixTaken(r *Repo) error {
	for _, page := range takenPages {
		lines, err := r.lines(page)
		if err != nil {
			return err
		}
		counted, _, err := r.countTaken(lines)
		if err != nil {
			return err
		}
		if slices.Equal(lines, counted) {
			continue
		}
		if err := os.WriteFile(filepath.Join(r.Root, filepath.FromSlash(page)), []byte(strings.Join(counted, "\n")+"\n"), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// unlisted finds modules with dependencies whose number the page does not give.
func (r *Repo) unlisted(page, text string) []Finding {
	var found []Finding
	for _, m := range r.Modules {
		row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(m.Dir) + "` \\| \\d+ \\|$")
		if public := !(&File{Name: m.Dir + "/x.go"}).program() && m.Dir != "compat/beside"; public && m.Path != Core && !row.MatchString(text) {
			found = append(found, Finding{page, "does not say how many modules a program takes in with `" + m.Dir + "`"})
		}
	}
	return found
}

// countTaken returns the lines of a page with the right numbers, and the number of rows with one.
func (r *Repo) countTaken(lines []string) (counted []string, rows int, err error) {
	counted = slices.Clone(lines)
	column := -1
	for i, line := range lines {
		if !strings.HasPrefix(line, "|") {
			column = -1
			continue
		}
		cells := strings.Split(line, "|")
		if column < 0 {
			column = slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == takenColumn })
			if column < 0 {
				column = len(cells) // another table
			}
			continue
		}
		if column >= len(cells) || strings.Trim(line, "|-: ") == "" {
			continue
		}
		numbers, err := r.numbers(cells[1])
		if err != nil {
			return nil, 0, err
		}
		cells[column] = " " + numbers + " "
		counted[i] = strings.Join(cells, "|")
		rows++
	}
	return counted, rows, nil
}

// numbers gives the numbers of the modules that a cell names, in their order.
func (r *Repo) numbers(cell string) (string, error) {
	names := quoted.FindAllStringSubmatch(cell, -1)
	if names == nil {
		names = [][]string{{"", "."}}
	}
	var list []string
	for _, name := range names {
		n, err := r.taken(r.owner(Core + "/" + name[1]))
		if err != nil {
			return "", err
		}
		list = append(list, strconv.Itoa(n))
	}
	return strings.Join(list, ", "), nil
}

// taken counts the modules that a program takes in with a module of ours, that one among them. The
// program's go.mod lists what the module's lists, so both see the same.
func (r *Repo) taken(m *Module) (int, error) {
	if n, ok := r.takenIn[m.Path]; ok {
		return n, nil
	}
	cmd := exec.Command("go", "list", "-m", "all")
	cmd.Dir = filepath.Join(r.Root, filepath.FromSlash(m.Dir))
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: go list -m all: %w: %s", m.Dir, err, bytes.TrimSpace(stderr.Bytes()))
	}
	if r.takenIn == nil {
		r.takenIn = map[string]int{}
	}
	r.takenIn[m.Path] = bytes.Count(out, []byte("\n"))
	return r.takenIn[m.Path], nil
}
