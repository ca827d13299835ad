package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// lists are what is checked in of earlier runs.
type lists struct {
	table *table
	equal map[string]string
	alive map[string]bool
}

// word returns how a mutant that no test noticed is announced, or "" if it needs no word.
func (l *lists) word(m *mutant) string {
	switch {
	case m.fate == killed || m.fate == timedOut:
		if l.equal[m.name()] != "" {
			return "NOT EQUAL (" + m.by + ")"
		}
		return ""
	case l.equal[m.name()] != "":
		return ""
	case m.fate == unseen:
		return "UNSEEN"
	}
	return "ALIVE"
}

// write puts the results of a whole target into the table and the list of what is alive.
func (l *lists) write(r *run) error {
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return err
	}
	text := section(r.target.name, r.tried, l.equal)
	head := "Measured at commit `"
	before, rest, ok := strings.Cut(l.table.text, head)
	if !ok {
		return fmt.Errorf("%s has no line that begins with %q", tableFile, head)
	}
	_, rest, _ = strings.Cut(rest, "`")
	l.table.text = before + head + strings.TrimSpace(string(commit)) + "`" + rest
	l.table.replace(r.target.name, text)
	if err := os.WriteFile(tableFile, []byte(l.table.text), 0o644); err != nil {
		return err
	}
	return writeAlive(r.tried, l.equal)
}

// judge compares a run with the table. It fails where a file's share falls: some mutant is alive
// that was not when the table was made, and with such ones less is killed than the table says.
func (l *lists) judge(tried []*mutant) error {
	files, of := byFile(tried)
	agree, fell := 0, 0
	for _, f := range files {
		var now row
		for _, m := range of[f] {
			name := m.name()
			noticed := m.fate == killed || m.fate == timedOut
			if noticed != l.alive[name] || l.equal[name] != "" {
				agree++
			}
			switch {
			case l.equal[name] != "" || l.alive[name]:
			case noticed:
				now.killed++
			default:
				now.alive++
			}
		}
		aim := 90.0
		if was, ok := l.table.rows[f]; ok {
			aim = was.share()
		}
		if now.alive > 0 && now.share() < aim {
			fell++
			fmt.Printf("FELL %s: of %d mutants that are new or were killed, %d are alive: %.1f %%, below %.1f %%\n",
				f, now.killed+now.alive, now.alive, now.share(), aim)
		}
	}
	fmt.Printf("%d of %d as %s says\n", agree, len(tried), tableFile)
	if fell > 0 {
		return fmt.Errorf("the share of %d files fell: kill those mutants by tests, or say in %s why they change nothing", fell, knownFile)
	}
	return nil
}
