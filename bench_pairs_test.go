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

// pair is the outcome of a comparison. The ratio is the median of ratios of neighbouring
// stretches, so what else the machine does hits both sides alike; fastest is the ratio of the
// fastest stretches, which is the better one on a busy machine.
type pair struct {
	floor, sojourn sample
	ratio, fastest float64
}

func compare(b *testing.B, floor, subject *rig, goroutines int) pair {
	var sides [2][]sample
	var ratios []float64
	for b.Loop() {
		for k, g := range []*rig{floor, subject} {
			s, err := g.stretch(goroutines)
			if err != nil {
				b.Fatal(err)
			}
			sides[k] = append(sides[k], s)
		}
		n := len(ratios)
		ratios = append(ratios, sides[1][n].ns/sides[0][n].ns)
	}
	of := func(s []sample, f func(sample) float64) float64 {
		var all []float64
		for _, x := range s {
			all = append(all, f(x))
		}
		return median(all)
	}
	mid := func(s []sample) sample {
		return sample{
			of(s, func(x sample) float64 { return x.ns }),
			of(s, func(x sample) float64 { return x.allocs }),
			of(s, func(x sample) float64 { return x.bytes }),
		}
	}
	least := func(s []sample) float64 {
		return slices.MinFunc(s, func(x, y sample) int { return cmp.Compare(x.ns, y.ns) }).ns
	}
	return pair{mid(sides[0]), mid(sides[1]), median(ratios), least(sides[1]) / least(sides[0])}
}

// BenchmarkPairs runs the floor and sojourn in turn, some milliseconds each, and prints a table
// of medians. An iteration is one such turn.
func BenchmarkPairs(b *testing.B) {
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "workload\tgoroutines\tfloor ns\tsojourn ns\tratio\tfastest\taim\tfloor allocs\tallocs\taim\tfloor B\tB\t")
	for _, wl := range workloads {
		for _, goroutines := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
			b.Run(fmt.Sprintf("%s/%d", wl.name, goroutines), func(b *testing.B) {
				p := compare(b, wl.floor(), wl.sojourn(), goroutines)
				b.ReportMetric(p.sojourn.ns, "ns/op")
				b.ReportMetric(p.floor.ns, "floor-ns/op")
				b.ReportMetric(p.ratio, "x-floor")
				b.ReportMetric(p.sojourn.allocs, "allocs/op")
				row := fmt.Sprintf("%s\t%d\t%.0f\t%.0f\t%.2f\t%.2f\t%s\t%.1f\t%.1f\t%s\t%.0f\t%.0f\t", wl.name, goroutines,
					p.floor.ns, p.sojourn.ns, p.ratio, p.fastest, aim("%.1f", wl.ratio), p.floor.allocs, p.sojourn.allocs, aim("%.0f", float64(wl.allocs)), p.floor.bytes, p.sojourn.bytes)
				fmt.Fprintln(t, row)
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
