package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

const (
	knownFile = "tools/mutants/known.txt" // mutants that change nothing; see package known
	aliveFile = "tools/mutants/alive.txt" // mutants that no test notices: holes, written by -write
	tableFile = "docs/mutants.md"
	tableHead = "| file | mutants | killed | equal | alive | killed of those that differ |"
)

// A row is what a table says of a file.
type row struct {
	mutants, killed, equal, alive int
}

// share returns the part that is killed of the mutants that make a difference, in percent.
func (r row) share() float64 {
	if r.killed+r.alive == 0 {
		return 100
	}
	return 100 * float64(r.killed) / float64(r.killed+r.alive)
}

func (r *row) add(o row) {
	r.mutants += o.mutants
	r.killed += o.killed
	r.equal += o.equal
	r.alive += o.alive
}

// rowOf counts the mutants of one file that were tried. One that is known to change nothing counts
// as equal whatever a test said.
func rowOf(tried []*mutant, equal map[string]string) row {
	var r row
	for _, m := range tried {
		r.mutants++
		switch {
		case equal[m.name()] != "":
			r.equal++
		case m.fate == killed || m.fate == timedOut:
			r.killed++
		default:
			r.alive++
		}
	}
	return r
}

func (r row) String() string {
	return fmt.Sprintf("%5d | %5d | %5d | %5d | %5.1f %%", r.mutants, r.killed, r.equal, r.alive, r.share())
}

// section returns the table of one target, in Markdown.
func section(name string, tried []*mutant, equal map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s\n|---|--:|--:|--:|--:|--:|\n", name, tableHead)
	var sum row
	files, of := byFile(tried)
	for _, f := range files {
		r := rowOf(of[f], equal)
		sum.add(r)
		fmt.Fprintf(&b, "| %-32s | %v |\n", f, r)
	}
	fmt.Fprintf(&b, "| %-32s | %v |\n", "**all**", sum)
	return b.String()
}

// A table is what is checked in: a section for each target, the rows by file, and the commit that
// was measured.
type table struct {
	text   string
	rows   map[string]row
	commit string
}

// readTable reads the checked-in table.
func readTable() (*table, error) {
	text, err := os.ReadFile(tableFile)
	if err != nil {
		return nil, err
	}
	t := &table{text: string(text), rows: map[string]row{}}
	for line := range strings.Lines(t.text) {
		if rest, ok := strings.CutPrefix(line, "Measured at commit `"); ok {
			t.commit, _, _ = strings.Cut(rest, "`")
		}
		cells := strings.Split(line, "|")
		if len(cells) != 8 {
			continue
		}
		var n [4]int
		for i := range n {
			if n[i], err = strconv.Atoi(strings.TrimSpace(cells[i+2])); err != nil {
				break
			}
		}
		if err == nil {
			t.rows[strings.TrimSpace(cells[1])] = row{n[0], n[1], n[2], n[3]}
		}
	}
	return t, nil
}

// replace puts a new section in the place of the old one of that name, or at the end.
func (t *table) replace(name, section string) {
	head := "### " + name + "\n"
	begin := strings.Index(t.text, head)
	if begin < 0 {
		t.text = strings.TrimRight(t.text, "\n") + "\n\n" + section
		return
	}
	rest := t.text[begin+len(head):]
	end := len(t.text)
	if i := strings.Index(rest, "\n#"); i >= 0 {
		end = begin + len(head) + i
		section += "\n"
	}
	t.text = t.text[:begin] + strings.TrimRight(section, "\n") + "\n" + t.text[end:]
}

// writeAlive puts the names of the mutants that are alive in the place of those of the same files.
func writeAlive(tried []*mutant, equal map[string]string) error {
	old, err := os.ReadFile(aliveFile)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	_, of := byFile(tried)
	var lines []string
	for line := range strings.Lines(string(old)) {
		line = strings.TrimSpace(line)
		file, _, _ := strings.Cut(line, ":")
		if line != "" && of[file] == nil {
			lines = append(lines, line)
		}
	}
	for _, m := range tried {
		if (m.fate == alive || m.fate == unseen) && equal[m.name()] == "" {
			lines = append(lines, m.name())
		}
	}
	slices.Sort(lines)
	return os.WriteFile(aliveFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// changed returns the lines of Go files that differ from a commit.
func changed(commit string) (map[string]map[int]bool, error) {
	out, err := exec.Command("git", "diff", "-U0", "--no-color", commit, "--", "*.go").Output()
	if err != nil {
		return nil, fmt.Errorf("git diff %s: %w", commit, err)
	}
	lines := map[string]map[int]bool{}
	file := ""
	scan := bufio.NewScanner(bytes.NewReader(out))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		if name, ok := strings.CutPrefix(line, "+++ b/"); ok {
			file = name
			lines[file] = map[int]bool{}
			continue
		}
		if !strings.HasPrefix(line, "@@ ") || file == "" {
			continue
		}
		_, added, _ := strings.Cut(line, " +")
		added, _, _ = strings.Cut(added, " ")
		first, count, ok := strings.Cut(added, ",")
		from, n := atoi(first), 1
		if ok {
			n = atoi(count)
		}
		for i := range n {
			lines[file][from+i] = true
		}
	}
	return lines, scan.Err()
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
