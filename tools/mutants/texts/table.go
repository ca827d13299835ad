package texts

import (
	"fmt"
	"io"
)

// WriteTable writes what became of the mutants of every file, as a table in Markdown. Results of
// mutants that are no more are left out.
func WriteTable(w io.Writer, root string, results map[ID]Result, equal map[string]string) error {
	fmt.Fprintln(w, "| text | mutants | killed | equivalent | alive | stillborn | not run |\n|---|--:|--:|--:|--:|--:|--:|")
	for i := range Targets {
		t := &Targets[i]
		ms, err := t.Mutants(root)
		if err != nil {
			return err
		}
		sum := map[Verdict]int{}
		for from := 0; from < len(ms); {
			count, to := map[Verdict]int{}, from
			for ; to < len(ms) && ms[to].File == ms[from].File; to++ {
				v := results[ms[to].ID].Verdict
				if equal[ms[to].ID.String()] != "" {
					v = Equivalent
				}
				count[v]++
				sum[v]++
			}
			row(w, ms[from].File, to-from, count)
			from = to
		}
		row(w, "**"+t.Name+"**", len(ms), sum)
	}
	return nil
}

func row(w io.Writer, name string, n int, count map[Verdict]int) {
	fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d |\n", name, n, count[Killed], count[Equivalent], count[Alive], count[Stillborn], count[""])
}
