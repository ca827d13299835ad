package faults_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// tally is what happened to an engine in TestHistory, and what became of its acts.
type tally struct {
	acts, kills, cuts, pauses, violations, unknown int
}

// histories is the tally of each engine.
var histories = map[string]tally{}

// tell adds a history to its engine's.
func tell(engine string, h tally) { histories[engine] = histories[engine].plus(h) }

func (a tally) plus(b tally) tally {
	return tally{a.acts + b.acts, a.kills + b.kills, a.cuts + b.cuts, a.pauses + b.pauses, a.violations + b.violations, a.unknown + b.unknown}
}

var tallyHeads = []string{"engine", "acts", "kills", "cuts", "pauses", "violations", "unknown fates"}

func (a tally) cells(engine string) []string {
	cells := []string{engine}
	for _, n := range []int{a.acts, a.kills, a.cuts, a.pauses, a.violations, a.unknown} {
		cells = append(cells, fmt.Sprint(n))
	}
	return cells
}

// tallies are the lines of the table: one for each engine, and their sum.
func tallies() (lines [][]string) {
	var all tally
	for _, engine := range slices.Sorted(maps.Keys(histories)) {
		lines = append(lines, histories[engine].cells(engine))
		all = all.plus(histories[engine])
	}
	return append(lines, all.cells("all"))
}

// printHistories prints the table.
func printHistories(w io.Writer) {
	if len(histories) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range append([][]string{tallyHeads}, tallies()...) {
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	t.Flush()
}

// historyLines is the table for docs/faults.md.
func historyLines() string {
	text := line(tallyHeads) + line(strings.Split("---,---:,---:,---:,---:,---:,---:", ","))
	for _, cells := range tallies() {
		text += line(cells)
	}
	return text
}
