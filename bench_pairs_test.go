package sojourn_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// sample is what a stretch of visits cost, each.
type sample struct{ ns, allocs, bytes float64 }

// stretch visits every session a few times, split among goroutines.
func (g *rig) stretch(goroutines int) (s sample, err error) {
	const rounds = 2
	n := benchSessions / goroutines
	errs := make([]error, goroutines)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	var wg sync.WaitGroup
	for k := range goroutines {
		wg.Go(func() {
			c := newSink()
			for i := 0; i < rounds*n && errs[k] == nil; i++ {
				errs[k] = g.visit(c, k*n+i%n)
			}
		})
	}
	wg.Wait()
	visits := float64(rounds * n * goroutines)
	s.ns = float64(time.Since(begun)) / visits
	runtime.ReadMemStats(&after)
	s.allocs = float64(after.Mallocs-before.Mallocs) / visits
	s.bytes = float64(after.TotalAlloc-before.TotalAlloc) / visits
	return s, errors.Join(errs...)
}

// median sorts s.
func median(s []float64) float64 {
	slices.Sort(s)
	return s[len(s)/2]
}

// outcome is what one side of a comparison cost. The ratio to the first side is the median of
// ratios of neighbouring stretches, so what else the machine does hits all sides alike; fastest is
// the ratio of the fastest stretches, which is the better one on a busy machine.
type outcome struct {
	sample
	ratio, fastest float64
}

// compare runs the sides in turn.
func compare(b *testing.B, sides []*rig, goroutines int) []outcome {
	runs := make([][]sample, len(sides))
	for b.Loop() {
		for k, g := range sides {
			s, err := g.stretch(goroutines)
			if err != nil {
				b.Fatal(err)
			}
			runs[k] = append(runs[k], s)
		}
	}
	of := func(s []sample, f func(sample) float64) float64 {
		var all []float64
		for _, x := range s {
			all = append(all, f(x))
		}
		return median(all)
	}
	least := func(s []sample) float64 {
		return slices.MinFunc(s, func(x, y sample) int { return cmp.Compare(x.ns, y.ns) }).ns
	}
	var out []outcome
	for _, run := range runs {
		var ratios []float64
		for n := range run {
			ratios = append(ratios, run[n].ns/runs[0][n].ns)
		}
		out = append(out, outcome{sample{
			of(run, func(x sample) float64 { return x.ns }),
			of(run, func(x sample) float64 { return x.allocs }),
			of(run, func(x sample) float64 { return x.bytes }),
		}, median(ratios), least(run) / least(runs[0])})
	}
	return out
}

// BenchmarkPairs runs the floor, the least and sojourn in turn, some milliseconds each, and prints
// a table of medians. An iteration is one such turn.
func BenchmarkPairs(b *testing.B) {
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "workload\tgoroutines\tside\tns\tx floor\tfastest\taim\tallocs\taim\tB\t")
	for _, wl := range workloads {
		for _, goroutines := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
			b.Run(fmt.Sprintf("%s/%d", wl.name, goroutines), func(b *testing.B) {
				names, sides := []string{"floor", "sojourn"}, []*rig{wl.floor(), wl.sojourn()}
				if wl.least != nil {
					names, sides = append(names, "least"), append(sides, wl.least())
				}
				all := compare(b, sides, goroutines)
				b.ReportMetric(all[1].ns, "ns/op")
				b.ReportMetric(all[0].ns, "floor-ns/op")
				b.ReportMetric(all[1].ratio, "x-floor")
				b.ReportMetric(all[1].allocs, "allocs/op")
				for k, o := range all {
					ratio, allocs := "", ""
					if names[k] == "sojourn" {
						ratio, allocs = aim("%.1f", wl.ratio), aim("%.0f", float64(wl.allocs))
					}
					fmt.Fprintf(t, "%s\t%d\t%s\t%.0f\t%.2f\t%.2f\t%s\t%.1f\t%s\t%.0f\t\n", wl.name, goroutines, names[k],
						o.ns, o.ratio, o.fastest, ratio, o.allocs, allocs, o.bytes)
				}
			})
		}
	}
	t.Flush()
	fmt.Fprint(os.Stdout, table.String())
}

func aim(format string, x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf(format, x)
}
