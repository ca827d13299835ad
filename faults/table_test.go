package faults_test

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn/faults/host"
	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/faults/site"
)

// row is one line of the table in docs/faults.md.
type row struct {
	scenario, engine string

	acts, acked, unavailable, indeterminate int

	lost, resurrected int
	outage            time.Duration
	note              string
}

var table struct {
	sync.Mutex
	rows []row
}

// report adds a line to the table.
func report(r row) {
	table.Lock()
	defer table.Unlock()
	table.rows = append(table.rows, r)
}

// rowOf makes a line of what the law and the visitors saw.
func rowOf(scenario, engine string, c law.Counts, v law.Verdict, s *site.Result) row {
	r := row{scenario: scenario, engine: engine, acts: c.Acts, acked: c.Acked, unavailable: c.Unavailable, indeterminate: c.Indeterminate,
		lost: v.Lost, resurrected: v.Resurrected, outage: c.Outage}
	if len(v.Unexplained) > 0 {
		r.note = fmt.Sprintf("%d sessions' answers cannot be explained otherwise", len(v.Unexplained))
	}
	if s != nil {
		r.acts += s.Requests
		r.acked += s.Acked
		r.unavailable += s.Refused
		r.lost += s.Lost
		r.resurrected += s.Resurrected
	}
	return r
}

var heads = []string{"scenario", "engine", "acts", "acked", "unavailable", "unknown", "lost", "alive again", "longest outage", ""}

func (r row) cells() []string {
	outage := "-"
	if r.outage > 0 {
		outage = fmt.Sprintf("%.1f s", r.outage.Seconds())
	}
	return []string{r.scenario, r.engine, fmt.Sprint(r.acts), fmt.Sprint(r.acked), fmt.Sprint(r.unavailable), fmt.Sprint(r.indeterminate),
		fmt.Sprint(r.lost), fmt.Sprint(r.resurrected), outage, r.note}
}

// TestMain runs the tests, takes the servers down, and prints the table; with SOJOURN_FAULTS_UPDATE
// it also goes into docs/faults.md.
func TestMain(m *testing.M) {
	host.Main(openFiles)
	mysql.SetLogger(&mysql.NopLogger{}) // it tells of each broken connection
	code := m.Run()
	closeMachines()
	slices.SortStableFunc(table.rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.scenario, b.scenario), strings.Compare(a.engine, b.engine))
	})
	printTable(os.Stdout)
	printHistories(os.Stdout)
	if os.Getenv("SOJOURN_FAULTS_UPDATE") != "" && code == 0 {
		if err := updateDoc("../docs/faults.md"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func printTable(w io.Writer) {
	if len(table.rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(heads, "\t"))
	for _, r := range table.rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
	}
	t.Flush()
}

// A mark stands before a table in docs/faults.md, and markEnd behind it.
const (
	markBegin     = "<!-- table: SOJOURN_FAULTS_UPDATE=1 go test . in faults/ writes it -->\n"
	markHistories = "<!-- histories: SOJOURN_FAULTS_UPDATE=1 make soak writes them -->\n"
	markEnd       = "<!-- end of table -->\n"
)

// updateDoc writes both tables into the page.
func updateDoc(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	doc, err := replace(string(b), markBegin, merged)
	if err == nil && len(histories) > 0 {
		doc, err = replace(doc, markHistories, func(string) string { return historyLines() })
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(doc), 0o644)
}

// replace writes a table anew that stands behind a mark.
func replace(doc, mark string, table func(old string) string) (string, error) {
	before, rest, ok1 := strings.Cut(doc, mark)
	old, after, ok2 := strings.Cut(rest, markEnd)
	if !ok1 || !ok2 {
		return "", fmt.Errorf("no table behind the mark %q", mark)
	}
	return before + mark + table(old) + markEnd + after, nil
}

// merged is the table of this run, with the old lines of tests that did not run.
func merged(old string) string {
	var lines []string
	fresh := map[string]bool{}
	for _, r := range table.rows {
		lines = append(lines, line(r.cells()))
		fresh[r.scenario+" | "+r.engine] = true
	}
	for i, l := range strings.SplitAfter(old, "\n") {
		if cells := strings.Split(strings.Trim(l, "|\n "), " | "); i > 1 && len(cells) > 2 && !fresh[cells[0]+" | "+cells[1]] {
			lines = append(lines, l)
		}
	}
	slices.Sort(lines)
	return line(heads) + line(strings.Split("---,---,---:,---:,---:,---:,---:,---:,---:,---", ",")) + strings.Join(lines, "")
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }
