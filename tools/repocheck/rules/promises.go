package rules

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// promisesPage lists every number, what it stands for, and the tests that prove it.
const promisesPage = "docs/promises.md"

// A number names a requirement (R), a promise under faults (P), an invariant (L), or a defect of
// another library that a test does to this one (D).
var (
	number      = regexp.MustCompile(`\b[RPLD][1-9]?[0-9][a-z]?\b`)
	numberRange = regexp.MustCompile(`\b([RPLD])([1-9]?[0-9])(?: to |-)[RPLD]([1-9]?[0-9])\b`)
	inName      = regexp.MustCompile(`^Test(?:Peer)?([RPLD])0*([1-9]?[0-9])([a-z]?)(?:[A-Z]|$)`)
	promiseItem = regexp.MustCompile(`^- \*\*([RPLD][0-9]+[a-z]?)\*\*`)
	quoted      = regexp.MustCompile("`([^`]+)`")
)

// testsMark begins the lines of an entry that name its tests, notBuilt ends the text of an entry
// that needs none yet.
const (
	testsMark = "  - Tests: "
	notBuilt  = "*Not built.*"
)

// A promise is an entry of the page.
type promise struct {
	number string
	line   int
	built  bool
	tests  []string
	// from and to are the lines of the list of tests; from is behind the text where there is none.
	from, to int
}

// Promises holds the page of promises and the tests together. A test names what it proves in the
// comment above it, or in its own name. The page lists just those tests, and every number that is
// anywhere in a comment or a page stands there. Run repocheck -fix to have the lists written.
func Promises(r *Repo) []Finding {
	lines, err := r.lines(promisesPage)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{promisesPage, "does not exist"}}
	}
	if err != nil {
		return []Finding{{promisesPage, err.Error()}}
	}
	page := parsePromises(lines)
	exist, proof := r.proofs()
	known := map[string]bool{}
	var found []Finding
	for _, p := range page {
		where := fmt.Sprintf("%s:%d", promisesPage, p.line)
		if known[p.number] {
			found = append(found, Finding{where, p.number + " is listed twice"})
		}
		known[p.number] = true
		want := proof[p.number]
		if p.built && len(want) == 0 {
			found = append(found, Finding{where, p.number + " has no test: name it in the comment of the test that proves it"})
		}
		for _, name := range p.tests {
			if !exist[name] {
				found = append(found, Finding{where, p.number + " names " + name + ", and there is no such test"})
			} else if !slices.Contains(want, name) {
				found = append(found, Finding{where, p.number + " names " + name + ", whose comment does not name it"})
			}
		}
		for _, name := range want {
			if !slices.Contains(p.tests, name) {
				found = append(found, Finding{where, p.number + " lacks " + name + ", which names it: repocheck -fix adds it"})
			}
		}
	}
	return append(found, r.unknownNumbers(known)...)
}

// parsePromises reads the entries of the page.
func parsePromises(lines []string) []*promise {
	var page []*promise
	var p *promise
	in := false // within the list of tests
	for i, line := range lines {
		if m := promiseItem.FindStringSubmatch(line); m != nil {
			p, in = &promise{number: m[1], line: i + 1, built: true, from: i + 1, to: i + 1}, false
			page = append(page, p)
		} else if p == nil || !strings.HasPrefix(line, "  ") {
			p = nil
			continue
		}
		if strings.Contains(line, notBuilt) {
			p.built = false
		}
		if strings.HasPrefix(line, testsMark) {
			in, p.from = true, i
		}
		p.to = i + 1
		if !in {
			p.from = i + 1
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(line, -1) {
			p.tests = append(p.tests, m[1])
		}
	}
	return page
}

// proofs returns the tests of the repository, and for each number those whose comment or name has
// it, in alphabetical order.
func (r *Repo) proofs() (exist map[string]bool, proof map[string][]string) {
	exist, proof = map[string]bool{}, map[string][]string{}
	for _, f := range r.Files {
		for _, d := range f.Syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !f.Test || fn.Recv != nil || !isTest(fn.Name.Name) {
				continue
			}
			name := f.dir() + "." + fn.Name.Name
			if f.dir() == "." {
				name = path.Base(Core) + "." + fn.Name.Name
			}
			exist[name] = true
			text := fn.Doc.Text()
			if m := inName.FindStringSubmatch(fn.Name.Name); m != nil {
				text += " " + m[1] + m[2] + m[3]
			}
			for _, n := range numbersIn(text) {
				proof[n] = append(proof[n], name)
			}
		}
	}
	for _, names := range proof {
		slices.Sort(names)
	}
	return exist, proof
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")
}

// numbersIn returns the numbers that a comment names, each once. "R1 to R3" and "R1-R3" name three.
func numbersIn(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	ns := number.FindAllString(text, -1)
	for _, m := range numberRange.FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(m[2])
		to, _ := strconv.Atoi(m[3])
		for i := from + 1; i < to; i++ {
			ns = append(ns, m[1]+strconv.Itoa(i))
		}
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

// unknownNumbers finds numbers that the page does not list, in comments and texts of Go files and
// in pages.
func (r *Repo) unknownNumbers(known map[string]bool) []Finding {
	var found []Finding
	look := func(where, text string) {
		for _, n := range number.FindAllString(text, -1) {
			if !known[n] {
				found = append(found, Finding{where, n + " is not in " + promisesPage})
			}
		}
	}
	for _, f := range r.Files {
		if under(f.dir(), "tools") {
			continue // the rules' own cases name what does not exist
		}
		for _, group := range f.Syntax.Comments {
			for _, c := range group.List {
				look(r.place(c.Pos()), c.Text)
			}
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && f.Test {
				look(r.place(lit.Pos()), lit.Value)
			}
			return true
		})
	}
	for _, name := range r.Pages {
		lines, err := r.lines(name)
		if err != nil {
			found = append(found, Finding{name, err.Error()})
			continue
		}
		for i, line := range lines {
			look(fmt.Sprintf("%s:%d", name, i+1), line)
		}
	}
	return found
}

// FixPromises writes the lists of tests of the page anew.
func FixPromises(r *Repo) error {
	lines, err := r.lines(promisesPage)
	if err != nil {
		return err
	}
	_, proof := r.proofs()
	var out []string
	at := 0
	for _, p := range parsePromises(lines) {
		out = append(out, lines[at:p.from]...)
		at = p.to
		if names := proof[p.number]; len(names) > 0 {
			out = append(out, testLines(names)...)
		}
	}
	out = append(out, lines[at:]...)
	text := strings.Join(out, "\n") + "\n"
	return os.WriteFile(filepath.Join(r.Root, promisesPage), []byte(text), 0o666)
}

// testLines is the list of tests of one number, wrapped.
func testLines(names []string) []string {
	return fill(strings.Fields("`"+strings.Join(names, "`, `")+"`"), testsMark, "    ")
}
