package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// A record of a run that may be stopped and begun again is a file with a line for each mutant whose
// fate is settled: the fate and the name. It is good as long as neither code nor tests change.

// fates are the words for them, by number.
var fates = []string{waiting: "waiting", killed: "killed", timedOut: "timed-out", alive: "alive", unseen: "unseen"}

// readRecord returns the fates in a record by the mutants' names. No file is an empty one.
func readRecord(file string) (map[string]fate, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	recorded := map[string]fate{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		word, name, _ := strings.Cut(lines.Text(), " ")
		f := fate(slices.Index(fates, word))
		if f <= waiting {
			return nil, fmt.Errorf("%s: the line %q begins with no fate", file, lines.Text())
		}
		recorded[name] = f
	}
	return recorded, lines.Err()
}

// record adds a mutant whose fate is settled. After the quick tests alone it is only if one failed.
func (o options) record(m *mutant) error {
	if o.resume == "" || o.quick && m.fate != killed && m.fate != timedOut {
		return nil
	}
	file, err := os.OpenFile(o.resume, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, fates[m.fate], m.name())
	return errors.Join(err, file.Close())
}
