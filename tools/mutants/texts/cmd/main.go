// Command cmd tries the mutants of the stores' texts; see package texts.
//
// It needs the servers of the targets: run it by bin/servers run -- go run
// ./tools/mutants/texts/cmd. The results go to a file, one JSON object a line; a later run leaves
// out those that are there, but for the alive ones with -alive. Ctrl-C stops it, and nothing is
// lost.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sojourn-go/sojourn/tools/mutants/texts"
)

var (
	root     = flag.String("root", ".", "the repository's `folder`")
	stores   = flag.String("stores", "redis,postgres,mysql,sqlite,cassandra", "which stores")
	match    = flag.String("match", "", "only mutants whose name contains this")
	sample   = flag.Int("sample", 0, "how many mutants over all the stores; 0 = every one")
	seed     = flag.Uint64("seed", 1, "which sample")
	parallel = flag.Int("parallel", 4, "how many at once")
	patience = flag.Duration("patience", 5*time.Minute, "for one run of a package's tests")
	out      = flag.String("out", "", "the results' `file`")
	alive    = flag.Bool("alive", false, "only those that -out says are alive")
	dry      = flag.Bool("n", false, "list the mutants, and run none")
	table    = flag.Bool("table", false, "print a table of -out, and run nothing")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "texts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var err error
	if *root, err = filepath.Abs(*root); err != nil {
		return err
	}
	equal, err := texts.Equivalents()
	if err != nil {
		return err
	}
	known, err := read(*out)
	if err != nil {
		return err
	}
	if *table {
		commit, err := exec.CommandContext(ctx, "git", "-C", *root, "rev-parse", "--short", "HEAD").Output()
		if err != nil {
			return err
		}
		fmt.Printf("Of commit %s.\n\n", strings.TrimSpace(string(commit)))
		return texts.WriteTable(os.Stdout, *root, known, equal)
	}
	chosen, err := choose(known)
	if err != nil {
		return err
	}
	if *dry {
		for _, c := range chosen {
			for _, m := range c.mutants {
				fmt.Printf("%s:%d: %s %d: %s\n", m.File, m.Line, m.Op, m.N, m.What)
			}
		}
		return nil
	}
	return runAll(ctx, chosen, equal)
}

// choice is what is run of a target.
type choice struct {
	target  *texts.Target
	mutants []texts.Mutant
}

func choose(known map[texts.ID]texts.Result) (all []choice, err error) {
	n := 0
	for i := range texts.Targets {
		t := &texts.Targets[i]
		if !slices.Contains(strings.Split(*stores, ","), t.Name) {
			continue
		}
		ms, err := t.Mutants(*root)
		if err != nil {
			return nil, err
		}
		ms = slices.DeleteFunc(ms, func(m texts.Mutant) bool {
			r, done := known[m.ID]
			return !strings.Contains(m.ID.String(), *match) || done != *alive || *alive && r.Verdict != texts.Alive
		})
		n += len(ms)
		all = append(all, choice{t, ms})
	}
	if *sample > 0 && *sample < n {
		r := rand.New(rand.NewPCG(*seed, 0))
		in := map[int]bool{}
		for _, i := range r.Perm(n)[:*sample] {
			in[i] = true
		}
		at := -1
		for i := range all {
			all[i].mutants = slices.DeleteFunc(all[i].mutants, func(texts.Mutant) bool { at++; return !in[at] })
		}
	}
	return all, nil
}

func runAll(ctx context.Context, chosen []choice, equal map[string]string) error {
	var file *os.File
	if *out != "" {
		var err error
		if file, err = os.OpenFile(*out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return err
		}
		defer file.Close()
	}
	total, done, count := 0, 0, map[texts.Verdict]int{}
	for _, c := range chosen {
		total += len(c.mutants)
	}
	began := time.Now()
	r := texts.Runner{Root: *root, Parallel: *parallel, Patience: *patience, Done: func(res texts.Result) {
		done++
		count[res.Verdict]++
		if res.Verdict == texts.Alive {
			fmt.Printf("ALIVE %s:%d: %s %d: %s\n", res.File, res.Line, res.Op, res.N, res.What)
		}
		fmt.Fprintf(os.Stderr, "%d of %d in %v: %d killed, %d alive, %d equivalent, %d stillborn\n",
			done, total, time.Since(began).Round(time.Second), count[texts.Killed], count[texts.Alive], count[texts.Equivalent], count[texts.Stillborn])
		if file != nil {
			b, _ := json.Marshal(res) // strings and numbers
			file.Write(append(b, '\n'))
		}
	}}
	for _, c := range chosen {
		if len(c.mutants) == 0 {
			continue
		}
		if err := r.Run(ctx, c.target, c.mutants, equal); err != nil {
			return err
		}
	}
	return nil
}

// read returns the results of a file; the last of a mutant counts.
func read(name string) (map[texts.ID]texts.Result, error) {
	known := map[texts.ID]texts.Result{}
	if name == "" {
		return known, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r texts.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		known[r.ID] = r
	}
	return known, lines.Err()
}
