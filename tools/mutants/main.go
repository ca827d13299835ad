// Command mutants changes the code in one place at a time and looks whether a test notices. A
// change that none notices is a hole in the tests, unless known.txt says why it makes no
// difference.
//
// Usage: mutants [flags] [target …], from the repository's root; see docs/mutants.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sojourn-go/sojourn/tools/mutants/known"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

type options struct {
	choice
	workers int
	limit   time.Duration
	list    bool
	write   bool
	quick   bool
}

func flags() (o options, targets []string, err error) {
	var only string
	flag.IntVar(&o.sample, "sample", 0, "try `n` mutants of all targets, chosen by the seed; 0 tries all")
	flag.Uint64Var(&o.seed, "seed", 1, "chooses the sample")
	flag.StringVar(&only, "only", "", "try the mutants whose names (as -list prints them) match the `expression`")
	flag.BoolVar(&o.changed, "changed", false, "try the mutants of lines that changed since the commit of "+tableFile)
	flag.DurationVar(&o.limit, "limit", 0, "begin no mutant after this `time`; 0 is without limit")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many mutants are tried at a time")
	flag.BoolVar(&o.list, "list", false, "list the mutants and try none")
	flag.BoolVar(&o.quick, "quick", false, "leave out the tests that take more than a second")
	flag.BoolVar(&o.again, "again", false, "take what "+aliveFile+" does not name for killed, but for lines that changed since")
	flag.BoolVar(&o.known, "known", false, "try those that "+knownFile+" names, too, and say which of them a test notices")
	flag.StringVar(&o.resume, "resume", "", "take the fates that the `file` has, and add those that are found, so that a run can be stopped")
	flag.BoolVar(&o.write, "write", false, "write the results of whole targets into "+tableFile+" and "+aliveFile)
	flag.Parse()
	if o.write && (o.sample > 0 || only != "" || o.changed || o.limit > 0 || o.quick) {
		return o, nil, errors.New("-write needs whole targets: it goes with no flag that leaves mutants or tests out")
	}
	o.only, err = regexp.Compile(only)
	return o, flag.Args(), err
}

func command(ctx context.Context) error {
	o, names, err := flags()
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	list, err := readLists()
	if err != nil {
		return err
	}
	var runs []*run
	for _, t := range targets {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		r, err := prepare(root, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		defer os.RemoveAll(r.dir)
		runs = append(runs, r)
	}
	if err := o.choose(runs, list); err != nil {
		return err
	}
	if o.list {
		for _, r := range runs {
			for _, m := range r.chosen {
				fmt.Println(m.name())
			}
		}
		return nil
	}
	return tryAll(ctx, root, runs, list, o)
}

// tryAll tries what was chosen of each target, and says what came of it.
func tryAll(ctx context.Context, root string, runs []*run, list *lists, o options) error {
	begun := time.Now()
	var tried []*mutant
	for _, r := range runs {
		if len(r.chosen) == 0 && len(r.tried) == 0 {
			continue
		}
		if err := r.try(ctx, root, list, o, begun); err != nil {
			return fmt.Errorf("%s: %w", r.target.name, err)
		}
		fmt.Println(section(r.target.name, r.tried, list.equal))
		tried = append(tried, r.tried...)
		if o.write {
			if err := list.write(r); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d mutants tried in %v\n", len(tried), time.Since(begun).Round(time.Second))
	if o.write {
		return nil
	}
	return list.judge(tried)
}

// readLists reads what is checked in.
func readLists() (*lists, error) {
	var l lists
	var err error
	if l.table, err = readTable(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(knownFile)
	if err != nil {
		return nil, err
	}
	if l.equal, err = known.Read(string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", knownFile, err)
	}
	text, err = os.ReadFile(aliveFile)
	l.alive = map[string]bool{}
	for line := range strings.Lines(string(text)) {
		l.alive[strings.TrimSpace(line)] = true
	}
	return &l, err
}
