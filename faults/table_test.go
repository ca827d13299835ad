package faults_test

import (
	"bytes"
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

// TestMain runs the tests, takes the servers down, and prints the table; with SOJOURN_FAULTS_UPDATE it also goes into docs/faults.md.
func TestMain(m *testing.M) {
	mysql.SetLogger(&mysql.NopLogger{}) // it tells of each broken connection
	code := m.Run()
	closeMachines()
	slices.SortStableFunc(table.rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.scenario, b.scenario), strings.Compare(a.engine, b.engine))
	})
	printTable(os.Stdout)
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

const (
	markBegin = "<!-- table: SOJOURN_FAULTS_UPDATE=1 go test . in faults/ writes it -->\n"
	markEnd   = "<!-- end of table -->\n"
)

// updateDoc writes the table between its marks.
func updateDoc(path string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok1 := bytes.Cut(doc, []byte(markBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(markEnd))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no marks for the table", path)
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(markBegin)
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(heads)
	line(strings.Split("---,---,---:,---:,---:,---:,---:,---:,---:,---", ","))
	for _, r := range table.rows {
		line(r.cells())
	}
	b.WriteString(markEnd)
	b.Write(after)
	return os.WriteFile(path, b.Bytes(), 0o644)
}
