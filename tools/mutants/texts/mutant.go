package texts

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Mutant is a change of one place in a file.
type Mutant struct {
	ID
	Line  int    // from 1
	What  string // what is different, for a reader
	start int    // the bytes from start to end become text
	end   int
	text  string
}

// ID names a mutant for as long as its line stays as it is, wherever that line moves.
type ID struct {
	File string // below the repository's root
	Op   string // what was done, such as "edge"
	N    int    // which one, from 1, of those with the same File, Op and Text
	Text string // the original line, trimmed
}

// String returns the form in which lists name the mutant.
func (id ID) String() string { return fmt.Sprintf("%s: %s %d: %s", id.File, id.Op, id.N, id.Text) }

// Apply returns the mutated text.
func (m *Mutant) Apply(original string) string {
	return original[:m.start] + m.text + original[m.end:]
}

// List returns the mutants of a file, in their order there.
func List(root, file string) ([]Mutant, error) {
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	return list(file, string(b))
}

func list(file, text string) (all []Mutant, err error) {
	l := &lister{src: text}
	switch filepath.Ext(file) {
	case ".lua":
		l.lua()
	case ".sql":
		l.sql(0, text)
	case ".go":
		err = l.goFile(file)
	default:
		err = fmt.Errorf("texts: no mutants are known for %s", file)
	}
	return l.finish(file), err
}

// lister gathers mutants of a text.
type lister struct {
	src string
	all []Mutant
}

// replace adds a mutant in which the bytes from start to end are text.
func (l *lister) replace(op string, start, end int, text string) {
	old := strings.Join(strings.Fields(l.src[start:end]), " ")
	what := fmt.Sprintf("%q becomes %q", old, strings.Join(strings.Fields(text), " "))
	if strings.TrimSpace(text) == "" {
		what = fmt.Sprintf("without %q", old)
	}
	l.all = append(l.all, Mutant{ID: ID{Op: op}, What: what, start: start, end: end, text: text})
}

// finish sorts the mutants, and gives them their names. What is the same change is one mutant.
func (l *lister) finish(file string) []Mutant {
	slices.SortStableFunc(l.all, func(a, b Mutant) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), strings.Compare(a.Op, b.Op))
	})
	seen := map[string]bool{l.src: true}
	count := map[ID]int{}
	all := l.all[:0]
	for _, m := range l.all {
		if mutated := m.Apply(l.src); seen[mutated] {
			continue
		} else {
			seen[mutated] = true
		}
		from := strings.LastIndexByte(l.src[:m.start], '\n') + 1
		to := len(l.src)
		if i := strings.IndexByte(l.src[m.start:], '\n'); i >= 0 {
			to = m.start + i
		}
		m.File, m.Line = file, 1+strings.Count(l.src[:m.start], "\n")
		m.Text = strings.TrimSpace(l.src[from:to])
		count[m.ID]++
		m.N = count[m.ID]
		all = append(all, m)
	}
	return all
}
