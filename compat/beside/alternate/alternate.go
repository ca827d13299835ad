// Package alternate measures two ways to do one thing in one process, in turns, so that whatever
// else the machine does meets both alike.
package alternate

import (
	"slices"
	"testing"
	"time"
)

// Run calls older and newer in turns of n calls each, for as long as b asks. It reports the median
// time of a call of each (older-ns/op, newer-ns/op), the median of the ratios of neighbouring turns
// (newer/older), and how often each allocates. ns/op, the time of two whole turns, says nothing,
// and is hidden. An error ends the benchmark.
func Run(b *testing.B, n int, older, newer func() error) {
	b.Helper()
	for _, f := range []func() error{older, newer} { // whatever is made once is made now
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	var olds, news, ratios []float64
	for b.Loop() {
		o, n := turn(b, n, older), turn(b, n, newer)
		olds, news, ratios = append(olds, o), append(news, n), append(ratios, n/o)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(olds), "older-ns/op")
	b.ReportMetric(median(news), "newer-ns/op")
	b.ReportMetric(median(ratios), "newer/older")
	b.ReportMetric(allocs(b, n, older), "older-allocs/op")
	b.ReportMetric(allocs(b, n, newer), "newer-allocs/op")
}

// turn gives the time of one of n calls, in nanoseconds.
func turn(b *testing.B, n int, f func() error) float64 {
	begun := time.Now()
	for range n {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(begun)) / float64(n)
}

func allocs(b *testing.B, n int, f func() error) float64 {
	return testing.AllocsPerRun(n, func() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	})
}

// median sorts s.
func median(s []float64) float64 {
	slices.Sort(s)
	return s[len(s)/2]
}
