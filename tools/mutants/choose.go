package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// A choice says which mutants are tried.
type choice struct {
	sample  int
	seed    uint64
	only    *regexp.Regexp
	changed bool
	again   bool // what was killed when the table was made is killed
	known   bool // try what makes no difference, too
	resume  string
}

// A run is one target's code with its mutants woven in, and what was chosen and tried of them.
type run struct {
	target  target
	dir     string
	overlay string
	all     []*mutant
	chosen  []*mutant
	tried   []*mutant // and those that are taken for killed
}

// prepare finds the mutants of a target and weaves them into a copy of its files.
func prepare(root string, t target) (*run, error) {
	r := &run{target: t}
	var rooms []*room
	for module, patterns := range t.code {
		found, err := load(filepath.Join(root, module), root, patterns)
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, found...)
	}
	var err error
	if r.dir, err = os.MkdirTemp("", "mutants"); err != nil {
		return nil, err
	}
	r.overlay, r.all, err = weave(r.dir, rooms)
	return r, err
}

// choose chooses of all runs together, so that a sample is one of the whole.
func (c choice) choose(runs []*run, list *lists) error {
	var lines map[string]map[int]bool
	if c.changed || c.again {
		var err error
		if lines, err = changed(list.table.commit); err != nil {
			return err
		}
	}
	recorded, err := readRecord(c.resume)
	if err != nil {
		return err
	}
	of := map[*mutant]*run{}
	var all []*mutant
	for _, r := range runs {
		for _, m := range r.all {
			name := m.name()
			if !c.only.MatchString(name) {
				continue
			}
			fate, settled := recorded[name]
			switch {
			case !c.known && list.equal[name] != "":
				if c.changed || c.sample > 0 {
					continue
				}
				fate = alive // as every run of it would find, after all tests that reach it
			case settled:
			case c.again && !list.alive[name] && !lines[m.file][m.line]:
				fate = killed
			case c.changed && !lines[m.file][m.line]:
				continue
			default:
				all, of[m] = append(all, m), r
				continue
			}
			m.fate = fate
			r.tried = append(r.tried, m)
		}
	}
	if c.sample > 0 && c.sample < len(all) {
		rand.New(rand.NewPCG(c.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:c.sample]
	}
	for _, m := range all {
		of[m].chosen = append(of[m].chosen, m)
	}
	return nil
}

// try tries the chosen mutants.
func (r *run) try(ctx context.Context, root string, list *lists, o options, begun time.Time) error {
	n := &runner{dir: r.dir, all: r.all, workers: o.workers, quick: o.quick, log: os.Stderr}
	if err := n.build(ctx, root, r.overlay, r.target.suites); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %d of %d mutants, %d tests\n", r.target.name, len(r.chosen), len(r.all), len(n.tests))
	var mu sync.Mutex
	tried := 0
	var failed error
	each(o.workers, r.chosen, func(m *mutant) {
		if ctx.Err() != nil || o.limit > 0 && time.Since(begun) > o.limit {
			return
		}
		n.try(ctx, m)
		mu.Lock()
		defer mu.Unlock()
		r.tried = append(r.tried, m)
		tried++
		if failed == nil {
			failed = o.record(m)
		}
		if word := list.word(m); word != "" {
			fmt.Printf("%s line %d of %s\n", word, m.line, m.name()) // the name is what known.txt has
		}
		if tried%50 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d of %d, %v\n", r.target.name, tried, len(r.chosen), time.Since(begun).Round(time.Second))
		}
	})
	if missing := len(r.chosen) - tried; missing > 0 && ctx.Err() == nil {
		fmt.Printf("NOT TRIED: %d mutants of %s, for the time was up\n", missing, r.target.name)
	}
	return errors.Join(failed, ctx.Err())
}
